"""The rest of docs/ecosystem.md."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_any_client_of_httpx(program):
    reply = program("Anything else")["reply"]
    assert reply.status_code == 200
    assert "Paris" in reply.json()["choices"][0]["message"]["content"]


def test_every_program_of_the_guide_is_tested():
    headings = re.findall(r"^## (.+)", (ROOT / "docs/ecosystem.md").read_text(), re.M)
    tests = "".join(file.read_text() for file in (ROOT / "tests/ecosystem").rglob("test_*.py"))
    assert len(headings) > 8
    assert [heading for heading in headings if f'program("{heading}")' not in tests] == []
