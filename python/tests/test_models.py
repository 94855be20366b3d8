"""Models that come and go while an engine runs."""

import asyncio
import threading
import time

import pytest
from support import ENDLESS, USER

import zerohop
from zerohop.types import ModelDeleted, ModelInfo


def ask(engine, model, **options):
    return engine.chat.completions.create(messages=USER, model=model, max_tokens=2, **options)


def loaded(engine):
    return [info.id for info in engine.model_info if info.loaded]


def test_a_model_is_loaded_and_unloaded(make_engine, tiny):
    # MO1, MO3
    engine = make_engine()
    info = engine.load("new", tiny, threads=1, alias="also")
    assert isinstance(info, ModelInfo)
    assert (info.id, info.aliases, info.loaded) == ("new", ["also"], True)
    assert [model.id for model in engine.models.list()] == ["tiny-llama", "new", "also"]
    assert repr(engine) == '<zerohop.Engine ["tiny-llama", "new"]>'
    assert ask(engine, "also").model == "also"
    with pytest.raises(TypeError, match="model"):
        engine.chat.completions.create(messages=USER)
    with pytest.raises(ValueError, match="'new'"):
        engine.load("new", tiny)
    engine.unload("also")
    with pytest.raises(zerohop.NotFoundError):
        ask(engine, "new")
    with pytest.raises(zerohop.NotFoundError):
        engine.unload("new")
    # The only one again.
    assert engine.chat.completions.create(messages=USER, max_tokens=1).model == "tiny-llama"
    engine.load("new", zerohop.ModelOptions(tiny, threads=1))
    assert ask(engine, "new").choices


def test_running_requests_of_an_unloaded_model_end(make_engine, tiny):
    engine = make_engine()
    engine.load("new", tiny, threads=1, context_length=ENDLESS)
    stream = engine.chat.completions.create(messages=USER, model="new", stream=True)
    next(stream)
    threading.Timer(0.1, engine.unload, ["new"]).start()
    with pytest.raises(zerohop.APIError, match="unloaded"):
        list(stream)
    assert ask(engine, "tiny-llama").choices


def test_what_was_loaded_can_be_deleted(make_engine, tiny):
    # MO3
    engine = make_engine()
    engine.load("org/new:1", tiny, threads=1)
    with pytest.raises(zerohop.PermissionDeniedError):
        engine.models.delete("tiny-llama")
    deleted = engine.models.delete("org/new:1")
    assert deleted == ModelDeleted(id="org/new:1", object="model", deleted=True)
    with pytest.raises(zerohop.NotFoundError):
        engine.models.delete("org/new:1")
    with pytest.raises(ValueError, match="empty"):
        engine.models.delete("")


def test_the_sdk_deletes_models(make_engine, tiny):
    # MO3
    engine = make_engine()
    engine.load("new", tiny, threads=1)
    client = zerohop.OpenAI(engine)
    assert client.models.delete("new").deleted
    assert [model.id for model in client.models.list()] == ["tiny-llama"]


def test_the_first_requests_load_a_lazy_model_once(tiny):
    with zerohop.Engine(tiny, threads=1, lazy=True) as engine:
        assert loaded(engine) == []
        replies = []
        callers = [
            threading.Thread(target=lambda: replies.append(ask(engine, "tiny-llama")))
            for _ in range(16)
        ]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        assert len(replies) == 16
        assert loaded(engine) == ["tiny-llama"]
        assert engine.metrics()["models"][0]["completion_tokens"] == 32


def test_the_model_that_was_not_used_for_longest_makes_room(tiny):
    lazy = zerohop.ModelOptions(tiny, threads=1, lazy=True)
    # Together they take 434 KiB for the weights, and each 512 KiB for the cache.
    budget = 1_750_000
    with zerohop.Engine({"a": lazy, "b": lazy, "c": lazy}, memory_budget=budget) as engine:
        for name in "abac":
            ask(engine, name)
        assert "b" not in loaded(engine)
        assert loaded(engine)[-1] == "c"


def test_a_model_that_never_fits_is_refused(tiny):
    with pytest.raises(zerohop.InternalServerError, match="budget"):
        zerohop.Engine(tiny, memory_budget=1000)
    with zerohop.Engine(tiny, lazy=True, memory_budget=1000) as engine:
        with pytest.raises(zerohop.InternalServerError, match="budget") as caught:
            ask(engine, "tiny-llama")
        assert caught.value.status_code == 503
    for wrong in (0, -1, "much"):
        with pytest.raises(ValueError, match="memory_budget"):
            zerohop.Engine(tiny, memory_budget=wrong)


def test_loading_can_be_stopped(make_engine, tiny):
    engine = make_engine()
    with pytest.raises(zerohop.RequestCancelledError):
        engine.load("new", tiny, progress=lambda fraction: False)
    assert [info.id for info in engine.model_info] == ["tiny-llama"]


def test_a_loop_goes_on_while_models_load(tiny, qwen):
    async def run():
        async with zerohop.AsyncEngine(tiny, threads=1) as engine:
            slowest = 0.0

            async def tick():
                nonlocal slowest
                while True:
                    begin = time.monotonic()
                    await asyncio.sleep(0.001)
                    slowest = max(slowest, time.monotonic() - begin)

            ticking = asyncio.create_task(tick())
            info = await engine.load("slow", qwen, lazy=True, context_length=512)
            assert not info.loaded
            reply = await engine.chat.completions.create(messages=USER, model="slow", max_tokens=1)
            assert reply.choices
            info = await engine.load("new", tiny, threads=1)
            assert info.loaded
            await engine.unload("slow")
            assert (await engine.models.delete("new")).deleted
            assert [model.id async for model in engine.models.list()] == ["tiny-llama"]
            with pytest.raises(TypeError, match="name and a model"):
                await engine.load("new")
            ticking.cancel()
            return slowest

    # On a busy machine, a thread may not run for a while.
    assert asyncio.run(run()) < 2
