"""What is kept for later: chat completions with `store`, and what responses answer (RE11, CQ17)."""

import inspect
import pickle

import pytest
from openai.resources.responses import InputTokens as OpenAIInputTokens
from openai.types.chat import ChatCompletion as OpenAIChatCompletion

import zerohop
from zerohop import types
from zerohop._native import InputTokens
from zerohop.types import chat, responses

FUNCTION = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
INPUT = [
    {"role": "developer", "content": "Be brief."},
    {"role": "user", "content": [{"type": "input_text", "text": "How is the weather?"}]},
    {"role": "assistant", "content": "I look it up."},
    {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]},
    {"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "call_1", "output": "sunny"},
    {"type": "custom_tool_call", "call_id": "call_2", "name": "run", "input": "ls"},
    {
        "type": "custom_tool_call_output",
        "call_id": "call_2",
        "output": [{"type": "input_text", "text": "a.txt"}],
    },
    {"role": "user", "content": "Well?"},
]
KINDS = [
    responses.ResponseInputMessageItem,
    responses.ResponseInputMessageItem,
    responses.ResponseOutputMessage,
    responses.ResponseReasoningItem,
    responses.ResponseFunctionToolCallItem,
    responses.ResponseFunctionToolCallOutputItem,
    responses.ResponseCustomToolCallItem,
    responses.ResponseCustomToolCallOutputItem,
    responses.ResponseInputMessageItem,
]


def keep(engine, text="Hello", **metadata):
    message = {"role": "user", "content": text, "name": "ada"}
    return engine.chat.completions.create(
        messages=[{"role": "system", "content": [{"type": "text", "text": "Rhyme."}]}, message],
        max_tokens=1,
        store=True,
        metadata=metadata,
    )


def test_chat_completions_are_kept(make_engine):
    # CQ17
    engine = make_engine()
    kept = engine.chat.completions
    first, second = keep(engine, job="a"), keep(engine, job="b", user="1")
    engine.chat.completions.create(messages=[{"role": "user", "content": "x"}], max_tokens=1)
    assert kept.retrieve(first.id).choices == first.choices
    assert kept.retrieve(first.id).metadata == {"job": "a"}
    assert [each.id for each in kept.list()] == [first.id, second.id]
    assert [each.id for each in kept.list(order="desc", model="tiny-llama")] == [
        second.id,
        first.id,
    ]
    assert [each.id for each in kept.list(metadata={"job": "b", "user": "1"})] == [second.id]
    assert list(kept.list(metadata={"job": "b", "user": "2"})) == list(kept.list(model="x")) == []
    updated = kept.update(first.id, metadata={"a & b": "=?", "job": "c"})
    assert type(updated) is chat.ChatCompletion
    assert updated == kept.retrieve(first.id) and updated.metadata == {"a & b": "=?", "job": "c"}
    assert [each.id for each in kept.list(metadata={"a & b": "=?"})] == [first.id]
    assert kept.update(first.id, metadata=None).metadata == {}
    deleted = kept.delete(first.id)
    assert type(deleted) is chat.ChatCompletionDeleted
    assert (deleted.id, deleted.deleted, deleted.object) == (
        first.id,
        True,
        "chat.completion.deleted",
    )
    assert pickle.loads(pickle.dumps(deleted)) == deleted
    assert [each.id for each in kept.list()] == [second.id]
    for call in (kept.retrieve, kept.delete, kept.messages.list):
        with pytest.raises(zerohop.NotFoundError):
            call(first.id)
        with pytest.raises(zerohop.InvalidArgumentError, match="completion_id must not be empty"):
            call("")
    with pytest.raises(zerohop.BadRequestError) as caught:
        kept.update(second.id, metadata={"a": 1})
    assert caught.value.param == "metadata.a"
    with pytest.raises(TypeError, match="metadata.a: the class object"):
        kept.update(second.id, metadata={"a": object})
    with pytest.raises(TypeError, match="metadata"):
        kept.update(second.id)


OPTIONS = {"extra_headers": {"Authorization": "Bearer sk-a"}, "extra_query": None, "timeout": 60}


def calls(engine):
    """Those of one of the engine's objects, by names that the errors have."""
    return {
        "Completions.retrieve": lambda **options: engine.chat.completions.retrieve("x", **options),
        "Completions.update": lambda **options: engine.chat.completions.update(
            "x", metadata={}, **options
        ),
        "Completions.delete": lambda **options: engine.chat.completions.delete("x", **options),
        "Responses.retrieve": lambda **options: engine.responses.retrieve("x", **options),
        "Responses.cancel": lambda **options: engine.responses.cancel("x", **options),
        "Responses.delete": lambda **options: engine.responses.delete("x", **options),
        "Batches.retrieve": lambda **options: engine.batches.retrieve("x", **options),
        "Batches.cancel": lambda **options: engine.batches.cancel("x", **options),
        "Files.retrieve": lambda **options: engine.files.retrieve("x", **options),
        "Files.content": lambda **options: engine.files.content("x", **options),
        "Files.delete": lambda **options: engine.files.delete("x", **options),
        "Models.retrieve": lambda **options: engine.models.retrieve("x", **options),
        "Models.delete": lambda **options: engine.models.delete("x", **options),
    }


