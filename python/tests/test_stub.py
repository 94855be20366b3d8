"""The type stub says what the compiled module is."""

import subprocess
import sys
from pathlib import Path

ALLOWLIST = Path(__file__).with_name("stubtest-allowlist.txt")

PROGRAM = """
import os
from pathlib import Path
from typing import assert_type

import httpx
import httpx2
import openai

import zerohop
from zerohop.types import Model
from zerohop.types.chat import ChatCompletion, ChatCompletionChunk

engine = zerohop.Engine(Path("m.gguf"), context_length=4096, progress=print)
zerohop.Engine({"a": "m.gguf", "b": zerohop.ModelOptions("n.gguf", gpu_layers=3)})
messages = [{"role": "user", "content": "Hello"}]
reply = engine.chat.completions.create(messages=messages, extra_body={"top_k": 3})
assert_type(reply, ChatCompletion)
assert_type(reply.choices[0].message.content, str | None)
again = engine.chat.completions.create(messages=[*messages, reply.choices[0].message], stream=False)
assert_type(again, ChatCompletion)
for chunk in engine.chat.completions.create(messages=messages, stream=True):
    assert_type(chunk, ChatCompletionChunk)
with engine.chat.completions.create(messages=messages, stream=True) as stream:
    assert_type(stream, zerohop.Stream[ChatCompletionChunk])
try:
    engine.models.retrieve("m")
except zerohop.APIStatusError as error:
    assert_type(error.status_code, int)
    assert_type(error.response.headers["x-request-id"], str)
except zerohop.ModelFileError as error:
    assert_type(error.errno, int | None)


async def main() -> None:
    async with zerohop.AsyncEngine("m.gguf", threads=2) as asynchronous:
        create = asynchronous.chat.completions.create
        assert_type(await create(messages=messages, temperature=0), ChatCompletion)
        stream = await create(messages=messages, stream=True)
        assert_type(stream, zerohop.AsyncStream[ChatCompletionChunk])
        async for chunk in stream:
            assert_type(chunk, ChatCompletionChunk)
        assert_type([model async for model in asynchronous.models.list()], list[Model])
        assert_type((await asynchronous.models.list()).data, list[Model])
    assert_type(await zerohop.AsyncEngine(engine), zerohop.AsyncEngine)
    zerohop.AsyncOpenAI(asynchronous)
    zerohop.async_http_client(asynchronous)


client = zerohop.OpenAI(engine, timeout=3)
assert_type(client, openai.OpenAI)
assert_type(zerohop.AsyncOpenAI("m.gguf"), openai.AsyncOpenAI)
assert_type(zerohop.http_client(engine, library="httpx2"), httpx2.Client)
assert_type(zerohop.async_transport(engine, library="httpx"), httpx.AsyncBaseTransport)
openai.OpenAI(http_client=zerohop.http_client(engine), base_url=zerohop.BASE_URL, api_key="x")
"""


def test_the_stub_matches_the_module():
    command = [sys.executable, "-m", "mypy.stubtest", "--concise", "--allowlist", str(ALLOWLIST)]
    result = subprocess.run([*command, "zerohop"], capture_output=True, text=True, timeout=110)
    assert result.returncode == 0, result.stdout + result.stderr


def test_programs_type_check(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", str(program)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=110, cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
