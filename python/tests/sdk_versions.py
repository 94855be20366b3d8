"""What is tried with each version of openai: `python sdk_versions.py MODEL`."""

import asyncio
import sys

import openai
from pydantic import BaseModel

import zerohop


class Answer(BaseModel):
    """Short, whatever a model of noise answers."""

    yes: bool


USER = [{"role": "user", "content": "Hello"}]


def check(client: openai.OpenAI, model: str) -> None:
    create = client.chat.completions.create
    request = {"model": model, "messages": USER, "max_tokens": 8, "seed": 3}
    reply = create(**request)
    chunks = list(create(**request, stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == reply.choices[0].message.content
    assert reply.usage.completion_tokens == 8
    raw = client.chat.completions.with_raw_response.create(**request)
    assert raw.headers["x-request-id"].startswith("req_")
    assert raw.parse().choices
    with client.chat.completions.with_streaming_response.create(**request) as response:
        assert "chat.completion" in response.read().decode()
    assert client.models.retrieve(model).id == model
    with create(**request | {"max_tokens": 900}, stream=True) as stream:
        next(iter(stream))
    try:
        create(model=model, messages=USER, temperature=9)
    except openai.BadRequestError as error:
        assert error.param == "temperature"
    else:
        raise AssertionError("a temperature of 9 was accepted")
    try:
        create(model=model, messages=USER, max_tokens=100_000, timeout=0.2)
    except openai.APITimeoutError:
        pass
    else:
        raise AssertionError("the timeout was not honoured")


def check_parsed(client: openai.OpenAI, model: str) -> None:
    # They left `beta` in 1.92.
    completions = client.chat.completions
    if not hasattr(completions, "parse"):
        completions = client.beta.chat.completions
    request = {"model": model, "messages": USER, "response_format": Answer, "seed": 3}
    reply = completions.parse(**request)
    assert isinstance(reply.choices[0].message.parsed, Answer)
    with completions.stream(**request) as stream:
        events = [event.type for event in stream]
        final = stream.get_final_completion()
    assert events.count("content.delta") > 1
    assert final.choices[0].message.parsed == reply.choices[0].message.parsed


async def check_async(client: openai.AsyncOpenAI, model: str) -> None:
    create = client.chat.completions.create
    request = {"model": model, "messages": USER, "max_tokens": 8, "seed": 3}

    async def streamed() -> str:
        stream = await create(**request, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    reply = await create(**request)
    texts = await asyncio.gather(*[streamed() for _ in range(8)])
    assert set(texts) == {reply.choices[0].message.content}
    try:
        await create(model="gpt-9", messages=USER)
    except openai.NotFoundError as error:
        assert error.code == "model_not_found"
    else:
        raise AssertionError("a model that does not exist was used")


with zerohop.Engine(sys.argv[1], threads=1, context_length=200_000, alias="org/name") as engine:
    # T2
    library = "httpx2" if int(openai.__version__.split(".")[0]) >= 3 else "httpx"
    assert type(zerohop.http_client(engine)).__module__.split(".")[0] == library
    client = zerohop.OpenAI(engine, max_retries=0)
    assert isinstance(client, openai.OpenAI)
    check(client, "org/name")
    check_parsed(client, "org/name")
    asyncio.run(check_async(zerohop.AsyncOpenAI(engine), "org/name"))
    engine.close()
    try:
        client.models.list()
    except openai.APIConnectionError:
        pass
    else:
        raise AssertionError("a closed engine answered")
