"""Prepares what the native build needs on a machine without root.

Rust, a C++ compiler, make and Python 3.11 or later are given. CMake, ninja and libclang come
pinned from wheels, in a virtual environment of their own, and so do the tools for tests and lints.

    python3 tools/buildenv.py setup    makes that environment; quick when nothing is to be done
    python3 tools/buildenv.py env      prints the variables that cargo needs, for a shell's `eval`
"""

import argparse
import fcntl
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = Path(__file__).resolve().with_name("requirements.txt")

GIVEN = {
    "cargo": "Rust (with rustup)",
    "cc": "a C compiler (Debian: apt-get install gcc)",
    "c++": "a C++ compiler (Debian: apt-get install g++)",
}


class SetupError(Exception):
    """Something is missing or failed; the message says what to do."""


def cache_dir() -> Path:
    """The folder for tools, build outputs and models, shared by all clones of the project."""
    if chosen := os.environ.get("ZEROHOP_CACHE"):
        return Path(chosen).absolute()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base).absolute() / "zerohop"


def tools_dir() -> Path:
    """The virtual environment that holds the tools."""
    return cache_dir() / "tools"


def target_dir() -> Path:
    """Cargo's target folder."""
    return cache_dir() / "target"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the file lock `path`; the system releases it even if this process is killed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def is_ready() -> bool:
    """Whether the tools are complete and are those of `requirements.txt`."""
    try:
        return _stamp_file().read_text() == _stamp()
    except FileNotFoundError:
        return False


def setup() -> None:
    """Makes the tools' environment, and the one that tests install the wheel into."""
    _check_given()
    with locked(cache_dir() / "setup.lock"):
        if not is_ready():
            _make()
        forget_other_clone()


def environment(tools: Path) -> dict[str, str]:
    """The variables for cargo, given the prefix that the tools are installed under.

    What the user has set stays; PATH gets the tools in front.
    """
    _check_given()
    variables = {
        "ZEROHOP_CACHE": str(cache_dir()),
        "CMAKE_GENERATOR": "Ninja",
        # llama.cpp takes many minutes to build; in one place it is built once for all clones, the
        # tests, the wheel and the C library.
        "CARGO_TARGET_DIR": str(target_dir()),
    }
    if libclang := next(tools.glob("lib/python3.*/site-packages/clang/native/libclang.*"), None):
        variables["LIBCLANG_PATH"] = str(libclang.parent)
        # The wheel has the library alone; stddef.h and its like are the compiler's.
        include = subprocess.check_output(["cc", "-print-file-name=include"], text=True).strip()
        variables["BINDGEN_EXTRA_CLANG_ARGS"] = f"-I{include}"
    variables = {name: os.environ.get(name, value) for name, value in variables.items()}
    path = os.environ.get("PATH", os.defpath)
    return variables | {"PATH": f"{tools / 'bin'}{os.pathsep}{path}"}


def _check_given() -> None:
    # Linters think this needless, but nothing else has checked the version yet.
    if sys.version_info < (3, 11):  # noqa: UP036
        raise SetupError(f"Python 3.11 or later is needed; this is {platform.python_version()}")
    for program, package in GIVEN.items():
        if shutil.which(program) is None:
            raise SetupError(f"`{program}` is not on PATH: install {package}, then try again")


def _stamp_file() -> Path:
    return tools_dir() / "zerohop-stamp"


def _stamp() -> str:
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    return f"{digest} python {platform.python_version()}\n"


def _make() -> None:
    print(f"installing the build tools into {tools_dir()}", file=sys.stderr, flush=True)
    tools, tests = tools_dir(), cache_dir() / "venv"
    _call(sys.executable, "-m", "venv", "--clear", str(tools))
    pip = [str(tools / "bin/python"), "-m", "pip", "--disable-pip-version-check"]
    _call(*pip, "install", "--quiet", "--requirement", str(REQUIREMENTS))
    # The wheel under test gets an environment of its own, which borrows the tools' packages
    # (pytest, the OpenAI SDK) so that they are installed once.
    _call(sys.executable, "-m", "venv", "--clear", "--without-pip", str(tests))
    packages = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    (tests / packages / "tools.pth").write_text(f"{tools / packages}\n")
    # Written last: an environment without it is half-made, and is made again.
    _stamp_file().write_text(_stamp())


def forget_other_clone() -> None:
    """Has cargo build this clone's crates anew if another clone used the target folder last.

    Cargo knows a package by its place within the workspace, and its freshness by the files' times:
    it would take what another clone built for this one's. Two clones that build at the same time
    need a ZEROHOP_CACHE each.
    """
    stamp = target_dir() / "zerohop-clone"
    if stamp.is_file() and stamp.read_text() == str(ROOT):
        return
    for fingerprint in target_dir().glob("*/.fingerprint/zerohop*"):
        shutil.rmtree(fingerprint)
    target_dir().mkdir(parents=True, exist_ok=True)
    stamp.write_text(str(ROOT))


def _call(*command: str) -> None:
    if subprocess.run(command, stdout=sys.stderr).returncode != 0:
        raise SetupError(
            f"`{shlex.join(command)}` failed (its reason is above). It needs Python's venv module "
            "(Debian: apt-get install python3-venv) and a package index that pip can reach; then "
            "run `make setup` again"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=["setup", "env"])
    if parser.parse_args().command == "setup":
        setup()
        return
    if not is_ready():
        raise SetupError("the build tools are not installed: run `make setup` first")
    for name, value in environment(tools_dir()).items():
        print(f"export {name}={shlex.quote(value)}")


if __name__ == "__main__":
    try:
        main()
    except SetupError as error:
        sys.exit(f"zerohop: {error}")
