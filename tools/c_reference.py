"""Makes a page of the C header: its first comment, then what it declares, explained."""

import re
import textwrap
from pathlib import Path

HEADER = Path(__file__).resolve().parent.parent / "include/zerohop.h"

# A comment and what follows it, up to the end of that.
DECLARATION = re.compile(
    r"^/\*\*\n(?P<says>(?: \*.*\n)*?) \*/\n"
    r"(?P<code>#define (?:.*\\\n)*.*\n|(?:[^\n].*\n)*?.*?;\n(?=\n|$|#))",
    re.M,
)
KINDS = {"typedef": "Structs and other types", "#define": "Constants"}


def uncommented(comment: str) -> str:
    """A comment's text."""
    return re.sub(r"^ \* ?", "", comment, flags=re.M).strip("\n")


def preface(header: str) -> str:
    """The first comment: titles stand alone after two empty lines, programs are indented."""
    text = uncommented(header[: header.index(" */")].removeprefix("/*\n"))
    first, *sections = text.split("\n\n\n")
    parts = [first.partition("\n\nWritten by")[0]]
    for section in sections:
        title, _, body = section.strip("\n").partition("\n\n")
        if not body:
            continue
        parts.append(f"## {title}")
        for block in body.split("\n\n"):
            if re.match(r"  \d+\. ", block):
                block = textwrap.dedent(block)
            elif block.startswith("  "):
                block = textwrap.indent(block, "  ")
            parts.append(block)
    return "\n\n".join(parts)


def name_of(code: str) -> str:
    """What a declaration declares."""
    patterns = [
        r"#define (\w+)",
        r"typedef .*\(\*(\w+)\)",
        r"(?s)typedef struct (\w+)",
        r"typedef .* (\w+);",
        r"(\w+)\(",
    ]
    for pattern in patterns:
        if found := re.match(pattern, code) or re.search(pattern, code):
            return found[1]
    raise ValueError(f"what does this declare? {code}")


def page() -> str:
    """The page."""
    header = HEADER.read_text()
    found = [
        (name_of(match["code"]), uncommented(match["says"]), match["code"].strip())
        for match in DECLARATION.finditer(header)
    ]
    declared = set(re.findall(r"^(?:typedef struct |#define )(\w+)\b", header, re.M))
    declared |= set(re.findall(r"\b(zerohop_\w+)\((?!\*)[^;]*\);$", header, re.M))
    if missing := declared - {name for name, _, _ in found} - {"ZEROHOP_H"}:
        raise ValueError(f"the C reference would leave out {', '.join(sorted(missing))}")
    lines = ["# C reference\n", preface(header), ""]
    for title in ["Functions", *KINDS.values()]:
        lines.append(f"## {title}\n")
        for name, says, code in sorted(found):
            if KINDS.get(code.split()[0], "Functions") == title:
                lines.append(f"### {name}\n\n{says}\n\n```c\n{code}\n```\n")
    return "\n".join(lines)
