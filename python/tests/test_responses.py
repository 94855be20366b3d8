"""The Responses API and what is kept for later, through openai's own SDK (contract group RE)."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types.responses import Response, ResponseStreamEvent
from openai.types.responses.response_item import ResponseItem
from pydantic import BaseModel, TypeAdapter
from support import USER, gather, model

import zerohop

MODEL = "tiny-llama"
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
ITEM: TypeAdapter[Any] = TypeAdapter(ResponseItem)

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "Tells the weather of a city.",
    "strict": True,
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
}
DIAL = {
    "type": "custom",
    "name": "dial",
    "format": {"type": "grammar", "syntax": "regex", "definition": "[0-9]{3}"},
}


class City(BaseModel):
    city: str
    country: str


@pytest.fixture(scope="module")
def thoughtful_engine(tiny: Path) -> Iterator[zerohop.Engine]:
    """Noise, all of it thoughts: its template opens them."""
    template = model("templates/Qwen3.5-4B.jinja").read_text()
    with zerohop.Engine(tiny, threads=1, context_length=16384, chat_template=template) as engine:
        yield engine


@pytest.fixture
def client(engine):
    return zerohop.OpenAI(engine)


@pytest.fixture
def tools_client(tools_engine):
    return zerohop.OpenAI(tools_engine)


@pytest.fixture
def qwen_client(qwen_engine):
    return zerohop.OpenAI(qwen_engine)


def created(client: openai.OpenAI, **request: Any) -> Response:
    """The response to a request, which its type takes strictly."""
    request = {"model": MODEL, "input": "Hello", "temperature": 0} | request
    raw = client.responses.with_raw_response.create(**request)
    checked = Response.model_validate_json(raw.content, strict=True)
    parsed = raw.parse()
    assert parsed.to_dict() == checked.to_dict() and checked.usage is not None
    return parsed


def streamed(client: openai.OpenAI, **request: Any) -> list[Any]:
    """The events of a request's stream, each of which its type takes strictly."""
    request = {"model": MODEL, "input": "Hello", "temperature": 0} | request
    events = list(client.responses.create(**request, stream=True))
    for index, event in enumerate(events):
        # RE7
        assert event.sequence_number == index
        assert type(EVENT.validate_python(event.to_dict(), strict=True)) is type(event)
    assert [event.type for event in events[:2]] == ["response.created", "response.in_progress"]
    # RE10
    terminal = [
        event for event in events if getattr(event, "response", None) and event.response.usage
    ]
    assert terminal == events[-1:]
    return events


def comparable(response: Response) -> dict[str, Any]:
    """A response without what two answers to one request differ in."""
    dump = response.to_dict()
    for key in ("id", "created_at", "completed_at"):
        del dump[key]
    for item in dump["output"]:
        item.pop("id"), item.pop("call_id", None)
    del dump["usage"]["input_tokens_details"]["cached_tokens"]
    return dump


