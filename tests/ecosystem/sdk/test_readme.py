"""The programs in openai-python's README run, unchanged except for the line that makes the client.

The README comes with the package. That of openai 1.60 still streams by way of chat completions, so
that its programs are run on every version.
"""

import ast
import asyncio
import inspect
import re
import sys
from collections.abc import Iterator
from importlib.metadata import metadata
from pathlib import Path

import openai
import pytest
from support import model

import zerohop

# Programs that ask for what is not there: images, a provider's own login, another HTTP library, and
# what is no chat completion.
ELSEWHERE = ["image_url", "AzureOpenAI", "workload_identity", "aiohttp", "DefaultAioHttpClient"]
CHAT = re.compile(r"chat\.completions\.(create|with_raw_response|with_streaming_response)\b")
CONSTRUCTOR = re.compile(r"\b(Async)?OpenAI\(")


def oldest_readme() -> str:
    [file] = Path(sys.prefix, "../openai1.60/lib").glob(
        "python3.*/site-packages/openai-1.60.*.dist-info/METADATA"
    )
    return file.read_text()


def chat_programs(readme: str) -> list[str]:
    programs = re.findall(r"^```py(?:thon)?\n(.*?)^```", readme, re.M | re.S)
    return [
        program
        for program in programs
        if CHAT.search(program)
        and ("OpenAI(" in program or "client." in program)
        and not any(word in program for word in ELSEWHERE)
    ]


READMES = {"own": str(metadata("openai").get_payload()), "oldest": oldest_readme()}
PROGRAMS = {
    f"{name}-{number}": program
    for name, readme in READMES.items()
    for number, program in enumerate(chat_programs(readme))
}


@pytest.fixture(scope="module")
def engine() -> Iterator[zerohop.Engine]:
    """Noise, until the context is full, under every name that the READMEs use."""
    names = set(re.findall(r'model="([^"]+)"', "".join(READMES.values())))
    gguf = model("tiny/tiny-llama.gguf")
    with zerohop.Engine(gguf, alias=names, context_length=256, threads=1) as engine:
        yield engine


def run(program: str, engine: zerohop.Engine) -> None:
    """Runs a program, which may await at its top level, as in a notebook."""
    asynchronous = bool(re.search(r"^\s*(completion|response) = await|async with", program, re.M))
    client = (zerohop.AsyncOpenAI if asynchronous else zerohop.OpenAI)(engine)
    # One of 1.60's programs lacks the import of httpx.
    http = sys.modules[openai.Timeout.__module__.split(".")[0]]
    names = {"zerohop": zerohop, "engine": engine, "client": client, "httpx": http}
    changed = CONSTRUCTOR.sub(r"zerohop.\1OpenAI(engine, ", program)
    code = compile(changed, "README", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    awaited = eval(code, names)
    if inspect.iscoroutine(awaited):
        asyncio.run(awaited)


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS.keys())
def test_a_program_of_the_readme(engine, capsys, program):
    run(program, engine)
    printed, errors = capsys.readouterr()
    assert errors == ""
    assert bool(printed) == ("print(" in program.partition("except")[0])
    if "_request_id" in program:
        assert printed.startswith("req_")


def test_the_programs_cover_the_sdk():
    assert len([name for name in PROGRAMS if name.startswith("own")]) >= 5
    text = "\n".join(PROGRAMS.values())
    topics = [
        "AsyncOpenAI(",
        "stream=True",
        "async for",
        "response_format=",
        "except openai.APIStatusError",
        "with_raw_response",
        "with_streaming_response",
        "max_retries=",
        "timeout=",
    ]
    assert [topic for topic in topics if topic not in text] == []


def test_the_readme_on_errors(engine, capsys):
    """It asks for an endpoint that is not there."""
    [program] = re.findall(
        r"^```python\n((?:(?!```).)*fine_tuning\.jobs\.create.*?)^```", READMES["own"], re.M | re.S
    )
    run(program, engine)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["Another non-200-range status code was received", "404"]
    assert lines[2].startswith("<Response [404")


def test_an_error_is_that_of_the_sdk(engine):
    with pytest.raises(openai.BadRequestError) as caught:
        zerohop.OpenAI(engine).chat.completions.create(
            model="gpt-4o", messages=[{"role": "user", "content": "Hello"}], temperature=9
        )
    assert (caught.value.param, caught.value.status_code) == ("temperature", 400)
    assert caught.value.request_id.startswith("req_")
