"""Builds what wheels have beside the module into the Python package: the `zerohop` command, and the
library that makes images.

`python3 tools/command.py [-- ARGUMENT...]` is for use with the variables of `buildenv.py env`; the
arguments are rustc's.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / "python/zerohop/bin/zerohop"
LIBRARY = ROOT / "python/zerohop/libzerohop_diffusion.so"


def build(arguments: Sequence[str] = ()) -> None:
    """Builds and strips both, with arguments for rustc."""
    is_distribution = join_workspace()
    locked = [] if is_distribution else ["--locked"]
    _build("zerohop", PLACE, ["-p", "zerohop-cli", "--bin", "zerohop", *locked, *arguments])
    # A source distribution is without it, and what is built from that makes no images.
    if not is_distribution:
        _build(LIBRARY.name, LIBRARY, ["-p", "zerohop-diffusion", *locked, *arguments])


def _build(name: str, place: Path, arguments: Sequence[str]) -> None:
    command = ["cargo", "rustc", "--quiet", "--release", *arguments]
    subprocess.run(command, cwd=ROOT, check=True)
    built = Path(os.environ["CARGO_TARGET_DIR"]) / "release" / name
    place.parent.mkdir(exist_ok=True)
    if strip := shutil.which("strip"):
        subprocess.run([strip, "--strip-unneeded", "-o", place, built], check=True)
    else:
        shutil.copy(built, place)


def join_workspace() -> bool:
    """Makes the command's crate a member of the workspace; says if this is a source distribution.

    In one, maturin leaves in the workspace what the Python package depends on, and Cargo.lock as it
    was, which cargo must be free to shorten.
    """
    manifest = ROOT / "Cargo.toml"
    text = manifest.read_text()
    opening = "members = ["
    [members] = [line for line in text.splitlines() if line.startswith(opening)]
    if '"cli"' not in members:
        manifest.write_text(text.replace(members, members.replace(opening, f'{opening}"cli", ')))
    return not (ROOT / "ffi").exists()


if __name__ == "__main__":
    try:
        build(sys.argv[1:])
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
