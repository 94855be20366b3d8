"""The API's objects."""

import copy
import importlib
import inspect
import json
import pickle
import pydoc

import pydantic
import pytest
from openai.types.chat import ChatCompletion as OpenAIChatCompletion

import zerohop
from zerohop import _native, types
from zerohop.types import chat

REPLY = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1700000000,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": 'Zürich\'s "best"\n😀',
                "refusal": None,
                "reasoning_content": "hm",
                "annotations": [],
            },
            "logprobs": {
                "content": [
                    {
                        "token": "Z",
                        "logprob": -0.5,
                        "bytes": [90],
                        "top_logprobs": [{"token": "Z", "logprob": -1.0, "bytes": None}],
                    }
                ],
                "refusal": None,
            },
            "finish_reason": "stop",
        }
    ],
    "usage": {
        "prompt_tokens": 1,
        "completion_tokens": 2,
        "total_tokens": 3,
        "prompt_tokens_details": {"cached_tokens": 0},
    },
    "system_fingerprint": None,
    "timings": {"z": 1, "a": [1.5, True, None, 2**63, -(2**63)]},
}

CLASSES = [
    value
    for value in vars(_native).values()
    if inspect.isclass(value) and issubclass(value, types.BaseModel)
]

# What our classes have beside the API's fields.
OURS_BESIDE = {"vectors"}


def fields(cls):
    names = {name for name, value in vars(cls).items() if inspect.isgetsetdescriptor(value)}
    return names - OURS_BESIDE


@pytest.fixture
def reply():
    return chat.ChatCompletion.model_validate(REPLY)


@pytest.fixture
def theirs():
    return OpenAIChatCompletion.model_validate(REPLY)


def test_fields_are_attributes(reply):
    assert reply.created == 1700000000
    choice = reply.choices[0]
    assert isinstance(choice, chat.chat_completion.Choice)
    assert isinstance(choice.message, types.ChatCompletionMessage)
    assert choice.message.content == REPLY["choices"][0]["message"]["content"]
    assert isinstance(reply.usage.prompt_tokens_details, types.PromptTokensDetails)
    (entry,) = choice.logprobs.content
    assert (entry.logprob, entry.bytes, entry.top_logprobs[0].bytes) == (-0.5, [90], None)


def test_optional_fields_that_are_absent_are_none(reply):
    assert reply.service_tier is None
    assert reply.usage.completion_tokens_details is None
    assert reply.choices[0].message.tool_calls is None


def test_unknown_fields_survive(reply):
    assert reply.choices[0].message.reasoning_content == "hm"
    assert reply.timings == REPLY["timings"]
    assert list(reply.timings) == ["z", "a"]
    assert "timings" in dir(reply) and "model_dump" in dir(reply) and "id" in dir(reply)
    assert reply.to_dict()["timings"] == REPLY["timings"]


def test_unknown_names_are_attribute_errors(reply):
    with pytest.raises(AttributeError, match="'ChatCompletion' object has no attribute 'text'"):
        _ = reply.text
    assert not hasattr(reply, "content")


def test_objects_cannot_be_changed(reply):
    with pytest.raises(AttributeError):
        reply.model = "other"
    with pytest.raises(AttributeError):
        reply.other = 1
    reply.choices.clear()
    assert len(reply.choices) == 1


def test_dumps_are_openais(reply, theirs):
    assert reply.model_dump() == theirs.model_dump()
    assert list(reply.model_dump()) == list(theirs.model_dump())
    assert reply.model_dump(mode="json") == theirs.model_dump(mode="json")
    assert reply.to_dict() == theirs.to_dict() == REPLY
    assert reply.model_dump_json() == theirs.model_dump_json()
    assert reply.model_dump_json(indent=4) == theirs.model_dump_json(indent=4)
    assert reply.to_json() == theirs.to_json()
    assert reply.to_json(indent=None) == theirs.to_json(indent=None)
    for option in ["exclude_unset", "exclude_defaults", "exclude_none"]:
        assert reply.model_dump(**{option: True}) == theirs.model_dump(**{option: True}), option
        assert json.loads(reply.model_dump_json(**{option: True})) == json.loads(
            theirs.model_dump_json(**{option: True})
        )


def test_repr_is_openais(reply, theirs):
    assert repr(reply) == str(reply) == repr(theirs)
    assert "\n" not in repr(reply)


def test_equality(reply, theirs):
    same = chat.ChatCompletion.model_validate(dict(reversed(REPLY.items())))
    assert reply == same
    assert reply != chat.ChatCompletion.model_validate(REPLY | {"model": "other"})
    # A field that is absent and one that is null say the same, as in pydantic.
    assert reply == chat.ChatCompletion.model_validate(REPLY | {"service_tier": None})
    assert reply != REPLY and reply != theirs
    logprobs = {"content": None, "refusal": None}
    assert types.ChoiceLogprobs(**logprobs) != types.ChunkChoiceLogprobs(**logprobs)
    assert types.TopLogprob(token="a", logprob=-1) == types.TopLogprob(token="a", logprob=-1.0)
    with pytest.raises(TypeError):
        hash(reply)


