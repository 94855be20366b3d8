"""`zerohop serve`, asked by clients in other languages: openai's npm package, and curl."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import model

NODE = Path(__file__).parents[1] / "node"
KEY = "sk-test"
QUESTION = "What is the capital of France? Answer in one sentence."


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server with a model that answers and one that makes vectors."""
    chat = model("qwen2.5-coder-0.5b-instruct-q4_k_m.gguf")
    vectors = model("all-minilm-l6-v2-f16.gguf")
    command: list[str | Path] = [Path(sys.prefix, "bin/zerohop"), "serve", "--port", "0"]
    command += [f"chat={chat}", f"vectors={vectors}", "--api-key", KEY]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout
    yield server.stdout.readline().strip()
    server.terminate()
    assert server.wait(60) == 0


def package() -> Path:
    """A folder of the cache in which the package is, by the versions of the lock file."""
    if not all(map(shutil.which, ("node", "npm"))):
        pytest.skip("Node: not run, not installed")
    folder = Path(os.environ["ZEROHOP_CACHE"]) / "node-openai"
    folder.mkdir(parents=True, exist_ok=True)
    lock = NODE / "package-lock.json"
    kept = folder / "node_modules/.zerohop-lock"
    if not kept.exists() or kept.read_bytes() != lock.read_bytes():
        for file in (NODE / "package.json", lock):
            shutil.copy(file, folder)
        install = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        subprocess.run(install, cwd=folder, check=True)
        shutil.copy(lock, kept)
    # Node finds packages beside the program.
    shutil.copy(NODE / "client.mjs", folder)
    return folder


def test_openais_package_for_javascript(url: str) -> None:
    command = ["node", package() / "client.mjs", url, KEY]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout)
    assert "Paris" in said["answer"]
    assert said["requestId"].startswith("req_")
    assert said["streamed"] == said["answer"]
    assert said["chunks"] > 3
    assert said["usage"]["completion_tokens"] > 3
    assert said["structured"] == {"city": "Paris"}
    assert said["call"]["name"] == "get_weather"
    assert "Oslo" in json.loads(said["call"]["arguments"])["city"]
    assert "Paris" in said["response"]
    assert said["types"][0] == "response.created"
    assert said["types"][-1] in ("response.completed", "response.incomplete")
    assert said["near"] > 0.6 > said["far"]
    assert said["models"] == ["chat", "vectors"]
    assert said["unknownModel"] == {
        "name": "NotFoundError",
        "status": 404,
        "code": "model_not_found",
        "param": "model",
    }
    assert said["badRequest"]["name"] == "BadRequestError"
    assert (said["badRequest"]["status"], said["badRequest"]["param"]) == (400, "temperature")
    assert (said["badKey"]["name"], said["badKey"]["status"]) == ("AuthenticationError", 401)


def curl(url: str, body: Any = None, key: str = KEY) -> tuple[int, str]:
    """The status and the reply's body."""
    if shutil.which("curl") is None:
        pytest.skip("curl: not run, not installed")
    command = ["curl", "-sSN", url, "-H", f"Authorization: Bearer {key}", "-w", "\n%{http_code}"]
    if body is not None:
        command += ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=280)
    reply, _, status = done.stdout.rpartition("\n")
    return int(status), reply


def test_curl(url: str) -> None:
    messages = [{"role": "user", "content": QUESTION}]
    request = {"model": "chat", "messages": messages, "temperature": 0, "max_tokens": 40}
    status, reply = curl(f"{url}/chat/completions", request)
    answer = json.loads(reply)["choices"][0]["message"]["content"]
    assert (status, "Paris" in answer) == (200, True)

    status, reply = curl(f"{url}/chat/completions", request | {"stream": True})
    lines = [line for line in reply.splitlines() if line]
    assert status == 200
    assert all(line.startswith("data: ") for line in lines)
    assert lines[-1] == "data: [DONE]"
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    texts = [chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks]
    assert "".join(texts) == answer

    status, reply = curl(f"{url}/models")
    assert (status, len(json.loads(reply)["data"])) == (200, 2)
    for expected, (status, reply) in [
        (400, curl(f"{url}/chat/completions", request | {"temperature": 3})),
        (401, curl(f"{url}/models", key="wrong")),
        (404, curl(f"{url}/chat/completions", request | {"model": "other"})),
        (404, curl(f"{url}/nowhere")),
    ]:
        assert status == expected
        assert set(json.loads(reply)["error"]) == {"message", "type", "param", "code"}
