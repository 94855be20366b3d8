"""openai's async SDK over an engine of this process, in every kind of event loop."""

import time
from contextlib import aclosing

import anyio
import httpx
import httpx2
import openai
import pytest
from pydantic import BaseModel
from support import USER, gather, threads

import zerohop

MODEL = "tiny-llama"
REQUEST = {"model": MODEL, "messages": USER}

# trio warns of generators that openai and httpx leave to the garbage collector.
pytestmark = pytest.mark.filterwarnings(
    r"ignore:Async generator '(openai|httpx2?)\.:ResourceWarning"
)


class City(BaseModel):
    city: str
    country: str


async def text_of(stream):
    return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])


async def assert_free(client):
    """The only place is free, at once or soon."""
    reply = await client.chat.completions.create(**REQUEST, max_tokens=1, timeout=20)
    assert reply.choices


@pytest.mark.parametrize("library", ["httpx2", "httpx"])
def test_replies_and_streams(engine, run, library):
    # T2, T4
    async def main():
        http_client = zerohop.async_http_client(engine, library=library)
        assert isinstance(http_client, {"httpx": httpx, "httpx2": httpx2}[library].AsyncClient)
        async with openai.AsyncOpenAI(
            http_client=http_client, base_url=zerohop.BASE_URL, api_key="x"
        ) as client:
            request = REQUEST | {"max_tokens": 20, "seed": 3}
            reply = await client.chat.completions.create(**request)
            assert reply._request_id.startswith("req_")
            stream = await client.chat.completions.create(**request, stream=True)
            assert await text_of(stream) == reply.choices[0].message.content
            assert [model.id async for model in client.models.list()] == [MODEL]
            assert (await client.models.retrieve(MODEL)).id == MODEL

    run(main)
    assert not engine.closed


def test_raw_and_streaming_responses(engine, run):
    # T3, T9
    async def main():
        client = zerohop.AsyncOpenAI(engine)
        raw = await client.chat.completions.with_raw_response.create(**REQUEST, max_tokens=1)
        assert raw.headers["content-type"] == "application/json"
        assert raw.parse().choices
        create = client.chat.completions.with_streaming_response.create
        async with create(**REQUEST, max_tokens=1, stream=True) as response:
            assert response.headers["content-type"] == "text/event-stream"
            lines = [line async for line in response.iter_lines() if line]
        assert lines[-1] == "data: [DONE]"

    run(main)


def test_errors(make_engine, run):
    engine = make_engine(parallel=1, queue=1)

    async def main():
        client = zerohop.AsyncOpenAI(engine, max_retries=0)
        create = client.chat.completions.create
        with pytest.raises(openai.BadRequestError) as caught:
            await create(**REQUEST, temperature=9)
        assert caught.value.param == "temperature"
        with pytest.raises(openai.NotFoundError):
            await create(model="gpt-9", messages=USER)
        holders = [await create(**REQUEST, stream=True) for _ in range(2)]
        with pytest.raises(openai.RateLimitError):
            await create(**REQUEST)
        for holder in holders:
            await holder.close()
        await assert_free(client.with_options(max_retries=5))
        stream = await create(**REQUEST, stream=True)
        await anext(stream)
        engine.close()
        with pytest.raises(openai.APIConnectionError):
            await text_of(stream)
        with pytest.raises(openai.APIConnectionError):
            await create(**REQUEST)

    run(main)


def test_timeouts(make_engine, run):
    # T9
    engine = make_engine(parallel=1)

    async def main():
        client = zerohop.AsyncOpenAI(engine, max_retries=0)
        create = client.chat.completions.create
        started = time.monotonic()
        with pytest.raises(openai.APITimeoutError):
            await create(**REQUEST, timeout=0.2)
        # uvloop's clock has milliseconds.
        assert 0.19 <= time.monotonic() - started < 60
        running = await create(**REQUEST, stream=True)
        await anext(running)
        waiting = await create(**REQUEST, stream=True, timeout=1)
        with pytest.raises(openai.APITimeoutError):
            await anext(waiting)
        assert (await anext(running)).choices
        await running.close()
        await assert_free(client)

    run(main)


@pytest.mark.parametrize("end", ["close", "break", "cancel"])
def test_an_abandoned_stream_frees_its_place(make_engine, run, end):
    # T6, CS12
    engine = make_engine(parallel=1)

    async def main():
        client = zerohop.AsyncOpenAI(engine)
        stream = await client.chat.completions.create(**REQUEST, stream=True)
        await anext(stream)
        if end == "close":
            await stream.close()
        elif end == "break":
            async with stream, aclosing(aiter(stream)) as chunks:
                async for _ in chunks:
                    break
        else:
            with anyio.move_on_after(0.2) as scope:
                await text_of(stream)
            assert scope.cancelled_caught
        await assert_free(client)

    run(main)


