# pyright: strict
"""How programs use zerohop, with the types that they then get. It is checked, never run."""

from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any, Literal, assert_type

import httpx
import httpx2
import openai
from openai.types.chat import ChatCompletion as SdkCompletion
from openai.types.chat import ChatCompletionChunk as SdkChunk
from openai.types.chat import ChatCompletionMessageParam
from pydantic import BaseModel

import zerohop
from zerohop.pagination import AsyncCursorPage, SyncCursorPage
from zerohop.types import (
    Batch,
    BatchRequestCounts,
    Completion,
    CreateEmbeddingResponse,
    DetokenizeResponse,
    Device,
    FileObject,
    ImageGenCompletedEvent,
    ImageGenPartialImageEvent,
    ImagesResponse,
    Model,
    ModelDeleted,
    ModelInfo,
    RerankResponse,
    SystemInfo,
    TokenizeResponse,
)
from zerohop.types.chat import (
    ChatCompletion,
    ChatCompletionChunk,
    ChatCompletionDeleted,
    ChatCompletionStoreMessage,
)
from zerohop.types.responses import (
    InputTokenCountResponse,
    Response,
    ResponseInputMessageItem,
    ResponseItem,
    ResponseStreamEvent,
    ResponseTextDeltaEvent,
)

MESSAGES = [{"role": "user", "content": "Hello"}]


class City(BaseModel):
    name: str


def loading() -> None:
    engine = zerohop.Engine(Path("m.gguf"), context_length=4096, progress=print)
    zerohop.Engine({"a": "m.gguf", "b": zerohop.ModelOptions("n.gguf", gpu_layers=3)})
    zerohop.Engine("m.gguf", api_keys=["sk-a"], requests_per_minute=60, timeout=30)
    zerohop.Engine("m.gguf", lazy=True, memory_budget=1 << 30)
    zerohop.Engine("m.gguf", adapters="a.gguf")
    zerohop.ModelOptions("m.gguf", adapters=["a.gguf", (Path("b.gguf"), 0.5)])
    assert_type(engine.load("c", Path("c.gguf"), threads=2), ModelInfo)
    engine.unload("c")
    assert_type(engine.models.delete("c"), ModelDeleted)
    assert_type(engine.metrics(), dict[str, Any])
    engine.close(drain=1.5)
    assert_type(engine.model_info, list[ModelInfo])
    assert_type(engine.models.retrieve("m"), Model)
    assert_type([model.id for model in engine.models.list()], list[str])
    assert_type(zerohop.devices(), list[Device])
    assert_type(zerohop.system_info(), SystemInfo)
    with engine as entered:
        assert_type(entered, zerohop.Engine)


def vectors_and_files(engine: zerohop.Engine) -> None:
    reply = engine.embeddings.create(input=["a", "b"], dimensions=3)
    assert_type(reply, CreateEmbeddingResponse)
    assert_type(reply.data[0].embedding, list[float])
    assert_type(reply.vectors.shape, tuple[int, int])
    assert_type(reply.usage.total_tokens, int)
    file = engine.files.create(file=("a.jsonl", b"{}"), purpose="batch")
    assert_type(file, FileObject)
    assert_type(engine.files.content(file.id).read(), bytes)
    assert_type([each.id for each in engine.files.list(order="asc")], list[str])
    batch = engine.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions")
    assert_type(batch, Batch)
    assert_type(batch.request_counts, BatchRequestCounts | None)
    page = engine.batches.list(limit=3)
    assert_type(page, SyncCursorPage[Batch])
    assert_type([each.id for each in page], list[str])
    assert_type(page.get_next_page().data[0], Batch)
    assert_type([each.data for each in page.iter_pages()], list[list[Batch]])
    if info := page.next_page_info():
        assert_type(info.params, dict[str, str])


