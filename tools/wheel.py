"""Checks a wheel as it is to be published: `python tools/wheel.py WHEEL`.

It must run on any Linux with glibc 2.28, without a C++ runtime, have nothing in it that only this
machine knows, bring all notices, and not grow unseen.
"""

import json
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile

# glibc's own, and GCC's unwinder, which comes with it.
SYSTEM = {"libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "libgcc_s.so.1"}
LOADERS = {"ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}
OLDEST = (2, 28)
# Bytes of the file; what is in it is unpacked to three times as much.
CEILING = 29 * 1024 * 1024
NOTICES = ["LICENSE-APACHE", "LICENSE-MIT", "THIRD-PARTY-NOTICES"]


def problems(wheel: Path) -> Iterator[str]:
    """What is wrong with a wheel."""
    size = wheel.stat().st_size
    print(f"{wheel.name}: {size / 1e6:.1f} MB")
    if size > CEILING:
        yield f"{size} bytes are more than the ceiling of {CEILING} (tools/wheel.py)"
    with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory() as folder:
        names = archive.namelist()
        for notice in NOTICES:
            if not any(f".dist-info/licenses/{notice}" in name for name in names):
                yield f"{notice} is not in it"
        archive.extractall(folder)
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file() and path.read_bytes()[:4] == b"\x7fELF":
                with path.open("rb") as file:
                    print(f"  {path.relative_to(folder)}: {path.stat().st_size / 1e6:.1f} MB")
                    for problem in _elf_problems(file):
                        yield f"{path.relative_to(folder)}: {problem}"
    if sys.platform == "linux":
        yield from _audit(wheel)


def _elf_problems(file: BinaryIO) -> Iterator[str]:
    elf = ELFFile(file)
    if elf.get_section_by_name(".symtab") or elf.get_section_by_name(".debug_info"):
        yield "it is not stripped"
    dynamic = elf.get_section_by_name(".dynamic")
    if not isinstance(dynamic, DynamicSection):
        return
    for tag in dynamic.iter_tags():
        if tag.entry.d_tag in ("DT_RPATH", "DT_RUNPATH"):
            yield "it has a path to libraries"
        if tag.entry.d_tag == "DT_NEEDED" and tag.needed not in SYSTEM | LOADERS:
            yield f"it needs {tag.needed}"


def _audit(wheel: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "auditwheel", "show", "--json", str(wheel)]
    shown = subprocess.run(command, capture_output=True, text=True)
    if shown.returncode != 0:
        yield f"auditwheel: {shown.stderr.strip() or shown.stdout.strip()}"
        return
    tag = json.loads(shown.stdout)["overall_tag"]
    print(f"  auditwheel: {tag}")
    version = re.match(r"manylinux_(\d+)_(\d+)_", tag)
    if not version or (int(version[1]), int(version[2])) > OLDEST:
        yield f"it is {tag}, for newer systems than are meant: {shown.stdout.strip()}"
    if f"manylinux_{OLDEST[0]}_{OLDEST[1]}_" not in wheel.name:
        yield "its name does not say which systems it is for"


if __name__ == "__main__":
    found = list(problems(Path(sys.argv[1])))
    for problem in found:
        print(f"zerohop: {problem}", file=sys.stderr)
    sys.exit(bool(found))