def test_iterating_gives_the_fields(reply, theirs):
    assert list(dict(reply)) == list(dict(theirs))
    ours = {name: value for name, value in reply if name not in ("choices", "usage")}
    assert ours == {n: v for n, v in theirs if n not in ("choices", "usage")}
    assert dict(reply)["usage"] == reply.usage
    assert reply.model_fields_set == theirs.model_fields_set
    assert reply.model_extra == theirs.model_extra == {"timings": REPLY["timings"]}


SELECTIONS = [
    {"include": {"id", "usage"}},
    {"include": {"id": True, "usage": {"prompt_tokens"}, "model": ...}},
    {"exclude": {"choices"}},
    {"exclude": {"choices": {0: {"message": {"content", "refusal"}}}, "usage": True}},
    {"exclude": {"choices": {"__all__": {"message": {"annotations"}}}}},
    {"include": {"choices": {-1: {"index", "finish_reason"}}}},
    {"include": {"choices", "id"}, "exclude": {"id": True, "choices": {0: {"message"}}}},
    {"include": {"choices": {"__all__": {"index"}, 0: {"finish_reason"}}}},
    {"exclude": {"timings": {"a": {1, -1}}, "id": False}},
    {"include": set()},
    {"include": {"nothing"}, "exclude_none": True},
]


@pytest.mark.parametrize("selection", SELECTIONS, ids=str)
def test_dumps_of_parts_are_openais(reply, theirs, selection):
    assert reply.model_dump(**selection) == theirs.model_dump(**selection)
    assert json.loads(reply.model_dump_json(**selection)) == json.loads(
        theirs.model_dump_json(**selection)
    )


def test_openais_other_keywords_are_taken(reply, theirs):
    options = {"by_alias": True, "round_trip": True, "warnings": False}
    assert reply.model_dump(**options) == theirs.model_dump(**options)
    assert reply.model_dump_json(**options) == theirs.model_dump_json(**options)
    options = {"use_api_names": False, "warnings": False}
    assert reply.to_dict(**options) == theirs.to_dict(**options)
    assert reply.to_json(**options) == theirs.to_json(**options)
    for wrong in [["id"], "id", 1]:
        with pytest.raises(TypeError, match="exclude must be"):
            reply.model_dump(exclude=wrong)
    with pytest.raises(TypeError, match="include must name"):
        reply.model_dump(include={1.5})


def test_openais_classes_take_ours(reply, theirs):
    for taken in [
        OpenAIChatCompletion.model_validate(reply.model_dump()),
        OpenAIChatCompletion.model_validate(reply.to_dict()),
        OpenAIChatCompletion.model_validate_json(reply.model_dump_json()),
    ]:
        assert taken == theirs
    # Without a dump between, fields that no class names are lost.
    taken = OpenAIChatCompletion.model_validate(reply, from_attributes=True)
    assert taken.choices[0].message.content == reply.choices[0].message.content
    assert type(taken.usage).__module__.startswith("openai")
    assert chat.ChatCompletion.model_validate(taken.to_dict()).usage == reply.usage


def test_copies_with_changes(reply, theirs):
    assert reply.model_copy() == reply.model_copy(deep=True) == reply
    change = {"model": "other", "extra": [1]}
    assert reply.model_copy(update=change).to_dict() == theirs.model_copy(update=change).to_dict()
    assert reply.model == "m"
    assert reply.__replace__(model="other").model == "other"
    with pytest.raises(TypeError, match="update"):
        reply.model_copy(update=[1])


def test_objects_from_text_and_unchecked(reply):
    text = json.dumps(REPLY)
    assert chat.ChatCompletion.model_validate_json(text) == reply
    assert chat.ChatCompletion.model_validate_json(text.encode()) == reply
    with pytest.raises(ValueError, match="no JSON"):
        chat.ChatCompletion.model_validate_json("{")
    with pytest.raises(ValueError, match="missing"):
        chat.ChatCompletion.model_validate_json("{}")
    with pytest.raises(TypeError):
        chat.ChatCompletion.model_validate_json(1)
    made = chat.ChatCompletion.model_construct(id="x")
    assert made.id == "x" and made.usage is None
    with pytest.raises(AttributeError, match="choices"):
        _ = made.choices


def test_match_statements(reply):
    match reply.choices:
        case [types.Choice(finish_reason, 0, message=types.ChatCompletionMessage(content=text))]:
            assert (finish_reason, text) == ("stop", reply.choices[0].message.content)
        case _:
            pytest.fail("it did not match")
    for cls in CLASSES:
        if hasattr(cls, "__match_args__"):
            # `output_text` is no field, but made of one.
            assert set(cls.__match_args__) == fields(cls) - {"output_text"}


class Printer:
    """IPython's printer, as far as it is used."""

    def __init__(self):
        self.said = []

    def begin_group(self, indent, opening):
        self.said.append(opening)

    def end_group(self, dedent, closing):
        self.said.append(closing)

    def breakable(self, separator=" "):
        self.said.append(separator)

    def text(self, text):
        self.said.append(text)

    def pretty(self, value):
        self.said.append(repr(value))


