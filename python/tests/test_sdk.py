"""The real openai SDK, whose transport is an engine of this process (contract group T)."""

import gc
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import httpx2
import openai
import pytest
from openai.types.chat import ChatCompletion
from pydantic import BaseModel
from support import USER

import zerohop

MODEL = "tiny-llama"
PARIS = [{"role": "user", "content": "What is the capital of France?"}]
DESCRIBE_PARIS = [{"role": "user", "content": "Describe Paris in France as JSON."}]


class City(BaseModel):
    city: str
    country: str


@pytest.fixture(params=["httpx2", "httpx"])
def library(request):
    """T2: the SDK from version 3 on takes clients of both."""
    return request.param


@pytest.fixture
def client_of(library):
    """Makes SDK clients over one of the libraries."""

    def make(engine, **options):
        http_client = zerohop.http_client(engine, library=library)
        options = {"base_url": zerohop.BASE_URL, "api_key": "unused"} | options
        return openai.OpenAI(http_client=http_client, **options)

    return make


@pytest.fixture
def client(engine, client_of):
    return client_of(engine)


@pytest.fixture
def qwen_client(qwen_engine):
    return zerohop.OpenAI(qwen_engine)


def only_model(client):
    (model,) = client.models.list()
    return model.id


def assert_free(engine):
    """The only place is free, at once or soon."""
    assert engine.chat.completions.create(messages=USER, max_tokens=1, timeout=20).choices


def test_a_chat_completion(client):
    reply = client.chat.completions.create(model=MODEL, messages=USER, max_tokens=8)
    assert isinstance(reply, ChatCompletion)
    assert reply.usage.completion_tokens == 8
    # T4
    assert reply._request_id.startswith("req_")


def test_a_stream(client):
    options = {"include_usage": True}
    request = {"model": MODEL, "messages": USER, "max_tokens": 20, "seed": 3}
    whole = client.chat.completions.create(**request)
    *chunks, last = client.chat.completions.create(**request, stream=True, stream_options=options)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == whole.choices[0].message.content
    assert len(chunks) > 2 and last.usage == whole.usage


def test_both_libraries_give_the_same(engine):
    # T2
    texts = []
    for library in ("httpx", "httpx2"):
        with zerohop.http_client(engine, library=library) as client:
            assert isinstance(client, {"httpx": httpx, "httpx2": httpx2}[library].Client)
            body = {"model": MODEL, "messages": USER, "max_tokens": 8, "temperature": 0}
            reply = client.post("http://any.host/v1/chat/completions", json=body)
            texts.append(reply.json()["choices"][0]["message"]["content"])
    assert texts[0] == texts[1]
    # Closing a client leaves an engine open that it did not load.
    assert not engine.closed


def test_the_installed_sdk_says_which_library(engine):
    assert isinstance(zerohop.http_client(engine), httpx2.Client)
    assert isinstance(zerohop.async_http_client(engine), httpx2.AsyncClient)
    with pytest.raises(zerohop.InvalidArgumentError, match="'requests'"):
        zerohop.http_client(engine, library="requests")


def test_bare_transports(engine, library):
    http = {"httpx": httpx, "httpx2": httpx2}[library]
    transport = zerohop.transport(engine, library=library)
    assert isinstance(transport, http.BaseTransport)
    assert repr(transport) == '<EngineTransport of <zerohop.Engine ["tiny-llama"]>>'
    with http.Client(transport=transport, base_url=zerohop.BASE_URL) as client:
        assert client.get("models").json()["data"][0]["id"] == MODEL
    assert isinstance(
        zerohop.async_transport(engine, library=library),
        http.AsyncBaseTransport,
    )


@pytest.mark.parametrize(
    "base_url",
    [
        "http://zerohop.invalid/v1",
        "http://zerohop.invalid/v1/",
        "https://api.openai.com/v1",
        "http://x",
    ],
)
def test_base_urls(engine, client_of, base_url):
    # T1
    client = client_of(engine, base_url=base_url)
    assert only_model(client) == MODEL
    assert client.chat.completions.create(model=MODEL, messages=USER, max_tokens=1).choices


@pytest.mark.parametrize("api_key", ["x", "sk-proj-abc", "unused"])
def test_api_keys(engine, client_of, api_key):
    # T5
    assert only_model(client_of(engine, api_key=api_key)) == MODEL


def test_a_key_from_a_variable_that_is_not_set(engine):
    client = zerohop.OpenAI(engine, api_key=None)
    assert only_model(client) == MODEL


def test_content_types(client):
    # T3
    request = {"model": MODEL, "messages": USER, "max_tokens": 1}
    raw = client.chat.completions.with_raw_response
    assert raw.create(**request).headers["content-type"] == "application/json"
    assert raw.create(**request, stream=True).headers["content-type"] == "text/event-stream"
    assert client.models.with_raw_response.list().headers["content-type"] == "application/json"


