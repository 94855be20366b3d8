"""Builds the `zerohop` command into the Python package, where wheels take it from.

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


def build(arguments: Sequence[str] = ()) -> None:
    """Builds and strips the command, with arguments for rustc."""
    command = ["cargo", "rustc", "--quiet", "--release", "-p", "zerohop-cli", "--bin", "zerohop"]
    if not join_workspace():
        command.append("--locked")
    subprocess.run([*command, *arguments], cwd=ROOT, check=True)
    built = Path(os.environ["CARGO_TARGET_DIR"]) / "release/zerohop"
    PLACE.parent.mkdir(exist_ok=True)
    if strip := shutil.which("strip"):
        subprocess.run([strip, "-o", PLACE, built], check=True)
    else:
        shutil.copy(built, PLACE)


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
