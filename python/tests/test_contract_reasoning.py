"""Thoughts: kept apart from the answer, streamed as such, counted, and switched off.

The model says noise in the form of a family that may think; a regular expression or a schema
holds the answer to a form, so that thoughts in it would be seen.
"""

import json
from pathlib import Path

import jsonschema
import pytest
from contract import both, streamed, user, whole
from support import USER, model

import zerohop

SCHEMA = {
    "type": "object",
    "properties": {"n": {"type": "integer", "minimum": 1, "maximum": 99}},
    "required": ["n"],
    "additionalProperties": False,
}
FORM = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA, "strict": True}}
TOOL = {"type": "function", "function": {"name": "f", "parameters": SCHEMA, "strict": True}}


@pytest.fixture(scope="module")
def opened_engine(qwen: Path):
    """A real model, whose template opens the thoughts."""
    template = model("templates/Qwen3.5-4B.jinja").read_text()
    with zerohop.Engine(qwen, context_length=4096, chat_template=template) as engine:
        yield engine


def check_value(choice) -> None:
    jsonschema.validate(json.loads(choice.message.content), SCHEMA)


def thoughts(message) -> str | None:
    return getattr(message, "reasoning_content", None)


def test_thoughts_are_apart_from_the_answer(opened_engine):
    # CR15, CS10, CR14, SO13
    reply = both(
        opened_engine,
        messages=user("What is 3 + 4? Answer as JSON with the key n. Think briefly."),
        response_format=FORM,
        temperature=0,
        max_tokens=300,
    )
    (choice,) = reply.choices
    if choice.finish_reason == "stop":
        check_value(choice)
    else:
        assert choice.message.content is None
    assert thoughts(choice.message) and "think>" not in thoughts(choice.message)
    counted = reply.usage.completion_tokens_details.reasoning_tokens
    assert 0 < counted <= reply.usage.completion_tokens


def test_thoughts_come_first(opened_engine):
    # CS10, CS15
    chunks = streamed(
        opened_engine, messages=user("Think of a number."), temperature=0, max_tokens=60
    )
    deltas = [choice.delta.to_dict() for chunk in chunks for choice in chunk.choices]
    kinds = [key for delta in deltas for key in delta if key in ("reasoning_content", "content")]
    kinds = [kind for kind in kinds if kind]
    assert kinds.count("reasoning_content") > 5
    assert kinds == sorted(kinds, key=lambda kind: kind == "content")


@pytest.mark.parametrize(
    "switch",
    [
        {"reasoning_effort": "none"},
        {"extra_body": {"chat_template_kwargs": {"enable_thinking": False}}},
    ],
    ids=["reasoning_effort", "chat_template_kwargs"],
)
@pytest.mark.parametrize("fixture", ["thinking_engine", "opened_engine"])
def test_thinking_is_switched_off(request, fixture, switch):
    # CQ13, CR15
    engine = request.getfixturevalue(fixture)
    reply = both(engine, messages=USER, response_format=FORM, max_tokens=60, seed=1, **switch)
    (choice,) = reply.choices
    check_value(choice)
    assert thoughts(choice.message) is None
    assert reply.usage.completion_tokens_details.reasoning_tokens == 0


@pytest.mark.parametrize("seed", range(4))
def test_a_schema_is_for_the_answer_alone(thinking_engine, seed):
    # SO13, CR15
    reply = both(thinking_engine, messages=USER, response_format=FORM, max_tokens=300, seed=seed)
    (choice,) = reply.choices
    if choice.finish_reason == "stop":
        check_value(choice)


@pytest.mark.parametrize("seed", range(3))
def test_calls_come_after_thoughts(thinking_engine, seed):
    # SO13, TL3, TL9
    reply = both(
        thinking_engine,
        messages=USER,
        tools=[TOOL],
        tool_choice="required",
        parallel_tool_calls=False,
        reasoning_effort="none" if seed == 0 else "low",
        max_tokens=300,
        seed=seed,
    )
    (choice,) = reply.choices
    assert choice.message.content is None
    if choice.finish_reason == "tool_calls":
        (call,) = choice.message.tool_calls
        jsonschema.validate(json.loads(call.function.arguments), SCHEMA)


def test_log_probabilities_are_of_the_answer(opened_engine):
    # CR10, CR11
    reply = both(
        opened_engine,
        messages=user("What is 3 + 4? Answer as JSON with the key n."),
        response_format=FORM,
        reasoning_effort="none",
        temperature=0,
        max_tokens=40,
        logprobs=True,
    )
    (choice,) = reply.choices
    told = b"".join(bytes(entry.bytes) for entry in choice.logprobs.content)
    assert told == choice.message.content.encode()


def test_thoughts_go_back_as_history(thinking_engine):
    # CR16
    past = {"role": "assistant", "content": "7", "reasoning_content": "3 + 4", "refusal": None}
    plain = whole(thinking_engine, messages=[*USER, past, *USER], max_tokens=1, seed=1)
    assert plain.usage.prompt_tokens


@pytest.mark.parametrize("effort", ["low", "medium", "high", "xhigh"])
def test_an_effort_reaches_a_template_that_knows_it(tiny, effort):
    # CQ13
    template = model("templates/openai-gpt-oss-120b.jinja").read_text()
    with zerohop.Engine(tiny, threads=1, context_length=8192, chat_template=template) as engine:
        request = {"messages": USER, "max_tokens": 1}
        lengths = {
            name: whole(engine, **request, reasoning_effort=name).usage.prompt_tokens
            for name in ["medium", effort]
        }
    # The word stands in the prompt: "Reasoning: medium".
    word = {"xhigh": "high"}.get(effort, effort)
    assert lengths[effort] - lengths["medium"] == len(word) - len("medium")