def test_raw_responses(client):
    # T9
    request = {"model": MODEL, "messages": USER, "max_tokens": 2}
    raw = client.chat.completions.with_raw_response.create(**request)
    assert raw.status_code == 200
    assert raw.request_id == raw.headers["x-request-id"]
    assert raw.parse().choices[0].finish_reason == "length"
    # T8
    body = json.loads(raw.text, parse_constant=lambda name: pytest.fail(name))
    assert body["usage"]["completion_tokens"] == 2


def test_streaming_responses(client):
    # T9
    request = {"model": MODEL, "messages": USER, "max_tokens": 4}
    create = client.chat.completions.with_streaming_response.create
    with create(**request) as response:
        assert response.headers["x-request-id"].startswith("req_")
        assert json.loads("".join(response.iter_text()))["object"] == "chat.completion"
    with create(**request, stream=True) as response:
        lines = [line for line in response.iter_lines() if line]
        assert lines[-1] == "data: [DONE]"
        assert all(line.startswith("data: ") for line in lines)


def test_null_and_extra_parameters(client):
    # T7
    request = {"model": MODEL, "messages": USER, "max_tokens": 8, "seed": 3}
    replies = [
        client.chat.completions.create(**request, temperature=0, stop=None, n=None),
        client.chat.completions.create(**request, extra_body={"top_k": 1}),
    ]
    first, second = (reply.choices[0].message.content for reply in replies)
    assert first == second


def test_models(tiny, client_of):
    # T1, MO2: names arrive percent-encoded.
    names = ["org/name:tag", "a b?c#d%2Fe", "größe😀"]
    with zerohop.Engine(tiny, alias=names, threads=1, context_length=256) as engine:
        client = client_of(engine)
        assert [model.id for model in client.models.list()] == names
        for name in names:
            assert client.models.retrieve(name).id == name
            with pytest.raises(openai.NotFoundError):
                client.models.retrieve(f"{name}!")


def test_errors(client):
    # T4, ER2, ER3
    create = client.chat.completions.create
    with pytest.raises(openai.NotFoundError) as caught:
        create(model="gpt-9", messages=USER)
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.BadRequestError) as caught:
        create(model=MODEL, messages=USER, temperature=9)
    assert caught.value.param == "temperature"
    assert caught.value.type == "invalid_request_error"
    assert caught.value.request_id.startswith("req_")
    with pytest.raises(openai.BadRequestError) as caught:
        create(model=MODEL, messages=USER, extra_body={"unheard_of": 1})
    assert caught.value.param == "unheard_of"
    with pytest.raises(openai.NotFoundError):
        client.get("/unknown", cast_to=object)
    # ER7: nothing of this is worth a retry.
    assert caught.value.response.headers["x-should-retry"] == "false"


def test_a_full_queue_is_retried(make_engine, client_of):
    # ER5, ER7
    engine = make_engine(parallel=1, queue=1)
    client = client_of(engine, max_retries=0)
    request = {"model": MODEL, "messages": USER}
    holders = [client.chat.completions.create(**request, stream=True) for _ in range(2)]
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(**request, max_tokens=1)
    assert caught.value.code == "rate_limit_exceeded"
    assert caught.value.response.headers["retry-after"] == "1"

    def release():
        # Once the next one has been refused too.
        while engine.metrics()["requests"]["429"] < 2:
            time.sleep(0.01)
        for holder in holders:
            holder.close()

    releasing = threading.Thread(target=release)
    releasing.start()
    patient = client.with_options(max_retries=5)
    raw = patient.chat.completions.with_raw_response.create(**request, max_tokens=1)
    releasing.join()
    assert raw.status_code == 200 and raw.retries_taken >= 1


def test_timeouts(make_engine, client_of):
    # T9
    engine = make_engine(parallel=1)
    client = client_of(engine, max_retries=0)
    request = {"model": MODEL, "messages": USER}
    assert client.timeout.read == 600
    started = time.monotonic()
    with pytest.raises(openai.APITimeoutError):
        client.chat.completions.create(**request, timeout=0.2)
    assert 0.2 <= time.monotonic() - started < 60
    impatient = client_of(engine, max_retries=0, timeout=0.2)
    with pytest.raises(openai.APITimeoutError):
        impatient.chat.completions.create(**request)
    # A stream's timeout is that of each chunk; the first one comes at once, and waits for none.
    with client.chat.completions.create(**request, stream=True) as running:
        next(running)
        waiting = client.chat.completions.create(**request, stream=True, timeout=1)
        with pytest.raises(openai.APITimeoutError):
            next(waiting)
        assert next(running).choices
    assert_free(engine)


def test_a_closed_engine(make_engine, client_of):
    engine = make_engine()
    client = client_of(engine, max_retries=0)
    stream = client.chat.completions.create(model=MODEL, messages=USER, stream=True)
    next(stream)
    engine.close()
    with pytest.raises(openai.APIConnectionError):
        list(stream)
    with pytest.raises(openai.APIConnectionError) as caught:
        client.models.list()
    assert isinstance(caught.value.__cause__.__cause__, zerohop.EngineClosedError)


