"""What `create` takes, and how it says what it does not take."""

import enum
import inspect
from collections import OrderedDict, UserDict
from types import MappingProxyType

import pydantic
import pytest
from openai.resources.chat.completions import Completions as OpenAICompletions
from support import USER

import zerohop
from zerohop._native import Completions
from zerohop.types.chat import ChatCompletionMessage


def create(engine, **arguments):
    arguments = {"messages": USER, "max_tokens": 1} | arguments
    return engine.chat.completions.create(**arguments)


def refused(engine, **arguments) -> zerohop.BadRequestError:
    with pytest.raises(zerohop.BadRequestError) as caught:
        create(engine, **arguments)
    return caught.value


class Role(enum.StrEnum):
    USER = "user"


class Limit(enum.IntEnum):
    ONE = 1


class Message(pydantic.BaseModel):
    role: str
    content: str
    name: str | None = None


def test_the_parameters_are_openais():
    ours = inspect.signature(Completions.create).parameters
    theirs = inspect.signature(OpenAICompletions.create).parameters
    assert set(ours) == set(theirs)
    assert all(ours[name].kind is theirs[name].kind for name in ours if name != "self")


def test_every_parameter_of_the_signature_is_taken(engine):
    # An unknown argument is a TypeError; null stands for leaving a parameter out (T7).
    names = set(inspect.signature(Completions.create).parameters) - {"self", "messages", "model"}
    assert create(engine, **dict.fromkeys(names - {"max_tokens"})).choices


@pytest.mark.parametrize(
    "messages",
    [
        tuple(USER),
        [OrderedDict(USER[0])],
        [UserDict(USER[0])],
        [MappingProxyType(USER[0])],
        [{"role": Role.USER, "content": "Hello"}],
        [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}],
        [{"role": "user", "content": ({"type": "text", "text": "Hello"},)}],
        [Message(role="user", content="Hello")],
        [ChatCompletionMessage(role="user", content="Hello")],
    ],
    ids=lambda messages: type(messages[0]).__name__,
)
def test_messages_come_in_many_forms(engine, messages):
    expected = create(engine).usage.prompt_tokens
    assert create(engine, messages=messages).usage.prompt_tokens == expected


def test_messages_may_be_generated(engine):
    assert create(engine, messages=(message for message in USER)).choices
    assert create(engine, messages={0: USER[0]}.values()).choices


def test_numbers_may_be_subclasses(engine):
    assert create(engine, max_tokens=Limit.ONE, temperature=0).usage.completion_tokens == 1


def test_integer_keys_become_text(engine):
    # As in Python's json: `logit_bias` is often written so.
    assert refused(engine, logit_bias={1: -101}).param == "logit_bias.1"


def test_extra_body_overrides(engine):
    assert create(engine, max_tokens=5, extra_body={"max_tokens": 2}).usage.completion_tokens == 2
    assert create(engine, model="?", extra_body={"model": "tiny-llama"}).model == "tiny-llama"


def test_extra_headers_and_query_are_taken(engine):
    assert create(engine, extra_headers={"x-trace": "1"}, extra_query={"a b": "c&d"}).choices


def test_unknown_arguments_are_refused(engine):
    # CQ19, as openai's SDK does it
    with pytest.raises(TypeError, match=r"create\(\) got an unexpected keyword argument 'top_k'"):
        create(engine, top_k=1)
    assert "top_q" in refused(engine, extra_body={"top_q": 1}).message


def test_required_arguments_are_required(engine, tiny):
    # CQ1
    with pytest.raises(TypeError, match="'messages'"):
        engine.chat.completions.create()
    with pytest.raises(TypeError, match="takes 0 positional|positional argument"):
        engine.chat.completions.create(USER)
    with zerohop.Engine({"a": tiny, "b": tiny}, threads=1) as two:
        with pytest.raises(TypeError, match="'model'; this engine has a, b"):
            create(two)
        assert create(two, model="b").model == "b"


