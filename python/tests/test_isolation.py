"""`isolation="process"`: the models in a process of their own."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import openai
import pytest
from support import USER

import zerohop


@pytest.fixture
def isolated(tiny):
    with zerohop.Engine(tiny, threads=1, context_length=50_000, isolation="process") as engine:
        yield engine


def workers(pid: int | None = None) -> list[int]:
    """The worker processes of a process."""
    pid = pid or os.getpid()
    children = Path(f"/proc/{pid}/task").glob("*/children")
    found = [int(child) for file in children for child in file.read_text().split()]
    return [child for child in found if "worker" in command_line(child)]


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except FileNotFoundError:
        return ""


def test_answers_are_those_of_this_process(isolated, engine):
    request = {"messages": USER, "max_tokens": 10, "seed": 1, "logprobs": True}
    here = engine.chat.completions.create(**request)
    there = isolated.chat.completions.create(**request)
    assert there.choices == here.choices and there.usage == here.usage
    chunks = list(isolated.chat.completions.create(**request, stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == here.choices[0].message.content
    assert isolated.model_info[0].architecture == "llama"
    with pytest.raises(zerohop.BadRequestError) as caught:
        isolated.chat.completions.create(messages=USER, temperature=3)
    assert caught.value.param == "temperature"


def requests(count):
    for number in range(count):
        body = {"model": "tiny-llama", "messages": USER, "max_tokens": 1 + number % 5}
        yield {
            "custom_id": f"c{number}",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": body | {"temperature": 0},
        }


def test_a_batch_of_files(isolated, engine, tmp_path):
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps(request) + "\n" for request in requests(50)))
    answers = []
    for name, one in {"here": engine, "there": isolated}.items():
        output = tmp_path / f"{name}.jsonl"
        counts = one.batch(path, output)
        assert (counts.completed, counts.failed) == (50, 0)
        lines = [json.loads(line) for line in output.read_text().splitlines()]
        answers.append({line["custom_id"]: line["response"]["body"]["choices"] for line in lines})
    assert answers[0] == answers[1]


def test_a_batch_in_the_background(isolated):
    client = zerohop.OpenAI(isolated)
    content = "\n".join(map(json.dumps, requests(30))).encode()
    file = client.files.create(file=("requests.jsonl", content), purpose="batch")
    batch = client.batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
    )
    deadline = time.monotonic() + 100
    while batch.status not in ("completed", "failed", "expired", "cancelled"):
        assert time.monotonic() < deadline, batch
        time.sleep(0.01)
        batch = client.batches.retrieve(batch.id)
    assert (batch.status, batch.request_counts.completed) == ("completed", 30)
    lines = client.files.content(batch.output_file_id).text.splitlines()
    assert len({json.loads(line)["custom_id"] for line in lines}) == 30


def test_the_sdk(isolated):
    client = zerohop.OpenAI(isolated)
    request = {"model": "tiny-llama", "messages": USER, "max_tokens": 4}
    assert client.chat.completions.create(**request).usage.completion_tokens == 4
    response = client.responses.create(model="tiny-llama", input="Hi", max_output_tokens=3)
    assert client.responses.retrieve(response.id).id == response.id
    assert client.models.list().data[0].id == "tiny-llama"


def test_a_killed_worker(isolated):
    streams = [
        isolated.chat.completions.create(
            messages=USER, stream=True, max_tokens=20_000, extra_body={"ignore_eos": True}
        )
        for _ in range(8)
    ]
    for stream in streams:
        next(stream)
    [before] = workers()
    os.kill(before, signal.SIGKILL)
    for stream in streams:
        with pytest.raises(zerohop.APIError) as caught:
            list(stream)
        assert caught.value.code == "worker_ended"
    assert isolated.chat.completions.create(messages=USER, max_tokens=2).choices
    assert workers() != [before]


def test_the_sdk_tries_again(isolated):
    # A worker that has ended is status 503, which the SDK repeats the request on.
    client = zerohop.OpenAI(isolated, max_retries=2)
    [before] = workers()
    os.kill(before, signal.SIGKILL)
    reply = client.chat.completions.create(model="tiny-llama", messages=USER, max_tokens=2)
    assert reply.choices
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="none", messages=USER)


def test_in_an_event_loop(tiny):
    async def main():
        options = {"threads": 1, "isolation": "process"}
        async with zerohop.AsyncEngine(tiny, **options) as engine:
            create = engine.chat.completions.create
            replies = await asyncio.gather(
                *[create(messages=USER, max_tokens=3, seed=seed) for seed in range(40)]
            )
            assert len(replies) == 40
            stream = await create(messages=USER, max_tokens=5, stream=True)
            assert len([chunk async for chunk in stream]) > 1

    asyncio.run(main())


@pytest.mark.parametrize(
    "options",
    [{"isolation": "thread"}, {"isolation": True}, {"worker": "/bin/true"}],
)
def test_wrong_options(tiny, options):
    with pytest.raises(TypeError):
        zerohop.Engine(tiny, **options)


def test_programs_that_are_no_worker(tiny):
    for program in ["/missing", "/bin/true", "/bin/cat"]:
        with pytest.raises(zerohop.InvalidArgumentError, match=program):
            zerohop.Engine(tiny, isolation="process", worker=program)


# Programs that a shell starts in the background ignore Ctrl-C unless they say otherwise.
SCRIPT = """
import signal, sys, zerohop
signal.signal(signal.SIGINT, signal.default_int_handler)
engine = zerohop.Engine(sys.argv[1], threads=1, isolation="process")
stream = engine.chat.completions.create(messages=[{"role": "user", "content": "a"}], stream=True)
next(stream)
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("end", ["exit", "kill"])
def test_a_worker_ends_with_its_host(tiny, end):
    host = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, tiny],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert host.stdout.readline() == "ready\n"
    [worker] = workers(host.pid)
    if end == "kill":
        host.kill()
    _, err = host.communicate(timeout=30)
    assert err == ""
    deadline = time.monotonic() + 30
    while command_line(worker):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_ctrl_c_is_the_hosts(tiny):
    # The terminal sends it to all processes of the host's group, of which the worker is none.
    script = SCRIPT.replace("sys.stdin.read()", "import time; time.sleep(60)")
    host = subprocess.Popen(
        [sys.executable, "-c", script, tiny],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert host.stdout.readline() == "ready\n"
    os.killpg(host.pid, signal.SIGINT)
    _, err = host.communicate(timeout=30)
    assert "KeyboardInterrupt" in err and "worker" not in err
