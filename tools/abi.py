"""Writes down what programs that were compiled against the C header depend on: `make abi`.

Functions, callbacks, constants, and for each struct its size and its members' places, as the
compiler sees them on this machine. The result is committed, so that a change of it is seen.

    python3 tools/abi.py include/zerohop.h > ffi/abi.txt
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

CC = os.environ.get("CC", "cc")
STRUCT = re.compile(r"typedef struct (zerohop_\w+) \{(.*?)\} \1;", re.DOTALL)
TYPEDEF = re.compile(r"typedef [^{};]*?\bzerohop_\w+\b[^{};]*;")
FUNCTION = re.compile(r"^[\w ]+[ *](zerohop_\w+)\([^;{}]*\);", re.MULTILINE)
CONSTANT = re.compile(r"^#define (ZEROHOP_\w+) \S", re.MULTILINE)
MEMBER = re.compile(r"(.*?)(\w+)$", re.DOTALL)


def main(header: Path) -> None:
    """Prints the description of a header."""
    source = without_library(header)
    print(
        "# Written by `make abi`. Within a version 1 nothing here may change; lines may be added."
    )
    for title, lines in (
        ("constants", constants(header)),
        ("types", sorted(squeeze(found) for found in TYPEDEF.findall(source))),
        ("structs: size; offset, size, member", structs(header, source)),
        ("functions", functions(source)),
    ):
        print(f"\n# {title}")
        print("\n".join(lines))


def without_library(header: Path) -> str:
    """The header's own declarations, preprocessed."""
    text = re.sub(r"^#include .*$", "", header.read_text(), flags=re.MULTILINE)
    command = [CC, "-E", "-P", "-x", "c", "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def squeeze(text: str) -> str:
    """The text on one line."""
    return " ".join(text.split())


def functions(source: str) -> list[str]:
    """The prototypes."""
    return sorted(squeeze(found.group()) for found in FUNCTION.finditer(source))


def constants(header: Path) -> list[str]:
    """The constants with their values."""
    names = CONSTANT.findall(header.read_text())
    return run(header, [f'printf("%s %lld\\n", "{name}", (long long)({name}));' for name in names])


def structs(header: Path, source: str) -> list[str]:
    """The structs, each with its size, and its members."""
    statements = []
    for name, body in STRUCT.findall(source):
        statements.append(f'printf("{name} %zu\\n", sizeof({name}));')
        for declaration in filter(None, map(str.strip, body.split(";"))):
            match = MEMBER.match(declaration)
            assert match, declaration
            kind, member = squeeze(match[1]), match[2]
            place = f"offsetof({name}, {member}), sizeof((({name} *)0)->{member})"
            statements.append(f'printf("  %zu %zu {kind} {member}\\n", {place});')
    return run(header, statements)


def run(header: Path, statements: list[str]) -> list[str]:
    """What a C program of these statements prints."""
    body = "\n".join(statements)
    includes = f'#include <stdio.h>\n#include "{header.resolve()}"\n'
    program = f"{includes}int main(void) {{\n{body}\nreturn 0;\n}}\n"
    with tempfile.TemporaryDirectory() as folder:
        binary = Path(folder) / "abi"
        command = [CC, "-std=c11", "-x", "c", "-", "-o", str(binary)]
        subprocess.run(command, input=program, text=True, check=True)
        return subprocess.check_output([binary], text=True).splitlines()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
