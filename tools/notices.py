"""Writes THIRD-PARTY-NOTICES: the licences of what wheel, libraries and command are made of.

    python tools/notices.py [--check]

With `--check`, nothing is written: a file that is not up to date is an error. The Rust crates are
what cargo resolves for the platforms that releases are made for, without tools of the build; the C
and C++ parts are listed below. Of alternatives (`MIT OR Apache-2.0`), MIT's text is shown where
there is one.
"""

import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
NOTICES = ROOT / "THIRD-PARTY-NOTICES"

PLATFORMS = [
    "x86_64-unknown-linux-gnu",
    "aarch64-unknown-linux-gnu",
    "aarch64-apple-darwin",
    "x86_64-pc-windows-msvc",
]
SHIPPED = ["zerohop-cli", "zerohop-ffi", "zerohop-python"]

INTRODUCTION = """\
Third-party notices

zerohop is MIT or Apache-2.0. Its wheel, libraries and command are compiled with the software listed
here, whose licences follow. Written by tools/notices.py.
"""

MIT = """\
{holders}

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
associated documentation files (the "Software"), to deal in the Software without restriction,
including without limitation the rights to use, copy, modify, merge, publish, distribute,
sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or
substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT
NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM,
DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT
OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE."""

GCC_RUNTIME = """\
The Linux wheel contains the C++ runtime library of GCC (libstdc++), Copyright (C) Free Software
Foundation, Inc. It is under version 3 of the GNU General Public License with version 3.1 of the
GCC Runtime Library Exception, which permits conveying a program that was compiled with GCC
together with this library under terms of one's own choice:
https://www.gnu.org/licenses/gcc-exception-3.1.html, https://www.gnu.org/licenses/gpl-3.0.html"""

RUST_LIBRARY = "Copyright (c) The Rust Project Contributors"


@dataclass(order=True)
class Part:
    """Something compiled in: what it is called, and under which licence."""

    name: str
    version: str
    licence: str
    url: str
    text: str


def metadata(platforms: list[str]) -> dict[str, Any]:
    """What cargo knows of the workspace and its dependencies, on all platforms if none is given."""
    filters = [word for platform in platforms for word in ("--filter-platform", platform)]
    command = ["cargo", "metadata", "--locked", "--format-version=1", *filters]
    known: dict[str, Any] = json.loads(subprocess.check_output(command, cwd=ROOT))
    return known


def linked(known: dict[str, Any]) -> list[dict[str, Any]]:
    """The packages of others that end up in what is shipped."""
    packages = {package["id"]: package for package in known["packages"]}
    nodes = {node["id"]: node for node in known["resolve"]["nodes"]}
    found, waiting = set(), [id for id, package in packages.items() if package["name"] in SHIPPED]
    while waiting:
        id = waiting.pop()
        if id in found or any("proc-macro" in target["kind"] for target in packages[id]["targets"]):
            continue
        found.add(id)
        for dependency in nodes[id]["deps"]:
            if any(kind["kind"] is None for kind in dependency["dep_kinds"]):
                waiting.append(dependency["pkg"])
    return [packages[id] for id in found if packages[id]["source"] is not None]


def licence_files(folder: Path, licence: str) -> list[Path]:
    """The files of a package that have to be shown."""
    names = r"(licen[cs]e|copying|notice|copyright|unlicense)"
    files = [path for path in sorted(folder.iterdir()) if re.match(names, path.name, re.I)]
    files = [path for path in files if path.is_file()]
    if re.search(r"\bOR\b|/", licence) and re.search(r"\bMIT\b", licence):
        files = [path for path in files if re.search(r"mit\b", path.name, re.I)] or files
    return files


def crates() -> Iterator[Part]:
    """The Rust crates."""
    texts_of: dict[str, str] = {}
    without: list[Part] = []
    for package in sorted(linked(metadata(PLATFORMS)), key=lambda it: (it["name"], it["version"])):
        name, version, licence = package["name"], package["version"], package["license"]
        url = package["repository"] or f"crate {name}"
        files = licence_files(Path(package["manifest_path"]).parent, licence)
        text = "\n\n".join(path.read_text("utf-8-sig").strip() for path in files)
        part = Part(name, version, licence, url, text)
        if text:
            texts_of.setdefault(licence, text)
            yield part
        else:
            authors = ", ".join(re.sub(r" <.*?>", "", author) for author in package["authors"])
            part.text = MIT.format(holders=f"Copyright (c) {authors or f'the authors of {name}'}")
            without.append(part)
    for part in without:
        if "MIT" not in part.licence:
            part.text = texts_of[part.licence]
        yield part