@pytest.mark.parametrize("end", ["close", "with", "drop", "raw"])
def test_an_abandoned_stream_frees_its_place(make_engine, client_of, end):
    # T6, CS12: chunks come while the answer is being generated, which would take minutes.
    engine = make_engine(parallel=1)
    client = client_of(engine)
    request = {"model": MODEL, "messages": USER, "stream": True}
    if end == "raw":
        create = client.chat.completions.with_streaming_response.create
        with create(**request) as response:
            assert next(response.iter_lines()).startswith("data: ")
    elif end == "with":
        with client.chat.completions.create(**request) as stream:
            next(stream)
    else:
        stream = client.chat.completions.create(**request)
        next(stream)
        if end == "close":
            stream.close()
        del stream
        gc.collect()
    assert_free(engine)


def test_parse(qwen_client):
    # SO10
    reply = qwen_client.chat.completions.parse(
        model=only_model(qwen_client),
        messages=DESCRIBE_PARIS,
        response_format=City,
        temperature=0,
    )
    assert reply.choices[0].message.parsed == City(city="Paris", country="France")


def test_parsed_tool_calls(qwen_client):
    reply = qwen_client.chat.completions.parse(
        model=only_model(qwen_client),
        messages=[{"role": "user", "content": "Look up Paris, France."}],
        tools=[openai.pydantic_function_tool(City, name="look_up")],
        tool_choice="required",
        parallel_tool_calls=False,
        temperature=0,
    )
    (call,) = reply.choices[0].message.tool_calls
    assert call.function.name == "look_up"
    assert call.function.parsed_arguments == City(city="Paris", country="France")


def test_the_stream_helper(qwen_client):
    kinds = set()
    with qwen_client.chat.completions.stream(
        model=only_model(qwen_client),
        messages=DESCRIBE_PARIS,
        response_format=City,
        temperature=0,
    ) as stream:
        for event in stream:
            kinds.add(event.type)
        final = stream.get_final_completion()
    assert {"chunk", "content.delta", "content.done"} <= kinds
    assert final.choices[0].message.parsed == City(city="Paris", country="France")


def test_the_class_loads_and_unloads_a_model(tiny):
    with zerohop.OpenAI(zerohop.ModelOptions(tiny, threads=1, alias="gpt-9")) as client:
        assert isinstance(client, openai.OpenAI)
        assert client.chat.completions.create(model="gpt-9", messages=USER, max_tokens=1).choices
        assert client.with_options(timeout=3).models.list().data
    with pytest.raises((RuntimeError, openai.APIConnectionError)):
        client.models.list()
    with zerohop.OpenAI(
        str(tiny), timeout=7, max_retries=0, default_headers={"x-a": "b"}
    ) as client:
        assert (client.timeout, client.max_retries) == (7, 0)
        assert client.models.list().data


def test_the_class_unloads_its_model(tiny, monkeypatch):
    engines = []

    def recorded(engine, *arguments):
        engines.append(engine)
        return client_of(engine, *arguments)

    client_of = zerohop._openai.client_of
    monkeypatch.setattr(zerohop._openai, "client_of", recorded)
    zerohop.OpenAI(tiny).close()
    with pytest.raises(TypeError):
        zerohop.OpenAI(tiny, no_such_option=1)
    assert [engine.closed for engine in engines] == [True, True]


def test_a_client_leaves_another_engine_open(engine):
    zerohop.OpenAI(engine).close()
    assert not engine.closed
    with pytest.raises(TypeError, match="transport"):
        zerohop.OpenAI(engine, http_client=httpx2.Client())


def test_the_environment_does_not_matter(engine, monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "OPENAI_BASE_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert zerohop.OpenAI(engine).models.list().data


def test_requests_that_http_cannot_say(engine, library):
    http = {"httpx": httpx, "httpx2": httpx2}[library]
    with zerohop.http_client(engine, library=library) as client:
        with pytest.raises(http.LocalProtocolError):
            client.request("NO METHOD", "http://x/v1/models")
        with pytest.raises(http.LocalProtocolError):
            client.get("http://x/v1/models", headers={"a": "b\nc"})


def test_sixteen_threads_share_a_client(make_engine, client_of):
    engine = make_engine(context_length=16384, parallel=16)
    client = client_of(engine)

    def ask(seed):
        request = {"model": MODEL, "messages": USER, "seed": seed, "max_tokens": 32}
        stream = client.chat.completions.create(**request, stream=True)
        return "".join(chunk.choices[0].delta.content or "" for chunk in stream)

    with ThreadPoolExecutor(16) as pool:
        texts = list(pool.map(ask, range(16), timeout=100))
    assert len(set(texts)) == 16