def test_a_cancelled_task_cancels_its_request(make_engine, run):
    # CS12
    engine = make_engine(parallel=1)

    async def main():
        client = zerohop.AsyncOpenAI(engine)
        # In each stage: while it is prepared, while it waits, while it runs.
        for delay in (0, 0.001, 0.01, 0.3):
            with anyio.move_on_after(delay) as scope:
                await client.chat.completions.create(**REQUEST)
            assert scope.cancelled_caught
        await assert_free(client)

    run(main)


def test_fifty_streams_at_once(make_engine, run):
    engine = make_engine(parallel=16, context_length=16_384)

    async def main():
        client = zerohop.AsyncOpenAI(engine)

        async def ask():
            request = REQUEST | {"max_tokens": 20}
            return await text_of(await client.chat.completions.create(**request, stream=True))

        texts = await gather(*[ask] * 50)
        assert len(texts) == 50 and len(set(texts)) > 40

    run(main)


def test_many_tasks_need_no_thread_each(make_engine, run, tmp_path):
    engine = make_engine(parallel=4, context_length=16_384)

    async def main():
        client = zerohop.AsyncOpenAI(engine)
        await assert_free(client)
        before = threads()
        counts = []

        async def ask():
            reply = await client.chat.completions.create(**REQUEST, max_tokens=2)
            counts.append(threads())
            return reply.usage.completion_tokens

        assert await gather(*[ask] * 500) == [2] * 500
        assert max(counts) <= before + 8

    run(main)


def test_a_long_prompt_does_not_hold_up_the_loop(make_engine, run):
    # Tokenising this takes far longer than the pauses that are allowed.
    engine = make_engine(context_length=1024)
    text = "river stone seven quick engine window " * 40_000
    messages = [{"role": "user", "content": text}]
    body = {"model": MODEL, "messages": messages}
    started = time.monotonic()
    with pytest.raises(zerohop.BadRequestError):
        engine.chat.completions.create(messages=messages)
    blocking = time.monotonic() - started

    async def main():
        pauses = [0.0]
        done = anyio.Event()

        async def tick():
            while not done.is_set():
                before = time.monotonic()
                await anyio.sleep(0.001)
                pauses.append(time.monotonic() - before)

        async def ask():
            # The SDK's own writing of the body would be measured too.
            transport = zerohop.async_transport(engine)
            request = httpx2.Request("POST", f"{zerohop.BASE_URL}/chat/completions", json=body)
            await anyio.sleep(0.01)
            pauses.clear()
            response = await transport.handle_async_request(request)
            done.set()
            return response.status_code

        status, _ = await gather(ask, tick)
        assert status == 400
        return max(pauses)

    # Other processes may take the processors meanwhile.
    assert any(run(main) < blocking / 2 for _ in range(5))


def test_parsing_and_the_stream_helper(qwen_engine, run):
    messages = [{"role": "user", "content": "Describe Paris in France as JSON."}]
    paris = City(city="Paris", country="France")

    async def main():
        client = zerohop.AsyncOpenAI(qwen_engine)
        [model] = [model.id async for model in client.models.list()]
        request = {
            "model": model,
            "messages": messages,
            "response_format": City,
            "temperature": 0,
        }
        reply = await client.chat.completions.parse(**request)
        assert reply.choices[0].message.parsed == paris
        async with client.chat.completions.stream(**request) as stream:
            kinds = {event.type async for event in stream}
            final = await stream.get_final_completion()
        assert {"chunk", "content.delta", "content.done"} <= kinds
        assert final.choices[0].message.parsed == paris

    run(main)


def test_the_class_loads_and_unloads_a_model(tiny, run):
    async def main():
        client = zerohop.AsyncOpenAI(zerohop.ModelOptions(tiny, threads=1, alias="gpt-9"))
        assert isinstance(client, openai.AsyncOpenAI)
        reply = await client.chat.completions.create(model="gpt-9", messages=USER, max_tokens=1)
        assert reply.choices
        stream = await client.chat.completions.create(model="gpt-9", messages=USER, stream=True)
        await anext(stream)
        await client.close()
        with pytest.raises((openai.APIConnectionError, RuntimeError)):
            await text_of(stream)

    run(main)


def test_one_engine_serves_several_loops(engine, run):
    async def main():
        client = zerohop.AsyncOpenAI(engine)
        stream = await client.chat.completions.create(**REQUEST, max_tokens=5, stream=True)
        return await text_of(stream)

    assert all(run(main) for _ in range(3))
