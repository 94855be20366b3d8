"""LiteLLM, over SDK clients."""

import json

import litellm
import pytest
from pydantic import BaseModel

import zerohop

CAPITAL = [{"role": "user", "content": "What is the capital of France?"}]


class City(BaseModel):
    name: str
    country: str


@pytest.fixture(scope="module")
def names(program):
    return program("LiteLLM")


def test_completion(names):
    [choice] = names["reply"].choices
    assert "Paris" in choice.message.content
    assert choice.finish_reason == "stop"
    assert names["reply"].usage.completion_tokens > 1


def test_a_stream(names, engine, run_async):
    request = {"model": "openai/chat", "messages": CAPITAL, "temperature": 0, "stream": True}
    chunks = list(litellm.completion(client=names["client"], **request))
    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks]
    assert "Paris" in "".join(pieces)
    assert len(pieces) > 1

    async def async_pieces():
        stream = await litellm.acompletion(client=zerohop.AsyncOpenAI(engine), **request)
        return [chunk.choices[0].delta.content or "" async for chunk in stream]

    # How many tokens come at once is another matter.
    assert "".join(run_async(async_pieces())) == "".join(pieces)


def test_structured_outputs(names):
    reply = litellm.completion(
        model="openai/chat",
        client=names["client"],
        messages=[{"role": "user", "content": "Describe Paris."}],
        response_format=City,
        temperature=0,
    )
    described = json.loads(reply.choices[0].message.content)
    assert described == {"name": "Paris", "country": "France"}


def test_errors_are_its_own(names):
    with pytest.raises(litellm.BadRequestError, match="temperature"):
        litellm.completion(
            model="openai/chat", client=names["client"], messages=CAPITAL, temperature=9
        )
