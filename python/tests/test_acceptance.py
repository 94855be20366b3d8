"""Many threads with mixed requests on a real model, and memory over many requests.

The full counts run when ZEROHOP_TEST_FULL is set (`make accept`).
"""

import ctypes
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import zerohop

FULL = "ZEROHOP_TEST_FULL" in os.environ
THREADS = 16
WORDS = "river stone seven quick engine window paper cloud bridge token".split()


def messages(index: int, words: int) -> list[dict[str, str]]:
    text = " ".join(WORDS[(index + word * 7) % len(WORDS)] for word in range(words))
    return [{"role": "user", "content": f"Case {index}. Summarise in a sentence: {text}"}]


def serve(engine: zerohop.Engine, index: int, words: int, tokens: int) -> str:
    """Half are streamed; half of those are cancelled midway. Gives how the request ended."""
    create = engine.chat.completions.create
    request = {"messages": messages(index, words), "max_completion_tokens": tokens, "seed": index}
    if index % 2 == 0:
        reply = create(**request)
        assert reply.usage.completion_tokens <= tokens
        return reply.choices[0].finish_reason
    with create(**request, stream=True) as stream:
        reasons = []
        for count, chunk in enumerate(stream):
            # Text that was not fetched in time comes in one piece: no more than two are sure.
            if index % 4 == 1 and count == 1:
                return "cancelled"
            reasons.append(chunk.choices[0].finish_reason)
    assert [reason for reason in reasons if reason] == reasons[-1:]
    return reasons[-1]


@pytest.mark.timeout(3600)
def test_mixed_requests_from_many_threads(qwen: Path) -> None:
    requests, longest = (64, 1460) if FULL else (24, 400)
    with zerohop.Engine(qwen, context_length=16384) as engine, ThreadPoolExecutor(THREADS) as pool:
        words = [1 + index * longest // (requests - 1) for index in range(requests)]
        ends = list(pool.map(lambda item: serve(engine, item[0], item[1], 24), enumerate(words)))
        assert ends.count("cancelled") == requests // 4
        assert set(ends) <= {"stop", "length", "cancelled"}
        # Nobody holds a place any more.
        assert serve(engine, 0, 1, 4) in ("stop", "length")
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("zerohop")]


def resident_kib() -> int:
    """The resident memory, without what the allocator keeps for later."""
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(ctypes.c_size_t(0))
    status = Path("/proc/self/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1])


def assert_memory_settles(leak_kib: int, run: Callable[[int], None]) -> None:
    """Runs rounds until memory has stopped growing, and fails if it never does.

    A leak grows in every round, while a process that settles (new arenas, fuller caches) grows in
    some. So there must be eight rounds that on average grow by less than half of `leak_kib`, which
    is what the smallest leak to be found adds in a round.
    """
    window = 8
    sizes: list[int] = []
    for number in range(3 * window):
        run(number)
        sizes.append(resident_kib())
        if number >= window and sizes[-1] - sizes[-1 - window] < window * leak_kib / 2:
            return
    pytest.fail(f"memory keeps growing, in KiB: {sizes}")


@pytest.mark.timeout(600)
def test_requests_leak_nothing(make_engine: Callable[..., zerohop.Engine]) -> None:
    requests = 200
    engine = make_engine(context_length=4096)
    with ThreadPoolExecutor(THREADS) as pool:

        def run(number: int) -> None:
            indexes = range(number * requests, (number + 1) * requests)
            list(pool.map(lambda index: serve(engine, index, 1 + index % 20, 6), indexes))

        # 1 KiB a request.
        assert_memory_settles(requests, run)


@pytest.mark.timeout(600)
def test_engines_leak_nothing(tiny: Path) -> None:
    engines = 10

    def run(_number: int) -> None:
        for index in range(engines):
            with zerohop.Engine(tiny, threads=1, context_length=512) as engine:
                serve(engine, index, 1, 6)

    # 64 KiB an engine.
    assert_memory_settles(engines * 64, run)


@pytest.mark.timeout(3600)
def test_memory_over_many_requests(smollm2: Path, qwen: Path) -> None:
    early, late = (50, 500) if FULL else (50, 100)
    model = qwen if FULL else smollm2
    with zerohop.Engine(model, context_length=4096) as engine, ThreadPoolExecutor(THREADS) as pool:

        def run(requests: range) -> int:
            list(pool.map(lambda index: serve(engine, index, 1 + index % 20, 8), requests))
            return resident_kib()

        before = run(range(early))
        after = run(range(early, late))
    assert after <= before * 1.02, f"{before} KiB after {early} requests, {after} KiB after {late}"
