"""Writes the first inputs of the fuzz targets into a folder, one of each target in it.

    python fuzz/seeds.py FOLDER

They are made of what the tests have: the tiny models and the beginnings of real ones, the hostile
corpus, the cases that all surfaces share, the templates and the speech. `make models` makes those,
and `make fuzz` runs this.
"""

import hashlib
import json
import os
import random
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MODELS = Path(os.environ["ZEROHOP_TEST_MODELS"])

# What the targets call the models of tests/cases/cases.json.
NAMES = {"tiny": "m", "bare": "m", "qwen": "m", "spm": "s", "sees": "v"}

# Paths that the cases do not have.
OTHERS: list[tuple[str, Any]] = [
    ("GET /v1/models", ""),
    ("GET /v1/models/m", ""),
    ("DELETE /v1/models/m", ""),
    ("GET /metrics?format=json", ""),
    ("GET /v1/files?limit=2&order=asc&purpose=batch", ""),
    ("GET /v1/batches?limit=2", ""),
    ("GET /v1/responses/resp_1?stream=true&starting_after=2", ""),
    ("GET /v1/chat/completions?limit=3&metadata[a]=b", ""),
    ("GET /v1/responses/resp_1/input_items", ""),
    (
        "POST /v1/batches",
        {"input_file_id": "file-1", "endpoint": "/v1/embeddings", "completion_window": "24h"},
    ),
    (
        "POST /v1/completions",
        {"model": "m", "prompt": ["a", ""], "max_tokens": 3, "echo": True, "logprobs": 2, "n": 2},
    ),
    ("POST /v1/completions", {"model": "m", "prompt": [[1, 2], [3]], "best_of": 3, "stop": "a"}),
    (
        "POST /v1/embeddings",
        {"model": "e", "input": ["a", "b"], "encoding_format": "base64", "dimensions": 8},
    ),
    (
        "POST /v1/rerank",
        {"model": "r", "query": "a cat", "documents": ["a", {"text": "b"}], "top_n": 1},
    ),
    (
        "POST /tokenize",
        {"model": "m", "messages": [{"role": "user", "content": "a"}], "return_token_strs": True},
    ),
    ("POST /detokenize", {"model": "s", "tokens": [1, 2, 3]}),
    (
        "POST /v1/responses",
        {
            "model": "m",
            "input": [{"role": "user", "content": "Hi"}],
            "max_output_tokens": 4,
            "stream": True,
        },
    ),
    ("POST /v1/responses/input_tokens", {"model": "m", "input": "Hi", "instructions": "Be brief."}),
    (
        "POST /v1/chat/completions",
        {
            "model": "m",
            "max_tokens": 8,
            "messages": [{"role": "user", "content": "Hi"}],
            "tools": [
                {
                    "type": "function",
                    "function": {"name": "f", "parameters": {"type": "object"}},
                }
            ],
            "tool_choice": "required",
            "stream": True,
            "stream_options": {"include_usage": True},
        },
    ),
    (
        "POST /v1/chat/completions",
        {
            "model": "m",
            "max_tokens": 8,
            "messages": [{"role": "user", "content": "Hi"}],
            "response_format": {
                "type": "json_schema",
                "json_schema": {
                    "name": "a",
                    "strict": True,
                    "schema": {
                        "type": "object",
                        "properties": {"a": {"type": "integer", "minimum": 3}},
                        "required": ["a"],
                        "additionalProperties": False,
                    },
                },
            },
        },
    ),
]

CONVERSATION = {
    "model": "m",
    "max_tokens": 2,
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "What is it?"}]},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "3"},
        {"role": "user", "content": "And?"},
    ],
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "f",
                "description": "Finds.",
                "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}},
            },
        }
    ],
}


def corpus(kind: str, longest: int) -> Iterator[bytes]:
    """The items of the hostile corpus; models without the zeros that are their weights."""
    folder = MODELS / "corpus"
    for item in json.loads((folder / "manifest.json").read_bytes()):
        if item["kind"] == kind:
            content = (folder / item["file"]).read_bytes()
            if kind in ("model", "adapter"):
                content = content.rstrip(b"\0")
            if len(content) <= longest:
                yield content


