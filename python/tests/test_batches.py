"""Batches in the background: through the real SDK, and without it."""

import inspect
import json
import re
import time
from pathlib import Path

import anyio
import openai
import pytest
from openai.resources.batches import Batches as OpenAIBatches
from openai.types import Batch
from openai.types.chat import ChatCompletion

import zerohop
from zerohop import types
from zerohop._native import Batches

CHAT = "/v1/chat/completions"
GUIDE = Path(__file__).resolve().parents[2] / "docs/batches.md"
FINAL = {"completed", "failed", "expired", "cancelled"}


def line(number, **body):
    body = {"messages": [{"role": "user", "content": f"Request {number}"}]} | body
    body = {"model": "tiny-llama", "max_tokens": 2, "temperature": 0} | body
    return {"custom_id": f"request-{number}", "method": "POST", "url": CHAT, "body": body}


def jsonl(lines):
    return "\n".join(json.dumps(line) for line in lines).encode()


@pytest.fixture
def client(engine):
    with zerohop.OpenAI(engine) as client:
        yield client


def begin(client, content):
    file = client.files.create(file=("requests.jsonl", content), purpose="batch")
    return client.batches.create(
        input_file_id=file.id, endpoint=CHAT, completion_window="24h", metadata={"job": "nightly"}
    )


def wait(client, batch, ready=lambda batch: batch.status in FINAL):
    deadline = time.monotonic() + 100
    while not ready(batch):
        assert time.monotonic() < deadline, batch
        time.sleep(0.01)
        batch = client.batches.retrieve(batch.id)
    return batch


def results(client, file_id):
    lines = client.files.content(file_id).text.splitlines()
    return {line["custom_id"]: line for line in map(json.loads, lines)}


def test_the_sdk_runs_a_batch(client, engine):
    # BA1, BA3, BA4, BA5
    lines = [line(number) for number in range(20)]
    lines += [line(20, model="none"), line(21, temperature=9)]
    batch = begin(client, jsonl(lines))
    assert type(batch) is Batch
    assert (batch.status, batch.object, batch.endpoint) == ("validating", "batch", CHAT)
    batch = wait(client, batch)
    assert (batch.status, batch.errors, batch.metadata) == ("completed", None, {"job": "nightly"})
    assert batch.request_counts.model_dump() == {"completed": 20, "failed": 2, "total": 22}
    stamps = [batch.created_at, batch.in_progress_at, batch.finalizing_at, batch.completed_at]
    assert stamps == sorted(stamps)
    answers = results(client, batch.output_file_id)
    assert set(answers) == {f"request-{number}" for number in range(20)}
    body = ChatCompletion.model_validate(answers["request-7"]["response"]["body"], strict=True)
    single = engine.chat.completions.create(**line(7)["body"])
    assert body.choices[0].message.content == single.choices[0].message.content
    usages = [answer["response"]["body"]["usage"] for answer in answers.values()]
    assert batch.usage.total_tokens == sum(usage["total_tokens"] for usage in usages)
    assert batch.usage.output_tokens == 40
    failures = results(client, batch.error_file_id)
    codes = [failures[f"request-{n}"]["response"]["status_code"] for n in (20, 21)]
    assert codes == [404, 400]
    assert client.files.retrieve(batch.output_file_id).purpose == "batch_output"


def test_faulty_lines(client):
    # BA2
    bad = [line(0), line(0), line(1) | {"url": "/v1/embeddings"}, line(2, stream=True)]
    batch = wait(client, begin(client, jsonl(bad) + b"\n{"))
    assert (batch.status, batch.output_file_id) == ("failed", None)
    faults = [(fault.line, fault.code, fault.param) for fault in batch.errors.data]
    assert faults == [
        (2, "duplicate_custom_id", "custom_id"),
        (3, "mismatched_url", "url"),
        (4, "invalid_request", "body.stream"),
        (5, "invalid_json_line", None),
    ]
    with pytest.raises(openai.NotFoundError):
        client.batches.create(input_file_id="none", endpoint=CHAT, completion_window="24h")
    with pytest.raises(openai.BadRequestError):
        client.batches.create(input_file_id="none", endpoint=CHAT, completion_window="1h")
    with pytest.raises(openai.NotFoundError):
        client.batches.retrieve("none")


