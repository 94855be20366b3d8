"""Time limits, draining, API keys, rate limits and metrics, most of it through openai's SDK."""

import threading
import time

import anyio
import openai
import pytest
from support import USER

import zerohop

MODEL = "tiny-llama"


def client_of(engine, **options):
    return zerohop.OpenAI(engine, **({"max_retries": 0} | options))


def ask(client, **request):
    return client.chat.completions.create(
        **({"model": MODEL, "messages": USER, "max_tokens": 1} | request)
    )


def test_a_key_is_asked_for(make_engine):
    # T5, ER4
    engine = make_engine(api_keys=["sk-a", "sk-b"])
    for key in ("sk-a", "sk-b"):
        assert ask(client_of(engine, api_key=key)).choices
    client = client_of(engine, api_key="sk-wrong", max_retries=2)
    with pytest.raises(openai.AuthenticationError) as caught:
        ask(client)
    assert (caught.value.status_code, caught.value.code) == (401, "invalid_api_key")
    assert caught.value.request_id.startswith("req_")
    # Not repeated: there is one of them.
    assert engine.metrics()["requests"]["401"] == 1
    # The engine's own calls show one too.
    with pytest.raises(zerohop.AuthenticationError):
        engine.chat.completions.create(messages=USER, max_tokens=1)
    header = {"Authorization": "Bearer sk-a"}
    assert engine.chat.completions.create(messages=USER, max_tokens=1, extra_headers=header)


def test_one_key_and_none(make_engine):
    engine = make_engine(api_keys="sk-a")
    assert ask(client_of(engine, api_key="sk-a")).choices
    assert ask(client_of(make_engine(api_keys=None), api_key="x")).choices


def test_a_rate_limit_tells_when_to_come_again(make_engine):
    # T10, ER5
    client = client_of(make_engine(requests_per_minute=1, tokens_per_minute=500))
    # So long that the tokens do not come back before the reply is written.
    messages = [{"role": "user", "content": "river " * 60}]
    raw = client.chat.completions.with_raw_response.create(
        model=MODEL, messages=messages, max_tokens=1
    )
    headers = raw.headers
    assert headers["x-ratelimit-limit-requests"] == "1"
    assert headers["x-ratelimit-remaining-requests"] == "0"
    assert headers["x-ratelimit-limit-tokens"] == "500"
    assert 0 < int(headers["x-ratelimit-remaining-tokens"]) < 500
    assert headers["x-ratelimit-reset-requests"].endswith("s")
    assert headers["x-ratelimit-reset-tokens"].endswith("s")
    with pytest.raises(openai.RateLimitError) as caught:
        ask(client)
    assert caught.value.code == "rate_limit_exceeded"
    headers = caught.value.response.headers
    assert 50 < int(headers["retry-after"]) <= 60
    assert int(headers["retry-after-ms"]) <= 60_000
    assert headers["x-ratelimit-remaining-requests"] == "0"


def test_a_rate_limit_is_retried_when_its_time_has_come(make_engine):
    # ER7: the SDK waits as long as the header says, no less.
    client = client_of(make_engine(requests_per_minute=100), max_retries=4)
    create = client.chat.completions.with_raw_response.create
    deadline = time.monotonic() + 100
    while not (retries := create(model=MODEL, messages=USER, max_tokens=1).retries_taken):
        assert time.monotonic() < deadline, "the limit is never met"
    # Had it come too early, it would have been refused again.
    assert retries == 1


def test_what_never_fits_is_not_retried(make_engine):
    # ER7
    engine = make_engine(tokens_per_minute=100)
    with pytest.raises(openai.RateLimitError) as caught:
        ask(client_of(engine, max_retries=3), max_tokens=1000)
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert engine.metrics()["requests"] == {"429": 1}


def test_an_engine_ends_what_takes_too_long(make_engine):
    engine = make_engine(timeout=1)
    with pytest.raises(openai.APIStatusError) as caught:
        ask(client_of(engine), max_tokens=None)
    assert (caught.value.status_code, caught.value.code) == (408, "request_timeout")
    with pytest.raises(zerohop.APIStatusError) as caught:
        engine.chat.completions.create(messages=USER)
    assert (caught.value.status_code, caught.value.code) == (408, "request_timeout")
    # CS11
    with pytest.raises(openai.APIError, match="longer than its time limit"):
        list(ask(client_of(engine), max_tokens=None, stream=True))
    # On a busy machine even a short answer may be late.
    assert ask(client_of(engine, max_retries=5)).choices


