"""The exceptions: which one, with which attributes."""

import importlib
import inspect
import pickle
from types import SimpleNamespace

import openai
import pytest
from support import USER, model

import zerohop
from zerohop import _exceptions, _native

EXCEPTIONS = [
    value
    for value in vars(zerohop).values()
    if inspect.isclass(value) and issubclass(value, Exception)
]


def test_every_kind_of_error_has_an_exception():
    # ER2; house rule 6
    kinds = _native._error_kinds()
    assert set(_exceptions.BY_KIND) == {kind for kind, _ in kinds}
    for kind, status in kinds:
        if status is not None:
            assert _exceptions.BY_KIND[kind] is _exceptions.class_for_status(status)
        assert _exceptions.BY_KIND[kind].__name__ in zerohop.__all__


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 418, 422, 429, 500, 503, 599])
def test_a_status_has_openais_class(status):
    # ER2
    body = {"error": {"message": "m", "type": "t", "param": "p", "code": "c"}}
    error = _exceptions.status_error(status, [("x-request-id", "req_1")], body)
    response = SimpleNamespace(status_code=status, headers={}, request=None)
    with openai.OpenAI(api_key="unused") as client:
        theirs = client._make_status_error("m", body=body, response=response)
    assert type(error).__name__ == type(theirs).__name__
    assert (error.message, error.type, error.param, error.code) == ("m", "t", "p", "c")
    assert error.body == body["error"]
    assert (error.status_code, error.request_id) == (status, "req_1")


def test_names_are_openais():
    for name in zerohop.__all__:
        theirs = getattr(openai, name, None)
        ours = getattr(zerohop, name)
        if inspect.isclass(theirs) and issubclass(theirs, Exception):
            assert issubclass(ours, Exception)
            expected = [base.__name__ for base in theirs.__mro__ if base.__module__ == "openai"]
            expected = [name.replace("OpenAIError", "ZerohopError") for name in expected]
            assert [b.__name__ for b in ours.__mro__ if b.__module__ == "zerohop"] == expected


@pytest.mark.parametrize("error", EXCEPTIONS, ids=lambda error: error.__name__)
def test_exceptions_are_where_they_say(error):
    assert issubclass(error, zerohop.ZerohopError)
    assert getattr(importlib.import_module(error.__module__), error.__name__) is error
    assert error.__doc__


def examples():
    body = {"error": {"message": "m", "type": "t", "param": None, "code": None}}
    for status in [400, 418, 429, 503]:
        yield _exceptions.status_error(status, [("Retry-After", "1")], body)
    yield _exceptions.status_error(500, [], "no JSON")
    yield _exceptions.stream_error(body["error"])
    yield _exceptions.bad_request("p", "is wrong")
    yield zerohop.APITimeoutError()
    yield zerohop.APIConnectionError()
    for kind, status in _native._error_kinds():
        if status is None:
            yield _exceptions.engine_error(kind, "m", "c", None, None)
    yield _exceptions.engine_error("ModelFile", "m", None, 2, "f.gguf")
    yield zerohop.ForkError("m")


@pytest.mark.parametrize("error", list(examples()), ids=lambda error: type(error).__name__)
def test_pickling(error):
    error.add_note("a note")
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        back = pickle.loads(pickle.dumps(error, protocol))
        assert type(back) is type(error)
        assert (str(back), back.args) == (str(error), error.args)
        expected, state = dict(vars(error)), dict(vars(back))
        if "response" in expected:
            assert state.pop("response").headers == expected.pop("response").headers
        assert state == expected
        if isinstance(error, OSError):
            assert (back.errno, back.filename) == (error.errno, error.filename)


def test_headers_are_found_in_any_case():
    error = _exceptions.status_error(429, [("Retry-After", "1")], None)
    assert error.response.headers["retry-after"] == error.response.headers["RETRY-AFTER"] == "1"
    assert "x-other" not in error.response.headers


def test_an_unknown_model(engine):
    # ER4
    with pytest.raises(zerohop.NotFoundError) as caught:
        engine.chat.completions.create(messages=USER, model="gpt-9")
    error = caught.value
    assert (error.status_code, error.code, error.param) == (404, "model_not_found", "model")
    assert error.type == "invalid_request_error"
    assert "gpt-9" in str(error) and "tiny-llama" in str(error)
    assert error.request_id.startswith("req_")
    # ER7
    assert error.response.headers["x-should-retry"] == "false"
    with pytest.raises(zerohop.NotFoundError):
        engine.models.retrieve("gpt-9")


def test_a_prompt_beyond_the_context(engine):
    # CQ20
    with pytest.raises(zerohop.BadRequestError) as caught:
        engine.chat.completions.create(messages=[{"role": "user", "content": "word " * 9000}])
    assert (caught.value.code, caught.value.param) == ("context_length_exceeded", "messages")