def kept(engine: zerohop.Engine) -> None:
    completions = engine.chat.completions
    assert_type([each for each in completions.list(metadata={"a": "b"})], list[ChatCompletion])
    assert_type(completions.retrieve("a"), ChatCompletion)
    assert_type(completions.update("a", metadata=None), ChatCompletion)
    assert_type(completions.delete("a"), ChatCompletionDeleted)
    assert_type(completions.messages.list("a"), SyncCursorPage[ChatCompletionStoreMessage])
    for item in engine.responses.input_items.list("a", include=["message.output_text.logprobs"]):
        assert_type(item, ResponseItem)
        if item.type == "message" and item.role != "assistant":
            assert_type(item, ResponseInputMessageItem)
    count = engine.responses.input_tokens.count(input="Hello", tools=[])
    assert_type(count, InputTokenCountResponse)


def whole_and_streamed(engine: zerohop.Engine, either: bool) -> None:
    create = engine.chat.completions.create
    reply = create(messages=MESSAGES, extra_body={"top_k": 3})
    assert_type(reply, ChatCompletion)
    assert_type(reply.choices[0].message.content, str | None)
    again = create(messages=[*MESSAGES, reply.choices[0].message], stream=False)
    assert_type(again, ChatCompletion)
    for chunk in create(messages=MESSAGES, stream=True):
        assert_type(chunk, ChatCompletionChunk)
        assert_type(
            chunk.choices[0].finish_reason,
            Literal["stop", "length", "tool_calls", "content_filter", "function_call"] | None,
        )
    with create(messages=MESSAGES, stream=True) as stream:
        assert_type(stream, zerohop.Stream[ChatCompletionChunk])
    assert_type(
        create(messages=MESSAGES, stream=either),
        ChatCompletion | zerohop.Stream[ChatCompletionChunk],
    )


def plain_texts(engine: zerohop.Engine, either: bool) -> None:
    create = engine.completions.create
    reply = create(prompt="a", suffix="b", echo=True, logprobs=1)
    assert_type(reply, Completion)
    assert_type(reply.choices[0].text, str)
    for chunk in create(prompt=[[1, 2], [3]], stream=True):
        assert_type(chunk, Completion)
    assert_type(create(prompt=None, stream=either), Completion | zerohop.Stream[Completion])
    assert_type(engine.rerank(query="a", documents=["b", {"text": "c"}]), RerankResponse)
    assert_type(engine.tokenize(prompt="a"), TokenizeResponse)
    assert_type(engine.tokenize(messages=MESSAGES).tokens, list[int])
    assert_type(engine.detokenize(tokens=[1]), DetokenizeResponse)


def responses(engine: zerohop.Engine, either: bool) -> None:
    create = engine.responses.create
    reply = create(input="Hello", instructions="Rhyme.", extra_body={"top_k": 3})
    assert_type(reply, Response)
    assert_type(reply.output_text, str)
    again = create(input=[*reply.output, {"role": "user", "content": "More"}])
    assert_type(again, Response)
    for event in create(input="Hello", stream=True):
        assert_type(event, ResponseStreamEvent)
        if event.type == "response.output_text.delta":
            assert_type(event, ResponseTextDeltaEvent)
    assert_type(create(input="a", stream=either), Response | zerohop.Stream[ResponseStreamEvent])
    assert_type(engine.responses.retrieve(reply.id), Response)


async def responses_in_event_loops(engine: zerohop.AsyncEngine) -> None:
    reply = await engine.responses.create(input="Hello")
    assert_type(reply, Response)
    stream = await engine.responses.create(input="Hello", stream=True)
    assert_type(stream, zerohop.AsyncStream[ResponseStreamEvent])
    items = engine.responses.input_items.list(reply.id)
    assert_type([item async for item in items], list[ResponseItem])
    assert_type(await items, AsyncCursorPage[ResponseItem])
    assert_type(await (await items).get_next_page(), AsyncCursorPage[ResponseItem])
    assert_type(await engine.responses.input_tokens.count(), InputTokenCountResponse)
    completions = engine.chat.completions
    assert_type([each async for each in completions.list()], list[ChatCompletion])
    assert_type(await completions.update("a", metadata={}), ChatCompletion)
    assert_type([each async for each in engine.files.list(limit=3)], list[FileObject])