REQUESTS = {
    "text": ("client", {"max_output_tokens": 20}),
    "instructions": ("client", {"instructions": "Rhyme.", "max_output_tokens": 5}),
    "logprobs": (
        "client",
        {
            "include": ["message.output_text.logprobs"],
            "top_logprobs": 2,
            "max_output_tokens": 6,
        },
    ),
    "call": (
        "tools_client",
        {"tools": [WEATHER], "tool_choice": "required", "max_output_tokens": 400},
    ),
    "custom call": (
        "tools_client",
        {
            "tools": [WEATHER, DIAL],
            "tool_choice": {"type": "custom", "name": "dial"},
            "max_output_tokens": 400,
        },
    ),
    "json": (
        "client",
        {
            "text": {
                "format": {
                    "type": "json_schema",
                    "name": "n",
                    "schema": {"type": "object", "properties": {"n": {"enum": [1, 2]}}},
                }
            },
            "max_output_tokens": 200,
        },
    ),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_stream_equals_the_whole(request, name):
    # RE1 to RE5, RE7 to RE10
    fixture, parameters = REQUESTS[name]
    client = request.getfixturevalue(fixture)
    whole = created(client, **parameters)
    events = streamed(client, **parameters)
    assert comparable(events[-1].response) == comparable(whole)
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert text == whole.output_text


def test_thoughts_are_items(thoughtful_engine):
    # RE5, RE9
    client = zerohop.OpenAI(thoughtful_engine)
    whole = created(client, max_output_tokens=20, reasoning={"effort": "low", "summary": "auto"})
    (item,) = whole.output
    assert item.type == "reasoning" and item.summary == []
    assert whole.usage.output_tokens_details.reasoning_tokens > 0
    assert whole.reasoning.effort == "low"
    events = streamed(client, max_output_tokens=20, reasoning={"effort": "low", "summary": "auto"})
    assert comparable(events[-1].response) == comparable(whole)
    deltas = [event.delta for event in events if event.type == "response.reasoning_text.delta"]
    assert "".join(deltas) == item.content[0].text
    # They can be sent back, and nothing of them is lost.
    again = created(client, input=[USER[0], item, {"role": "user", "content": "So?"}])
    assert again.usage.input_tokens > whole.usage.input_tokens


def test_the_streaming_helper(client, tools_client):
    # RE7 to RE10
    request = {"model": MODEL, "input": "Hello", "temperature": 0, "max_output_tokens": 12}
    with client.responses.stream(**request) as stream:
        kinds = [event.type for event in stream]
        # It knows only whole responses; this one a limit has cut.
        with pytest.raises(RuntimeError, match="completed"):
            stream.get_final_response()
    assert kinds[-1] == "response.incomplete"
    request |= {"tools": [WEATHER], "tool_choice": "required", "max_output_tokens": 400}
    request["parallel_tool_calls"] = False
    with tools_client.responses.stream(**request) as stream:
        events = list(stream)
        final = stream.get_final_response()
    (call,) = final.output
    arguments = json.loads(call.arguments)
    assert final.status == "completed" and call.parsed_arguments == arguments
    deltas = [e for e in events if e.type == "response.function_call_arguments.delta"]
    assert deltas[-1].snapshot == call.arguments


def test_parsing(qwen_client):
    # RE2
    request = {
        "model": qwen_client.models.list().data[0].id,
        "input": "Describe Paris in France as JSON.",
        "text_format": City,
        "temperature": 0,
    }
    reply = qwen_client.responses.parse(**request)
    assert reply.output_parsed == City(city="Paris", country="France")
    with qwen_client.responses.stream(**request) as stream:
        final = stream.get_final_response()
    assert final.output_parsed == reply.output_parsed
    # What `parse` has added can be sent back.
    model = request["model"]
    more = [*reply.output, {"role": "user", "content": "Which country? One word."}]
    answer = qwen_client.responses.create(model=model, input=more, temperature=0)
    assert "France" in answer.output_text


def test_a_tool_loop(qwen_client):
    # RE5, RE6, RE11
    class GetWeather(BaseModel):
        city: str

    tool = openai.pydantic_function_tool(GetWeather, description="Tells the weather of a city.")
    flat = {"type": "function", **tool["function"]}
    model = qwen_client.models.list().data[0].id
    request = {"model": model, "temperature": 0, "max_output_tokens": 100, "tools": [flat]}
    choice = {"type": "function", "name": "GetWeather"}
    reply = qwen_client.responses.create(
        **request, input="How is the weather in Rome?", tool_choice=choice
    )
    (call,) = reply.output
    assert call.type == "function_call" and GetWeather.model_validate_json(call.arguments)
    output = {
        "type": "function_call_output",
        "call_id": call.call_id,
        "output": "Sunny, 31 degrees.",
    }
    question = {"role": "user", "content": "So how is it? Answer in one sentence."}
    request |= {"tools": [], "previous_response_id": reply.id}
    reply = qwen_client.responses.create(**request, input=[output, question])
    assert "unny" in reply.output_text
    kinds = [item.type for item in qwen_client.responses.input_items.list(reply.id, order="asc")]
    assert kinds == ["message", "function_call", "function_call_output", "message"]


def test_what_is_kept(client):
    # RE11
    first = created(client, max_output_tokens=3, metadata={"a": "b"}, instructions="Rhyme.")
    assert client.responses.retrieve(first.id).to_dict() == first.to_dict()
    second = created(client, input="More", previous_response_id=first.id, max_output_tokens=3)
    assert second.instructions is None and second.previous_response_id == first.id
    items = list(client.responses.input_items.list(second.id, limit=1, order="asc"))
    assert [item.role for item in items] == ["user", "assistant", "user"]
    for item in items:
        ITEM.validate_python(item.to_dict(), strict=True)
    assert items[1].id == first.output[0].id
    with pytest.raises(openai.BadRequestError, match="Cannot cancel"):
        client.responses.cancel(first.id)
    with pytest.raises(openai.BadRequestError, match="streamed"):
        client.responses.retrieve(first.id, stream=True)
    assert client.responses.retrieve(first.id, include=["reasoning.encrypted_content"])
    client.responses.delete(first.id)
    unkept = created(client, store=False, max_output_tokens=1)
    for gone in (first.id, unkept.id):
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(gone)
        with pytest.raises(openai.NotFoundError) as caught:
            created(client, previous_response_id=gone)
        assert caught.value.param == "previous_response_id"
        assert caught.value.code == "previous_response_not_found"
    assert created(client, previous_response_id=second.id, max_output_tokens=1)


def test_input_is_counted(client):
    # RE4
    request = {"input": "Hello", "instructions": "Rhyme."}
    count = client.responses.input_tokens.count(model=MODEL, **request)
    assert count.object == "response.input_tokens"
    assert count.input_tokens == created(client, **request, max_output_tokens=1).usage.input_tokens
    assert client.responses.input_tokens.count(input="Hello").input_tokens < count.input_tokens


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"background": True}, "background"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"input": [{"type": "function_call_output", "call_id": "c", "output": "1"}]}, None),
        ({"conversation": "conv_1"}, "conversation"),
        ({"text": {"verbosity": "high"}}, "text.verbosity"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
    ],
)
def test_bad_requests(client, change, param):
    # RE1, RE2, RE6
    with pytest.raises(openai.BadRequestError) as caught:
        created(client, **change)
    assert caught.value.param == (param or "input[0].call_id")