def test_the_sdk_cancels_and_lists(make_engine):
    # BA4, BA6
    with zerohop.OpenAI(make_engine(parallel=2)) as client:
        # One that does not end, and a slot for the other.
        lines = [line(0), line(1, max_tokens=100_000)]
        running, waiting = begin(client, jsonl(lines)), begin(client, jsonl(lines))
        running = wait(client, running, lambda batch: batch.request_counts.completed == 1)
        assert running.status == "in_progress"
        assert client.batches.cancel(waiting.id).status == "cancelled"
        assert client.batches.cancel(running.id).status == "cancelling"
        running = wait(client, running)
        assert running.status == "cancelled" and running.cancelled_at >= running.cancelling_at
        assert list(results(client, running.output_file_id)) == ["request-0"]
        assert [batch.id for batch in client.batches.list(limit=1)] == [waiting.id, running.id]
        done = wait(client, begin(client, jsonl(lines[:1])))
        with pytest.raises(openai.ConflictError):
            client.batches.cancel(done.id)


def test_a_busy_engine(make_engine):
    # BA5: what is refused with 429 is sent again.
    engine = make_engine(parallel=1, queue=1)
    endless = {"messages": [{"role": "user", "content": "a"}], "max_tokens": 100_000}
    others = [engine.chat.completions.create(**endless, stream=True) for _ in range(2)]
    with zerohop.OpenAI(engine) as client:
        batch = begin(client, jsonl(line(number) for number in range(5)))
        deadline = time.monotonic() + 100
        while "429" not in engine.metrics()["requests"]:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        for stream in others:
            stream.close()
        counts = wait(client, batch).request_counts
        assert (counts.completed, counts.failed) == (5, 0)


def test_batches_without_the_sdk(engine):
    file = engine.files.create(file=jsonl([line(0), line(1, model="none")]), purpose="batch")
    batch = engine.batches.create(
        input_file_id=file.id,
        endpoint=CHAT,
        output_expires_after={"anchor": "created_at", "seconds": 3600},
    )
    assert isinstance(batch, types.Batch) and batch._request_id.startswith("req_")
    assert (batch.completion_window, batch.request_counts.total) == ("24h", 0)
    batch = wait(engine, batch)
    assert isinstance(batch.usage, types.BatchUsage)
    assert batch.usage.input_tokens_details.cached_tokens >= 0
    assert (batch.request_counts.completed, batch.request_counts.failed) == (1, 1)
    assert engine.files.retrieve(batch.output_file_id).expires_at is not None
    assert openai.types.Batch.model_validate(batch.model_dump()).id == batch.id
    page = engine.batches.list(limit=1)
    assert list(page) == page.data == [batch]
    assert list(engine.batches.list(after=batch.id, limit=1)) != [batch]
    with pytest.raises(zerohop.ConflictError):
        engine.batches.cancel(batch.id)
    with pytest.raises(zerohop.NotFoundError):
        engine.batches.retrieve("none")
    with pytest.raises(zerohop.InvalidArgumentError):
        engine.batches.retrieve("")
    with pytest.raises(TypeError, match="input_file_id"):
        engine.batches.create(endpoint=CHAT)
    with pytest.raises(TypeError):
        engine.batches.create(input_file_id=file.id, endpoint=CHAT, model="tiny-llama")
    failed = engine.files.create(file=b"{", purpose="batch")
    failed = wait(engine, engine.batches.create(input_file_id=failed.id, endpoint=CHAT))
    [fault] = failed.errors.data
    assert isinstance(fault, types.BatchError) and fault.line == 1


def test_the_parameters_are_the_sdks():
    theirs = set(inspect.signature(OpenAIBatches.create).parameters)
    assert set(inspect.signature(Batches.create).parameters) == theirs


def test_event_loops(engine, run):
    async def main():
        async with zerohop.AsyncEngine(engine) as shared:
            file = await shared.files.create(file=jsonl([line(0)]), purpose="batch")
            batch = await shared.batches.create(input_file_id=file.id, endpoint=CHAT)
            while batch.status not in FINAL:
                await anyio.sleep(0.01)
                batch = await shared.batches.retrieve(batch.id)
            assert batch.request_counts.completed == 1
            page = await shared.batches.list(limit=1)
            assert [each async for each in page] == [batch]
            with pytest.raises(zerohop.ConflictError):
                await shared.batches.cancel(batch.id)
            assert repr(shared.batches).startswith("<batches of <zerohop.AsyncEngine")

    run(main)


def test_the_guide(qwen, run_python):
    section = re.search(r"^## As OpenAI.*?(?=^## )", GUIDE.read_text(), re.M | re.S)
    [program] = re.findall(r"^```python\n(.*?)^```", section[0], re.M | re.S)
    assert '"model.gguf"' in program
    alias = "model.gguf"
    program = program.replace(f'"{alias}"', f'zerohop.ModelOptions({str(qwen)!r}, alias="model")')
    done = run_python(program)
    assert (done.returncode, done.stderr) == (0, "")
    assert "completed=10" in done.stdout and "request-3 " in done.stdout
