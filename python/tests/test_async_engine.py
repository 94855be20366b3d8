"""The engine for event loops, in every kind of them."""

import asyncio
import copy
import gc
import inspect
import pickle
import shutil
import threading
import time

import anyio
import pytest
from support import ENDLESS, USER, gather, threads

import zerohop
from zerohop import types
from zerohop.pagination import AsyncPage

MODEL = "tiny-llama"


async def text_of(stream):
    return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])


async def assert_free(engine):
    """The only place is free, at once or soon."""
    reply = await engine.chat.completions.create(messages=USER, max_tokens=1, timeout=20)
    assert reply.choices


@pytest.fixture
def make_async(tiny):
    """Makes engines of the tiny model whose answers need not end."""

    def make(**options):
        return zerohop.AsyncEngine(tiny, **{"context_length": ENDLESS, "threads": 1} | options)

    return make


@pytest.fixture
def unshared(tiny, tmp_path):
    """The tiny model in a file that no other engine has loaded: there is something to load."""
    return shutil.copy(tiny, tmp_path)


def test_replies_are_those_of_the_engine(engine, run):
    async def main():
        shared = zerohop.AsyncEngine(engine)
        request = {"messages": USER, "max_tokens": 20, "seed": 3}
        reply = await shared.chat.completions.create(**request)
        assert type(reply) is types.ChatCompletion and reply._request_id.startswith("req_")
        assert reply.choices == engine.chat.completions.create(**request).choices
        stream = await shared.chat.completions.create(**request, stream=True)
        assert isinstance(stream, zerohop.AsyncStream)
        assert stream.response.headers["content-type"] == "text/event-stream"
        assert repr(stream) == "<zerohop.AsyncStream of ChatCompletionChunk>"
        pieces = [chunk async for chunk in stream]
        assert all(type(piece) is types.ChatCompletionChunk for piece in pieces)
        text = "".join(piece.choices[0].delta.content or "" for piece in pieces)
        assert text == reply.choices[0].message.content
        # The end stays the end.
        assert [chunk async for chunk in stream] == []

    run(main)


def test_the_shared_engine_stays_open(engine, run):
    async def main():
        async with zerohop.AsyncEngine(engine) as shared:
            assert shared.model_info == engine.model_info
            assert repr(shared) == '<zerohop.AsyncEngine ["tiny-llama"]>'
            await shared.close()
            assert shared.closed
            with pytest.raises(zerohop.EngineClosedError):
                await shared.chat.completions.create(messages=USER)
        assert not engine.closed

    run(main)
    with pytest.raises(TypeError, match="options"):
        zerohop.AsyncEngine(engine, threads=1)


def test_closing_the_shared_engine_closes_this(make_engine, run):
    engine = make_engine()

    async def main():
        shared = zerohop.AsyncEngine(engine)
        stream = await shared.chat.completions.create(messages=USER, stream=True)
        await anext(stream)
        engine.close()
        assert shared.closed
        for call in (
            lambda: text_of(stream),
            shared.load,
            lambda: shared.chat.completions.create(messages=USER),
        ):
            with pytest.raises(zerohop.EngineClosedError):
                await call()

    run(main)


def test_models_are_listed(engine, run):
    # MO1, MO2
    async def main():
        shared = zerohop.AsyncEngine(engine)
        page = await shared.models.list()
        assert isinstance(page, AsyncPage)
        assert page.data == engine.models.list().data and page._request_id
        assert [model async for model in page] == page.data
        assert [model.id async for model in shared.models.list()] == [MODEL]
        assert await shared.models.retrieve(MODEL) == page.data[0]
        with pytest.raises(zerohop.NotFoundError):
            await shared.models.retrieve("gpt-9")

    run(main)