def test_notebooks_and_rich_print_the_fields(reply, theirs):
    printer = Printer()
    reply._repr_pretty_(printer, False)
    assert "".join(printer.said) == repr(reply)
    assert [name for name, _ in reply.__rich_repr__()] == [n for n, _ in theirs.__rich_repr__()]


def test_pydantics_models_may_contain_ours(reply):
    class Log(pydantic.BaseModel):
        reply: chat.ChatCompletion

    assert Log(reply=reply).reply is reply
    from_dict = Log.model_validate({"reply": REPLY})
    assert from_dict.reply == reply
    assert from_dict.model_dump() == {"reply": reply.model_dump()}
    assert Log.model_validate_json(from_dict.model_dump_json()) == from_dict
    with pytest.raises(pydantic.ValidationError, match="missing"):
        Log(reply={"id": "x"})
    assert Log.model_json_schema()["properties"]["reply"]["title"]


def test_help_says_what_there_is():
    text = pydoc.plain(pydoc.render_doc(chat.ChatCompletion))
    for part in ["A whole answer.", "choices", "model_dump(", "include", "without the fields"]:
        assert part in text
    text = pydoc.plain(pydoc.render_doc(zerohop.Engine))
    for part in ["context_length", "chat completions", "unloads the models"]:
        assert part.lower() in text.lower()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickling(reply, protocol):
    for part in [reply, reply.choices[0], reply.usage]:
        back = pickle.loads(pickle.dumps(part, protocol))
        assert type(back) is type(part)
        assert back == part and back.to_dict() == part.to_dict()


def test_copies_are_equal(reply):
    assert copy.copy(reply) == reply
    assert copy.deepcopy([reply, reply.choices[0]]) == [reply, reply.choices[0]]


def test_objects_from_keywords():
    message = types.ChatCompletionMessage(role="assistant", content="Hi", extra=[1])
    assert (message.role, message.content, message.refusal, message.extra) == (
        "assistant",
        "Hi",
        None,
        [1],
    )
    assert message == types.ChatCompletionMessage.model_validate(message.model_dump())


def test_validation_takes_objects(reply, theirs):
    assert chat.ChatCompletion.model_validate(reply) == reply
    assert chat.ChatCompletion.model_validate(theirs) == reply
    assert chat.ChatCompletion.model_validate(REPLY | {"usage": reply.usage}) == reply


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"choices": None}, None),
        ({"choices": {}}, "ChatCompletion.choices is no list"),
        ({"choices": [1]}, r"ChatCompletion.choices\[0\] is no object"),
        ({"choices": [{}]}, r"ChatCompletion.choices\[0\].finish_reason is missing"),
        ({"usage": 1}, "ChatCompletion.usage is no object"),
        ({"model": "\ud800"}, "model contains a lone surrogate"),
        ({"model": float("nan")}, "model is NaN"),
    ],
)
def test_validation_says_what_is_wrong(change, reason):
    validate = chat.ChatCompletion.model_validate
    if reason is None:
        assert validate(REPLY | change).choices is None
        return
    with pytest.raises(zerohop.InvalidArgumentError, match=reason):
        validate(REPLY | change)


def test_validation_refuses_other_things():
    validate = chat.ChatCompletion.model_validate
    for other in [None, 1, "text", [1]]:
        with pytest.raises(ValueError, match="ChatCompletion is no object"):
            validate(other)
    with pytest.raises(ValueError, match="ChatCompletion.id is missing"):
        chat.ChatCompletion()
    with pytest.raises(TypeError, match="model: an object of type object"):
        validate(REPLY | {"model": object()})
    with pytest.raises(TypeError, match="subclasses"):
        types.BaseModel.model_validate({})
    with pytest.raises(TypeError):
        types.BaseModel()
    nested: list = []
    for _ in range(200):
        nested = [nested]
    with pytest.raises(ValueError, match="nested deeper"):
        validate(REPLY | {"extra": nested})


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: f"{cls.__module__}.{cls.__name__}")
def test_classes_are_where_they_say(cls):
    assert getattr(importlib.import_module(cls.__module__), cls.__name__) is cls
    assert cls.__doc__


OURS_ALONE = (
    types.adapter.Adapter,
    types.BaseModel,
    types.BatchCounts,
    types.DetokenizeResponse,
    types.Device,
    types.SystemInfo,
    types.ModelInfo,
    types.Placement,
    types.RerankDocument,
    types.RerankResponse,
    types.RerankResult,
    types.RerankUsage,
    types.TokenizeResponse,
)
SHARED_CLASSES = [cls for cls in CLASSES if cls not in OURS_ALONE]


@pytest.mark.parametrize("cls", SHARED_CLASSES, ids=lambda cls: f"{cls.__module__}.{cls.__name__}")
def test_classes_name_openais_fields(cls):
    name = cls.__module__.replace("zerohop", "openai", 1)
    theirs = getattr(importlib.import_module(name), cls.__name__)
    properties = {name for name, value in vars(theirs).items() if isinstance(value, property)}
    assert fields(cls) == set(theirs.model_fields) | properties


def test_classes_cannot_be_subclassed():
    with pytest.raises(TypeError):
        type("Mine", (types.ChatCompletion,), {})
