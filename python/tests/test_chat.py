"""Chat completions: what comes back, whole and in pieces."""

import pytest
from openai.types.chat import ChatCompletion as OpenAIChatCompletion
from openai.types.chat import ChatCompletionChunk as OpenAIChatCompletionChunk
from support import USER

import zerohop
from zerohop.types.chat import ChatCompletion, ChatCompletionChunk


def test_a_reply_is_complete(engine):
    before = engine.model_info[0].created
    reply = engine.chat.completions.create(messages=USER, max_tokens=8, seed=1)
    assert isinstance(reply, ChatCompletion)
    # CR1
    assert reply.id.startswith("chatcmpl-")
    assert reply.object == "chat.completion"
    assert type(reply.created) is int and reply.created > before > 0
    assert reply.model == "tiny-llama"
    assert reply.system_fingerprint.startswith("fp_")
    assert reply.service_tier is None
    # CR2, CR4, CR5
    (choice,) = reply.choices
    assert choice.index == 0
    assert choice.finish_reason == "length"
    assert choice.logprobs is None
    assert choice.message.role == "assistant"
    assert choice.message.content
    assert choice.message.refusal is None
    assert choice.message.tool_calls is None
    # CR12, CR13
    usage = reply.usage
    assert usage.completion_tokens == 8
    assert usage.total_tokens == usage.prompt_tokens + 8
    assert usage.prompt_tokens_details.cached_tokens == 0
    # T4
    assert reply._request_id.startswith("req_")
    assert reply.choices[0]._request_id is None


def test_chunks_follow_the_contract(engine):
    chunks = list(engine.chat.completions.create(messages=USER, max_tokens=8, stream=True))
    assert all(isinstance(chunk, ChatCompletionChunk) for chunk in chunks)
    # CS2
    assert len({(chunk.id, chunk.created, chunk.model) for chunk in chunks}) == 1
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    # CS3
    choices = [chunk.choices[0] for chunk in chunks]
    assert (choices[0].delta.role, choices[0].delta.content) == ("assistant", "")
    assert all(choice.delta.role is None for choice in choices[1:])
    # CS4
    assert [choice.finish_reason for choice in choices[:-1]] == [None] * (len(choices) - 1)
    assert choices[-1].finish_reason == "length"
    assert choices[-1].delta.to_dict() == {}
    # CS6
    assert all("usage" not in chunk.to_dict() for chunk in chunks)


def test_usage_comes_last_if_asked_for(engine):
    # CS5
    options = {"include_usage": True}
    *chunks, last = engine.chat.completions.create(
        messages=USER, max_tokens=8, stream=True, stream_options=options
    )
    assert last.choices == []
    assert last.usage.completion_tokens == 8
    assert all(chunk.choices and chunk.to_dict()["usage"] is None for chunk in chunks)


def test_chunks_add_up_to_the_reply(engine):
    # CS8
    request = {"messages": USER, "max_tokens": 100, "seed": 7}
    reply = engine.chat.completions.create(**request)
    stream = engine.chat.completions.create(**request, stream=True)
    joined = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    assert joined == reply.choices[0].message.content


def test_openais_types_take_replies_and_chunks(engine):
    # CR16
    reply = engine.chat.completions.create(messages=USER, max_tokens=8)
    theirs = OpenAIChatCompletion.model_validate(reply.model_dump(), strict=True)
    assert theirs.model_dump() == reply.model_dump()
    options = {"include_usage": True}
    for chunk in engine.chat.completions.create(
        messages=USER, max_tokens=8, stream=True, stream_options=options
    ):
        theirs = OpenAIChatCompletionChunk.model_validate(chunk.model_dump(), strict=True)
        assert theirs.model_dump() == chunk.model_dump()


@pytest.mark.parametrize("dump", ["itself", "model_dump", "to_dict", "openai"])
def test_a_message_can_be_sent_back(engine, dump):
    # CR16: null function_call, audio and refusal are accepted as history.
    reply = engine.chat.completions.create(messages=USER, max_tokens=8)
    message = reply.choices[0].message
    history = {
        "itself": lambda: message,
        "model_dump": message.model_dump,
        "to_dict": message.to_dict,
        "openai": lambda: OpenAIChatCompletion.model_validate(reply.to_dict()).choices[0].message,
    }[dump]()
    longer = engine.chat.completions.create(messages=[*USER, history, *USER], max_tokens=1)
    assert longer.usage.prompt_tokens > reply.usage.total_tokens


def test_the_same_seed_gives_the_same_text(engine):
    # CQ12
    request = {"messages": USER, "max_tokens": 50, "seed": 3}
    texts = {engine.chat.completions.create(**request).choices[0].message.content for _ in range(3)}
    assert len(texts) == 1
    other = engine.chat.completions.create(**request | {"seed": 4})
    assert other.choices[0].message.content not in texts


def test_extra_body_reaches_the_engine(engine):
    # T7: with top_k 1 only the likeliest token is left, as with temperature 0.
    greedy = engine.chat.completions.create(messages=USER, max_tokens=20, temperature=0)
    top_1 = engine.chat.completions.create(messages=USER, max_tokens=20, extra_body={"top_k": 1})
    assert top_1.choices[0].message.content == greedy.choices[0].message.content


def test_a_stream_ends_once(engine):
    stream = engine.chat.completions.create(messages=USER, max_tokens=2, stream=True)
    assert len(list(stream)) > 2
    assert list(stream) == []
    with pytest.raises(StopIteration):
        next(stream)


def test_a_stream_is_a_context_manager(engine):
    with engine.chat.completions.create(messages=USER, max_tokens=50, stream=True) as stream:
        assert isinstance(stream, zerohop.Stream)
        assert next(stream).choices
    assert list(stream) == []
    stream.close()


def test_a_stream_shows_the_head_of_its_reply(engine):
    # T3, T4
    with engine.chat.completions.create(messages=USER, max_tokens=1, stream=True) as stream:
        assert stream.response.status_code == 200
        assert stream.response.headers["Content-Type"] == "text/event-stream"
        assert stream.response.headers["x-request-id"].startswith("req_")
    assert repr(stream) == "<zerohop.Stream of ChatCompletionChunk>"
    assert str(zerohop.Stream[int]) == "zerohop.Stream[int]"


def test_a_stream_outlives_its_engine_object(tiny):
    stream = zerohop.Engine(tiny, threads=1).chat.completions.create(
        messages=USER, max_tokens=20, stream=True
    )
    assert [chunk.choices[0].finish_reason for chunk in stream][-1] == "length"
