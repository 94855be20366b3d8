"""The programs in examples/python run, and give what they promise."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from support import model

EXAMPLES = Path(__file__).parents[3] / "examples/python"


@pytest.fixture(scope="module")
def gguf() -> Path:
    return model("qwen2.5-coder-0.5b-instruct-q4_k_m.gguf")


@pytest.fixture
def run(gguf) -> Callable[..., list[str]]:
    """Runs an example, and gives the lines that it prints."""

    def run(name: str, typed: str = "") -> list[str]:
        command = [sys.executable, str(EXAMPLES / name), str(gguf)]
        result = subprocess.run(command, input=typed, capture_output=True, text=True, timeout=280)
        assert (result.returncode, result.stderr) == (0, "")
        return result.stdout.splitlines()

    return run


def test_every_example_is_tested():
    # The demo is run by python/tests.
    names = {path.name for path in EXAMPLES.iterdir() if path.is_file()} - {"demo.py"}
    source = Path(__file__).read_text()
    assert [name for name in sorted(names) if f'"{name}"' not in source] == []


def test_chat(run):
    first, second, end = run(
        "chat.py", "What is the capital of France?\nIn which country is that city?\n\n"
    )
    assert "Paris" in first and "France" in second
    assert end == "> "


def test_streaming(run):
    answer, tokens = run("streaming.py")
    assert "Paris" in answer
    assert int(tokens.removeprefix("(").removesuffix(" tokens)")) > 3


def test_tools(run):
    call, *_, answer = run("tools.py")
    assert call.startswith('get_weather({"city": "Paris"}) = {')
    assert not answer.startswith("get_weather")


def test_structured(run):
    assert run("structured.py") == ["City(name='Paris', country='France', is_capital=True)"]


def test_fan_out(run):
    answers = run("fan_out.py")
    assert len(answers) == 8
    for answer, capital in zip(answers, ["Paris", "Rome", "Madrid", "Tokyo"], strict=False):
        assert capital in answer


def test_langchain(run):
    answer, city = run("with_langchain.py")
    assert "Paris" in answer
    assert city == "City(name='Paris', country='France')"


def test_notebook(gguf, monkeypatch):
    monkeypatch.setenv("ZEROHOP_MODEL", str(gguf))
    notebook = nbformat.read(EXAMPLES / "notebook.ipynb", as_version=4)
    nbformat.validate(notebook)
    client = NotebookClient(notebook, timeout=280, kernel_name="python3")
    client.execute(env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"})
    results = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
    info, answer, streamed, awaited, _ = results
    assert "ModelInfo" in info[0]["data"]["text/plain"]
    assert "Paris" in answer[0]["data"]["text/plain"]
    assert "Rome" in "".join(output["text"] for output in streamed)
    assert "Madrid" in awaited[0]["data"]["text/plain"]
