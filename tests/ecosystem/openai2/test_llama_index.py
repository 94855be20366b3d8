"""LlamaIndex, over clients of httpx."""

import pytest
from llama_index.core.llms import ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai import OpenAI
from pydantic import BaseModel

import zerohop

CAPITAL = [ChatMessage(role="user", content="What is the capital of France?")]


class City(BaseModel):
    """A city."""

    name: str
    country: str


def get_weather(city: str) -> str:
    """Tells the weather of a city."""
    return f"It is sunny in {city}."


@pytest.fixture(scope="module")
def llm(program):
    return program("LlamaIndex")["llm"]


def test_chat_and_complete(llm):
    assert "Paris" in llm.chat(CAPITAL, max_tokens=32).message.content
    assert "Paris" in llm.complete(CAPITAL[0].content, max_tokens=32).text


def test_stream_chat(llm, run_async):
    pieces = [reply.delta for reply in llm.stream_chat(CAPITAL, max_tokens=32)]
    assert "Paris" in "".join(pieces)
    assert len(pieces) > 1

    async def async_pieces():
        stream = await llm.astream_chat(CAPITAL, max_tokens=32)
        return [reply.delta async for reply in stream]

    assert run_async(async_pieces()) == pieces


def test_tools(llm):
    tool = FunctionTool.from_defaults(get_weather)
    reply = llm.chat_with_tools(
        [tool], "What is the weather in Paris?", tool_required=True, max_tokens=64
    )
    [call] = llm.get_tool_calls_from_response(reply)
    assert (call.tool_name, call.tool_kwargs) == ("get_weather", {"city": "Paris"})
    assert str(tool(**call.tool_kwargs)) == "It is sunny in Paris."


def test_structured_outputs(llm):
    described = llm.structured_predict(City, PromptTemplate("Describe {name}."), name="Paris")
    assert described == City(name="Paris", country="France")


def test_the_class_for_openai_takes_names_that_it_knows(engine):
    llm = OpenAI(
        model="gpt-4o-mini",
        api_base=zerohop.BASE_URL,
        api_key="unused",
        http_client=zerohop.http_client(engine),
        temperature=0,
        max_tokens=32,
    )
    assert "Paris" in llm.chat(CAPITAL).message.content
