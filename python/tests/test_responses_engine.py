"""The Responses API of the engines themselves, in openai's shapes (contract group RE)."""

import inspect
import pickle

import pytest
from openai.resources.responses import Responses as OpenAIResponses
from openai.types.responses import Response as OpenAIResponse

import zerohop
from zerohop._native import Responses
from zerohop.types import responses as types

CALL = {
    "tools": [
        {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}
    ],
    "tool_choice": "required",
    "parallel_tool_calls": False,
    "max_output_tokens": 400,
    "temperature": 0,
}


def create(engine, **request):
    return engine.responses.create(**{"input": "Hello", "temperature": 0} | request)


def test_the_parameters_are_openais():
    ours = inspect.signature(Responses.create).parameters
    theirs = inspect.signature(OpenAIResponses.create).parameters
    assert set(ours) == set(theirs)
    assert all(ours[name].kind is theirs[name].kind for name in ours if name != "self")


def test_every_parameter_of_the_signature_is_taken(engine):
    names = set(inspect.signature(Responses.create).parameters) - {"self", "model", "input"}
    nothing = dict.fromkeys(names - {"max_output_tokens"})
    assert engine.responses.create(**nothing, input="a", max_output_tokens=1).output


def test_a_response_is_openais(engine, tools_engine):
    # RE3, RE5
    replies = [create(engine, max_output_tokens=5), create(tools_engine, **CALL)]
    for reply in replies:
        assert type(reply) is types.Response
        theirs = OpenAIResponse.model_validate(reply.to_dict(), strict=True)
        assert theirs.output_text == reply.output_text
        assert reply._request_id.startswith("req_")
        assert pickle.loads(pickle.dumps(reply)) == reply
        assert types.Response.model_validate(theirs.model_dump(exclude_unset=True)) == reply
    message, call = (reply.output[0] for reply in replies)
    assert type(message) is types.ResponseOutputMessage
    assert type(message.content[0]) is types.ResponseOutputText
    assert type(call) is types.ResponseFunctionToolCall
    assert type(replies[1].tools[0]) is types.FunctionTool
    assert repr(message).startswith("ResponseOutputMessage(id='msg_")
    # RE6: what came can go back.
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "1"}
    again = create(
        tools_engine, input=[{"role": "user", "content": "a"}, call, output], max_output_tokens=1
    )
    assert again.output


def test_events_are_openais(engine, tools_engine):
    # RE7 to RE10
    for source, request in [(engine, {"max_output_tokens": 5}), (tools_engine, CALL)]:
        with create(source, **request, stream=True) as stream:
            assert repr(stream) == "<zerohop.Stream of ResponseStreamEvent>"
            events = list(stream)
        assert [event.sequence_number for event in events] == list(range(len(events)))
        assert type(events[0]) is types.ResponseCreatedEvent
        assert all(type(event).__name__ in types.__all__ for event in events)
        added = next(event for event in events if event.type == "response.output_item.added")
        last = events[-1].response
        assert type(added.item) is type(last.output[0]) and added.item.id == last.output[0].id
        whole = create(source, **request)
        assert last.output_text == whole.output_text and last.usage == whole.usage
        assert type(last).__module__ == "zerohop.types.responses.response"


def test_what_is_kept(engine):
    # RE11
    first = create(engine, max_output_tokens=2)
    assert engine.responses.retrieve(first.id) == first
    second = create(engine, previous_response_id=first.id, max_output_tokens=2)
    assert second.usage.input_tokens > first.usage.input_tokens
    with pytest.raises(zerohop.BadRequestError, match="Cannot cancel"):
        engine.responses.cancel(first.id)
    assert engine.responses.delete(first.id) is None
    for call in (engine.responses.retrieve, engine.responses.delete, engine.responses.cancel):
        with pytest.raises(zerohop.NotFoundError):
            call(first.id)
    with pytest.raises(zerohop.InvalidArgumentError):
        engine.responses.retrieve("")


def test_wrong_calls(engine, make_engine):
    with pytest.raises(TypeError, match="unexpected keyword argument 'messages'"):
        create(engine, messages=[])
    with pytest.raises(zerohop.BadRequestError) as caught:
        create(engine, input=[{"role": "user", "content": [{"type": "text", "text": "a"}]}])
    assert caught.value.param == "input[0].content[0].type"
    closed = make_engine()
    closed.close()
    with pytest.raises(zerohop.EngineClosedError):
        create(closed)
    with pytest.raises(zerohop.APITimeoutError):
        create(make_engine(), timeout=0.2)


def test_async_engines(engine, run):
    # RE3, RE7, RE11
    async def main():
        async with zerohop.AsyncEngine(engine) as ours:
            whole = await create(ours, max_output_tokens=5)
            stream = await create(ours, max_output_tokens=5, stream=True)
            events = [event async for event in stream]
            assert events[-1].response.output_text == whole.output_text
            assert await ours.responses.retrieve(whole.id) == whole
            with pytest.raises(zerohop.BadRequestError):
                await ours.responses.cancel(whole.id)
            await ours.responses.delete(whole.id)
            with pytest.raises(zerohop.NotFoundError):
                await ours.responses.retrieve(whole.id)
            assert repr(ours.responses).startswith("<responses of")

    run(main)
