"""The objects of tool calls, beside openai's own.

What is generated is tested elsewhere; here replies are made from dicts.
"""

import copy
import pickle
from typing import Any

import openai.types.chat as theirs
import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState

import zerohop
from zerohop.types import chat
from zerohop.types.chat.chat_completion_message_custom_tool_call import Custom
from zerohop.types.chat.chat_completion_message_function_tool_call import Function

FUNCTION = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'},
}
CUSTOM = {"id": "call_2", "type": "custom", "custom": {"name": "run", "input": "ls -l"}}
ENTRY = {
    "token": "a",
    "logprob": -0.25,
    "bytes": [97],
    "top_logprobs": [{"token": "b", "logprob": -9999.0, "bytes": [98]}],
}
DETAILS = {
    "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
    "completion_tokens_details": {
        "reasoning_tokens": 1,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 2,
    },
}
USAGE = {"prompt_tokens": 5, "completion_tokens": 6, "total_tokens": 11} | DETAILS


def message(**fields: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "refusal": None} | fields


def completion(message: dict[str, Any], finish_reason: str) -> dict[str, Any]:
    choice = {
        "index": 0,
        "message": message,
        "logprobs": {"content": [ENTRY], "refusal": None},
        "finish_reason": finish_reason,
    }
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "m",
        "choices": [choice],
        "usage": USAGE,
        "system_fingerprint": "fp",
    }


def chunk(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": "m",
        "choices": [choice],
        "system_fingerprint": "fp",
    }


def call_delta(**fields: Any) -> dict[str, Any]:
    return chunk({"tool_calls": [{"index": 0} | fields]})


REPLIES = {
    # TL5, TL6
    "calls": completion(
        message(tool_calls=[FUNCTION, CUSTOM], reasoning_content="hm"), "tool_calls"
    ),
    # CQ18
    "function call": completion(message(function_call=FUNCTION["function"]), "function_call"),
    # CR7
    "audio": completion(
        message(
            audio={"id": "audio_1", "data": "AA==", "expires_at": 1, "transcript": "a"},
            annotations=[
                {
                    "type": "url_citation",
                    "url_citation": {"start_index": 0, "end_index": 1, "title": "a", "url": "b"},
                }
            ],
        ),
        "stop",
    ),
    "refusal": completion(message(refusal="no"), "stop"),
}
# TL10, TL11
CHUNKS = {
    "first": chunk({"role": "assistant", "content": ""}),
    "thought": chunk({"reasoning_content": "hm"}),
    "call": call_delta(
        id="call_1", type="function", function={"name": "get_weather", "arguments": ""}
    ),
    "arguments": call_delta(function={"arguments": '{"city": '}),
    "more arguments": call_delta(function={"arguments": '"Oslo"}'}),
    "end": chunk({}, "tool_calls"),
}
OTHER_CHUNKS = {
    "function call": chunk({"function_call": {"name": "f", "arguments": ""}}),
    "refusal": chunk({"refusal": "no"}),
    "audio": chunk({"audio": {"id": "audio_1", "data": "AA=="}}),
}
OBJECTS = [
    *((chat.ChatCompletion, theirs.ChatCompletion, json) for json in REPLIES.values()),
    *((chat.ChatCompletionChunk, theirs.ChatCompletionChunk, json) for json in CHUNKS.values()),
    *(
        (chat.ChatCompletionChunk, theirs.ChatCompletionChunk, json)
        for json in OTHER_CHUNKS.values()
    ),
]
IDS = [*REPLIES, *(f"chunk: {name}" for name in [*CHUNKS, *OTHER_CHUNKS])]


@pytest.mark.parametrize(("ours", "openais", "json"), OBJECTS, ids=IDS)
def test_objects_are_openais(ours, openais, json):
    # CR5-CR9, CR12-CR16, CS2-CS4, TL5, TL6, TL10
    mine, other = ours.model_validate(json), openais.model_validate(json, strict=True)
    assert repr(mine) == repr(other)
    assert mine.model_dump() == other.model_dump()
    assert mine.to_dict() == other.to_dict() == json
    assert mine.model_dump_json() == other.model_dump_json()
    assert openais.model_validate(mine.model_dump(), strict=True).to_dict() == other.model_dump()
    assert ours.model_validate(other) == mine


@pytest.mark.parametrize(("ours", "openais", "json"), OBJECTS, ids=IDS)
def test_objects_survive_pickling_and_copying(ours, openais, json):
    mine = ours.model_validate(json)
    for back in [pickle.loads(pickle.dumps(mine)), copy.copy(mine), copy.deepcopy(mine)]:
        assert type(back) is ours
        assert back == mine and back.to_dict() == json


