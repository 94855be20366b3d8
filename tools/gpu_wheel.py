"""Packs a native library with GPU code: `python tools/gpu_wheel.py BACKEND LIBRARY FOLDER`.

The wheel `zerohop-BACKEND` has the library and nothing else; `zerohop` takes it in place of its own
(python/zerohop/_library.py). It is for machines with this one's glibc or a later one.
"""

import base64
import hashlib
import platform
import sys
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOTICES = ["LICENSE-APACHE", "LICENSE-MIT", "THIRD-PARTY-NOTICES"]


def main() -> None:
    backend, library, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    glibc = platform.libc_ver()[1].replace(".", "_")
    tag = f"cp311-abi3-manylinux_{glibc}_{platform.machine()}"
    package, name = f"zerohop_{backend}", f"zerohop_{backend}-{version}"
    info = f"{name}.dist-info"
    metadata = [
        "Metadata-Version: 2.4",
        f"Name: zerohop-{backend}",
        f"Version: {version}",
        f"Summary: The native library of zerohop with code for {backend}",
        "Requires-Python: >=3.11",
        f"Requires-Dist: zerohop=={version}",
        "License-Expression: MIT OR Apache-2.0",
        *(f"License-File: {notice}" for notice in NOTICES),
    ]
    wheel = [
        "Wheel-Version: 1.0",
        "Generator: zerohop",
        "Root-Is-Purelib: false",
        f"Tag: {tag}",
    ]
    about = f'"""The library of zerohop with code for {backend}."""\n'
    files = {
        f"{package}/__init__.py": about.encode(),
        f"{package}/_native.abi3.so": library.read_bytes(),
        f"{info}/METADATA": "\n".join([*metadata, ""]).encode(),
        f"{info}/WHEEL": "\n".join([*wheel, ""]).encode(),
    }
    for notice in NOTICES:
        files[f"{info}/licenses/{notice}"] = (ROOT / notice).read_bytes()
    record = ""
    for path, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(content)}\n"
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{name}-{tag}.whl"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
