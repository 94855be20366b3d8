"""Hooks of mkdocs (mkdocs.yml): the pages that are generated, and links that leave docs/.

`make site` runs it. Links to the repository's files become links to where it is published; one to a
file that is not there fails the build, as do those within the site.
"""

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

sys.path.insert(0, str(Path(__file__).parent))
import c_reference  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
# What `make docs` has written.
PYTHON = ROOT / "build/docs"
# What `make compare` has written, if it was run.
COMPARISON = ROOT / "build/compare.json"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the references."""
    files.append(File.generated(config, "c-reference.md", content=c_reference.page()))
    if not (PYTHON / "zerohop.html").exists():
        raise PluginError("the Python reference is not there: run `make docs`")
    for path in PYTHON.rglob("*"):
        if path.is_file():
            place = f"python/{path.relative_to(PYTHON).as_posix()}"
            files.append(File.generated(config, place, abs_src_path=str(path)))
    return files


def comparison(report: dict[str, Any]) -> str:
    """The figures of `make compare` as a section."""
    engines = list(dict.fromkeys(name for row in report["figures"].values() for name in row))
    rows = [["", *engines], ["---"] * (len(engines) + 1)]
    for workload, medians in report["figures"].items():
        rows.append(
            [workload, *(f"{medians[name]:.3g}" if name in medians else "no" for name in engines)]
        )
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    title = f"## The last comparison\n\n{report['model']}, medians of {report['rounds']}:"
    return f"\n{title}\n\n{table}\n"


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Has links to files outside docs/ point to the published repository."""
    folder = ROOT / "docs" / Path(page.file.src_uri).parent

    def published(match: re.Match[str]) -> str:
        path, anchor = match["path"], match["anchor"] or ""
        target = Path(os.path.normpath(folder / path))
        if not target.exists():
            raise PluginError(f"{page.file.src_uri} links to {path}, which is not there")
        kind = "tree" if target.is_dir() else "blob"
        return f"]({config.repo_url}/{kind}/main/{target.relative_to(ROOT).as_posix()}{anchor})"

    if page.file.src_uri == "performance.md" and COMPARISON.exists():
        markdown += comparison(json.loads(COMPARISON.read_text()))
    return re.sub(r"\]\((?P<path>\.\./[^)#\s]*)(?P<anchor>#[^)\s]*)?\)", published, markdown)
