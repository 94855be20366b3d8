"""What every reply and every stream must be, whatever was asked: the checks of test_contract_*.py.

All goes through openai's own classes, in their strict mode, and through its stream accumulator.
"""

import json
import os
from collections.abc import Iterable
from typing import Any

import openai
import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

import zerohop

FULL = "ZEROHOP_TEST_FULL" in os.environ

# CR3
FINISH_REASONS = {"stop", "length", "tool_calls", "content_filter", "function_call"}

# What two runs of one request may differ in, and what the accumulator adds.
INCIDENTAL = {"id", "created", "object", "cached_tokens", "parsed", "parsed_arguments"}


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def sampled(items: list[Any], count: int) -> list[Any]:
    """All of them for `make accept`, else so many from the whole range."""
    if FULL or count >= len(items):
        return items
    return [items[index * len(items) // count] for index in range(count)]


def whole(engine: zerohop.Engine, **request: Any) -> ChatCompletion:
    """The reply to a request, checked."""
    mine = engine.chat.completions.create(**request)
    # CR16
    reply = ChatCompletion.model_validate(mine.model_dump(), strict=True)
    check_reply(reply, request)
    return reply


def streamed(engine: zerohop.Engine, **request: Any) -> list[ChatCompletionChunk]:
    """The chunks of a request's stream, checked."""
    request |= {"stream": True, "stream_options": {"include_usage": True}}
    mine = list(engine.chat.completions.create(**request))
    chunks = [as_openais(chunk) for chunk in mine]
    check_chunks(chunks, request)
    return chunks


def as_openais(chunk: Any) -> ChatCompletionChunk:
    """A chunk as openai's own object. Fields that it does not have stay unset, as off the wire."""
    json = chunk.to_dict()
    calls = [call for choice in json["choices"] for call in choice["delta"].get("tool_calls") or []]
    if any("custom" in call for call in calls):
        # TL13: openai's class knows no such pieces, and its SDK constructs without validating.
        return ChatCompletionChunk.construct(**json)
    return ChatCompletionChunk.model_validate(json, strict=True)


def joined(chunks: Iterable[ChatCompletionChunk]) -> ChatCompletion:
    """CS14: the chunks put together by openai's accumulator."""
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    for chunk in chunks:
        # The accumulator adds to the objects it is given.
        list(state.handle_chunk(chunk.model_copy(deep=True)))
    snapshot = state.current_completion_snapshot
    calls = [call for choice in snapshot.choices for call in choice.message.tool_calls or []]
    if any(call.type == "custom" for call in calls):
        # TL13: the accumulator joins their pieces, and cannot make its last step of them.
        return snapshot
    if any(choice.finish_reason == "length" for choice in snapshot.choices):
        # SO12: what was cut is not for parsing.
        with pytest.raises(openai.LengthFinishReasonError):
            state.get_final_completion()
        return snapshot
    return state.get_final_completion()


def both(engine: zerohop.Engine, **request: Any) -> ChatCompletion:
    """The reply to a request, which its stream must add up to."""
    reply = whole(engine, **request)
    final = joined(streamed(engine, **request))
    assert comparable(final.to_dict()) == comparable(reply.to_dict())
    return reply


def comparable(value: Any) -> Any:
    """What must be equal, however an answer is delivered."""
    if isinstance(value, list):
        return [comparable(item) for item in value]
    if not isinstance(value, dict):
        return value
    value = {key: comparable(item) for key, item in value.items() if key not in INCIDENTAL}
    if "function" in value or "custom" in value:
        # A call's place is written in streams alone.
        value.pop("index", None)
    return {key: item for key, item in value.items() if item is not None}


def check_reply(reply: ChatCompletion, request: dict[str, Any]) -> None:
    dump = reply.to_dict()
    # CR1
    assert reply.id.startswith("chatcmpl-") and reply.object == "chat.completion"
    assert reply.system_fingerprint
    # CR2
    assert [choice.index for choice in reply.choices] == list(range(request.get("n") or 1))
    for choice, raw in zip(reply.choices, dump["choices"], strict=True):
        message = choice.message
        # CR3, TL8
        assert choice.finish_reason in FINISH_REASONS
        assert (choice.finish_reason == "tool_calls") <= bool(message.tool_calls)
        assert bool(message.tool_calls) <= (choice.finish_reason in ("tool_calls", "length"))
        # CR5
        assert message.role == "assistant"
        assert {"content", "refusal"} <= raw["message"].keys()
        # CR6
        assert message.tool_calls != []
        assert not message.tool_calls or message.content is None or message.content.strip()
        # CR8
        assert (choice.logprobs is not None) == bool(request.get("logprobs"))
        check_calls(message.tool_calls or [], choice.finish_reason)
    check_usage(reply)


def check_calls(calls: list[Any], finish_reason: str) -> None:
    # TL5
    assert all(call.id for call in calls) and len({call.id for call in calls}) == len(calls)
    for call in calls:
        # Only the last call may have been cut.
        if call.type == "function" and not (finish_reason == "length" and call is calls[-1]):
            assert isinstance(json.loads(call.function.arguments), dict)


def check_usage(reply: ChatCompletion) -> None:
    # CR12, CR13, CR14
    usage = reply.usage
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert 0 <= usage.prompt_tokens_details.cached_tokens <= usage.prompt_tokens
    details = usage.completion_tokens_details
    counted = details.reasoning_tokens + details.rejected_prediction_tokens
    assert 0 <= counted <= usage.completion_tokens


def check_chunks(chunks: list[ChatCompletionChunk], request: dict[str, Any]) -> None:
    *chunks, last = chunks
    # CS2
    heads = {(c.id, c.created, c.model, c.object, c.system_fingerprint) for c in [*chunks, last]}
    assert len(heads) == 1 and last.object == "chat.completion.chunk"
    # CS5
    assert last.choices == [] and last.usage is not None
    assert all(chunk.choices and chunk.to_dict()["usage"] is None for chunk in chunks)
    # CS7: openai's accumulator appends a choice that it has not seen.
    order = list(dict.fromkeys(choice.index for chunk in chunks for choice in chunk.choices))
    assert order == list(range(request.get("n") or 1))
    for index in order:
        check_choice(
            [choice for chunk in chunks for choice in chunk.choices if choice.index == index]
        )


def check_choice(pieces: list[Any]) -> None:
    """The pieces of one streamed choice."""
    deltas = [piece.delta for piece in pieces]
    # CS3
    assert [delta.role for delta in deltas] == ["assistant"] + [None] * (len(deltas) - 1)
    # CS4
    assert pieces[-1].finish_reason in FINISH_REASONS
    assert pieces[-1].delta.to_dict() == {}
    assert all(piece.to_dict()["finish_reason"] is None for piece in pieces[:-1])
    # CS10
    assert all(delta.refusal is None for delta in deltas)
    check_call_pieces([call for delta in deltas for call in delta.tool_calls or []])


def check_call_pieces(pieces: list[Any]) -> None:
    # TL11, TL12: each call's pieces together, the calls in order
    indexes = [piece.index for piece in pieces]
    assert indexes == sorted(indexes)
    assert sorted(set(indexes)) == list(range(len(set(indexes))))
    for index in set(indexes):
        first, *later = [piece.to_dict() for piece in pieces if piece.index == index]
        # TL10, TL13
        kind, text = ("custom", "input") if first["type"] == "custom" else ("function", "arguments")
        assert first.keys() == {"index", "id", "type", kind}
        assert first[kind].keys() == {"name", text} and first[kind][text] == ""
        for piece in later:
            assert piece.keys() == {"index", kind} and piece[kind].keys() == {text}