def test_calls_are_of_the_class_of_their_type():
    # TL5, TL6
    reply = chat.ChatCompletion.model_validate(REPLIES["calls"])
    function, custom = reply.choices[0].message.tool_calls
    assert isinstance(function, chat.ChatCompletionMessageFunctionToolCall)
    assert isinstance(function, chat.ChatCompletionMessageToolCall)
    assert isinstance(function.function, Function)
    assert (function.id, function.type) == ("call_1", "function")
    assert (function.function.name, function.function.arguments[0]) == ("get_weather", "{")
    assert isinstance(custom, chat.ChatCompletionMessageCustomToolCall)
    assert isinstance(custom.custom, Custom)
    assert (custom.custom.name, custom.custom.input) == ("run", "ls -l")
    for call in [function, custom]:
        assert isinstance(call, chat.ChatCompletionMessageToolCallUnion)
        assert pickle.loads(pickle.dumps(call)) == call
    assert reply.choices[0].message.reasoning_content == "hm"


def test_pieces_of_calls_are_objects():
    # TL10, TL13
    piece = chat.ChatCompletionChunk.model_validate(CHUNKS["call"]).choices[0].delta.tool_calls[0]
    assert isinstance(piece, zerohop.types.ChoiceDeltaToolCall)
    assert isinstance(piece.function, zerohop.types.ChoiceDeltaToolCallFunction)
    assert (piece.index, piece.id, piece.type) == (0, "call_1", "function")
    later = chat.ChatCompletionChunk.model_validate(CHUNKS["arguments"])
    later = later.choices[0].delta.tool_calls[0]
    assert (later.id, later.type, later.function.name) == (None, None, None)
    custom = {"index": 1, "id": "call_2", "type": "custom", "custom": {"name": "run", "input": ""}}
    piece = zerohop.types.ChoiceDeltaToolCall.model_validate(custom)
    # openai's class does not name `custom` either.
    assert (piece.custom, piece.function) == (custom["custom"], None)
    delta = chat.ChatCompletionChunk.model_validate(OTHER_CHUNKS["function call"]).choices[0].delta
    assert isinstance(delta.function_call, zerohop.types.ChoiceDeltaFunctionCall)


def test_pieces_join_in_openais_accumulator():
    # CS3, CS14, TL10, TL11, TL12
    state: ChatCompletionStreamState = ChatCompletionStreamState()
    for json in CHUNKS.values():
        mine = chat.ChatCompletionChunk.model_validate(json)
        state.handle_chunk(theirs.ChatCompletionChunk.model_validate(mine.to_dict()))
    final = state.get_final_completion().choices[0]
    assert final.finish_reason == "tool_calls"
    assert final.message.role == "assistant"
    (call,) = final.message.tool_calls
    assert (call.id, call.type) == ("call_1", "function")
    assert (call.function.name, call.function.arguments) == (
        "get_weather",
        FUNCTION["function"]["arguments"],
    )


@pytest.mark.parametrize(
    ("calls", "reason"),
    [
        ({}, "tool_calls is no list"),
        ([1], r"tool_calls\[0\] has no known type"),
        ([{"id": "a"}], r"tool_calls\[0\] has no known type"),
        ([FUNCTION | {"type": "other"}], r"tool_calls\[0\] has no known type"),
        ([FUNCTION, {"type": "custom"}], r"tool_calls\[1\].id is missing"),
        (
            [FUNCTION | {"function": {"name": "f"}}],
            r"tool_calls\[0\].function.arguments is missing",
        ),
        ([FUNCTION | {"function": 1}], r"tool_calls\[0\].function is no object"),
    ],
)
def test_validation_says_what_is_wrong(calls, reason):
    with pytest.raises(zerohop.InvalidArgumentError, match=reason):
        chat.ChatCompletionMessage.model_validate(message(tool_calls=calls))


def test_a_reply_is_sent_back_as_history(engine):
    # CR16, TL14: as our object, as openai's, and dumped
    question = {"role": "user", "content": "Hello"}
    json = message(tool_calls=[FUNCTION, CUSTOM], reasoning_content="hm")
    answers = [
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
        {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "a"}]},
    ]
    for past in [
        json,
        chat.ChatCompletionMessage.model_validate(json),
        theirs.ChatCompletionMessage.model_validate(json),
        chat.ChatCompletionMessage.model_validate(json).model_dump(),
        theirs.ChatCompletionMessage.model_validate(json).model_dump(),
    ]:
        # Refused for what follows it alone, so that no tokens are computed.
        with pytest.raises(zerohop.BadRequestError) as caught:
            engine.chat.completions.create(
                messages=[question, past, *answers, {"role": "user", "content": None}]
            )
        assert caught.value.param == "messages[4].content"
        with pytest.raises(zerohop.BadRequestError) as caught:
            engine.chat.completions.create(messages=[question, past, answers[0]])
        assert caught.value.param == "messages[1].tool_calls"


def test_definitions_may_be_generated_and_mapped(engine):
    # TL1, CQ18: as in openai's SDK, any iterable of any mappings
    tools = ({"type": "function", "function": {"name": name}} for name in ["f", "g", "f"])
    with pytest.raises(zerohop.BadRequestError) as caught:
        engine.chat.completions.create(messages=[{"role": "user", "content": "a"}], tools=tools)
    assert caught.value.param == "tools[2].function.name"
    with pytest.raises(zerohop.BadRequestError) as caught:
        engine.chat.completions.create(
            messages=[{"role": "user", "content": "a"}],
            functions=(function for function in [{"name": "f g"}]),
        )
    assert caught.value.param == "functions[0].name"
