"""Structured outputs: what comes back fits, judged by an independent validator; what cannot be
enforced is refused."""

import enum
import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jsonschema
import openai
import pydantic
import pytest
from contract import FULL, both, joined, sampled, streamed, user, whole
from openai.lib._parsing import parse_chat_completion, type_to_response_format_param
from openai.types.chat import ChatCompletion
from support import USER

import zerohop

Validator = jsonschema.Draft202012Validator
LINES = Path(__file__).resolve().parents[2] / "core/src/constrain/tests/schemas.jsonl"


def judged(schema: Any) -> bool:
    """Whether Python can judge the patterns: it has no `\\p` and other names and sets."""
    return not re.search(r"\\\\p\{|\(\?<|\[\[", json.dumps(schema))


def wide(required: bool) -> dict[str, Any]:
    kinds: list[dict[str, Any]] = [{"type": "integer"}, {"type": "boolean"}, {"enum": ["a", "b"]}]
    properties = {f"property_{index}": kinds[index % 3] for index in range(200)}
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return schema | ({"required": list(properties)} if required else {})


SCHEMAS = [
    *(
        schema
        for schema in map(json.loads, LINES.read_text().splitlines())
        if schema and judged(schema)
    ),
    wide(required=True),
    wide(required=False),
    {"enum": [f"value {index}" for index in range(1000)]},
]
SCHEMAS = [schema for schema in SCHEMAS if isinstance(schema, dict)]


def form(schema: dict[str, Any], strict: bool | None = None) -> dict[str, Any]:
    return {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": schema, "strict": strict},
    }


def check(reply: ChatCompletion, schema: dict[str, Any]) -> int:
    """Checks the choices that have come to their end; gives how many."""
    whole = [choice for choice in reply.choices if choice.finish_reason == "stop"]
    for choice in whole:
        value = json.loads(choice.message.content)
        Validator(schema, format_checker=Validator.FORMAT_CHECKER).validate(value)
        if "properties" in schema and isinstance(value, dict):
            # SO8
            order = [name for name in schema["properties"] if name in value]
            assert [name for name in value if name in order] == order
    return len(whole)


def answers(
    engine: zerohop.Engine, indexes: list[int], **options: Any
) -> dict[int, ChatCompletion]:
    """Replies in the form of these schemas, asked for together."""

    def ask(index: int) -> ChatCompletion:
        schema = SCHEMAS[index]
        task = f"Give an example of a JSON value for this schema: {json.dumps(schema)[:600]}"
        limit = 3000 if len(str(schema)) > 4000 else 150
        request = {"messages": user(task), "seed": index, "max_tokens": limit} | options
        return whole(engine, **request, response_format=form(schema, strict=False))

    with ThreadPoolExecutor(8) as pool:
        return dict(zip(indexes, pool.map(ask, indexes), strict=True))


@pytest.fixture(scope="module")
def noise(tools_engine) -> dict[int, ChatCompletion]:
    """Hot, since noise ends neither texts nor numbers otherwise."""
    options = {"temperature": 2, "n": 2, "extra_body": {"min_p": 0}}
    return answers(tools_engine, list(range(len(SCHEMAS))), **options)


@pytest.fixture(scope="module")
def meant(qwen_engine) -> dict[int, ChatCompletion]:
    return answers(qwen_engine, MEANT, temperature=0.7)


# The widest, the last, take too long for a sample.
MEANT = sampled(list(range(len(SCHEMAS))), len(SCHEMAS) if FULL else 15)


@pytest.mark.parametrize("index", range(len(SCHEMAS)))
def test_noise_fits_every_schema(noise, index):
    # SO2, SO4, SO6, SO7, SO8, SO11
    check(noise[index], SCHEMAS[index])


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("index", MEANT)
def test_a_model_fits_schemas(meant, index):
    # SO2, SO4
    check(meant[index], SCHEMAS[index])


@pytest.mark.parametrize("fixture", ["noise", "meant"])
def test_most_come_to_their_end(request, fixture):
    # Else nothing was tested.
    replies = request.getfixturevalue(fixture)
    ends = [index for index, reply in replies.items() if check(reply, SCHEMAS[index])]
    assert len(SCHEMAS) >= 100 and len(ends) >= 0.9 * len(replies)


class Kind(enum.StrEnum):
    CAT = "cat"
    DOG = "dog"


