"""Errors: their body, their class, and that nothing is left behind.

The table shared with Rust and C is tests/cases/cases.json; here is what Python adds.
"""

import json
import time
from collections.abc import Callable
from typing import Any

import httpx2
import openai
import pytest
from contract import user, whole
from support import USER

import zerohop

KEYS = {"message", "type", "param", "code"}
TOOL = {"type": "function", "function": {"name": "f"}}


def raised(engine: zerohop.Engine, **request: Any) -> zerohop.APIStatusError:
    with pytest.raises(zerohop.APIStatusError) as caught:
        engine.chat.completions.create(**{"messages": USER} | request)
    return caught.value


BAD = {
    "a value": {"temperature": 3},
    "a type": {"temperature": "hot"},
    "a message": {"messages": [{"role": "user"}]},
    "a key": {"extra_body": {"temprature": 1}},
    "a service": {"extra_body": {"web_search_options": {}}},
    "a kind of output": {"modalities": ["audio"], "audio": {"voice": "a", "format": "wav"}},
    "a schema": {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "a", "schema": {"not": {}}, "strict": True},
        }
    },
    "a grammar": {"extra_body": {"grammar": "start: ("}},
    "a regex": {"response_format": {"type": "regex", "regex": "["}},
    "a choice": {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "g"}}},
    "a bias": {"logit_bias": {"100000000": 1}},
    "a length": {"messages": user("word " * 9000)},
    "a model": {"model": "gpt-5"},
}


@pytest.mark.parametrize("name", BAD)
def test_an_error_has_the_apis_form(engine, name):
    # ER1, ER2, ER3, ER4, ER7
    error = raised(engine, **BAD[name])
    assert error.body.keys() == KEYS
    assert isinstance(error.message, str) and error.message
    assert error.type == "invalid_request_error"
    assert isinstance(error.param, str) and error.param
    assert error.code is None or not error.code.isdigit()
    assert error.status_code == (404 if name == "a model" else 400)
    assert error.request_id.startswith("req_")
    assert error.response.headers["x-should-retry"] == "false"
    json.dumps(error.body)


@pytest.mark.parametrize("name", BAD)
def test_a_streams_error_comes_before_the_stream(engine, name):
    # CS11, ER1: an ordinary error
    whole_error, stream_error = (
        raised(engine, **BAD[name]),
        raised(engine, **BAD[name], stream=True),
    )
    assert stream_error.body == whole_error.body
    assert type(stream_error) is type(whole_error)


def test_openai_reads_the_same(engine):
    # ER2: what the SDK would make of this error's response
    error = raised(engine, temperature=3)
    response = httpx2.Response(
        error.status_code,
        headers=dict(error.response.headers),
        json={"error": error.body},
        request=httpx2.Request("POST", "https://example.com/"),
    )
    with openai.OpenAI(api_key="unused") as client:
        theirs = client._make_status_error_from_response(response)
    assert type(theirs).__name__ == type(error).__name__ == "BadRequestError"
    for attribute in ["type", "param", "code", "body", "status_code", "request_id"]:
        assert getattr(theirs, attribute) == getattr(error, attribute)
    # Theirs has the status with the whole body.
    assert error.message in theirs.message


HOSTILE: dict[str, Callable[[], dict[str, Any]]] = {
    "surrogates": lambda: {"messages": user("a\ud800b")},
    "surrogates in a schema": lambda: {"tools": [TOOL | {"function": {"name": "\udfff"}}]},
    "many choices": lambda: {"n": 10**9},
    "a huge limit": lambda: {"max_tokens": 2**31},
    "deep brackets": lambda: {"response_format": {"type": "regex", "regex": "(" * 100_000}},
    "a deep grammar": lambda: {"extra_body": {"grammar": "start: " + "(" * 100_000}},
    "a deep schema": lambda: {"response_format": _form(_deep(100))},
    "a long repetition": lambda: {"response_format": {"type": "regex", "regex": "(a{1000}){1000}"}},
    "an endless reference": lambda: {"response_format": _form({"$ref": "#"})},
    "a wide schema": lambda: {"response_format": _form({"enum": list(range(100_000))})},
    "many tools": lambda: {"tools": [{"type": "function", "function": {"name": "f"}}] * 1000},
    "a long stop": lambda: {"stop": ["a" * 100_000] * 5},
    "many biases": lambda: {"logit_bias": {str(i): 1 for i in range(100_000)}},
    "no image": lambda: {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
    "no audio": lambda: {
        "messages": [
            {
                "role": "user",
                "content": [{"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}],
            }
        ]
    },
    "arguments that are no text": lambda: {
        "messages": [
            {
                "role": "assistant",
                "tool_calls": [
                    {"id": "a", "type": "function", "function": {"name": "f", "arguments": {}}}
                ],
            },
            {"role": "tool", "tool_call_id": "a", "content": "b"},
        ]
    },
}


def _form(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}


def _deep(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "null"}
    for _ in range(levels):
        schema = {"type": "array", "items": schema}
    return schema


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("request_", "param"),
    [
        ({"response_format": {"type": "regex", "regex": r"[^\s\S]"}}, "response_format.regex"),
        ({"extra_body": {"grammar": r"start: /[^\s\S]/"}}, "grammar"),
        (
            {
                "response_format": {"type": "regex", "regex": "a{3}"},
                "logit_bias": {str(ord("a")): -100},
            },
            "logit_bias",
        ),
    ],
)
def test_what_comes_to_light_later_is_named_too(engine, stream, request_, param):
    # ER3, CS11: while generating
    with pytest.raises(zerohop.APIError) as caught:
        reply = engine.chat.completions.create(messages=USER, stream=stream, **request_)
        assert not list(reply)
    assert (caught.value.param, caught.value.type) == (param, "invalid_request_error")


@pytest.mark.parametrize("name", HOSTILE)
def test_no_request_ends_or_blocks_the_host(engine, name):
    # ER8, ER9
    started = time.monotonic()
    error = raised(engine, **HOSTILE[name]())
    assert (error.status_code, error.type) == (400, "invalid_request_error")
    assert time.monotonic() - started < 20
    # It held no place, and the next request is as if it had not been.
    assert whole(engine, messages=USER, max_tokens=1)


def test_a_refused_request_computes_nothing(make_engine):
    # ER9: not even a place in the queue of an engine that is full
    engine = make_engine(parallel=1, queue=1)
    with engine.chat.completions.create(messages=USER, stream=True) as running:
        next(running)
        with engine.chat.completions.create(messages=USER, stream=True):
            for request in BAD.values():
                if request is not BAD["a length"]:
                    assert raised(engine, **request).status_code in (400, 404)
            full = raised(engine)
    # ER5, ER7
    assert (full.status_code, full.code) == (429, "rate_limit_exceeded")
    assert int(full.response.headers["retry-after"]) >= 1
    assert full.response.headers.get("x-should-retry") != "false"