@pytest.mark.parametrize("how", ["await", "with", "load", "request"])
def test_loading(make_async, run, how):
    async def main():
        engine = make_async()
        assert repr(engine) == "<zerohop.AsyncEngine, not loaded>"
        assert not engine.closed
        with pytest.raises(RuntimeError, match="await"):
            _ = engine.model_info
        if how == "await":
            assert await engine is engine
        elif how == "load":
            assert await engine.load() is engine
        elif how == "with":
            await engine.__aenter__()
        else:
            await assert_free(engine)
        assert engine.model_info[0].id == MODEL
        await assert_free(engine)
        native = await engine._loaded()
        await engine.__aexit__()
        await engine.close()
        assert engine.closed and native.closed
        assert repr(engine) == "<zerohop.AsyncEngine, closed>"
        for use in (engine.load, lambda: engine.chat.completions.create(messages=USER)):
            with pytest.raises(zerohop.EngineClosedError):
                await use()

    run(main)


def test_loading_happens_once_and_elsewhere(unshared, run):
    async def main():
        callers, started = set(), []

        def progress(fraction):
            callers.add(threading.get_ident())
            started.extend([fraction] if fraction == 0 else [])

        engine = zerohop.AsyncEngine(unshared, threads=1, progress=progress)
        natives = await gather(*[engine._loaded] * 10)
        assert len(set(map(id, natives))) == 1
        assert len(started) == 1 and threading.get_ident() not in callers
        await engine.close()

    run(main)


def test_loading_does_not_hold_up_the_loop(qwen, run):
    async def main():
        ticks = 0
        done = anyio.Event()

        async def tick():
            nonlocal ticks
            while not done.is_set():
                await anyio.sleep(0.001)
                ticks += 1

        async def load():
            async with zerohop.AsyncEngine(qwen, threads=1, context_length=256, mmap=False):
                loaded = ticks
            done.set()
            return loaded

        loaded, _ = await gather(load, tick)
        assert loaded > 10

    run(main)


def test_wrong_arguments_are_refused_at_once(tiny):
    with pytest.raises(TypeError):
        zerohop.AsyncEngine(1)
    with pytest.raises(TypeError, match="n_ctx"):
        zerohop.AsyncEngine(tiny, n_ctx=3)
    with pytest.raises(zerohop.InvalidArgumentError, match="threads"):
        zerohop.AsyncEngine(tiny, threads=0)
    with pytest.raises(TypeError, match="not both"):
        zerohop.AsyncEngine(zerohop.ModelOptions(tiny), threads=1)


def test_failures_of_loading(tiny, run):
    fail = [True]

    def progress(_fraction):
        if fail:
            raise ZeroDivisionError("as asked")

    async def main():
        with pytest.raises(zerohop.ModelNotFoundError):
            await zerohop.AsyncEngine("/nonexistent.gguf")
        engine = zerohop.AsyncEngine(tiny, threads=1, progress=progress)
        with pytest.raises(ZeroDivisionError, match="as asked"):
            await engine
        # What failed may be tried again.
        fail.clear()
        await engine
        await assert_free(engine)
        await engine.close()

    run(main)


class Held:
    """A progress callback that makes loading last until it may go on, and then slow."""

    def __init__(self):
        self.seen = []
        self.gate = threading.Event()

    def __call__(self, fraction):
        self.seen.append(fraction)
        assert self.gate.wait(100)
        time.sleep(0.05)


def test_cancelling_the_last_who_waits_stops_the_loading(unshared, run):
    async def main():
        held = Held()
        engine = zerohop.AsyncEngine(unshared, threads=1, progress=held)

        async def wait(seconds):
            with anyio.move_on_after(seconds) as scope:
                await engine
            held.gate.set()
            return scope.cancelled_caught

        # The first goes, the second still waits.
        assert await gather(lambda: wait(0.1), lambda: wait(100)) == [True, False]
        assert held.seen[-1] == 1
        await engine.close()
        held = Held()
        engine = zerohop.AsyncEngine(unshared, threads=1, progress=held)
        assert await wait(0.1)
        # Were it not stopped, it would go on.
        await anyio.sleep(0.3)
        assert not held.seen or held.seen[-1] < 1
        assert not await wait(100)
        await engine.close()

    run(main)


