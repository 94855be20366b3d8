"""Pydantic AI, over an AsyncOpenAI."""

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput, RunContext, ToolOutput
from pydantic_ai.tools import ToolDefinition

SHORT = {"temperature": 0, "max_tokens": 64}


class City(BaseModel):
    name: str
    country: str


@pytest.fixture(scope="module")
def names(program):
    return program("Pydantic AI")


def test_an_answer(names, run_async):
    agent = Agent(names["model"], model_settings=SHORT)
    result = run_async(agent.run("What is the capital of France?"))
    assert "Paris" in result.output
    assert result.usage.output_tokens > 1


def test_a_stream(names, run_async):
    agent = Agent(names["model"], model_settings=SHORT)

    async def pieces():
        # Long enough to come in pieces: what a busy reader has not fetched yet is joined.
        prompt = "What is the capital of France? Tell me its history."
        async with agent.run_stream(prompt) as result:
            return [piece async for piece in result.stream_text(delta=True, debounce_by=None)]

    pieces = run_async(pieces())
    assert "Paris" in "".join(pieces)
    assert len(pieces) > 1


@pytest.mark.parametrize("kind", [ToolOutput, NativeOutput])
def test_structured_outputs(names, run_async, kind):
    agent = Agent(names["model"], output_type=kind(City), model_settings=SHORT)
    result = run_async(agent.run("Describe Paris."))
    assert result.output == City(name="Paris", country="France")
    # The first answer was right.
    assert result.usage.requests == 1


def test_an_agent_runs_a_tool_and_ends(names, run_async):
    agent = Agent(names["model"], model_settings=SHORT)
    seen = []

    # A model as small as this one goes on calling what it can.
    async def once(context: RunContext, tool: ToolDefinition) -> ToolDefinition | None:
        return None if seen else tool

    @agent.tool_plain(prepare=once)
    def get_weather(city: str) -> str:
        """Tells the weather of a city."""
        seen.append(city)
        return f"It is sunny in {city}, 24 degrees."

    result = run_async(agent.run("What is the weather in Paris?"))
    assert seen == ["Paris"]
    assert "sunny" in result.output
    assert result.usage.requests == 2
