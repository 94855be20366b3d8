"""Ranking and tokens."""

import json
import math
from collections.abc import Iterator
from typing import Any

import anyio
import pytest
from support import USER, model

import zerohop
from zerohop import types

QUERY = "what is the capital of france"


@pytest.fixture(scope="module")
def ranker() -> Iterator[zerohop.Engine]:
    with zerohop.Engine(model("tiny/tiny-rank.gguf"), threads=1) as engine:
        yield engine


def test_documents_are_ranked(ranker: zerohop.Engine) -> None:
    answers = json.loads(model("tiny/tiny-rank.json").read_text())
    answers = [answer for answer in answers if answer["query"] == QUERY]
    documents = [answer["document"] for answer in answers]
    reply = ranker.rerank(query=QUERY, documents=documents, return_documents=True)
    assert isinstance(reply, types.RerankResponse)
    scores = [result.relevance_score for result in reply.results]
    assert scores == sorted(scores, reverse=True)
    for result in reply.results:
        assert isinstance(result, types.RerankResult)
        assert result.document is not None and result.document.text == documents[result.index]
        expected = 1 / (1 + math.exp(-answers[result.index]["logit"]))
        assert result.relevance_score == pytest.approx(expected, abs=2e-3)
    assert reply.usage.total_tokens == reply.usage.prompt_tokens > 20
    mappings = ({"text": text} for text in documents)
    best = ranker.rerank(query=QUERY, documents=mappings, top_n=1)
    assert [result.index for result in best.results] == [reply.results[0].index]
    assert best.results[0].document is None


def test_what_cannot_be_ranked(ranker: zerohop.Engine, engine: zerohop.Engine) -> None:
    bad: list[tuple[zerohop.Engine, dict[str, Any], str]] = [
        (ranker, {"query": "", "documents": ["a"]}, "query"),
        (ranker, {"query": "a", "documents": []}, "documents"),
        (ranker, {"query": "a", "documents": ["a", 1]}, "documents[1]"),
        (ranker, {"query": "a", "documents": ["red " * 200]}, "documents[0]"),
        (ranker, {"query": "a", "documents": ["a"], "top_n": 0}, "top_n"),
        (engine, {"query": "a", "documents": ["a"]}, "model"),
    ]
    for which, request, param in bad:
        with pytest.raises(zerohop.BadRequestError) as raised:
            which.rerank(**request)
        assert raised.value.param == param
    rerank: Any = ranker.rerank
    pytest.raises(TypeError, rerank, query="a")
    pytest.raises(TypeError, rerank, query="a", documents=["a"], top_k=1)


def test_tokens_and_back(engine: zerohop.Engine) -> None:
    text = "the hen & café 😀<|im_end|>"
    reply = engine.tokenize(prompt=text, return_token_strs=True)
    assert isinstance(reply, types.TokenizeResponse)
    assert reply.count == len(reply.tokens) == len(reply.token_strs or [])
    assert (reply.token_strs or [])[-1] == "<|im_end|>"
    back = engine.detokenize(tokens=iter(reply.tokens))
    assert isinstance(back, types.DetokenizeResponse)
    assert back.prompt == text
    assert engine.tokenize(prompt=text).token_strs is None
    usage = engine.chat.completions.create(messages=USER, max_tokens=1).usage
    assert usage is not None and engine.tokenize(messages=USER).count == usage.prompt_tokens
    completion = engine.completions.create(prompt=reply.tokens[:3], max_tokens=0, echo=True)
    assert text.startswith(completion.choices[0].text)
    for request, param in (({}, "prompt"), ({"prompt": "a", "messages": USER}, "messages")):
        with pytest.raises(zerohop.BadRequestError) as raised:
            engine.tokenize(**request)  # type: ignore[arg-type]
        assert raised.value.param == param
    with pytest.raises(zerohop.BadRequestError) as raised:
        engine.detokenize(tokens=[1, 10**7])
    assert raised.value.param == "tokens[1]"


def test_event_loops(ranker: zerohop.Engine) -> None:
    async def main() -> None:
        async with zerohop.AsyncEngine(ranker) as engine:
            ranked = await engine.rerank(query=QUERY, documents=["rome", "a cat"])
            assert ranked.results == ranker.rerank(query=QUERY, documents=["rome", "a cat"]).results
            tokens = (await engine.tokenize(prompt="a cat", add_special_tokens=False)).tokens
            assert len(tokens) == 2
            assert (await engine.detokenize(tokens=tokens)).prompt.strip() == "a cat"

    anyio.run(main)
