"""LangChain's ChatOpenAI, over clients of httpx2."""

import pytest
from langchain_core.tools import tool
from pydantic import BaseModel

CAPITAL = "What is the capital of France?"


class City(BaseModel):
    """A city."""

    name: str
    country: str


@tool
def get_weather(city: str) -> str:
    """Tells the weather of a city."""
    return f"It is sunny in {city}."


@pytest.fixture(scope="module")
def llm(program):
    return program("LangChain")["llm"]


def test_invoke(llm):
    reply = llm.invoke(CAPITAL, max_tokens=32)
    assert "Paris" in reply.content
    assert reply.response_metadata["finish_reason"] == "stop"
    assert reply.usage_metadata["output_tokens"] > 1


def test_batch(llm):
    replies = llm.batch([CAPITAL, "What is the capital of Italy?"], max_tokens=32)
    assert [("Paris" in reply.content, "Rome" in reply.content) for reply in replies] == [
        (True, False),
        (False, True),
    ]


def test_stream(llm):
    pieces = [chunk.content for chunk in llm.stream(CAPITAL, max_tokens=32)]
    assert "Paris" in "".join(pieces)
    assert len([piece for piece in pieces if piece]) > 3


def test_astream(llm, run_async):
    async def pieces():
        return [chunk.content async for chunk in llm.astream(CAPITAL, max_tokens=32)]

    pieces = run_async(pieces())
    assert "Paris" in "".join(pieces)
    assert len([piece for piece in pieces if piece]) > 3


def test_bind_tools(llm):
    bound = llm.bind_tools([get_weather], tool_choice="get_weather")
    reply = bound.invoke("What is the weather in Paris?", max_tokens=64)
    [call] = reply.tool_calls
    assert (call["name"], call["args"]) == ("get_weather", {"city": "Paris"})
    assert reply.invalid_tool_calls == []
    result = get_weather.invoke(call)
    assert (result.content, result.tool_call_id) == ("It is sunny in Paris.", call["id"])


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_with_structured_output(llm, method):
    described = llm.with_structured_output(City, method=method).invoke("Describe Paris.")
    assert isinstance(described, City)
    assert (described.name, described.country) == ("Paris", "France")
