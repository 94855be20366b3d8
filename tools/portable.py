"""Makes the folder that releases are linked with, so that they run on older Linux systems.

    python tools/portable.py COMMAND...      runs that with rustc's arguments for it at its end

Objects are compiled with this machine's headers, and linked with libraries that have only what
glibc 2.28 had, which Zig knows, and with GCC's own static C++ library. Elsewhere than on Linux
there is nothing to do, and the command runs as it is.
"""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from buildenv import cache_dir, locked
from testenv import environment, requirements

GLIBC = "2.28"
SHIM = Path(__file__).resolve().parent / "native/glibc.c"
LIBRARIES = ["libdl.so.2", "libm.so.6", "libpthread.so.0", "librt.so.1", "libutil.so.1"]


def folder() -> Path:
    """Where the folder is."""
    return cache_dir() / f"glibc-{GLIBC}"


def make() -> None:
    """Makes the folder, unless it is there."""
    stamp = requirements("release").read_text() + SHIM.read_text() + Path(__file__).read_text()
    stamp_file = folder() / "stamp"
    with locked(cache_dir() / f"{folder().name}.lock"):
        if stamp_file.is_file() and stamp_file.read_text() == stamp:
            return
        shutil.rmtree(folder(), ignore_errors=True)
        folder().mkdir()
        with tempfile.TemporaryDirectory(dir=cache_dir()) as work:
            _stubs(Path(work))
        compiler = os.environ.get("CC", "cc")
        flags = ["-std=gnu11", "-O2", "-fPIC", "-c", "-Wall", "-Wextra", "-Werror"]
        subprocess.run([compiler, *flags, SHIM, "-o", folder() / "glibc.o"], check=True)
        static = [os.environ.get("CXX", "c++"), "-print-file-name=libstdc++.a"]
        library = Path(subprocess.check_output(static, text=True).strip())
        if not library.is_absolute():
            raise SystemExit("zerohop: GCC's static C++ library is missing (libstdc++.a)")
        (folder() / library.name).symlink_to(library)
        # Written last: a folder without it is half-made.
        stamp_file.write_text(stamp)


def _stubs(work: Path) -> None:
    """Has Zig link a program for that glibc, and takes what it made for that."""
    source = work / "main.c"
    source.write_text("int main(void) { return 0; }\n")
    target = f"{platform.machine()}-linux-gnu.{GLIBC}"
    python = str(environment("release") / "bin/python")
    zig = [python, "-m", "ziglang", "cc", "-target", target, "-O1", "-fno-sanitize=all"]
    caches = {f"ZIG_{name}_CACHE_DIR": str(work / "cache") for name in ["GLOBAL", "LOCAL"]}
    subprocess.run(
        [*zig, "-fPIE", "-pie", source, "-o", work / "main"], check=True, env=os.environ | caches
    )
    found = {path.name: path for path in (work / "cache").rglob("*.*") if path.is_file()}
    for name in ["libc.so.6", "libc_nonshared.a", "Scrt1.o", *LIBRARIES]:
        shutil.copy(found[name], folder() / name)
    for name in LIBRARIES:
        (folder() / name.partition(".so")[0]).with_suffix(".so").symlink_to(name)
    loader = _soname(found["libld.so.2"])
    shutil.copy(found["libld.so.2"], folder() / loader)
    parts = [folder() / name for name in ["libc.so.6", "libc_nonshared.a"]]
    (folder() / "libc.so").write_text(
        f"GROUP ( {parts[0]} {parts[1]} AS_NEEDED ( {folder() / loader} ) )\n"
    )


def _soname(library: Path) -> str:
    """The name that a shared library goes by."""
    listed = subprocess.check_output(["readelf", "--dynamic", "--wide", library], text=True)
    return listed.partition("soname: [")[2].partition("]")[0]


def arguments() -> list[str]:
    """What rustc links with it by."""
    link_arguments = [f"{folder()}/glibc.o", f"-B{folder()}", "-ldl", "-lpthread"]
    # GCC's unwinder is this machine's here and wants its glibc; where it runs it is that machine's.
    link_arguments.append("-Wl,--allow-shlib-undefined")
    return ["-L", f"native={folder()}", *[f"-Clink-arg={word}" for word in link_arguments]]


if __name__ == "__main__":
    if sys.platform == "linux":
        make()
        os.execvp(sys.argv[1], [*sys.argv[1:], "--", *arguments()])
    os.execvp(sys.argv[1], sys.argv[1:])