def test_the_engine_names_the_parameter(engine):
    # ER3
    for arguments, param in [
        ({"messages": []}, "messages"),
        ({"messages": "Hello"}, "messages"),
        ({"messages": None}, "messages"),
        ({"messages": 1}, "messages"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "boss", "content": "x"}]}, "messages[0].role"),
        ({"temperature": 3}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"model": None}, "model"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
    ]:
        error = refused(engine, **arguments)
        assert error.param == param, arguments
        assert error.type == "invalid_request_error"
        assert error.request_id.startswith("req_")


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        ({"messages": [{"role": "user", "content": object()}]}, r"messages\[0\].content"),
        ({"messages": [{"role": "user", "content": b"bytes"}]}, r"messages\[0\].content"),
        ({"messages": [object()]}, r"messages\[0\]"),
        ({"messages": [{1.5: "x"}]}, r"messages\[0\]"),
        ({"messages": [{True: "x"}]}, r"messages\[0\]"),
        ({"messages": object()}, "messages"),
        ({"temperature": 1j}, "temperature"),
        ({"stop": {"a"}}, "stop"),
        ({"response_format": Message}, "response_format: the class .*Message"),
        ({"extra_body": {"a": [1, {"b": object}]}}, r"extra_body.a\[1\].b"),
        ({"extra_body": [1]}, "extra_body must be a mapping"),
        ({"extra_headers": {"a": 1}}, "extra_headers"),
        ({"extra_headers": "a: b"}, "extra_headers"),
        ({"extra_query": 1}, "extra_query"),
        ({"timeout": "1"}, "timeout"),
    ],
)
def test_wrong_types_are_named(engine, arguments, path):
    with pytest.raises(TypeError, match=f"^{path}"):
        create(engine, **arguments)


@pytest.mark.parametrize(
    ("arguments", "param"),
    [
        # ER8
        ({"messages": [{"role": "user", "content": "\ud800"}]}, "messages[0].content"),
        ({"messages": [{"\udfff": "x"}]}, "messages[0]"),
        ({"user": "\udc80"}, "user"),
        ({"temperature": float("nan")}, "temperature"),
        ({"top_p": float("inf")}, "top_p"),
        ({"seed": 2**64}, "seed"),
        ({"seed": -(2**63) - 1}, "seed"),
        ({"max_tokens": 10**5000}, "max_tokens"),
    ],
)
def test_what_json_cannot_say_is_a_bad_request(engine, arguments, param):
    error = refused(engine, **arguments)
    assert (error.param, error.type, error.code) == (param, "invalid_request_error", None)
    assert error.status_code == 400
    # It never became a request.
    assert error.request_id is None


def test_endless_objects_are_refused(engine):
    cyclic = [1]
    cyclic.append(cyclic)
    error = refused(engine, extra_body={"metadata": cyclic})
    assert error.param == "extra_body.metadata[1][1][1][1][1][1]..."
    assert error.message.startswith(f"'{error.param}'") and "contains itself" in error.message

    cycle = {}
    cycle["self"] = cycle
    assert "contains itself" in refused(engine, messages=[cycle]).message

    # Not cyclic and not deep, and yet 2^60 values.
    shared = [1]
    for _ in range(60):
        shared = [shared, shared]
    assert "values" in refused(engine, stop=shared).message


def test_objects_that_raise_are_heard(engine):
    class Broken:
        def model_dump(self, **_options):
            raise ZeroDivisionError("as asked")

    class Endless:
        def model_dump(self, **_options):
            return self

    def broken():
        yield USER[0]
        raise ZeroDivisionError("as asked")

    with pytest.raises(ZeroDivisionError):
        create(engine, messages=[Broken()])
    with pytest.raises(ZeroDivisionError):
        create(engine, messages=broken())
    assert "contains itself" in refused(engine, messages=[Endless()]).message


def test_a_dict_that_changes_while_it_is_read(engine):
    class Changing:
        def __init__(self, target):
            self.target = target

        def model_dump(self, **_options):
            self.target[f"key{len(self.target)}"] = 1
            return "Hello"

    message = {"role": "user"}
    message["content"] = Changing(message)
    assert create(engine, messages=[message]).choices


def test_no_header_breaks_out(engine):
    for headers in [{"a\r\nb": "c"}, {"a": "b\r\nc: d"}, {"": "x"}]:
        with pytest.raises(zerohop.InvalidArgumentError, match="extra_headers"):
            create(engine, extra_headers=headers)


@pytest.mark.parametrize("timeout", [-1, float("nan"), float("-inf")])
def test_timeouts_are_not_negative(engine, timeout):
    with pytest.raises(ValueError, match="timeout"):
        create(engine, timeout=timeout)


@pytest.mark.parametrize("timeout", [None, 60, 60.5, True, float("inf"), 1e300])
def test_long_timeouts_are_no_limit(engine, timeout):
    assert create(engine, timeout=timeout).choices


def test_a_refused_request_leaves_the_engine_as_it_was(engine):
    # ER9
    expected = create(engine, seed=1, max_tokens=20)
    refused(engine, messages=[{"role": "user", "content": "\ud800"}])
    refused(engine, temperature=9)
    again = create(engine, seed=1, max_tokens=20)
    assert again.choices == expected.choices