def gguf() -> Iterator[bytes]:
    """Headers, after a byte that says what the file is used as."""
    for path in sorted((MODELS / "tiny").glob("**/*.gguf")):
        how = b"\2" if "lora" in path.name else b"\0"
        # As far as any of their headers goes; the weights after it are of no interest.
        yield how + path.read_bytes()[:12_000]
    for path in sorted([*MODELS.glob("*.gguf"), *MODELS.glob("*.bin")]):
        with path.open("rb") as file:
            yield b"\1" + file.read(4000)
    for header in corpus("model", 12_000):
        yield b"\0" + header
    for header in corpus("adapter", 12_000):
        yield b"\2" + header


def message(head: str, body: bytes) -> bytes:
    """A request as the targets read it."""
    return head.encode() + b"\n\n" + body


def requests() -> Iterator[bytes]:
    """Requests to all paths."""
    for body in corpus("request", 4000):
        yield message("POST /v1/chat/completions", body)
    for case in json.loads((ROOT / "tests/cases/cases.json").read_bytes())["cases"]:
        request = dict(case["request"])
        request["model"] = NAMES.get(str(request.get("model")), "m")
        body = json.dumps(request).encode()
        if len(body) <= 4000:
            yield message(f"POST {case.get('path', '/v1/chat/completions')}", body)
    for head, request in OTHERS:
        yield message(head, json.dumps(request).encode() if request else b"")


def form(path: str, fields: dict[str, str], filename: str, content: bytes) -> bytes:
    """A form with a file."""
    parts = [
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = f'--b\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n'
    body = b"".join([*parts, head.encode(), b"\r\n", content, b"\r\n--b--\r\n"])
    return message(f"POST {path}\ncontent-type: multipart/form-data; boundary=b", body)


def forms() -> Iterator[bytes]:
    """Uploads, and the beginnings of sound files in all containers."""
    for path in sorted((MODELS / "speech").glob("garden.*")):
        if path.suffix != ".txt":
            for fields in [{}, {"stream": "true"}, {"response_format": "verbose_json"}]:
                yield form(
                    "/v1/audio/transcriptions",
                    {"model": "w", **fields},
                    path.name,
                    path.read_bytes()[:4000],
                )
    wav = (MODELS / "speech/garden.wav").read_bytes()[:1000]
    fields = {
        "model": "w",
        "response_format": "verbose_json",
        "timestamp_granularities[]": "word",
        "temperature": "0.5",
        "chunking_strategy": "auto",
        "include[]": "logprobs",
    }
    yield form("/v1/audio/transcriptions", fields, "a.wav", wav)
    yield form("/v1/audio/translations", {"model": "w", "response_format": "srt"}, "a.wav", wav)
    line = b'{"custom_id": "1", "method": "POST", "url": "/v1/embeddings", "body": {}}\n'
    for purpose in ["batch", "user_data", "fine-tune", "none"]:
        yield form("/v1/files", {"purpose": purpose}, "a.jsonl", line)
    expiry = {"expires_after[anchor]": "created_at", "expires_after[seconds]": "3600"}
    yield form("/v1/files", {"purpose": "batch", **expiry}, "a.jsonl", line)


def templates() -> Iterator[bytes]:
    """Templates, each with a request."""
    body = b"\0" + json.dumps(CONVERSATION).encode()
    for path in sorted((MODELS / "templates").glob("*.jinja")):
        source = path.read_bytes()
        if len(source) <= 8_000:
            yield source + body
    for source in corpus("template", 4000):
        yield source + body


def calls() -> Iterator[bytes]:
    """Choices."""
    choices = random.Random(1)
    for _ in range(32):
        yield choices.randbytes(400)


def main() -> None:
    """Writes them all."""
    for target in [gguf, requests, forms, templates, calls]:
        folder = Path(sys.argv[1]) / target.__name__
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for content in target():
            (folder / hashlib.sha256(content).hexdigest()[:16]).write_bytes(content)


if __name__ == "__main__":
    main()
