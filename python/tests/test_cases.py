"""The shared cases of tests/cases/cases.json, through Python and through C.

core/tests/cases.rs runs the same file through Rust.
"""

import inspect
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from support import ROOT, c_driver, model

import zerohop
from zerohop._native import Completions, LegacyCompletions

FILE = json.loads((ROOT / "tests/cases/cases.json").read_text())
CASES = FILE["cases"]
MODELS = {name: model(path) for name, path in FILE["models"].items()}


@dataclass
class Answer:
    """What a whole reply and a stream have in common."""

    content: str
    finish_reason: str
    usage: dict[str, int]

    @classmethod
    def whole(cls, reply: dict[str, Any]) -> "Answer":
        choice = reply["choices"][0]
        content = choice["text"] if "text" in choice else choice["message"]["content"]
        return cls(content, choice["finish_reason"], counts(reply))

    @classmethod
    def joined(cls, chunks: list[dict[str, Any]]) -> "Answer":
        choices = [chunk["choices"][0] for chunk in chunks if chunk["choices"]]
        pieces = [choice["text"] if "text" in choice else choice["delta"] for choice in choices]
        texts = [piece if isinstance(piece, str) else piece.get("content") for piece in pieces]
        content = "".join(text or "" for text in texts)
        return cls(content, choices[-1]["finish_reason"], counts(chunks[-1]))


def counts(reply: dict[str, Any]) -> dict[str, int]:
    """The usage without its details, which the request before may have changed."""
    return {key: value for key, value in reply["usage"].items() if isinstance(value, int)}


def streamed(request: dict[str, Any]) -> dict[str, Any]:
    return request | {"stream": True, "stream_options": {"include_usage": True}}


def check(answer: Answer, expect: dict[str, Any]) -> None:
    if "content" in expect:
        assert answer.content == expect["content"]
    assert expect.get("contains", "") in answer.content
    assert answer.finish_reason == expect.get("finish_reason", answer.finish_reason)
    for key in ("prompt_tokens", "completion_tokens"):
        assert answer.usage[key] == expect.get(key, answer.usage[key])


def check_error(error: dict[str, Any], expect: dict[str, Any]) -> None:
    assert {key: error[key] for key in expect["error"]} == expect["error"]


@pytest.fixture(scope="module")
def cases_engine() -> Iterator[zerohop.Engine]:
    options = {
        name: zerohop.ModelOptions(path, context_length=2048) for name, path in MODELS.items()
    }
    with zerohop.Engine(options) as engine:
        yield engine


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_python(cases_engine: zerohop.Engine, case: dict[str, Any]) -> None:
    create: Any = cases_engine.chat.completions.create
    parameters = inspect.signature(Completions.create).parameters
    if case.get("path") == "/v1/completions":
        create = cases_engine.completions.create
        parameters = inspect.signature(LegacyCompletions.create).parameters
    request, expect = dict(case["request"]), case["expect"]
    # These two are no arguments of `create`, where leaving them out is a TypeError.
    if "model" not in request:
        pytest.raises(TypeError, create, **request)
        return
    # What openai's SDK does not know goes where its users would put it.
    extra = {key: request.pop(key) for key in set(request) - set(parameters)}
    request["extra_body"] = extra
    if expect["status"] != 200:
        with pytest.raises(zerohop.APIStatusError) as raised:
            create(**request)
        assert raised.value.status_code == expect["status"]
        check_error({key: getattr(raised.value, key) for key in expect["error"]}, expect)
        return
    whole = Answer.whole(create(**request).model_dump())
    check(whole, expect)
    chunks = [chunk.model_dump() for chunk in create(**streamed(request))]
    assert Answer.joined(chunks) == whole


@pytest.fixture(scope="module")
def c_replies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[int, list[Any]]]]:
    """Each case's replies from the C driver: whole, and for those that succeed streamed."""
    driver = c_driver(tmp_path_factory.mktemp("cases"))
    requests = []
    for case in CASES:
        path = case.get("path", "/v1/chat/completions")
        requests.append((case["name"], path, case["request"]))
        if case["expect"]["status"] == 200:
            requests.append((case["name"], path, streamed(case["request"])))
    arguments = [f"{name}={path}" for name, path in MODELS.items()]
    bodies = "".join(f"{path} {json.dumps(request)}\n" for _, path, request in requests)
    done = subprocess.run(
        [driver, *arguments], input=bodies, capture_output=True, text=True, timeout=110
    )
    assert (done.returncode, done.stderr) == (0, "")

    lines = iter(done.stdout.splitlines())
    replies: dict[str, list[tuple[int, list[Any]]]] = {}
    for name, _, _ in requests:
        status, count = map(int, next(lines).split())
        replies.setdefault(name, []).append(
            (status, [json.loads(next(lines)) for _ in range(count)])
        )
    assert next(lines, None) is None
    return replies


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_c(c_replies: dict[str, list[tuple[int, list[Any]]]], case: dict[str, Any]) -> None:
    expect = case["expect"]
    (status, [reply]), *stream = c_replies[case["name"]]
    assert status == expect["status"]
    if "error" in expect:
        check_error(reply["error"], expect)
        return
    whole = Answer.whole(reply)
    check(whole, expect)
    [(status, chunks)] = stream
    assert (status, Answer.joined(chunks)) == (200, whole)