def test_closing_stops_the_loading(unshared, run):
    async def main():
        held = Held()
        engine = zerohop.AsyncEngine(unshared, threads=1, progress=held)

        async def load():
            with pytest.raises(zerohop.ZerohopError):
                await engine

        async def close():
            while not held.seen:
                await anyio.sleep(0.01)
            held.gate.set()
            await engine.close()

        await gather(load, close)
        assert held.seen[-1] < 1 and engine.closed

    run(main)


def test_errors(make_async, run):
    async def main():
        async with make_async(parallel=1, queue=1) as engine:
            create = engine.chat.completions.create
            with pytest.raises(zerohop.BadRequestError) as caught:
                await create(messages=USER, temperature=9)
            assert caught.value.param == "temperature"
            with pytest.raises(zerohop.NotFoundError):
                await create(messages=USER, model="gpt-9")
            with pytest.raises(TypeError, match="messages"):
                await create()
            with pytest.raises(TypeError, match="top_k"):
                await create(messages=USER, top_k=1)
            holders = [await create(messages=USER, stream=True) for _ in range(2)]
            with pytest.raises(zerohop.RateLimitError):
                await create(messages=USER)
            for holder in holders:
                await holder.close()
            # Places are free at the next step.
            for _ in range(100):
                try:
                    await assert_free(engine)
                    break
                except zerohop.RateLimitError:
                    await anyio.sleep(0.05)
            else:
                raise AssertionError("no place became free")

    run(main)


def test_timeouts(make_async, run):
    # T9
    async def main():
        async with make_async(parallel=1) as engine:
            create = engine.chat.completions.create
            started = time.monotonic()
            with pytest.raises(zerohop.APITimeoutError):
                await create(messages=USER, timeout=0.2)
            # uvloop's clock has milliseconds.
            assert 0.19 <= time.monotonic() - started < 60
            running = await create(messages=USER, stream=True, timeout=60)
            await anext(running)
            waiting = await create(messages=USER, stream=True, timeout=1)
            with pytest.raises(zerohop.APITimeoutError):
                await anext(waiting)
            assert [chunk async for chunk in waiting] == []
            assert (await anext(running)).choices
            await running.close()
            await assert_free(engine)

    run(main)


@pytest.mark.parametrize("end", ["close", "with", "break", "drop", "cancel"])
def test_an_abandoned_stream_frees_its_place(make_async, run, end):
    # T6, CS12
    async def main():
        async with make_async(parallel=1) as engine:
            stream = await engine.chat.completions.create(messages=USER, stream=True)
            await anext(stream)
            if end == "close":
                await stream.close()
            elif end == "with":
                async with stream:
                    await anext(stream)
            elif end == "break":
                async for _ in stream:
                    break
                del stream
            elif end == "drop":
                del stream
            else:
                with anyio.move_on_after(0.2) as scope:
                    await text_of(stream)
                assert scope.cancelled_caught
            await assert_free(engine)

    run(main)


def test_a_cancelled_task_cancels_its_request(make_async, run):
    # CS12
    async def main():
        async with make_async(parallel=1) as engine:
            # In each stage: while it is prepared, while it waits, while it runs.
            for delay in (0, 0.001, 0.01, 0.3):
                with anyio.move_on_after(delay) as scope:
                    await engine.chat.completions.create(messages=USER)
                assert scope.cancelled_caught
            await assert_free(engine)

    run(main)


def test_closing_ends_what_runs(make_async, run):
    async def main():
        engine = await make_async()

        async def ask(**options):
            begun.set()
            with pytest.raises(zerohop.EngineClosedError):
                reply = await engine.chat.completions.create(messages=USER, **options)
                await text_of(reply)

        async def close():
            await begun.wait()
            await anyio.sleep(0.2)
            await engine.close()

        begun = anyio.Event()
        with anyio.fail_after(100):
            await gather(ask, lambda: ask(stream=True), close)

    run(main)