class Toy(pydantic.BaseModel):
    name: str = pydantic.Field(max_length=20, description="What it is called.")
    price: float | None = pydantic.Field(ge=0, lt=100)


class Pet(pydantic.BaseModel):
    """An animal at home."""

    name: str = pydantic.Field(pattern="^[A-Z][a-z]{1,9}$")
    kind: Kind
    age: int = pydantic.Field(ge=0, le=30)
    toys: list[Toy] = pydantic.Field(max_length=2)
    friend: "Pet | None"


def test_pydantic_models_come_back_as_their_class(qwen_engine):
    # SO2, SO3, SO7, CS14: what `chat.completions.parse` sends and makes of the reply
    wanted = type_to_response_format_param(Pet)
    assert wanted["json_schema"]["strict"] is True
    reply = both(
        qwen_engine,
        messages=user("Describe my old cat Tom, who has a ball and no friends, as JSON."),
        response_format=wanted,
        temperature=0,
        max_tokens=200,
    )
    parsed = parse_chat_completion(
        response_format=Pet, input_tools=openai.omit, chat_completion=reply
    )
    pet = parsed.choices[0].message.parsed
    assert isinstance(pet, Pet) and pet.kind is Kind.CAT
    # SO14
    assert reply.choices[0].message.refusal is None


OBJECT = {
    "type": "object",
    "properties": {"a": {"type": "integer", "minimum": 5, "maximum": 500}, "b": {"enum": ["x"]}},
    "required": ["a", "b"],
    "additionalProperties": False,
}


def inside(schema: Any) -> dict[str, Any]:
    """A strict object around a schema."""
    wrapped = {"type": "object", "properties": {"a": schema}, "required": ["a"]}
    return wrapped | {"additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ({"type": "array", "items": {"type": "string"}}, "#"),
        ({"anyOf": [OBJECT]}, "#"),
        (OBJECT | {"additionalProperties": True}, "#"),
        (OBJECT | {"required": ["a"]}, "#"),
        (inside({"type": "object", "properties": {}}), "#/properties/a"),
        (inside({"type": "array", "items": OBJECT | {"required": []}}), "#/properties/a/items"),
        (inside({"anyOf": [{"type": "null"}, {"type": "object"}]}), "#/properties/a/anyOf/1"),
        (inside({}), "#/properties/a"),
    ],
)
def test_the_strict_subset_is_demanded(engine, schema, path):
    # SO3
    error = refused(engine, form(schema, strict=True))
    assert error.param == "response_format.json_schema.schema" and f"`{path}`" in error.message


def refused(engine, response_format: dict[str, Any]) -> zerohop.BadRequestError:
    with pytest.raises(zerohop.BadRequestError) as caught:
        engine.chat.completions.create(messages=USER, response_format=response_format)
    return caught.value


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    "schema",
    [
        {"not": {"type": "null"}},
        {"type": "object", "if": {}, "then": {}, "else": {}},
        {"type": "object", "dependentRequired": {"a": ["b"]}},
        {"type": "object", "dependentSchemas": {"a": {}}},
        {"type": "object", "patternProperties": {"^a": {}}},
        {"$ref": "https://example.com/schema.json"},
        {"$ref": "#/$defs/missing"},
        {"type": "array", "uniqueItems": True},
        {"type": "string", "pattern": "(a"},
        {"type": "string", "pattern": "a(?=b)"},
        {"type": "text"},
        {"type": "integer", "minimum": "low"},
    ],
    ids=str,
)
def test_what_cannot_be_enforced_is_refused(engine, schema, strict):
    # SO5
    error = refused(engine, form(inside(schema), strict=strict))
    assert error.param == "response_format.json_schema.schema"
    # An expression that cannot be read is found where all of the schema is compiled.
    assert "#/properties/a" in error.message or schema.get("pattern") == "(a"


def deep(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "null"}
    for _ in range(levels):
        schema = inside(schema)
    return schema


