"""Embeddings through the real SDK, against a forward pass of the same weights in numpy."""

import base64
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest
import support
from gguf import GGUFReader
from openai.types import CreateEmbeddingResponse

import zerohop

TEXTS = [
    "hello world",
    "A cat sits on the mat.",
    "Naïve café, 東京 & 1,234.5!",
    "unaffable antidisestablishmentarianism",
    "one two three " * 40,
]


@pytest.fixture(scope="module")
def client() -> Iterator[openai.OpenAI]:
    with zerohop.OpenAI(support.model("all-minilm-l6-v2-f16.gguf")) as client:
        yield client


def model(client: openai.OpenAI) -> str:
    return client.models.list().data[0].id


class Reference:
    """BERT with mean pooling, as its paper has it, in numpy."""

    def __init__(self, path: Path) -> None:
        reader = GGUFReader(path)
        self.tensors = {t.name: t.data.astype(np.float32) for t in reader.tensors}
        fields = reader.fields
        self.heads = int(fields["bert.attention.head_count"].contents())
        self.layers = int(fields["bert.block_count"].contents())
        words = fields["tokenizer.ggml.tokens"].contents()
        self.words = {word: token for token, word in enumerate(words)}

    def __call__(self, tokens: list[int]) -> Any:
        x = self.tensors["token_embd.weight"][tokens]
        x = x + self.tensors["position_embd.weight"][: len(tokens)]
        x = self._norm(x + self.tensors["token_types.weight"][0], "token_embd_norm")
        for layer in range(self.layers):
            block = f"blk.{layer}"
            x = self._norm(x + self._attention(x, block), f"{block}.attn_output_norm")
            hidden = self._linear(x, f"{block}.ffn_up")
            gelu = np.array([0.5 * v * (1 + math.erf(v / math.sqrt(2))) for v in hidden.flat])
            out = self._linear(gelu.reshape(hidden.shape), f"{block}.ffn_down")
            x = self._norm(x + out, f"{block}.layer_output_norm")
        mean = x.mean(axis=0)
        return mean / np.linalg.norm(mean)

    def _attention(self, x: Any, block: str) -> Any:
        split = (len(x), self.heads, -1)
        q, k, v = (self._linear(x, f"{block}.attn_{part}").reshape(split) for part in "qkv")
        scores = np.einsum("qhd,khd->hqk", q, k) / math.sqrt(q.shape[-1])
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        mixed = np.einsum("hqk,khd->qhd", scores / scores.sum(axis=-1, keepdims=True), v)
        return self._linear(mixed.reshape(len(x), -1), f"{block}.attn_output")

    def _linear(self, x: Any, name: str) -> Any:
        return x @ self.tensors[f"{name}.weight"].T + self.tensors[f"{name}.bias"]

    def _norm(self, x: Any, name: str) -> Any:
        mean, variance = x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True)
        scaled = (x - mean) / np.sqrt(variance + 1e-12)
        return scaled * self.tensors[f"{name}.weight"] + self.tensors[f"{name}.bias"]


def word_pieces(reference: Reference, *pieces: str) -> list[int]:
    """Tokens by their spellings in the file: what begins a word has a mark."""
    return [reference.words[piece] for piece in ["[CLS]", *pieces, "[SEP]"]]


def test_vectors_are_those_of_an_independent_computation(client: openai.OpenAI) -> None:
    # EM1, EM5
    reference = Reference(support.model("all-minilm-l6-v2-f16.gguf"))
    mark = "\u2581"
    texts = {
        "Hello, World!": word_pieces(reference, *(mark + w for w in ["hello", ",", "world", "!"])),
        "naïve café": word_pieces(reference, f"{mark}naive", f"{mark}cafe"),
        "unaffable": word_pieces(reference, f"{mark}una", "ffa", "ble"),
        "one two three " * 40: word_pieces(
            reference, *[mark + word for word in ["one", "two", "three"] * 40]
        ),
    }
    reply = client.embeddings.create(model=model(client), input=list(texts))
    assert reply.usage.prompt_tokens == sum(map(len, texts.values()))
    for embedding, tokens in zip(reply.data, texts.values(), strict=True):
        assert np.dot(embedding.embedding, reference(tokens)) >= 0.999


def test_the_sdk_decodes_what_it_asked_for(client: openai.OpenAI) -> None:
    # EM2, EM3
    name = model(client)
    reply = client.embeddings.create(model=name, input=TEXTS)
    assert isinstance(reply, CreateEmbeddingResponse)
    assert [embedding.index for embedding in reply.data] == list(range(len(TEXTS)))
    assert (reply.object, reply.model) == ("list", name)
    assert reply.usage.total_tokens == reply.usage.prompt_tokens > 150

    floats = client.embeddings.create(model=name, input=TEXTS[0], encoding_format="float")
    assert np.allclose(floats.data[0].embedding, reply.data[0].embedding, atol=1e-4)
    text = client.embeddings.create(model=name, input=TEXTS[0], encoding_format="base64")
    raw: Any = text.data[0].embedding
    assert np.allclose(np.frombuffer(base64.b64decode(raw), "<f4"), floats.data[0].embedding)


def test_dimensions(client: openai.OpenAI) -> None:
    # EM4
    name = model(client)
    whole = client.embeddings.create(model=name, input="a cat").data[0].embedding
    short = client.embeddings.create(model=name, input="a cat", dimensions=64).data[0].embedding
    cut = np.array(whole[:64])
    assert np.allclose(short, cut / np.linalg.norm(cut), atol=1e-5)


@pytest.mark.parametrize(
    ("keys", "param"),
    [
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": ["a", ""]}, "input[1]"),
        ({"input": ["a"] * 2049}, "input"),
        ({"input": "word " * 600}, "input"),
        ({"input": [1 << 20]}, "input"),
        ({"dimensions": 385}, "dimensions"),
        ({"dimensions": 0}, "dimensions"),
        ({"extra_body": {"dimension": 3}}, "dimension"),
    ],
)
def test_bad_requests(client: openai.OpenAI, keys: dict[str, Any], param: str) -> None:
    # EM1, EM4, EM6
    request: dict[str, Any] = {"model": model(client), "input": "a"} | keys
    with pytest.raises(openai.BadRequestError) as caught:
        client.embeddings.create(**request)
    assert caught.value.param == param


def test_a_chat_model_makes_no_vectors() -> None:
    # EM8
    with (
        zerohop.OpenAI(support.model("tiny/tiny-llama.gguf")) as client,
        pytest.raises(openai.BadRequestError, match="makes no vectors"),
    ):
        client.embeddings.create(model=model(client), input="a")
