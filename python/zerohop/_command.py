"""The `zerohop` command of an installed wheel."""

import os
import sys
from pathlib import Path

# A program of its own, which needs no Python; also the worker of engines with isolation.
PATH = Path(__file__).parent / "bin/zerohop"


def main() -> None:
    """Becomes the program."""
    try:
        os.execv(PATH, ["zerohop", *sys.argv[1:]])
    except FileNotFoundError:
        sys.exit("zerohop: this installation has no command: `cargo install zerohop-cli` has it")