def test_ceilings(engine):
    # SO9: at least those that the API documents, and no hang beyond them
    def many(count: int) -> dict[str, Any]:
        names = [f"p{index}" for index in range(count)]
        properties = dict.fromkeys(names, {"type": "null"})
        return {"type": "object", "properties": properties, "required": names} | {
            "additionalProperties": False
        }

    values = inside({"enum": [f"v{index}" for index in range(1000)]})
    # Its states are many, and made as they are met.
    costly = inside({"type": "string", "pattern": "^(a|b)*a(a|b){5000}$"})
    for good in [deep(10), many(5000), values, costly]:
        whole(engine, messages=USER, response_format=form(good, strict=True), max_tokens=3)
    for bad in [deep(200), many(20_000)]:
        assert refused(engine, form(bad, strict=True)).status_code == 400


@pytest.mark.parametrize("seed", range(3))
def test_json_object_is_an_object(engine, seed):
    # SO10
    request = {"messages": USER, "seed": seed, "temperature": 2, "max_tokens": 1000}
    (choice,) = both(engine, **request, response_format={"type": "json_object"}).choices
    if choice.finish_reason == "stop":
        assert isinstance(json.loads(choice.message.content), dict)
    else:
        assert choice.message.content.startswith("{")


@pytest.mark.parametrize(
    "wanted",
    [
        {"response_format": {"type": "regex", "regex": "[a-c]{3}-(é|😀){2}"}},
        {"response_format": {"type": "lark", "lark": 'start: /[a-c]{3}/ "-" ("é" | "😀")~2'}},
        {"extra_body": {"grammar": 'start: /[a-c]{3}/ "-" ("é" | "😀")~2'}},
    ],
    ids=["regex", "lark", "grammar"],
)
def test_expressions_and_grammars_are_followed(engine, wanted):
    # Extensions beside SO1
    for seed in range(3):
        (choice,) = both(engine, messages=USER, seed=seed, **wanted).choices
        assert choice.finish_reason == "stop"
        assert re.fullmatch("[a-c]{3}-(é|😀){2}", choice.message.content)


@pytest.mark.parametrize(
    ("wanted", "param"),
    [
        ({"type": "regex", "regex": "(a"}, "response_format.regex"),
        ({"type": "regex", "regex": "a(?!b)"}, "response_format.regex"),
        ({"type": "lark", "lark": "start: missing"}, "response_format.lark"),
        ({"type": "lark", "lark": "no grammar"}, "response_format.lark"),
    ],
)
def test_bad_grammars_are_refused(engine, wanted, param):
    # ER3, ER8
    assert refused(engine, wanted).param == param


def test_a_cut_answer_is_a_length(engine):
    # SO12
    long = inside({"type": "string", "minLength": 60, "maxLength": 90})
    request = {
        "messages": USER,
        "response_format": form(long, strict=True),
        "max_tokens": 20,
        "seed": 1,
    }
    reply = both(engine, **request)
    assert reply.choices[0].finish_reason == "length"
    with pytest.raises(openai.LengthFinishReasonError):
        parse_chat_completion(response_format=Pet, input_tools=openai.omit, chat_completion=reply)
    # A content filter there is not; the SDK's error for one would be of its own making.
    filtered = reply.model_copy(deep=True)
    filtered.choices[0].finish_reason = "content_filter"
    with pytest.raises(openai.ContentFilterFinishReasonError):
        parse_chat_completion(
            response_format=Pet, input_tools=openai.omit, chat_completion=filtered
        )


@pytest.mark.parametrize("seed", range(6))
def test_with_tools_it_is_calls_or_a_value(tools_engine, seed):
    # SO13
    tools = [{"type": "function", "function": {"name": "f", "parameters": OBJECT, "strict": True}}]
    request = {"messages": USER, "tools": tools, "seed": seed, "max_tokens": 300}
    (choice,) = both(tools_engine, **request, response_format=form(OBJECT, strict=True)).choices
    if choice.finish_reason == "length":
        assert choice.message.tool_calls
        return
    texts = [call.function.arguments for call in choice.message.tool_calls or []]
    for text in texts or [choice.message.content]:
        jsonschema.validate(json.loads(text), OBJECT)


def test_cold_or_cached_the_output_is_the_same(engine):
    # SO15
    schema = inside({"type": "string", "pattern": "^[k-q]{20}$"})
    request = {"messages": USER, "response_format": form(schema, strict=True), "seed": 5}
    first = whole(engine, **request)
    assert whole(engine, **request).choices == first.choices
    assert joined(streamed(engine, **request)).choices[0].message.content == (
        first.choices[0].message.content
    )