def test_leaving_a_stream_frees_its_place(make_engine):
    # RE10
    engine = make_engine(parallel=1, queue=1)
    client = zerohop.OpenAI(engine, max_retries=20)
    request = {"model": MODEL, "input": "Hi", "temperature": 0}
    for _ in range(3):
        with client.responses.create(**request, stream=True) as stream:
            assert next(event for event in stream if event.type == "response.output_text.delta")
        # Its retries wait for the place.
        assert client.responses.create(**request, max_output_tokens=1)
        with pytest.raises(openai.APITimeoutError):
            client.with_options(max_retries=0).responses.create(**request, timeout=0.3)


def test_stored_chat_completions(make_engine):
    # CQ17
    client = zerohop.OpenAI(make_engine(context_length=2048))
    completions = client.chat.completions
    request = {"model": MODEL, "messages": USER, "max_tokens": 2, "store": True}
    replies = [completions.create(**request, metadata={"n": str(n)}) for n in range(3)]
    *_, chunk = completions.create(**request, stream=True)
    ids = [reply.id for reply in replies] + [chunk.id]
    completions.create(**request | {"store": False})
    assert [kept.id for kept in completions.list(limit=2)] == ids
    assert [kept.id for kept in completions.list(order="desc", limit=3)] == ids[::-1]
    assert [kept.id for kept in completions.list(metadata={"n": "1"})] == ids[1:2]
    assert not list(completions.list(model="other"))
    kept = completions.retrieve(ids[0])
    assert kept.choices == replies[0].choices and kept.metadata == {"n": "0"}
    (message,) = completions.messages.list(ids[0])
    assert (message.role, message.content, message.id) == ("user", "Hello", f"{ids[0]}-0")
    assert completions.update(ids[0], metadata={"k": "v"}).metadata == {"k": "v"}
    assert completions.retrieve(ids[0]).metadata == {"k": "v"}
    deleted = completions.delete(ids[0])
    assert deleted.deleted and deleted.object == "chat.completion.deleted"
    with pytest.raises(openai.NotFoundError):
        completions.retrieve(ids[0])


def test_the_async_client(engine, run):
    # RE3, RE7, RE11
    async def main():
        client = zerohop.AsyncOpenAI(engine)
        request = {"model": MODEL, "input": "Hello", "temperature": 0, "max_output_tokens": 5}

        async def text():
            stream = await client.responses.create(**request, stream=True)
            return "".join(
                [e.delta async for e in stream if e.type == "response.output_text.delta"]
            )

        async def whole():
            return (await client.responses.create(**request)).output_text

        assert len(set(await gather(text, whole, text, whole))) == 1
        reply = await client.responses.create(**request)
        assert (await client.responses.retrieve(reply.id)).id == reply.id
        items = [item async for item in client.responses.input_items.list(reply.id)]
        assert [item.role for item in items] == ["user"]
        await client.responses.delete(reply.id)

    run(main)