def test_every_call_takes_options(make_engine):
    for name, call in calls(make_engine(api_keys="sk-a")).items():
        with pytest.raises(zerohop.AuthenticationError):
            call()
        with pytest.raises(zerohop.NotFoundError):
            call(**OPTIONS)
        with pytest.raises(TypeError, match=f"{name}.*unexpected keyword argument 'extra_body'"):
            call(extra_body={})


def test_every_call_takes_options_in_event_loops(make_engine, run):
    async def main():
        async with zerohop.AsyncEngine(make_engine(api_keys="sk-a")) as engine:
            for call in calls(engine).values():
                with pytest.raises(zerohop.AuthenticationError):
                    await call()
                with pytest.raises(zerohop.NotFoundError):
                    await call(**OPTIONS)

    run(main)


def test_kept_messages(make_engine):
    engine = make_engine()
    first = keep(engine)
    system, user = engine.chat.completions.messages.list(first.id)
    assert type(system) is type(user) is chat.ChatCompletionStoreMessage
    # It is one of the messages that requests have.
    assert isinstance(user, chat.ChatCompletionMessage)
    assert (user.role, user.content, user.content_parts, user.name) == (
        "user",
        "Hello",
        None,
        "ada",
    )
    assert user.id == f"{first.id}-1"
    (part,) = system.content_parts
    assert type(part) is chat.ChatCompletionContentPartText
    assert (part.text, part.type, system.content) == ("Rhyme.", "text", None)
    assert pickle.loads(pickle.dumps(system)) == system
    newest = engine.chat.completions.messages.list(first.id, limit=1, order="desc")
    assert newest.data == [user] and newest.has_more
    assert repr(engine.chat.completions.messages).startswith("<chat.completions.messages of")


def test_they_are_the_sdks(make_engine):
    engine = make_engine()
    first = keep(engine, job="a")
    with zerohop.OpenAI(engine) as client:
        theirs, ours = client.chat.completions, engine.chat.completions
        other = theirs.retrieve(first.id)
        assert ours.retrieve(first.id).to_dict() == other.to_dict()
        assert OpenAIChatCompletion.model_validate(ours.retrieve(first.id).to_dict()) == other
        for mine, message in zip(
            ours.messages.list(first.id), theirs.messages.list(first.id), strict=True
        ):
            assert mine.to_dict() == message.to_dict()
            assert mine.model_dump() == message.model_dump()
            # The SDK's own class says that all are from the assistant, and so validates no other.
            assert type(message).construct(**mine.to_dict()) == message
        metadata = {"job": "b"}
        assert theirs.update(first.id, metadata=metadata).to_dict() == (
            ours.update(first.id, metadata=metadata).to_dict()
        )
        another = keep(engine)
        gone = theirs.delete(another.id).to_dict()
        assert ours.delete(first.id).to_dict() == gone | {"id": first.id}


@pytest.fixture(scope="module")
def answered(tools_engine):
    tools = [FUNCTION, {"type": "custom", "name": "run"}]
    return tools_engine.responses.create(input=INPUT, tools=tools, max_output_tokens=16)


def test_input_items(tools_engine, answered):
    # RE5, RE6, RE11
    items = list(tools_engine.responses.input_items.list(answered.id, order="asc", limit=4))
    assert [type(item) for item in items] == KINDS
    assert isinstance(items[4], responses.ResponseFunctionToolCall)
    assert isinstance(items[6], responses.ResponseCustomToolCall)
    assert isinstance(items[7], responses.ResponseCustomToolCallOutput)
    assert all(isinstance(item, responses.ResponseItem) for item in items)
    assert (items[0].role, items[0].status) == ("developer", "completed")
    assert type(items[0].content[0]) is responses.ResponseInputText
    assert type(items[2].content[0]) is responses.ResponseOutputText
    assert (items[4].name, items[4].status, items[5].output) == (
        "get_weather",
        "completed",
        "sunny",
    )
    assert [part.text for part in items[7].output] == ["a.txt"]
    for item in items:
        assert pickle.loads(pickle.dumps(item)) == item
    newest = tools_engine.responses.input_items.list(answered.id)
    assert newest.data == items[::-1] and not newest.has_more
    assert repr(tools_engine.responses.input_items).startswith("<responses.input_items of")


