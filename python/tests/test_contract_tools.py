"""Tool calls: whether, which, with what arguments, and how they stream.

The model says noise, in the form of a family that knows tools; test_contract_calling.py has a real
one.
"""

import json
import re
from typing import Any

import jsonschema
import pytest
from contract import both, streamed, whole
from support import USER

import zerohop


def schema(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def function(name: str, parameters: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    definition = {"name": name, "description": f"Does {name}."} | more
    if parameters is not None:
        definition["parameters"] = parameters
    return {"type": "function", "function": definition}


def custom(name: str, grammar: str | None = None) -> dict[str, Any]:
    definition: dict[str, Any] = {"name": name, "description": f"Does {name}."}
    if grammar is not None:
        rule = {"syntax": "regex", "definition": grammar}
        definition["format"] = {"type": "grammar", "grammar": rule}
    return {"type": "custom", "custom": definition}


PARAMETERS = {
    "paint": schema(color={"enum": ["red", "green"]}, layers={"type": "integer", "maximum": 9}),
    "move": schema(by={"type": "array", "items": {"type": "boolean"}, "maxItems": 2}),
    "wait": {"type": "object", "properties": {}, "additionalProperties": False},
}
TOOLS = [function(name, parameters, strict=True) for name, parameters in PARAMETERS.items()]
# With noise, calls would go on for long: the limit cuts the rest.
NOISE = {"messages": USER, "tools": TOOLS, "max_tokens": 160, "temperature": 1}


def calls_of(engine, seed: int = 0, **request) -> list[Any]:
    """The calls of a reply, which its stream repeats; without one that was cut."""
    (choice,) = both(engine, **NOISE | request, seed=seed).choices
    calls = choice.message.tool_calls or []
    return calls[:-1] if choice.finish_reason == "length" else calls


def check_arguments(call: Any) -> None:
    # TL7
    arguments = json.loads(call.function.arguments)
    jsonschema.validate(arguments, PARAMETERS[call.function.name])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("parallel", [True, False, None])
def test_required_calls(tools_engine, seed, parallel):
    # TL3, TL4, TL5, TL7, TL8, TL10, TL11, TL12
    calls = calls_of(
        tools_engine, seed, tool_choice="required", parallel_tool_calls=parallel, max_tokens=400
    )
    assert calls
    assert parallel is not False or len(calls) == 1
    for call in calls:
        check_arguments(call)


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_named_choice_calls_that_tool(tools_engine, name):
    # TL2, TL3
    choice = {"type": "function", "function": {"name": name}}
    calls = calls_of(tools_engine, tool_choice=choice)
    assert [call.function.name for call in calls] == [name]
    check_arguments(calls[0])


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("names", [["paint"], ["move", "wait"]])
@pytest.mark.parametrize("mode", ["required", "auto"])
def test_allowed_tools_alone_are_called(tools_engine, seed, names, mode):
    # TL2, TL3
    allowed = [{"type": "function", "function": {"name": name}} for name in names]
    choice = {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": allowed}}
    calls = calls_of(tools_engine, seed, tool_choice=choice)
    assert calls or mode == "auto"
    assert {call.function.name for call in calls} <= set(names)


def test_the_declared_list_stays_in_the_prompt(tools_engine):
    # TL3: and in the prefix cache
    choices = [
        "auto",
        "none",
        "required",
        {"type": "function", "function": {"name": "wait"}},
        {
            "type": "allowed_tools",
            "allowed_tools": {
                "mode": "auto",
                "tools": [{"type": "function", "function": {"name": "wait"}}],
            },
        },
    ]
    prompts = {
        whole(tools_engine, **NOISE | {"max_tokens": 1}, tool_choice=choice).usage.prompt_tokens
        for choice in choices
    }
    (prompt,) = prompts
    assert prompt > whole(tools_engine, messages=USER, max_tokens=1).usage.prompt_tokens


@pytest.mark.parametrize("seed", range(3))
def test_none_calls_nothing(tools_engine, seed):
    # TL3
    (choice,) = both(tools_engine, **NOISE, seed=seed, tool_choice="none").choices
    assert choice.message.tool_calls is None and choice.message.content


def test_a_tool_without_parameters(tools_engine):
    # TL1, TL5
    for parameters in [None, {}, {"type": "object", "properties": {}}]:
        tools = [function("go", parameters)]
        (call,) = calls_of(
            tools_engine, tools=tools, tool_choice="required", parallel_tool_calls=False
        )
        assert call.function.arguments == "{}"


def test_ids_are_new(tools_engine):
    # TL5: unique across a conversation
    request = {"tool_choice": "required", "parallel_tool_calls": False, "seed": 1}
    history, seen = list(USER), set()
    for _ in range(3):
        message = whole(tools_engine, **NOISE | {"messages": history} | request).choices[0].message
        (call,) = message.tool_calls
        assert call.id not in seen
        seen.add(call.id)
        history += [message, {"role": "tool", "tool_call_id": call.id, "content": "ok"}]


def test_every_choice_has_its_calls(tools_engine):
    # CR2, TL5, CS7
    request = NOISE | {"tool_choice": "required", "parallel_tool_calls": False}
    reply = both(tools_engine, **request, n=3, seed=1)
    ids = [call.id for choice in reply.choices for call in choice.message.tool_calls]
    assert len(set(ids)) == 3


def test_a_cut_call_is_a_length(tools_engine):
    # TL7, TL8
    reply = both(tools_engine, **NOISE | {"max_tokens": 40}, tool_choice="required", seed=2)
    assert reply.choices[0].finish_reason == "length"


@pytest.mark.parametrize("pattern", ["[a-f]{4,9}", "SELECT [a-z]{1,6};", '(é|😀|\\"x){2,5}'])
def test_a_custom_tool_takes_a_text(tools_engine, pattern):
    # TL6, TL13
    tools = [custom("write", pattern), TOOLS[0]]
    choice = {"type": "custom", "custom": {"name": "write"}}
    (call,) = calls_of(tools_engine, tools=tools, tool_choice=choice)
    assert (call.type, call.custom.name) == ("custom", "write")
    assert re.fullmatch(pattern, call.custom.input)


def test_custom_and_other_tools_together(tools_engine):
    # TL6, TL13, TL11
    tools = [custom("write", "[a-f]{2,4}"), TOOLS[2]]
    request = {"tools": tools, "tool_choice": "required", "temperature": 2}
    request |= {"extra_body": {"min_p": 0}}
    calls = [call for seed in range(4) for call in calls_of(tools_engine, seed, **request)]
    assert {call.type for call in calls} == {"custom", "function"}
    assert all(call.type == "function" or call.custom.input for call in calls)


@pytest.mark.parametrize(
    ("tool", "param"),
    [
        (custom("c", "(a"), "tools[0].custom.format.grammar.definition"),
        (custom("c", "a(?=b)"), "tools[0].custom.format.grammar.definition"),
        (function("f", {"type": "object", "properties": {}}, strict=True), None),
        (function("f", schema(a={"not": {}}), strict=True), None),
        (function("f", {"type": "string"}, strict=True), None),
        (function("f", None, strict=True), None),
    ],
)
def test_what_cannot_be_enforced_is_refused(tools_engine, tool, param):
    # TL6, TL7
    with pytest.raises(zerohop.BadRequestError) as caught:
        tools_engine.chat.completions.create(**NOISE | {"tools": [tool]})
    assert caught.value.param == (param or "tools[0].function.parameters")


def test_without_strict_arguments_are_json(tools_engine):
    # TL7: also where the schema is beyond what can be enforced
    tools = [function("f", {"type": "object", "properties": {"a": {"type": "null"}}, "if": {}})]
    (call,) = calls_of(
        tools_engine,
        tools=tools,
        tool_choice="required",
        parallel_tool_calls=False,
        max_tokens=2000,
    )
    assert isinstance(json.loads(call.function.arguments), dict)


@pytest.mark.parametrize(
    ("choice", "tools"),
    [
        ({"type": "function", "function": {"name": "fly"}}, TOOLS),
        ({"type": "custom", "custom": {"name": "paint"}}, TOOLS),
        ("required", None),
        ("auto", None),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}}, TOOLS),
    ],
)
def test_choices_must_be_declared(tools_engine, choice, tools):
    # TL2
    with pytest.raises(zerohop.BadRequestError) as caught:
        tools_engine.chat.completions.create(messages=USER, tools=tools, tool_choice=choice)
    assert caught.value.param.startswith("tool_choice")


def test_calls_come_as_they_are_written(tools_engine):
    # CS15: arguments in many pieces, not all at the end
    choice = {"type": "function", "function": {"name": "say"}}
    tools = [function("say", schema(text={"type": "string", "minLength": 60, "maxLength": 60}))]

    def pieces() -> int:
        chunks = streamed(tools_engine, **NOISE | {"tools": tools}, tool_choice=choice, seed=1)
        deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
        return sum(len(delta.tool_calls or []) for delta in deltas)

    # What waits for its reader is joined, which may have to wait for a processor. Not five times.
    assert any(pieces() > 10 for _ in range(5))
