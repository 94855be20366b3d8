"""Makes the virtual environments of checks that need more than the build tools.

python3 tools/testenv.py checks          what tools/requirements-checks.txt lists
python3 tools/testenv.py openai3 ...     likewise tests/ecosystem/requirements-openai3.txt
python3 tools/testenv.py peers           likewise benches/requirements-peers.txt
python3 tools/testenv.py speech          likewise benches/requirements-speech.txt
"""

import argparse
import hashlib
import platform
import subprocess
import sys
from pathlib import Path

from buildenv import ROOT, cache_dir, locked

CHECKS = "checks"
# Where the packages of some are listed.
FOLDERS = {
    CHECKS: "tools",
    "release": "tools",
    "site": "tools",
    "peers": "benches",
    "speech": "benches",
}


def environment(name: str) -> Path:
    """Where the environment of this name is."""
    return cache_dir() / name


def requirements(name: str) -> Path:
    """The packages of an environment, with exact versions."""
    folder = ROOT / FOLDERS.get(name, "tests/ecosystem")
    return folder / f"requirements-{name}.txt"


def make(name: str) -> None:
    """Makes an environment, unless it is there with the same packages and the same Python."""
    folder, listed = environment(name), requirements(name)
    digest = hashlib.sha256(listed.read_bytes()).hexdigest()
    stamp = f"{digest} python {platform.python_version()}\n"
    stamp_file = folder / "zerohop-stamp"
    with locked(cache_dir() / f"{name}.lock"):
        if stamp_file.is_file() and stamp_file.read_text() == stamp:
            return
        print(f"installing {listed.relative_to(ROOT)} into {folder}", file=sys.stderr, flush=True)
        _call(sys.executable, "-m", "venv", "--clear", str(folder))
        if name == CHECKS:
            pip = [str(folder / "bin/python"), "-m", "pip", "--disable-pip-version-check"]
            _call(*pip, "install", "--quiet", "--requirement", str(listed))
        else:
            _uv(folder, "--requirement", str(listed))
        # Written last: an environment without it is half-made, and is made again.
        stamp_file.write_text(stamp)


def install(name: str, wheel: Path) -> None:
    """Installs a wheel into an environment, in place of one of the same name."""
    _uv(environment(name), "--no-index", "--no-deps", "--reinstall", str(wheel))


def _uv(folder: Path, *arguments: str) -> None:
    """Like pip in that environment, ten times as fast, which is much with a hundred packages."""
    uv = [str(environment(CHECKS) / "bin/uv"), "--quiet", "--no-cache", "--no-config"]
    _call(*uv, "pip", "install", "--python", str(folder), *arguments)


def _call(*command: str) -> None:
    subprocess.run(command, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", nargs="+")
    parser.add_argument("--wheel", type=Path)
    arguments = parser.parse_args()
    for name in [CHECKS, *arguments.name]:
        make(name)
    for name in arguments.name if arguments.wheel else []:
        install(name, arguments.wheel)


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"zerohop: {error}")