def test_input_items_are_the_sdks(tools_engine, answered):
    with zerohop.OpenAI(tools_engine) as client:
        theirs = client.responses.input_items.list(answered.id, order="asc")
        ours = tools_engine.responses.input_items.list(answered.id, order="asc")
        for mine, other in zip(ours, theirs, strict=True):
            assert type(mine).__name__ == type(other).__name__
            assert repr(mine) == repr(other)
            assert mine.model_dump() == other.model_dump()
            assert type(other).model_validate(mine.to_dict(), strict=True) == other
            assert type(mine).model_validate(other) == mine
    # What came can go back.
    again = tools_engine.responses.create(input=list(ours), max_output_tokens=16)
    assert again.output


def test_wrong_items(engine):
    items = engine.responses.input_items
    with pytest.raises(zerohop.InvalidArgumentError, match="response_id must not be empty"):
        items.list("")
    with pytest.raises(zerohop.NotFoundError):
        items.list("resp_1")
    kept = engine.responses.create(input="a", max_output_tokens=16)
    with pytest.raises(zerohop.BadRequestError) as caught:
        items.list(kept.id, include=["everything"])
    assert caught.value.param == "include"
    output = {"id": "a", "status": "completed", "type": "function_call_output"}
    made = responses.ResponseFunctionToolCallOutputItem(**output, output="a")
    assert made.output == "a"
    for wrong, reason in [(1, "neither text nor list"), ([{"type": "x"}], "no known type")]:
        with pytest.raises(zerohop.InvalidArgumentError, match=reason):
            responses.ResponseFunctionToolCallOutputItem(**output, output=wrong)


def test_counting_tokens(tools_engine):
    # RE4
    request = {"input": INPUT, "instructions": "Rhyme.", "tools": [FUNCTION]}
    count = tools_engine.responses.input_tokens.count(**request)
    assert type(count) is responses.InputTokenCountResponse
    assert count.object == "response.input_tokens" and count._request_id
    usage = tools_engine.responses.create(**request, max_output_tokens=16).usage
    assert count.input_tokens == usage.input_tokens
    with zerohop.OpenAI(tools_engine) as client:
        theirs = client.responses.input_tokens.count(**request)
    assert theirs.to_dict() == count.to_dict()
    # As in the SDK, any iterable.
    again = tools_engine.responses.input_tokens.count(**request | {"input": iter(INPUT)})
    assert again == count == pickle.loads(pickle.dumps(count))
    assert tools_engine.responses.input_tokens.count(input="a").input_tokens < count.input_tokens
    assert repr(tools_engine.responses.input_tokens).startswith("<responses.input_tokens of")
    with pytest.raises(TypeError, match="unexpected keyword argument 'max_output_tokens'"):
        tools_engine.responses.input_tokens.count(input="a", max_output_tokens=1)
    with pytest.raises(zerohop.BadRequestError) as caught:
        tools_engine.responses.input_tokens.count(input=[{"role": "nobody", "content": "a"}])
    assert caught.value.param.startswith("input[0]")


def test_the_parameters_are_openais():
    ours = inspect.signature(InputTokens.count).parameters
    theirs = inspect.signature(OpenAIInputTokens.count).parameters
    assert set(ours) == set(theirs)
    assert all(ours[name].kind is theirs[name].kind for name in ours if name != "self")


def test_event_loops(make_engine, run):
    engine = make_engine()

    async def main():
        async with zerohop.AsyncEngine(engine) as ours:
            first = keep(engine, job="a")
            kept = ours.chat.completions
            assert await kept.retrieve(first.id) == engine.chat.completions.retrieve(first.id)
            assert (await kept.update(first.id, metadata={"job": "b"})).metadata == {"job": "b"}
            assert [each.id async for each in kept.list(metadata={"job": "b"})] == [first.id]
            messages = [each async for each in kept.messages.list(first.id, order="desc")]
            assert [type(each) for each in messages] == [types.ChatCompletionStoreMessage] * 2
            assert messages == list(engine.chat.completions.messages.list(first.id, order="desc"))
            assert (await kept.delete(first.id)).deleted
            with pytest.raises(zerohop.NotFoundError):
                await kept.retrieve(first.id)
            reply = await ours.responses.create(input="a", max_output_tokens=16)
            items = [item async for item in ours.responses.input_items.list(reply.id)]
            assert items == list(engine.responses.input_items.list(reply.id))
            count = await ours.responses.input_tokens.count(input="a")
            assert count.input_tokens == reply.usage.input_tokens
            parts = (kept.messages, ours.responses.input_items, ours.responses.input_tokens)
            assert all("<zerohop.AsyncEngine" in repr(part) for part in parts)

    run(main)
