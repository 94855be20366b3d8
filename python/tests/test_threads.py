"""Many threads on one engine, and threads that get in each other's way."""

import itertools
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support import USER

import zerohop


def test_other_threads_run_meanwhile(make_engine):
    # House rule 20. Three attempts, since other processes may take the processors meanwhile.
    engine = make_engine()
    assert any(ticks_during_a_call(engine) for _ in range(3))


def ticks_during_a_call(engine: zerohop.Engine) -> bool:
    """Whether another thread runs while this one waits for an answer."""

    def call():
        with pytest.raises(zerohop.APITimeoutError):
            engine.chat.completions.create(messages=USER, timeout=1)

    _, during, _ = ticks_during(call)
    # A thread that held the interpreter's lock would have let it tick now and then, if at all.
    return len(during) > 10_000 and longest_pause(during) < 0.5


def ticks_during(action) -> tuple[float, list[float], float]:
    """When an action began, when another thread ran meanwhile, and when the action ended."""
    ticks, stop = [], threading.Event()

    def tick():
        while not stop.is_set():
            ticks.append(time.monotonic())

    ticker = threading.Thread(target=tick)
    ticker.start()
    try:
        before = time.monotonic()
        action()
        after = time.monotonic()
    finally:
        stop.set()
        ticker.join()
    return before, [tick for tick in ticks if before <= tick <= after], after


def longest_pause(times: list[float]) -> float:
    return max(b - a for a, b in itertools.pairwise(times))


def test_loading_lets_other_threads_run(qwen):
    loaded, ticks = threading.Event(), 0

    def load():
        zerohop.Engine(qwen, threads=1, context_length=256).close()
        loaded.set()

    thread = threading.Thread(target=load)
    thread.start()
    while not loaded.is_set():
        ticks += 1
    thread.join()
    assert ticks > 10_000


def is_shared(action) -> bool:
    """Whether another thread runs all the while that this one does something that lasts."""
    before, during, after = ticks_during(action)
    return longest_pause([before, *during, after]) < (after - before) / 2


def test_streaming_lets_other_threads_run(make_engine):
    # Several attempts here too, since other processes may take the processors meanwhile.
    engine = make_engine()
    request = {"messages": USER, "max_tokens": 2000, "stream": True}
    assert any(is_shared(lambda: list(engine.chat.completions.create(**request))) for _ in range(5))


def test_closing_lets_other_threads_run(qwen):
    # Closing waits for the piece of the prompt that is being computed.
    messages = [{"role": "user", "content": "river stone seven quick " * 800}]

    def close():
        engine = zerohop.Engine(qwen, threads=1, context_length=4096)
        stream = engine.chat.completions.create(messages=messages, stream=True)
        time.sleep(0.1)
        shared = is_shared(engine.close)
        with pytest.raises(zerohop.EngineClosedError):
            list(stream)
        return shared

    assert any(close() for _ in range(5))


def test_waiting_threads_sleep(make_engine):
    # Signals are the main thread's: nobody else looks for them while it waits.
    engine = make_engine(parallel=1)
    running = engine.chat.completions.create(messages=USER, stream=True)
    next(running)

    def switches():
        """How often the threads of this process have been woken, by thread."""
        counts = {}
        for task in Path("/proc/self/task").iterdir():
            status = (task / "status").read_text()
            counts[task.name] = int(
                re.search(r"^voluntary_ctxt_switches:\s*(\d+)", status, re.M)[1]
            )
        return counts

    def wait():
        waiting.append(str(threading.get_native_id()))
        with pytest.raises(zerohop.EngineClosedError):
            engine.chat.completions.create(messages=USER, timeout=100)

    waiting: list[str] = []
    threads = [threading.Thread(target=wait) for _ in range(4)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 30
    while engine.metrics()["models"][0]["queue_length"] < 4:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    # From the last one's submission to its waiting.
    time.sleep(0.2)
    before = switches()
    time.sleep(1)
    after = switches()
    engine.close()
    for thread in threads:
        thread.join()
    assert len(waiting) == 4
    # It would be 20 times.
    assert all(after[name] - before[name] < 10 for name in waiting)


def test_sixteen_streams_at_once(make_engine):
    engine = make_engine(parallel=16, context_length=16_384)

    def ask(seed):
        request = {"messages": USER, "seed": seed, "max_tokens": 64}
        stream = engine.chat.completions.create(**request, stream=True)
        return "".join(chunk.choices[0].delta.content or "" for chunk in stream)

    with ThreadPoolExecutor(16) as pool:
        texts = list(pool.map(ask, range(16), timeout=100))
    assert all(texts)
    assert len(set(texts)) == 16


def test_calls_are_computed_together(make_engine):
    # All of them wait for tokens at the same time: with one at a time, the last would wait for 15.
    engine = make_engine(parallel=8, context_length=65_536)
    barrier = threading.Barrier(8)

    def first_token(_):
        barrier.wait()
        with engine.chat.completions.create(messages=USER, stream=True, timeout=30) as stream:
            next(stream)
            # Nobody goes on before everybody has begun.
            barrier.wait(timeout=30)
            return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(first_token, range(8)))


