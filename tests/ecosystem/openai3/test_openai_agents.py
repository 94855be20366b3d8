"""The OpenAI Agents SDK, over an AsyncOpenAI."""

import pytest
from agents import Agent, ModelSettings, OpenAIChatCompletionsModel, Runner, function_tool
from pydantic import BaseModel

SHORT = ModelSettings(temperature=0, max_tokens=64)


class City(BaseModel):
    name: str
    country: str


@pytest.fixture(scope="module", params=["responses", "chat completions"])
def model(request, program):
    """The guide's, which speaks the Responses API, and the SDK's other one."""
    model = program("OpenAI Agents SDK")["model"]
    if request.param == "chat completions":
        return OpenAIChatCompletionsModel("chat", openai_client=model._client)
    return model


def test_a_stream(model, run_async):
    agent = Agent(name="guide", model=model, model_settings=SHORT)

    async def pieces():
        # Long enough to come in pieces: what a busy reader has not fetched yet is joined.
        result = Runner.run_streamed(agent, "What is the capital of France? Tell me its history.")
        events = [event async for event in result.stream_events()]
        raw = [event.data for event in events if event.type == "raw_response_event"]
        deltas = [event.delta for event in raw if event.type == "response.output_text.delta"]
        assert "".join(deltas) == result.final_output
        return deltas

    pieces = run_async(pieces())
    assert "Paris" in "".join(pieces)
    assert len(pieces) > 1


def test_structured_outputs(model, run_async):
    agent = Agent(name="guide", model=model, output_type=City, model_settings=SHORT)
    result = run_async(Runner.run(agent, "Describe Paris."))
    assert result.final_output == City(name="Paris", country="France")


def test_an_agent_runs_a_tool_and_ends(model, run_async):
    seen = []

    # A model as small as this one goes on calling what it can.
    @function_tool(is_enabled=lambda context, agent: not seen)
    def get_weather(city: str) -> str:
        """Tells the weather of a city."""
        seen.append(city)
        return f"It is sunny in {city}, 24 degrees."

    agent = Agent(
        name="guide",
        model=model,
        model_settings=SHORT,
        tools=[get_weather],
    )
    result = run_async(Runner.run(agent, "What is the weather in Paris?", max_turns=3))
    assert seen == ["Paris"]
    assert "sunny" in result.final_output
    kinds = [item.type for item in result.new_items]
    assert kinds == ["tool_call_item", "tool_call_output_item", "message_output_item"]