async def in_event_loops(either: bool) -> None:
    async with zerohop.AsyncEngine("m.gguf", threads=2) as engine:
        assert_type(await engine.load(), zerohop.AsyncEngine)
        assert_type(await engine.load("c", "c.gguf", lazy=True), ModelInfo)
        await engine.unload("c")
        create = engine.chat.completions.create
        assert_type(await create(messages=MESSAGES, temperature=0), ChatCompletion)
        stream = await create(messages=MESSAGES, stream=True)
        assert_type(stream, zerohop.AsyncStream[ChatCompletionChunk])
        async for chunk in stream:
            assert_type(chunk, ChatCompletionChunk)
        assert_type(
            await create(messages=MESSAGES, stream=either),
            ChatCompletion | zerohop.AsyncStream[ChatCompletionChunk],
        )
        assert_type([model async for model in engine.models.list()], list[Model])
        assert_type((await engine.models.list()).data, list[Model])
        assert_type(await engine.models.retrieve("m"), Model)
        zerohop.AsyncOpenAI(engine)
        zerohop.async_http_client(engine)
    assert_type(await zerohop.AsyncEngine(zerohop.Engine("m.gguf")), zerohop.AsyncEngine)


def errors(engine: zerohop.Engine) -> None:
    try:
        engine.models.retrieve("m")
    except zerohop.APIStatusError as error:
        assert_type(error.status_code, int)
        assert_type(error.code, str | None)
        assert_type(error.response.headers["x-request-id"], str)
    except zerohop.ModelFileError as error:
        assert_type(error.errno, int | None)


def sdk(engine: zerohop.Engine, messages: Iterable[ChatCompletionMessageParam]) -> None:
    client = zerohop.OpenAI(engine, timeout=3)
    assert_type(client, openai.OpenAI)
    create = client.chat.completions.create
    assert_type(create(model="m", messages=messages), SdkCompletion)
    assert_type(create(model="m", messages=messages, stream=True), openai.Stream[SdkChunk])
    parsed = client.chat.completions.parse(model="m", messages=messages, response_format=City)
    assert_type(parsed.choices[0].message.parsed, City | None)
    openai.OpenAI(http_client=zerohop.http_client(engine), base_url=zerohop.BASE_URL, api_key="x")


def images(engine: zerohop.Engine) -> None:
    reply = engine.images.generate(prompt="a lighthouse", size="512x512", n=2)
    assert_type(reply, ImagesResponse)
    assert_type(engine.images.edit(image=b"", prompt="a cat"), ImagesResponse)
    assert_type(engine.images.create_variation(image=b""), ImagesResponse)
    for event in engine.images.generate(prompt="a", stream=True, partial_images=2):
        assert_type(event, ImageGenPartialImageEvent | ImageGenCompletedEvent)


async def async_sdk(messages: Iterable[ChatCompletionMessageParam]) -> AsyncIterator[str]:
    client = zerohop.AsyncOpenAI("m.gguf")
    assert_type(client, openai.AsyncOpenAI)
    create = client.chat.completions.create
    assert_type(await create(model="m", messages=messages), SdkCompletion)
    stream = await create(model="m", messages=messages, stream=True)
    assert_type(stream, openai.AsyncStream[SdkChunk])
    async for chunk in stream:
        yield chunk.choices[0].delta.content or ""


def http_clients(engine: zerohop.Engine) -> None:
    assert_type(zerohop.http_client(engine, library="httpx2"), httpx2.Client)
    assert_type(zerohop.http_client(engine, library="httpx"), httpx.Client)
    assert_type(zerohop.async_http_client(engine, library="httpx2"), httpx2.AsyncClient)
    assert_type(zerohop.transport(engine, library="httpx2"), httpx2.BaseTransport)
    assert_type(zerohop.async_transport(engine, library="httpx"), httpx.AsyncBaseTransport)
    assert_type(zerohop.transport(engine), Any)
