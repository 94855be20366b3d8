"""Prints what Python costs: importing, streaming, the real SDK over an engine, many async streams.

    python benches/python_stream.py DRAIN TINY.gguf MODEL.gguf [ROUNDS], or `make bench-python`

DRAIN is the program of `benches/src/bin/drain.rs`, which does the same in Rust. A tiny model shows
what a chunk costs beside computing it: the processor time of the thread that drains, which other
processes disturb less than they do the clock. MODEL shows what that means for real answers: tokens
a second, on the clock. Each measurement runs in a process of its own, the kinds in turn; the
figures are medians, to be read as differences and ratios within one run.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

# As in the Rust program.
PARALLEL = 16
# Tokens of the answers that show the cost of a chunk, and of each of many.
TOKENS = 1000
STREAMS = 200
STREAM_TOKENS = 32

TARGETS = {
    "import": "target 30 ms",
    "stream": "target 20 us",
    "sdk": "target 20 us",
    "many": "target 0.95",
}


def request(index: int, tokens: int) -> dict[str, Any]:
    question = f"Write a very long story about the number {index}."
    return {
        "messages": [{"role": "user", "content": question}],
        "temperature": 0,
        "max_completion_tokens": tokens,
        "stream": True,
        "extra_body": {"ignore_eos": True},
    }


def engine(model: str, tokens: int) -> Any:
    import zerohop

    options = {"parallel": PARALLEL, "context_length": PARALLEL * (tokens + 256)}
    engine = zerohop.Engine(model, **options)
    for _ in engine.chat.completions.create(**request(0, min(tokens, 16))):
        pass
    return engine


def cost(stream: Iterable[object]) -> float:
    """Processor seconds of this thread for each piece of a stream."""
    begun, pieces = time.thread_time(), 0
    for _ in stream:
        pieces += 1
    return (time.thread_time() - begun) / pieces


def measure_stream(model: str) -> float:
    return cost(engine(model, TOKENS).chat.completions.create(**request(0, TOKENS)))


def measure_async(model: str) -> float:
    import zerohop

    shared = zerohop.AsyncEngine(engine(model, TOKENS))

    async def main() -> float:
        stream = await shared.chat.completions.create(**request(0, TOKENS))
        begun, pieces = time.thread_time(), 0
        async for _ in stream:
            pieces += 1
        return (time.thread_time() - begun) / pieces

    return asyncio.run(main())


def measure_sdk(model: str) -> float:
    import zerohop

    client = zerohop.OpenAI(engine(model, TOKENS))
    name = client.models.list().data[0].id
    create = client.chat.completions.create
    cost(create(model=name, **request(0, 16)))
    return cost(create(model=name, **request(0, TOKENS)))


def measure_sdk_alone(model: str) -> float:
    """The SDK over a transport that costs nothing: the same events, recorded.

    They come as far apart as the engine's did: what runs after a pause runs slower.
    """
    import httpx2
    import openai

    import zerohop

    with zerohop.http_client(engine(model, TOKENS), library="httpx2") as client:
        name = client.get(f"{zerohop.BASE_URL}/models").json()["data"][0]["id"]
        body = {"model": name} | request(0, TOKENS)
        body |= body.pop("extra_body")
        url = f"{zerohop.BASE_URL}/chat/completions"
        with client.stream("POST", url, json=body) as response:
            response.raise_for_status()
            begun = time.perf_counter()
            headers, events = response.headers, list(response.iter_raw())
            pause = (time.perf_counter() - begun) / len(events)

    def paced() -> Iterator[bytes]:
        for event in events:
            time.sleep(pause)
            yield event

    def answer(_request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers=headers, content=paced())

    transport = httpx2.MockTransport(answer)
    client = openai.OpenAI(
        http_client=httpx2.Client(transport=transport), base_url=zerohop.BASE_URL, api_key="unused"
    )
    create = client.chat.completions.create
    cost(create(model=name, **request(0, 16)))
    return cost(create(model=name, **request(0, TOKENS)))


def measure_many(model: str) -> float:
    """Tokens a second of many async streams."""
    import zerohop

    shared = zerohop.AsyncEngine(engine(model, STREAM_TOKENS))

    async def drain(index: int) -> None:
        async for _ in await shared.chat.completions.create(**request(index, STREAM_TOKENS)):
            pass

    async def main() -> float:
        begun = time.perf_counter()
        await asyncio.gather(*map(drain, range(STREAMS)))
        return STREAMS * STREAM_TOKENS / (time.perf_counter() - begun)

    return asyncio.run(main())


def measure_import(_model: str) -> float:
    command = [sys.executable, "-X", "importtime", "-c", "import zerohop"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stderr.splitlines()
    [line] = [line for line in lines if line.split("|")[-1].strip() == "zerohop"]
    return int(line.split("|")[1]) / 1e6


KINDS: dict[str, Callable[[str], float]] = {
    "import": measure_import,
    "stream": measure_stream,
    "async": measure_async,
    "sdk": measure_sdk,
    "sdk-alone": measure_sdk_alone,
    "many": measure_many,
}


def in_child(kind: str, model: str) -> float:
    command = [sys.executable, __file__, "--measure", kind, model]
    return float(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


def in_rust(drain: str, model: str, streams: int, tokens: int) -> dict[str, float]:
    command = [drain, model, str(streams), str(tokens)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def report(drain: str, tiny: str, model: str, rounds: int) -> None:
    figures: dict[str, list[float]] = {name: [] for name in [*KINDS, "rust", "rust-many"]}
    for _ in range(rounds):
        rust = in_rust(drain, tiny, 1, TOKENS)
        figures["rust"].append(rust["cpu"] / rust["pieces"])
        for kind in KINDS:
            figures[kind].append(in_child(kind, model if kind == "many" else tiny))
        rust = in_rust(drain, model, STREAMS, STREAM_TOKENS)
        figures["rust-many"].append(rust["tokens"] / rust["seconds"])
    median = {name: statistics.median(values) for name, values in figures.items()}
    micro = {name: 1e6 * value for name, value in median.items()}
    print(
        f"median of {rounds} rounds; {os.cpu_count()} processors, Python {sys.version.split()[0]}"
    )
    print(f"  import zerohop         {1e3 * median['import']:8.1f} ms   {TARGETS['import']}")
    print("processor time of the draining thread, for each chunk:")
    print(f"  Rust                   {micro['rust']:8.1f} us")
    more = micro["stream"] - micro["rust"]
    print(f"  Engine                 {micro['stream']:8.1f} us   {more:+.1f}, {TARGETS['stream']}")
    more = micro["async"] - micro["rust"]
    print(f"  AsyncEngine            {micro['async']:8.1f} us   {more:+.1f}")
    print(f"  openai's SDK alone     {micro['sdk-alone']:8.1f} us")
    more = micro["sdk"] - micro["sdk-alone"]
    print(f"  the SDK over an engine {micro['sdk']:8.1f} us   {more:+.1f}, {TARGETS['sdk']}")
    print(f"{STREAMS} streams of {STREAM_TOKENS} tokens at once, tokens per second:")
    print(f"  Rust, a thread each    {median['rust-many']:8.1f}")
    ratio = median["many"] / median["rust-many"]
    print(f"  AsyncEngine, tasks     {median['many']:8.1f}      {ratio:.3f}, {TARGETS['many']}")


def main(arguments: list[str]) -> None:
    match arguments:
        case ["--measure", kind, model]:
            print(KINDS[kind](model))
        case [drain, tiny, model]:
            report(drain, tiny, model, 5)
        case [drain, tiny, model, rounds]:
            report(drain, tiny, model, int(rounds))
        case _:
            sys.exit("usage: python_stream.py DRAIN TINY.gguf MODEL.gguf [ROUNDS]")


if __name__ == "__main__":
    main(sys.argv[1:])
