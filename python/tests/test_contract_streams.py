"""A stream adds up to the whole reply of the same seed, whatever was asked; and when it arrives."""

from typing import Any

import openai
import pytest
from contract import both, joined, streamed, user
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk
from support import USER


def form(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}


OBJECT = {
    "type": "object",
    "properties": {
        "kind": {"enum": ["a", "b", "é😀"]},
        "size": {"type": "integer", "minimum": 0, "maximum": 500},
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 4}, "maxItems": 3},
    },
    "required": ["kind", "size", "tags"],
    "additionalProperties": False,
}
TOOLS = [
    {"type": "function", "function": {"name": "store", "parameters": OBJECT, "strict": True}},
    {"type": "function", "function": {"name": "stop"}},
]
CUSTOM = {
    "type": "custom",
    "custom": {
        "name": "write",
        "format": {
            "type": "grammar",
            "grammar": {"syntax": "regex", "definition": "[a-f]{2,9}"},
        },
    },
}
TEXTS = {
    "plain": {},
    "cold": {"temperature": 0},
    "hot": {"temperature": 2, "extra_body": {"min_p": 0}},
    "nucleus": {"top_p": 0.5},
    "top_k": {"extra_body": {"top_k": 5}},
    "penalties": {"frequency_penalty": 1, "presence_penalty": 1},
    "stops": {"stop": ["e", " a"]},
    "a rare stop": {"stop": ["the "], "extra_body": {"min_p": 0}},
    "logprobs": {"logprobs": True},
    "top_logprobs": {"logprobs": True, "top_logprobs": 4},
    "stops and logprobs": {"stop": ["er", "in"], "logprobs": True, "top_logprobs": 1},
    "choices": {"n": 3},
    "choices and stops": {"n": 3, "stop": ["th", "s"]},
    "choices and logprobs": {"n": 2, "logprobs": True, "top_logprobs": 2},
    "prediction": {"prediction": {"type": "content", "content": "the answer"}, "temperature": 0},
    "regex": {"response_format": {"type": "regex", "regex": "(ab|é|😀){3,8}!"}},
    "lark": {"response_format": {"type": "lark", "lark": 'start: ("x" | "yz")~2..5 "."'}},
    "grammar": {"extra_body": {"grammar": "start: /[0-9]{3}(-[0-9]{2}){2}/"}},
    "json_object": {"response_format": {"type": "json_object"}},
    "schema": {"response_format": form(OBJECT)},
    "schema and logprobs": {"response_format": form(OBJECT), "logprobs": True, "top_logprobs": 1},
    "schema and choices": {"response_format": form(OBJECT), "n": 3},
    "schema and stop": {"response_format": form(OBJECT), "stop": "size"},
}
CALLS = {
    "required": {"tools": TOOLS, "tool_choice": "required"},
    "auto": {"tools": TOOLS},
    "none": {"tools": TOOLS, "tool_choice": "none"},
    "one call": {"tools": TOOLS, "tool_choice": "required", "parallel_tool_calls": False},
    "named": {
        "tools": TOOLS,
        "tool_choice": {"type": "function", "function": {"name": "store"}},
    },
    "auto and stops": {"tools": TOOLS, "stop": ["e"]},
    "calls and choices": {"tools": TOOLS, "tool_choice": "required", "n": 3},
    "calls and logprobs": {"tools": TOOLS, "tool_choice": "required", "logprobs": True},
    "auto and logprobs": {"tools": TOOLS, "logprobs": True, "top_logprobs": 1},
    "auto and schema": {"tools": TOOLS, "response_format": form(OBJECT)},
    "auto, schema, logprobs": {"tools": TOOLS, "response_format": form(OBJECT), "logprobs": True},
    "custom": {"tools": [CUSTOM], "tool_choice": "required"},
    "custom and other": {"tools": [CUSTOM, *TOOLS], "tool_choice": "required"},
    "functions": {
        "functions": [{"name": "store", "parameters": OBJECT}],
        "function_call": {"name": "store"},
    },
}
THOUGHTS = {
    "thoughts": {},
    "thoughts and schema": {"response_format": form(OBJECT)},
    "thoughts and calls": {"tools": TOOLS, "tool_choice": "required"},
    "thoughts and logprobs": {"logprobs": True, "top_logprobs": 1},
    # Hot enough for bytes that are no text.
    "thoughts and noise": {"logprobs": True, "top_logprobs": 1, "temperature": 2},
    "no thoughts": {"reasoning_effort": "none", "response_format": form(OBJECT)},
}
CASES = [
    *(("engine", name, request) for name, request in TEXTS.items()),
    *(("tools_engine", name, request) for name, request in CALLS.items()),
    *(("thinking_engine", name, request) for name, request in THOUGHTS.items()),
]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(("fixture", "name", "request_"), CASES, ids=[name for _, name, _ in CASES])
def test_a_stream_adds_up_to_the_reply(request, fixture, name, request_, seed):
    # CS2-CS10, CS14, TL10-TL13, SO15: 43 cases, twice
    assert len(CASES) >= 40
    engine = request.getfixturevalue(fixture)
    both(engine, **{"messages": USER, "max_tokens": 150, "seed": seed} | request_)