def after(path: Path, start: str) -> str:
    """A file's text from a line on, without the frame of its comment."""
    text = path.read_text()
    return text[text.index(start) :].replace("*/", "").strip()


def native(packages: list[dict[str, Any]]) -> Iterator[Part]:
    """The C and C++ parts, which come with three of the packages."""
    folders = {package["name"]: Path(package["manifest_path"]).parent for package in packages}
    llama = folders["llama-cpp-sys-2"] / "llama.cpp"
    whisper = folders["whisper-rs-sys"] / "whisper.cpp"
    vendor = llama / "vendor"
    github = "https://github.com"
    yield Part(
        "llama.cpp and ggml",
        "",
        "MIT",
        f"{github}/ggml-org/llama.cpp",
        (llama / "LICENSE").read_text(),
    )
    yield Part(
        "whisper.cpp",
        "",
        "MIT",
        f"{github}/ggml-org/whisper.cpp",
        (whisper / "LICENSE").read_text(),
    )
    diffusion = folders["diffusion-rs-sys"] / "stable-diffusion.cpp"
    yield Part(
        "stable-diffusion.cpp",
        "",
        "MIT",
        f"{github}/leejet/stable-diffusion.cpp",
        (diffusion / "LICENSE").read_text(),
    )
    yield Part(
        "Darts-clone, in stable-diffusion.cpp",
        "",
        "BSD-2-Clause",
        f"{github}/s-yata/darts-clone",
        (diffusion / "thirdparty/LICENSE.darts_clone.txt").read_text(),
    )
    miniz = (diffusion / "thirdparty/miniz.h").read_text()
    yield Part(
        "miniz and zip, in stable-diffusion.cpp",
        "",
        "Unlicense",
        f"{github}/kuba--/zip",
        miniz[miniz.index("This is free and unencumbered") :].partition("*/")[0].strip(),
    )
    sgemm = (llama / "ggml/src/ggml-cpu/llamafile/sgemm.cpp").read_text()
    yield Part(
        "llamafile's sgemm, in ggml",
        "",
        "MIT",
        f"{github}/mozilla-ai/llamafile",
        re.sub(r"^// ?", "", sgemm[: sgemm.index("\n\n")], flags=re.M),
    )
    json_header = (vendor / "nlohmann/json.hpp").read_text()
    holders = re.findall(r"SPDX-FileCopyrightText: (.*)", json_header)
    yield Part(
        "JSON for Modern C++, in llama.cpp",
        "",
        "MIT",
        f"{github}/nlohmann/json",
        MIT.format(holders="\n".join(f"Copyright (c) {who}" for who in dict.fromkeys(holders))),
    )
    yield Part(
        "cpp-httplib, in llama.cpp",
        "",
        "MIT",
        f"{github}/yhirose/cpp-httplib",
        (vendor / "cpp-httplib/LICENSE").read_text(),
    )
    choice = "This software is available"
    for name, header, url in [
        ("miniaudio", "miniaudio/miniaudio.h", f"{github}/mackron/miniaudio"),
        ("stb_image", "stb/stb_image.h", f"{github}/nothings/stb"),
    ]:
        yield Part(
            f"{name}, in llama.cpp",
            "",
            "MIT-0 or public domain",
            url,
            after(vendor / header, choice),
        )
    yield Part(
        "GCC's C++ runtime library",
        "",
        "GPL-3.0 WITH GCC-exception-3.1",
        "https://gcc.gnu.org",
        GCC_RUNTIME,
    )
    yield Part(
        "Rust's standard library",
        "",
        "MIT OR Apache-2.0",
        f"{github}/rust-lang/rust",
        MIT.format(holders=RUST_LIBRARY),
    )


def page() -> str:
    """The whole file: each text once, under all that it belongs to."""
    # whisper.cpp's crate is not built: only its sources are used.
    parts = [*native(metadata([])["packages"]), *crates()]
    parts_of = defaultdict(list)
    for part in parts:
        parts_of[" ".join(part.text.split())].append(part)
    lines = [INTRODUCTION]
    for same in parts_of.values():
        lines.append("=" * 100)
        for part in same:
            title = f"{part.name} {part.version}".rstrip()
            lines.append(f"{title} ({part.licence}), {part.url}")
        text = "\n".join(line.rstrip() for line in same[0].text.expandtabs().splitlines())
        lines.append(f"\n{text.strip()}\n")
    return "\n".join(lines)


def main() -> int:
    text = page()
    if sys.argv[1:] != ["--check"]:
        NOTICES.write_text(text)
    elif not NOTICES.exists() or NOTICES.read_text() != text:
        print(f"{NOTICES.name} is out of date: run `python {sys.argv[0]}`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
