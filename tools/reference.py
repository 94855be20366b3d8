"""Writes the Python package's reference with pdoc: `python tools/reference.py FOLDER`.

pdoc imports what it documents, and a compiled module has no types to show. So it gets the package
with the type stub, which has them beside the same texts, in place of that module.
"""

import importlib
import re
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

import pdoc
import pdoc.render

PACKAGE = Path(__file__).resolve().parent.parent / "python/zerohop"

# What programs use without naming it: `engine.chat.completions.create(...)`.
UNNAMED = [
    "Chat",
    "Completions",
    "_CreateParams",
    "Messages",
    "LegacyCompletions",
    "_LegacyParams",
    "Responses",
    "_ResponseParams",
    "InputItems",
    "InputTokens",
    "_CountParams",
    "Embeddings",
    "_EmbeddingParams",
    "Files",
    "Images",
    "Batches",
    "_BatchParams",
    "Models",
    "SyncPage",
    "AsyncPage",
    "SyncCursorPage",
    "AsyncCursorPage",
]


def importable(stub: str) -> str:
    """The stub as a module that can be imported."""
    docstring, text = stub.split("\n\n", 1)
    text = f"from __future__ import annotations\n\n{text}"
    text = text.replace("\n__version__: str\n", '\n__version__ = ""\n')
    # pdoc knows constructors by this name.
    text = re.sub(r"def __new__\(\s*cls", "def __init__(self", text)
    # It would take the None that a stub's method gives for a type, and cannot show an `Unpack`.
    text = re.sub(r" +def __class_getitem__.*\n", "", text)
    text = re.sub(r"Unpack\[(\w+)\]", r"\1", text)
    # The last of several overloads has the docstring, and is what pdoc finds.
    text = re.sub(r' +@overload\n([^@]*?:\n +""")', r"\1", text)
    return f"{docstring}\n\n{text}"


def write(folder: Path) -> None:
    """Writes the pages into a folder, in place of what is there."""
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as source:
        copy = Path(source, PACKAGE.name)
        shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
        stub = copy / "_native.pyi"
        stub.with_suffix(".py").write_text(importable(stub.read_text()))
        stub.unlink()
        sys.path.insert(0, source)
        package = importlib.import_module(PACKAGE.name)
        native = importlib.import_module(f"{PACKAGE.name}._native")
        for name in native.__all__:
            public = getattr(native, name)
            if isinstance(public, type):
                in_types = name in package.types.__all__
                public.__module__ = f"{PACKAGE.name}.types" if in_types else PACKAGE.name
        for name in UNNAMED:
            setattr(package, name, getattr(native, name))
            package.__all__.append(name)
        pdoc.render.configure(docformat="markdown", show_source=False)
        with warnings.catch_warnings():
            # The package gives what is public its own name as its module, where pdoc then looks in
            # vain for the names in annotations: it shows these as they are written.
            warnings.simplefilter("ignore", UserWarning)
            pdoc.pdoc(
                PACKAGE.name, "!zerohop.types.", "!zerohop.pagination", output_directory=folder
            )


if __name__ == "__main__":
    write(Path(sys.argv[1]))
