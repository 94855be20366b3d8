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
    """Builds and strips the command; does nothing in a source distribution, which has no `cli`."""
    if not (ROOT / "cli/Cargo.toml").exists():
        return
    command = ["cargo", "rustc", "--quiet", "--release", "--locked", "-p", "zerohop-cli"]
    subprocess.run([*command, "--bin", "zerohop", *arguments], cwd=ROOT, check=True)
    built = Path(os.environ["CARGO_TARGET_DIR"]) / "release/zerohop"
    PLACE.parent.mkdir(exist_ok=True)
    if strip := shutil.which("strip"):
        subprocess.run([strip, "-o", PLACE, built], check=True)
    else:
        shutil.copy(built, PLACE)


if __name__ == "__main__":
    try:
        build(sys.argv[1:])
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
