"""What a real model calls: the right tools, with arguments of the right form."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jsonschema
import openai
import pydantic
import pytest
from contract import both, sampled, user, whole
from openai.lib._parsing import parse_chat_completion
from openai.types.chat import ChatCompletion

FILE = json.loads(Path(__file__).with_name("tool_prompts.json").read_text())
TOOLS = FILE["tools"]
# From all tools in turn, so that a sample has of each.
PROMPTS = [(name, tool["prompts"][index]) for index in range(5) for name, tool in TOOLS.items()]
SAMPLE = sampled(PROMPTS, 8)
FORMATS = jsonschema.Draft202012Validator.FORMAT_CHECKER


def definition(name: str, strict: bool) -> dict[str, Any]:
    tool = TOOLS[name]
    function = {"name": name, "description": tool["description"]}
    if tool["parameters"]:
        function |= {"parameters": tool["parameters"], "strict": strict}
    return {"type": "function", "function": function}


def neighbours(name: str) -> list[str]:
    """The tool, and another to choose from."""
    names = list(TOOLS)
    return sorted([name, names[(names.index(name) + 3) % len(names)]])


def check(call: Any) -> None:
    arguments = json.loads(call.function.arguments)
    parameters = TOOLS[call.function.name]["parameters"] or {"maxProperties": 0}
    jsonschema.validate(arguments, parameters, format_checker=FORMATS)


@pytest.fixture(scope="module")
def required_replies(qwen_engine) -> dict[str, ChatCompletion]:
    """The replies to the sample, asked for together."""

    def ask(case: tuple[str, str]) -> ChatCompletion:
        name, prompt = case
        tools = [definition(name, strict=len(prompt) % 2 == 0) for name in neighbours(name)]
        request = {"tools": tools, "tool_choice": "required", "temperature": 0, "max_tokens": 200}
        return whole(qwen_engine, messages=user(prompt), **request)

    with ThreadPoolExecutor(8) as pool:
        return dict(zip((prompt for _, prompt in SAMPLE), pool.map(ask, SAMPLE), strict=True))


@pytest.mark.timeout(1500)
@pytest.mark.parametrize(("name", "prompt"), SAMPLE)
def test_a_required_call_fits_its_schema(required_replies, name, prompt):
    # TL3, TL7, TL8
    (choice,) = required_replies[prompt].choices
    assert choice.finish_reason == "tool_calls"
    for call in choice.message.tool_calls:
        assert call.function.name in neighbours(name)
        check(call)


# Left to itself, this model fills in a union of types with a part of the schema.
HELPED = [(name, prompt) for name, prompt in PROMPTS[:10] if name != "lookup_user"]


@pytest.mark.parametrize(("name", "prompt"), sampled(HELPED, 4))
def test_auto_calls_where_a_tool_helps(qwen_engine, name, prompt):
    # TL2, TL8
    reply = whole(
        qwen_engine,
        messages=user(prompt),
        tools=[definition(name, strict=True)],
        temperature=0,
        max_tokens=200,
    )
    (choice,) = reply.choices
    assert choice.finish_reason == "tool_calls", choice.message.content
    assert {call.function.name for call in choice.message.tool_calls} == {name}


@pytest.mark.parametrize("prompt", sampled(FILE["chat"], 4))
def test_auto_answers_what_needs_no_tool(qwen_engine, prompt):
    # TL2, TL9
    reply = whole(
        qwen_engine,
        messages=user(prompt),
        tools=[definition("get_weather", strict=True)],
        temperature=0,
        max_tokens=60,
    )
    (choice,) = reply.choices
    assert choice.message.content and choice.message.tool_calls is None


CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER = {"name": "get_weather", "description": "Tells the weather.", "parameters": CITY}


def test_two_cities_are_two_calls(qwen_engine):
    # TL4, TL8, TL11: `both` checks the indexes of the stream
    reply = both(
        qwen_engine,
        messages=user("What is the weather in Paris and in Oslo?"),
        tools=[{"type": "function", "function": WEATHER}],
        tool_choice="required",
        parallel_tool_calls=True,
        temperature=0,
        max_tokens=120,
    )
    (answer,) = reply.choices
    assert answer.finish_reason == "tool_calls" and answer.message.content is None
    cities = [json.loads(call.function.arguments)["city"] for call in answer.message.tool_calls]
    assert [city.split(",")[0] for city in cities] == ["Paris", "Oslo"]


def test_two_cities_and_one_call(qwen_engine):
    # TL4
    reply = both(
        qwen_engine,
        messages=user("What is the weather in Paris and in Oslo?"),
        tools=[{"type": "function", "function": WEATHER}],
        tool_choice="required",
        parallel_tool_calls=False,
        temperature=0,
        max_tokens=120,
    )
    assert len(reply.choices[0].message.tool_calls) == 1


class Ticket(pydantic.BaseModel):
    """Opens a ticket about a fault."""

    title: str
    priority: int = pydantic.Field(ge=1, le=5)
    labels: list[str] = pydantic.Field(max_length=2)
    assignee: str | None


def test_pydantic_tools_come_back_as_their_class(qwen_engine):
    # TL15: what `chat.completions.parse` sends and makes of the reply
    tool = openai.pydantic_function_tool(Ticket)
    reply = both(
        qwen_engine,
        messages=user(
            "The login page is broken. Open a ticket of priority 2 with the label 'web'."
        ),
        tools=[tool],
        tool_choice={"type": "function", "function": {"name": "Ticket"}},
        temperature=0,
        max_tokens=200,
    )
    parsed = parse_chat_completion(
        response_format=openai.omit, input_tools=[tool], chat_completion=reply
    )
    (call,) = parsed.choices[0].message.tool_calls
    assert isinstance(call.function.parsed_arguments, Ticket)
    assert call.function.parsed_arguments.priority == 2
