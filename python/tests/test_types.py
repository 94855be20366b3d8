"""The API's objects."""

import copy
import importlib
import inspect
import json
import pickle

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
    assert not hasattr(reply, "__iter__")


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


OURS_ALONE = (types.BaseModel, types.Device, types.ModelInfo)
SHARED_CLASSES = [cls for cls in CLASSES if cls not in OURS_ALONE]


@pytest.mark.parametrize("cls", SHARED_CLASSES, ids=lambda cls: f"{cls.__module__}.{cls.__name__}")
def test_classes_name_openais_fields(cls):
    name = cls.__module__.replace("zerohop", "openai", 1)
    theirs = getattr(importlib.import_module(name), cls.__name__)
    ours = [name for name, value in vars(cls).items() if inspect.isgetsetdescriptor(value)]
    assert set(ours) == set(theirs.model_fields)


def test_classes_cannot_be_subclassed():
    with pytest.raises(TypeError):
        type("Mine", (types.ChatCompletion,), {})
