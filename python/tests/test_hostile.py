"""A sample of the hostile corpus of tests/hostile/generate.py, through Python and through C.

core/tests/hostile.rs runs all of it through Rust.
"""

import contextlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support import c_driver, model

import zerohop

CORPUS = model("corpus")
ITEMS: list[dict[str, str]] = json.loads((CORPUS / "manifest.json").read_text())
QUESTION = {"max_completion_tokens": 2, "messages": [{"role": "user", "content": "Hello"}]}


def sample(kind: str, step: int) -> list[Any]:
    items = [item for item in ITEMS if item["kind"] == kind]
    return [pytest.param(CORPUS / item["file"], id=item["name"][:60]) for item in items[::step]]


@pytest.mark.parametrize("path", sample("model", 10))
def test_model_files(path: Path) -> None:
    try:
        engine = zerohop.Engine(path, threads=1, context_length=256)
    except zerohop.ZerohopError as error:
        assert path.stem in str(error) or isinstance(error, zerohop.InvalidArgumentError)
        return
    with engine:
        answer(engine)


def answer(engine: zerohop.Engine) -> None:
    """Asks, and takes an answer or a refusal."""
    with contextlib.suppress(zerohop.BadRequestError):
        engine.chat.completions.create(**QUESTION)


@pytest.mark.parametrize("path", sample("template", 6))
def test_templates(path: Path, tiny: Path) -> None:
    try:
        engine = zerohop.Engine(tiny, threads=1, chat_template=path.read_text())
    except zerohop.ZerohopError:
        return
    with engine:
        answer(engine)


def test_requests_through_c(tmp_path: Path, tiny: Path) -> None:
    bodies = [(CORPUS / item["file"]).read_bytes() for item in ITEMS if item["kind"] == "request"]
    # The driver reads lines, and the good request comes after each.
    bodies = [
        body for body in bodies[::5] if body.strip() and b"\n" not in body and b"\0" not in body
    ]
    good = json.dumps({"model": "m"} | QUESTION).encode()
    lines = b"".join(body + b"\n" + good + b"\n" for body in bodies)
    driver = c_driver(tmp_path)
    done = subprocess.run([driver, f"m={tiny}"], input=lines, capture_output=True, timeout=110)
    assert (done.returncode, done.stderr) == (0, b"")
    replies = iter(done.stdout.decode().splitlines())
    statuses = []
    for head in replies:
        status, count = map(int, head.split())
        statuses.append(status)
        for _ in range(count):
            json.loads(next(replies))
    assert len(statuses) == 2 * len(bodies)
    assert set(statuses[::2]) <= {200, 400, 404}
    assert set(statuses[1::2]) == {200}
