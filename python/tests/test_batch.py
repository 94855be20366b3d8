"""Offline batches: `Engine.batch` and `AsyncEngine.batch`."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from openai.types.chat import ChatCompletion

import zerohop
from zerohop.types import BatchCounts


def chat_line(number, max_tokens=2):
    body = {"messages": [{"role": "user", "content": f"Request {number}"}]}
    body |= {"model": "tiny-llama", "max_tokens": max_tokens, "temperature": 0}
    return {
        "custom_id": f"request-{number}",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": body,
    }


@pytest.fixture
def files(tmp_path):
    """Writes lines of requests, and names the input and the output file."""

    def write(lines) -> tuple[Path, Path]:
        path = tmp_path / "in.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return path, tmp_path / "out.jsonl"

    return write


def results(path):
    """The lines of a file of results by custom id, each of which is there once."""
    lines = [json.loads(line) for line in Path(path).read_text().splitlines()]
    by_id = {line["custom_id"]: line for line in lines}
    assert len(by_id) == len(lines)
    return by_id


def test_a_batch(engine, files):
    # BA5
    lines = [chat_line(number) for number in range(30)]
    input, output = files([*lines, chat_line(30) | {"url": "/v1/no"}])
    counts = engine.batch(input, str(output))
    assert isinstance(counts, BatchCounts)
    assert (counts.total, counts.completed, counts.failed, counts.resumed) == (31, 30, 1, 0)
    answers = results(output)
    body = ChatCompletion.model_validate(answers["request-7"]["response"]["body"], strict=True)
    single = engine.chat.completions.create(**chat_line(7)["body"])
    assert body.choices[0].message.content == single.choices[0].message.content
    assert list(results(output.with_name("out.errors.jsonl"))) == ["request-30"]
    assert counts.model_dump() == json.loads(counts.model_dump_json())


def test_arguments(engine, files, tmp_path):
    # BA2
    input, output = files([chat_line(1)])
    for endpoint, code in [("/v1/embeddings", "mismatched_url")]:
        with pytest.raises(zerohop.BadRequestError) as caught:
            engine.batch(input, output, endpoint=endpoint)
        assert caught.value.code == code
    with pytest.raises(zerohop.InvalidArgumentError):
        engine.batch(tmp_path / "missing", output)
    with pytest.raises(ValueError, match="concurrency"):
        engine.batch(input, output, concurrency=0)
    with pytest.raises(TypeError):
        engine.batch(input, 3)
    failures = tmp_path / "failures"
    assert engine.batch(input, output, errors=failures, concurrency=1).completed == 1
    assert failures.read_bytes() == b""


def test_progress(engine, files):
    input, output = files([chat_line(number) for number in range(300)])
    seen = []
    counts = engine.batch(input, output, progress=seen.append)
    assert seen[-1] == counts and all(isinstance(one, BatchCounts) for one in seen)
    # Not over before the first report that sees an answer.
    input, output = files([chat_line(number, 1500) for number in range(300)])
    output = output.with_name("stopped.jsonl")
    with pytest.raises(zerohop.RequestCancelledError):
        engine.batch(input, output, progress=lambda counts: counts.completed < 1)
    assert len(results(output)) < 300
    with pytest.raises(ZeroDivisionError):
        engine.batch(input, output, progress=lambda counts: 1 / 0)


def test_a_bar(engine, files, capsys):
    input, output = files([chat_line(number) for number in range(3)])
    engine.batch(input, output, progress=True)
    assert "3/3" in capsys.readouterr().err


def test_in_an_event_loop(make_engine, files):
    input, output = files([chat_line(number) for number in range(40)])
    endless, unfinished = output.with_name("endless"), output.with_name("unfinished")

    async def main():
        async with zerohop.AsyncEngine(make_engine()) as engine:
            assert (await engine.batch(input, output)).completed == 40
            endless.write_text(
                "".join(json.dumps(chat_line(number, 2000)) + "\n" for number in range(40))
            )
            task = asyncio.create_task(engine.batch(endless, unfinished))
            await asyncio.sleep(0.2)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            # It ends, and gives its places back.
            assert await engine.chat.completions.create(
                messages=[{"role": "user", "content": "a"}], max_tokens=1, timeout=30
            )

    asyncio.run(main())


# Programs that a shell starts in the background ignore Ctrl-C unless they say otherwise.
WORK = """
import signal, sys, zerohop
signal.signal(signal.SIGINT, signal.default_int_handler)
options = {"threads": 1, "context_length": 200_000, "parallel": 4}
engine = zerohop.Engine({name: sys.argv[1] for name in ("tiny-llama", "late")}, **options)
held = []
if sys.argv[4:] == ["held"]:
    # Requests for this model wait.
    for _ in range(4):
        request = {"messages": [{"role": "user", "content": "a"}], "model": "late"}
        held.append(engine.chat.completions.create(**request, stream=True))
        next(held[-1])
print("ready", flush=True)
counts = engine.batch(sys.argv[2], sys.argv[3])
print(counts.completed, counts.resumed, flush=True)
"""


def start(model, input, output, *arguments):
    command = [sys.executable, "-c", WORK, model, input, output, *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


def lines_of(path):
    return path.read_bytes().count(b"\n") if path.exists() else 0


def wait_for_lines(path, count):
    deadline = time.monotonic() + 60
    while lines_of(path) < count:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_killed_batch_loses_and_repeats_nothing(tiny, files):
    # BA6
    lines = [chat_line(number) for number in range(2000)]
    # However fast the machine, these are not answered before the process is killed.
    for line in lines[1200:]:
        line["body"]["model"] = "late"
    input, output = files(lines)
    for killed in range(2):
        process = start(tiny, input, output, "held")
        wait_for_lines(output, lines_of(output) + 300)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, killed
        process.communicate()
    before = lines_of(output)
    assert 600 <= before <= 1200
    out, _ = start(tiny, input, output).communicate(timeout=120)
    assert out.split() == ["2000", str(before)]
    assert sorted(results(output)) == sorted(f"request-{number}" for number in range(2000))


def test_ctrl_c_stops_a_batch(tiny, files):
    input, output = files([chat_line(number, 200) for number in range(2000)])
    process = start(tiny, input, output)
    wait_for_lines(output, 5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode != 0 and "KeyboardInterrupt" in err
    assert 5 <= len(results(output)) < 2000


def test_a_batch_of_a_daemon_thread_at_exit(tiny, files):
    # What the thread waits for ends before the interpreter does.
    input, output = files([chat_line(number, 2000) for number in range(200)])
    script = """
import sys, threading, time, zerohop
engine = zerohop.Engine(sys.argv[1], threads=1, alias="tiny-llama")
threading.Thread(target=engine.batch, args=sys.argv[2:], daemon=True).start()
time.sleep(0.3)
"""
    command = [sys.executable, "-c", script, tiny, input, output]
    done = subprocess.run(command, capture_output=True, timeout=60, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