def test_one_stream_in_several_threads(make_engine):
    engine = make_engine()
    stream = engine.chat.completions.create(messages=USER, max_tokens=300, stream=True)
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda _: list(stream), range(4)))
    chunks = [chunk for part in parts for chunk in part]
    assert sum(chunk.choices[0].finish_reason is not None for chunk in chunks) == 1


def wait_for_error(action):
    """The error that `action` ends with in another thread, once it has begun."""
    begun, errors = threading.Event(), []

    def run():
        try:
            action(begun)
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert begun.wait(30)

    def join():
        thread.join(30)
        assert not thread.is_alive()
        (error,) = errors
        return error

    return join


def iterate(stream):
    def action(begun):
        for _ in stream:
            begun.set()

    return action


def test_closing_the_engine_ends_its_streams(make_engine):
    engine = make_engine()
    stream = engine.chat.completions.create(messages=USER, stream=True)
    join = wait_for_error(iterate(stream))
    engine.close()
    assert isinstance(join(), zerohop.EngineClosedError)
    assert list(stream) == []


def test_closing_the_engine_ends_its_calls(make_engine):
    engine = make_engine()

    def action(begun):
        begun.set()
        engine.chat.completions.create(messages=USER)

    join = wait_for_error(action)
    time.sleep(0.2)
    engine.close()
    assert isinstance(join(), zerohop.EngineClosedError)


def test_closing_a_stream_wakes_who_waits_for_it(make_engine):
    # CS12
    engine = make_engine(parallel=1)
    running = engine.chat.completions.create(messages=USER, stream=True)
    next(running)
    waiting = engine.chat.completions.create(messages=USER, stream=True)

    def action(begun):
        begun.set()
        next(waiting)

    join = wait_for_error(action)
    time.sleep(0.2)
    started = time.monotonic()
    waiting.close()
    assert isinstance(join(), zerohop.RequestCancelledError)
    # It would have waited for minutes.
    assert time.monotonic() - started < 30
    assert list(waiting) == []


@pytest.mark.parametrize("end", ["drop", "close", "with", "break"])
def test_an_abandoned_stream_frees_its_place(make_engine, end):
    # CS12
    engine = make_engine(parallel=1)
    stream = engine.chat.completions.create(messages=USER, stream=True)
    if end == "with":
        with stream:
            next(stream)
    elif end == "break":
        for _ in stream:
            break
        del stream
    else:
        next(stream)
        if end == "close":
            stream.close()
        else:
            del stream
    reply = engine.chat.completions.create(messages=USER, max_tokens=1, timeout=20)
    assert reply.choices


def test_a_timeout_cancels(make_engine):
    # T9
    engine = make_engine(parallel=1)
    started = time.monotonic()
    with pytest.raises(zerohop.APITimeoutError) as caught:
        engine.chat.completions.create(messages=USER, timeout=0.2)
    assert 0.2 <= time.monotonic() - started < 60
    assert isinstance(caught.value, zerohop.APIConnectionError)
    assert engine.chat.completions.create(messages=USER, max_tokens=1, timeout=20).choices


def test_a_stream_times_out_between_chunks(make_engine):
    engine = make_engine(parallel=1)
    # The time of one chunk, not of the whole stream.
    running = engine.chat.completions.create(messages=USER, stream=True, timeout=60)
    next(running)
    waiting = engine.chat.completions.create(messages=USER, stream=True, timeout=1)
    with pytest.raises(zerohop.APITimeoutError):
        next(waiting)
    assert list(waiting) == []
    assert next(running).choices


def test_closing_from_many_threads(make_engine):
    engine = make_engine()
    stream = engine.chat.completions.create(messages=USER, stream=True)
    next(stream)
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(engine.close) for _ in range(8)]:
            done.result(timeout=30)
        for done in [pool.submit(stream.close) for _ in range(8)]:
            done.result(timeout=30)
    assert engine.closed