def test_a_full_queue(make_engine):
    # ER5
    engine = make_engine(parallel=1, queue=1)
    running = engine.chat.completions.create(messages=USER, stream=True)
    next(running)
    waiting = engine.chat.completions.create(messages=USER, stream=True)
    with pytest.raises(zerohop.RateLimitError) as caught:
        engine.chat.completions.create(messages=USER)
    assert (caught.value.status_code, caught.value.code) == (429, "rate_limit_exceeded")
    assert int(caught.value.response.headers["retry-after"]) >= 1
    running.close()
    assert next(waiting).choices
    waiting.close()
    reply = engine.chat.completions.create(messages=USER, max_tokens=1, timeout=30)
    assert reply.choices


def test_a_missing_file(tmp_path):
    missing = tmp_path / "no such model.gguf"
    with pytest.raises(zerohop.ModelNotFoundError, match="no such model.gguf") as caught:
        zerohop.Engine(missing)
    assert isinstance(caught.value, FileNotFoundError)
    assert isinstance(caught.value, zerohop.ModelFileError)
    assert caught.value.errno == 2
    assert caught.value.filename == str(missing)


def test_an_unreadable_file(tmp_path):
    with pytest.raises(zerohop.ModelFileError) as caught:
        zerohop.Engine(tmp_path)
    assert isinstance(caught.value, OSError)
    assert not isinstance(caught.value, FileNotFoundError)
    assert caught.value.filename == str(tmp_path)
    with pytest.raises(zerohop.ModelFileError) as caught:
        zerohop.Engine("a\0b.gguf")
    assert caught.value.filename == "a\0b.gguf"


def test_hostile_files(hostile):
    # ER8
    for file in hostile:
        with pytest.raises(zerohop.InvalidModelError, match=file.name) as caught:
            zerohop.Engine(file)
        assert isinstance(caught.value, ValueError)


def test_a_model_without_a_template():
    with zerohop.Engine(model("tiny/tiny-no-template.gguf"), threads=1) as engine:
        with pytest.raises(zerohop.BadRequestError, match="no chat template") as caught:
            engine.chat.completions.create(messages=USER)
        assert caught.value.param == "model"


OPENAIS = {
    "RateLimitError": (openai.RateLimitError, lambda: _exceptions.status_error(429, [], None)),
    "APIStatusError": (openai.APIStatusError, lambda: _exceptions.status_error(418, [], None)),
    "APITimeoutError": (openai.APITimeoutError, zerohop.APITimeoutError),
    "APIError": (openai.APIError, lambda: _exceptions.stream_error({"message": "m"})),
    "EngineClosedError": (openai.OpenAIError, lambda: zerohop.EngineClosedError("m")),
    "ModelNotFoundError": (
        openai.OpenAIError,
        lambda: _exceptions.engine_error("ModelFile", "m", None, 2, "f.gguf"),
    ),
}


@pytest.mark.parametrize("name", OPENAIS)
def test_handlers_of_openais_exceptions_catch_ours(name):
    theirs, make = OPENAIS[name]
    with pytest.raises(theirs) as caught:
        raise make()
    assert isinstance(caught.value, getattr(zerohop, name))
    # Handlers and tracebacks see one name.
    kind = type(caught.value)
    assert (kind.__module__, kind.__qualname__) == ("zerohop", name)
    assert kind is type(make()) is not getattr(zerohop, name)
    assert caught.value.__reduce__()


def test_an_engines_exceptions_are_openais(engine, make_engine):
    with pytest.raises(openai.BadRequestError) as caught:
        engine.chat.completions.create(messages=USER, temperature=9)
    assert (caught.value.status_code, caught.value.param) == (400, "temperature")
    closed = make_engine()
    closed.close()
    with pytest.raises(openai.OpenAIError):
        closed.models.list()
    with pytest.raises(FileNotFoundError) as caught:
        zerohop.Engine("/nonexistent.gguf")
    assert isinstance(caught.value, openai.OpenAIError)
    assert (caught.value.errno, caught.value.filename) == (2, "/nonexistent.gguf")


def test_openai_may_come_later_or_never(tiny, run_python):
    script = """
import pickle, sys
import zerohop
with zerohop.Engine(sys.argv[1], threads=1) as engine:
    def error():
        try:
            engine.models.retrieve("gpt-9")
        except zerohop.NotFoundError as error:
            return error
    early = error()
    assert type(early) is zerohop.NotFoundError and "openai" not in sys.modules
    assert type(zerohop.ModelFileError("m", 2, "f")) is zerohop.ModelFileError
    text = pickle.dumps(early)
    import openai
    assert isinstance(error(), openai.NotFoundError)
    assert isinstance(pickle.loads(text), openai.NotFoundError)
"""
    result = run_python(script, tiny)
    assert (result.stdout, result.stderr, result.returncode) == ("", "", 0)