MEANT = {
    "text": (user("Name three rivers."), {}),
    "schema": (user("Describe a cat as JSON."), {"response_format": form(OBJECT)}),
    "calls": (user("Store kind a, size 7 and the tags x and y."), CALLS["required"]),
    "auto": (user("Call the tool `stop`."), CALLS["auto"]),
}


@pytest.mark.parametrize("name", MEANT)
def test_what_a_model_means_adds_up_too(qwen_engine, name):
    # CS8, CS9, TL12, SO15
    messages, request = MEANT[name]
    request = request | {"temperature": 0.8, "max_tokens": 80, "seed": 3}
    both(qwen_engine, messages=messages, logprobs=True, top_logprobs=1, **request)


def test_openais_events(engine):
    # CS14
    state: ChatCompletionStreamState[Any] = ChatCompletionStreamState()
    request = {"messages": USER, "logprobs": True, "seed": 1, "stop": ["e"]}
    chunks = streamed(engine, **request)
    events = [event for chunk in chunks for event in state.handle_chunk(chunk)]
    kinds = {event.type for event in events}
    assert kinds == {
        "chunk",
        "content.delta",
        "content.done",
        "logprobs.content.delta",
        "logprobs.content.done",
    }
    (done,) = [event for event in events if event.type == "content.done"]
    assert done.content == state.get_final_completion().choices[0].message.content


def test_openais_events_of_calls(qwen_engine):
    # CS14, TL12
    state: ChatCompletionStreamState[Any] = ChatCompletionStreamState(input_tools=TOOLS)
    request = CALLS["required"] | {"temperature": 0, "max_tokens": 120}
    messages = user("Store kind a, size 7 and no tags. Then stop.")
    chunks = streamed(qwen_engine, messages=messages, **request)
    events = [event for chunk in chunks for event in state.handle_chunk(chunk)]
    done = [event for event in events if event.type == "tool_calls.function.arguments.done"]
    calls = state.get_final_completion().choices[0].message.tool_calls
    assert [event.index for event in done] == list(range(len(calls)))
    assert [event.arguments for event in done] == [call.function.arguments for call in calls]
    assert calls[0].function.parsed_arguments == {"kind": "a", "size": 7, "tags": []}


def test_without_usage_no_chunk_is_empty(engine):
    # CS6
    for options in [None, {}, {"include_usage": False}, {"include_usage": None}]:
        stream = engine.chat.completions.create(
            messages=USER, max_tokens=3, stream=True, stream_options=options, n=2
        )
        chunks = [chunk.to_dict() for chunk in stream]
        assert all("usage" not in chunk and chunk["choices"] for chunk in chunks)


@pytest.mark.parametrize("n", [1, 3])
def test_closing_frees_the_places(make_engine, n):
    # CS12
    engine = make_engine(parallel=3, queue=1)
    for _ in range(6):
        with engine.chat.completions.create(messages=USER, stream=True, n=n) as stream:
            next(stream)
    assert engine.chat.completions.create(messages=USER, max_tokens=1, timeout=60)


@pytest.mark.parametrize("name", ["plain", "schema", "lark"])
def test_text_arrives_as_it_is_generated(engine, name):
    # CS15: also with a schema
    long = {"type": "array", "items": {"enum": [1, 2, 3]}, "minItems": 60, "maxItems": 60}
    request = {
        "plain": {"max_tokens": 100},
        "schema": {"response_format": form(long)},
        "lark": {"response_format": {"type": "lark", "lark": "start: /[0-9]{60}/"}},
    }[name]

    def pieces() -> int:
        chunks = streamed(engine, messages=USER, seed=1, **request)
        texts = [choice.delta.content for chunk in chunks for choice in chunk.choices]
        return len([text for text in texts if text])

    # Text that waits for its reader is joined: where this thread gets no turn
    # while the little model writes, there is one piece. Not each time.
    assert any(pieces() > 20 for _ in range(50))


def test_the_sdk_reads_the_same_off_the_wire(engine):
    # CS1, CS2: constructed as the SDK does, without validation
    chunks = streamed(engine, messages=USER, seed=1, max_tokens=10)
    built = [ChatCompletionChunk.construct(**chunk.to_dict()) for chunk in chunks]
    assert joined(built) == joined(chunks)
    assert isinstance(built[0], openai.BaseModel)