def test_five_hundred_tasks_share_an_engine(make_async, run):
    async def main():
        async with make_async(parallel=16, context_length=16_384) as engine:
            await assert_free(engine)
            before, counts = threads(), []

            async def ask():
                reply = await engine.chat.completions.create(messages=USER, max_tokens=2)
                counts.append(threads())
                return reply.usage.completion_tokens

            assert await gather(*[ask] * 500) == [2] * 500
            # The first who waits starts the threads that prepare and wake.
            assert max(counts) <= before + 8

    run(main)


def test_streams_run_together(make_async, run):
    async def main():
        async with make_async(parallel=16, context_length=16_384) as engine:

            async def ask():
                create = engine.chat.completions.create
                return await text_of(await create(messages=USER, max_tokens=20, stream=True))

            texts = await gather(*[ask] * 50)
            assert len(texts) == 50 and len(set(texts)) > 40

    run(main)


def test_other_tasks_run_meanwhile(make_async, run):
    async def main():
        async with make_async() as engine:
            ticks = 0

            async def tick():
                nonlocal ticks
                while True:
                    await anyio.sleep(0)
                    ticks += 1

            async with anyio.create_task_group() as group:
                group.start_soon(tick)
                stream = await engine.chat.completions.create(messages=USER, stream=True)
                async for _ in stream:
                    if ticks > 1000:
                        break
                group.cancel_scope.cancel()

    run(main)


def test_one_engine_serves_several_loops(tiny, run):
    engine = zerohop.AsyncEngine(tiny, threads=1)

    async def ask():
        stream = await engine.chat.completions.create(messages=USER, max_tokens=5, stream=True)
        return await text_of(stream)

    # One after another, and at once.
    assert all(run(ask) for _ in range(2))
    texts: list[str] = []
    loops = [threading.Thread(target=lambda: texts.append(run(ask))) for _ in range(4)]
    for loop in loops:
        loop.start()
    for loop in loops:
        loop.join(60)
    assert len(texts) == 4 and all(texts)
    run(engine.close)
    assert engine.closed


def test_threads_may_use_the_same_models(engine):
    async def main():
        shared = zerohop.AsyncEngine(engine)
        ask = {"messages": USER, "max_tokens": 5, "seed": 1}
        both = await asyncio.gather(
            shared.chat.completions.create(**ask),
            asyncio.to_thread(engine.chat.completions.create, **ask),
        )
        assert both[0].choices[0].message == both[1].choices[0].message

    asyncio.run(main())


def test_the_last_reference_closes(make_async, run):
    async def main():
        engine = await make_async()
        native = await engine._loaded()
        completions = engine.chat.completions
        del engine
        gc.collect()
        # Whoever holds a part of the engine holds the engine.
        assert (await completions.create(messages=USER, max_tokens=1)).choices
        before = threads()
        del native, completions
        gc.collect()
        assert threads() < before

    run(main)


def test_the_sdk_takes_it(make_async, run):
    async def main():
        async with make_async() as engine:
            client = zerohop.AsyncOpenAI(engine)
            reply = await client.chat.completions.create(model=MODEL, messages=USER, max_tokens=1)
            assert reply.choices
            await client.close()
            assert not engine.closed

    run(main)


def test_create_is_what_frameworks_look_for(engine):
    create = zerohop.AsyncEngine(engine).chat.completions.create
    assert inspect.iscoroutinefunction(create)
    native = inspect.signature(engine.chat.completions.create)
    assert list(inspect.signature(create).parameters) == list(native.parameters)


def test_engines_are_not_pickled(engine, run):
    async def main():
        shared = zerohop.AsyncEngine(engine)
        stream = await shared.chat.completions.create(messages=USER, max_tokens=1, stream=True)
        for unpicklable in [shared, stream]:
            with pytest.raises(TypeError, match="cannot be pickled"):
                pickle.dumps(unpicklable)
            with pytest.raises(TypeError):
                copy.copy(unpicklable)

    run(main)
