"""Writes docs/compatibility.md: each point of OpenAI's API with the tests that name it.

    python tools/compatibility.py [--check]

With `--check`, nothing is written: a table that is not up to date, and a point that a group's
tests leave out, are errors.
"""

import re
import sys
import tomllib
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parent.parent
TABLE = ROOT / "docs" / "compatibility.md"
FOLDERS = ["core/src", "core/tests", "cli/tests", "python/tests", "tests"]
SUFFIXES = {".rs", ".py", ".c", ".cpp", ".json", ".js", ".mjs"}

INTRODUCTION = """\
# Compatibility

What zerohop keeps of OpenAI's API, point by point, and the tests that hold it to that. Written by
`tools/compatibility.py` from [tests/contract.toml](../tests/contract.toml) and the tests, which
name points in comments. Fields that the hosted service alone can honour are refused with a 400 that
names them; the README's "Limits" says what else is missing.
"""


def points() -> dict[str, tuple[str, dict[str, str]]]:
    """Groups by prefix: the title, and the points' texts by id."""
    groups = tomllib.loads((ROOT / "tests" / "contract.toml").read_text())
    return {
        prefix: (
            group["title"],
            {prefix + number: text for number, text in group.items() if number != "title"},
        )
        for prefix, group in groups.items()
    }


def tests() -> dict[str, list[str]]:
    """The files that name each point."""
    named = defaultdict(list)
    paths = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*"))
    for path in sorted(paths):
        if path.suffix in SUFFIXES and "build" not in path.relative_to(ROOT).parts:
            for point in set(re.findall(r"\b[A-Z]{1,2}[0-9]{1,2}\b", tests_in(path))):
                named[point].append(path.relative_to(ROOT).as_posix())
    return named


def tests_in(path: Path) -> str:
    """A file's tests: of the sources, what is compiled for tests alone."""
    text = path.read_text()
    name = path.relative_to(ROOT).as_posix()
    if name.startswith("core/src/") and "tests" not in name:
        return text.partition("#[cfg(test)]")[2]
    return text


def table() -> tuple[str, list[str]]:
    """The page, and the points of which no test knows although others of their group have some."""
    named = tests()
    lines, missing = [INTRODUCTION], []
    for title, texts in points().values():
        lines.append(f"## {title}\n")
        if not any(point in named for point in texts):
            lines.append("Not built yet.\n")
            continue
        lines += ["| point | what | tests |", "| --- | --- | --- |"]
        for point, text in texts.items():
            files = named.get(point, [])
            if not files:
                missing.append(point)
            links = ", ".join(f"[{Path(file).name}](../{file})" for file in files)
            lines.append(f"| {point} | {text} | {links} |")
        lines.append("")
    return "\n".join(lines), missing


def main() -> int:
    page, missing = table()
    if missing:
        print(f"no test names {', '.join(missing)}", file=sys.stderr)
        return 1
    if sys.argv[1:] == ["--check"]:
        if TABLE.read_text() != page:
            print(f"{TABLE} is out of date: run `python {sys.argv[0]}`", file=sys.stderr)
            return 1
    else:
        TABLE.write_text(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
