"""An engine, and the programs of docs/ecosystem.md over it."""

import asyncio
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# Read when the libraries are imported: LiteLLM would fetch a list of prices, DSPy make a folder in
# the user's home.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
FOLDER = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
os.environ["DSPY_CACHEDIR"] = FOLDER.name

from support import model  # noqa: E402

import zerohop  # noqa: E402

GUIDE = Path(__file__).parents[2] / "docs/ecosystem.md"


@pytest.fixture(scope="session", autouse=True)
def settings() -> Iterator[None]:
    """Nothing is kept, and nothing known of a hosted API."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLM_USER_PATH", FOLDER.name)
        patch.delenv("OPENAI_API_KEY", raising=False)
        patch.delenv("OPENAI_BASE_URL", raising=False)
        yield


@pytest.fixture(scope="session")
def engine() -> Iterator[zerohop.Engine]:
    gguf = model("qwen2.5-coder-0.5b-instruct-q4_k_m.gguf")
    with zerohop.Engine(gguf, context_length=4096, alias=["chat", "gpt-4o-mini"]) as engine:
        yield engine


@pytest.fixture(scope="session")
def program(engine: zerohop.Engine) -> Callable[[str], dict[str, Any]]:
    """Runs the program under a heading of the guide, and gives what it defines."""

    def run(heading: str) -> dict[str, Any]:
        section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", GUIDE.read_text(), re.M | re.S)
        assert section, f"the guide has no section {heading!r}"
        [code] = re.findall(r"^```python\n(.*?)^```", section[1], re.M | re.S)
        names: dict[str, Any] = {"__name__": "program", "zerohop": zerohop, "engine": engine}
        exec(compile(code, f"{GUIDE.name}: {heading}", "exec"), names)
        return names

    return run


@pytest.fixture(scope="session")
def run_async() -> Iterator[Callable[..., Any]]:
    """Runs coroutines in one event loop, as the connections of some libraries need."""
    with asyncio.Runner() as runner:
        yield runner.run
