"""Measures a model on a GPU: `python benches/gpu.py MODEL.gguf`.

Prompt and decode tokens a second for several numbers of streams, and, with `--bench` and
`--batched`, as ratios to llama-bench and llama-batched-bench, which should be built from the same
llama.cpp. `--bandwidth`, the card's in GB/s, gives decode of one stream as a part of what reading
the weights allows.
"""

import argparse
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import zerohop

STREAMS = (1, 8, 32, 128)
PROMPT = 512
ANSWER = 128


def run(engine: zerohop.Engine, streams: int) -> tuple[float, float]:
    """Prompt and decode tokens a second."""
    first: list[float] = []
    last: list[float] = []
    prompt_tokens: list[int] = []
    failed: list[Exception] = []
    lock = threading.Lock()

    def caller(number: int) -> None:
        try:
            # The number comes first: no two have a beginning in common.
            text = f"{number} " + "word " * (PROMPT - 2)
            stream = engine.completions.create(
                prompt=text,
                max_tokens=ANSWER,
                temperature=0,
                stream=True,
                stream_options={"include_usage": True},
                extra_body={"ignore_eos": True},
            )
            began = None
            for chunk in stream:
                if chunk.choices and began is None:
                    began = time.perf_counter()
                if chunk.usage:
                    with lock:
                        prompt_tokens.append(chunk.usage.prompt_tokens)
            with lock:
                first.append(began or time.perf_counter())
                last.append(time.perf_counter())
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=caller, args=(number,)) for number in range(streams)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    prompts = max(first) - started
    return sum(prompt_tokens) / prompts, streams * ANSWER / max(max(last) - max(first), 1e-9)


def rows(program: str, *arguments: str) -> list[dict[str, float]]:
    """What a program of llama.cpp's prints as lines of JSON."""
    command = [program, *arguments]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--bench", help="llama-bench")
    parser.add_argument("--batched", help="llama-batched-bench")
    parser.add_argument("--bandwidth", type=float, help="of the card's memory, in GB/s")
    arguments = parser.parse_args()
    size = arguments.model.stat().st_size
    cells = max(STREAMS) * (PROMPT + ANSWER + 64)
    with zerohop.Engine(
        arguments.model,
        gpu_layers="all",
        context_length=cells,
        parallel=max(STREAMS),
        prefix_cache=False,
    ) as engine:
        print(engine.model_info[0].placement, file=sys.stderr)
        run(engine, 1)
        ours = {streams: run(engine, streams) for streams in STREAMS}
    theirs: dict[int, tuple[float, float]] = {}
    model = str(arguments.model)
    if arguments.batched:
        parallel = ",".join(map(str, STREAMS))
        options = ["-m", model, "-c", str(cells), "-ngl", "999", "--output-format", "jsonl"]
        shape = ["-npp", str(PROMPT), "-ntg", str(ANSWER), "-npl", parallel]
        for row in rows(arguments.batched, *options, *shape):
            theirs[int(row["pl"])] = (row["speed_pp"], row["speed_tg"])
    if arguments.bench:
        shape = ["-p", str(PROMPT), "-n", str(ANSWER)]
        found = rows(arguments.bench, "-m", model, "-ngl", "999", *shape, "-o", "jsonl")
        speed = {bool(row["n_gen"]): row["avg_ts"] for row in found}
        theirs[1] = (speed[False], speed[True])
    print("| streams | prompt tok/s | decode tok/s | prompt ratio | decode ratio |")
    print("| --- | --- | --- | --- | --- |")
    for streams, (prompt, decode) in ours.items():
        ratios = "- | -"
        if streams in theirs:
            ratios = " | ".join(
                f"{a / b:.2f}" for a, b in zip((prompt, decode), theirs[streams], strict=True)
            )
        print(f"| {streams} | {prompt:.0f} | {decode:.1f} | {ratios} |")
    if arguments.bandwidth:
        used = ours[1][1] * size / 1e9 / arguments.bandwidth
        print(f"\nOne stream's decode reads the weights at {used:.2f} of the card's bandwidth.")


if __name__ == "__main__":
    main()