def test_a_header_shortens_the_time(engine):
    client = client_of(engine)
    with pytest.raises(openai.APIStatusError) as caught:
        ask(client, max_tokens=1500, extra_headers={"x-request-timeout": "0.001"})
    assert caught.value.status_code == 408


def test_draining(make_engine):
    # ER6
    engine = make_engine()
    stream = ask(client_of(engine), max_tokens=300, stream=True)
    closing = threading.Thread(target=engine.close, kwargs={"drain": 60})
    closing.start()
    with pytest.raises(openai.InternalServerError) as caught:
        while True:
            ask(client_of(engine))
    assert (caught.value.status_code, caught.value.code) == (503, "draining")
    assert caught.value.response.headers["retry-after"] == "1"
    assert not engine.closed
    *_, last = stream
    assert last.choices[0].finish_reason == "length"
    closing.join()
    assert engine.closed


def test_draining_ends_with_its_time(make_engine):
    engine = make_engine()
    stream = engine.chat.completions.create(messages=USER, stream=True)
    engine.close(drain=0.05)
    with pytest.raises(zerohop.EngineClosedError):
        list(stream)
    engine.close(drain=1)
    with pytest.raises(zerohop.InvalidArgumentError, match="drain"):
        engine.close(drain=-1)


def test_draining_in_an_event_loop(tiny, run):
    async def main():
        engine = await zerohop.AsyncEngine(tiny, threads=1, context_length=8192, timeout=60)
        stream = await engine.chat.completions.create(messages=USER, max_tokens=300, stream=True)
        async with anyio.create_task_group() as group:

            async def close():
                await engine.close(drain=60)

            group.start_soon(close)
            pieces = [piece async for piece in stream]
        assert pieces[-1].choices[0].finish_reason == "length"
        assert engine.closed
        assert engine.metrics()["requests"] == {"200": 1}

    run(main)


def test_metrics(make_engine):
    engine = make_engine(parallel=3, context_length=512)
    usage = ask(client_of(engine), max_tokens=7).usage
    deadline = time.monotonic() + 20
    while (metrics := engine.metrics())["models"][0]["slots_busy"]:
        assert time.monotonic() < deadline
    [model] = metrics["models"]
    assert (model["model"], model["slots"], model["kv_cells"]) == (MODEL, 3, 512)
    assert model["prompt_tokens"] == usage.prompt_tokens
    assert model["completion_tokens"] == 7
    assert model["inter_token_time"]["count"] == 6
    assert metrics["requests"] == {"200": 1}
    with zerohop.http_client(engine) as client:
        text = client.get(f"{zerohop.BASE_URL}/metrics")
        assert text.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert f'zerohop_completion_tokens_total{{model="{MODEL}"}} 7\n' in text.text
        body = client.get(f"{zerohop.BASE_URL}/metrics?format=json").json()
        assert body["models"] == metrics["models"]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("requests_per_minute", 0),
        ("tokens_per_minute", -1),
        ("timeout", 0),
        ("timeout", float("nan")),
        ("api_keys", ""),
        ("api_keys", ["fine", "not visible"]),
    ],
)
def test_limits_out_of_range(tiny, option, value):
    with pytest.raises(zerohop.InvalidArgumentError):
        zerohop.Engine(tiny, **{option: value})


@pytest.mark.parametrize(
    ("option", "value"), [("timeout", "soon"), ("api_keys", 5), ("api_keys", [5])]
)
def test_limits_of_the_wrong_type(tiny, option, value):
    with pytest.raises(TypeError):
        zerohop.Engine(tiny, **{option: value})


def test_limits_stand_beside_model_options(tiny):
    options = zerohop.ModelOptions(tiny, threads=1)
    with zerohop.Engine(options, requests_per_minute=1, timeout=60) as engine:
        assert engine.models.list().data
        with pytest.raises(zerohop.RateLimitError):
            engine.models.list()
    with pytest.raises(TypeError, match="not both"):
        zerohop.Engine(options, threads=2, timeout=60)
