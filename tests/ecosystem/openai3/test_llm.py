"""The plugin for llm that the guide shows."""

import json

import llm
import pytest
from llm.plugins import pm
from pydantic import BaseModel


class City(BaseModel):
    name: str
    country: str


@pytest.fixture(scope="module")
def model(program):
    """The model as llm's command line finds it."""
    names = program("llm")

    class Plugin:
        register_models = staticmethod(names["register_models"])

    pm.register(Plugin, name="zerohop")
    yield llm.get_model("chat")
    pm.unregister(name="zerohop")


def test_a_prompt(model):
    # Long enough to come in pieces: what a busy reader has not fetched yet is joined.
    prompt = "What is the capital of France? Tell me its history."
    response = model.prompt(prompt, temperature=0, max_tokens=64)
    pieces = list(response)
    assert "Paris" in "".join(pieces)
    assert len(pieces) > 1
    assert response.usage().output > 1


def test_a_schema(model):
    response = model.prompt("Describe Paris.", schema=City, temperature=0, max_tokens=64)
    assert json.loads(response.text()) == {"name": "Paris", "country": "France"}


def test_a_tool(model):
    def get_weather(city: str) -> str:
        """Tells the weather of a city."""
        return f"It is sunny in {city}."

    response = model.prompt(
        "What is the weather in Paris?", tools=[get_weather], temperature=0, max_tokens=64
    )
    [result] = response.execute_tool_calls()
    assert (result.name, result.output) == ("get_weather", "It is sunny in Paris.")
