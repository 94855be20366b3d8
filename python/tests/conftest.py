"""Models and engines for the tests.

The tiny models have random weights: they are fast, and go on to the token limit. The real ones
answer.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import pytest
from support import ENDLESS, model

import zerohop

# Servers on this machine are asked without a detour, whatever proxy there is.
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"


@pytest.fixture(scope="session")
def tiny() -> Path:
    return model("tiny/tiny-llama.gguf")


@pytest.fixture(scope="session")
def smollm2() -> Path:
    return model("smollm2-135m-instruct-q4_1.gguf")


@pytest.fixture(scope="session")
def qwen() -> Path:
    return model("qwen2.5-coder-0.5b-instruct-q4_k_m.gguf")


@pytest.fixture(scope="session")
def hostile() -> list[Path]:
    files = sorted(model("hostile").glob("*.gguf"))
    assert files
    return files


@pytest.fixture(scope="session")
def engine(tiny: Path) -> Iterator[zerohop.Engine]:
    """An engine that all tests share; nobody closes it."""
    with zerohop.Engine(tiny, threads=1) as engine:
        yield engine


@pytest.fixture(scope="session")
def qwen_engine(qwen: Path) -> Iterator[zerohop.Engine]:
    """An engine that means what it says, and knows tools."""
    with zerohop.Engine(qwen, context_length=8192) as engine:
        yield engine


@pytest.fixture(scope="session")
def tools_engine(tiny: Path) -> Iterator[zerohop.Engine]:
    """Noise, in the form of a family that knows tools."""
    template = model("templates/Qwen-Qwen2.5-7B-Instruct.jinja").read_text()
    with zerohop.Engine(tiny, threads=1, context_length=16384, chat_template=template) as engine:
        yield engine


@pytest.fixture(scope="session")
def thinking_engine(tiny: Path) -> Iterator[zerohop.Engine]:
    """Noise, in the form of a family that may think before it answers."""
    template = model("templates/Qwen-Qwen3-0.6B.jinja").read_text()
    with zerohop.Engine(tiny, threads=1, context_length=16384, chat_template=template) as engine:
        yield engine


@pytest.fixture
def make_engine(tiny: Path) -> Iterator[Callable[..., zerohop.Engine]]:
    """Makes engines of the tiny model whose answers need not end, and closes them."""
    engines = []

    def make(**options: object) -> zerohop.Engine:
        options = {"context_length": ENDLESS, "threads": 1} | options
        engines.append(zerohop.Engine(tiny, **options))
        return engines[-1]

    yield make
    for engine in engines:
        engine.close()


@pytest.fixture
def run_python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a script in a fresh interpreter."""

    def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", script, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    return run


LOOPS = {
    "asyncio": {"backend": "asyncio"},
    "uvloop": {"backend": "asyncio", "backend_options": {"use_uvloop": True}},
    "trio": {"backend": "trio"},
}


@pytest.fixture(params=LOOPS)
def run(request):
    """Runs an async function in an event loop of each kind."""

    def run(function, *arguments):
        return anyio.run(function, *arguments, **LOOPS[request.param])

    return run
