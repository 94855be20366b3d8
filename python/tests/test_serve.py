"""`zerohop serve`, asked by openai's SDK over real sockets."""

import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import httpx2
import openai
import pytest
from support import USER


@pytest.fixture(scope="module")
def command():
    return Path(os.environ["ZEROHOP_LIB_DIR"]) / "zerohop"


@pytest.fixture
def serve(command):
    """Starts a server and gives its process and URL."""
    servers = []

    def start(*arguments):
        server = subprocess.Popen(
            [command, "serve", "--port", "0", *arguments], stdout=subprocess.PIPE, text=True
        )
        servers.append(server)
        return server, server.stdout.readline().strip()

    yield start
    for server in servers:
        server.kill()
        server.communicate()


@pytest.fixture
def client(serve, tiny):
    _, url = serve(f"tiny={tiny}", "--threads", "1", "--max-body", "100000")
    with openai.OpenAI(base_url=url, api_key="any", max_retries=0) as client:
        yield client


def test_the_sdk_over_http(client):
    request = {"model": "tiny", "messages": USER, "max_tokens": 20, "seed": 1}
    whole = client.chat.completions.create(**request)
    chunks = list(client.chat.completions.create(**request, stream=True))
    streamed = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert streamed == whole.choices[0].message.content
    assert whole._request_id.startswith("req_")
    assert [model.id for model in client.models.list()] == ["tiny"]
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("other")
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(**request | {"temperature": 3})
    assert caught.value.param == "temperature"


def test_many_clients(client):
    texts = {}

    def ask(seed):
        reply = client.chat.completions.create(
            model="tiny", messages=USER, max_tokens=10, seed=seed
        )
        texts[seed] = reply.choices[0].message.content

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(texts) == 32


def test_a_client_that_goes_frees_its_place(serve, tiny):
    _, url = serve(f"tiny={tiny}", "--threads", "1", "--parallel", "1")
    with openai.OpenAI(base_url=url, api_key="any") as client:
        for _ in range(5):
            stream = client.chat.completions.create(model="tiny", messages=USER, stream=True)
            next(iter(stream))
            stream.close()
        assert client.chat.completions.create(
            model="tiny", messages=USER, max_tokens=1, timeout=20
        ).choices


def test_keys(serve, tiny, monkeypatch):
    limits = ("--requests-per-minute", "2")
    monkeypatch.setenv("ZEROHOP_API_KEY", "sk-two")
    for arguments, key in [(("--api-key", "sk-one"), "sk-one"), ((), "sk-two")]:
        _, url = serve(f"tiny={tiny}", "--threads", "1", *arguments, *limits)
        stranger = openai.OpenAI(base_url=url, api_key="sk-other", max_retries=0)
        with stranger, pytest.raises(openai.AuthenticationError):
            stranger.models.list()
        with openai.OpenAI(base_url=url, api_key=key, max_retries=0) as client:
            client.models.list()
            client.models.list()
            with pytest.raises(openai.RateLimitError):
                client.models.list()


def test_bodies_that_are_too_long(client):
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(
            model="tiny", messages=[{"role": "user", "content": "a" * 200_000}]
        )
    assert caught.value.status_code == 413 and "100000" in caught.value.message


def test_pages_of_other_origins(serve, tiny):
    headers = {"origin": "http://a.example", "access-control-request-method": "POST"}
    for arguments, allowed in [((), None), (("--cors", "http://a.example"), "http://a.example")]:
        _, url = serve(f"tiny={tiny}", "--threads", "1", *arguments)
        reply = httpx2.request("OPTIONS", url + "/chat/completions", headers=headers)
        assert reply.headers.get("access-control-allow-origin") == allowed


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_server_finishes_what_it_has_begun(serve, tiny, stop):
    server, url = serve(f"tiny={tiny}", "--threads", "1")
    with openai.OpenAI(base_url=url, api_key="any", max_retries=0) as client:
        stream = client.chat.completions.create(
            model="tiny", messages=USER, max_tokens=500, stream=True
        )
        chunks = iter(stream)
        next(chunks)
        server.send_signal(stop)
        assert [chunk.choices[0].finish_reason for chunk in chunks][-1] == "length"
        assert server.wait(timeout=20) == 0
        with pytest.raises(openai.APIConnectionError):
            client.models.list()


def test_a_server_does_not_wait_for_ever(serve, tiny):
    server, url = serve(f"tiny={tiny}", "--threads", "1", "--drain", "1")
    with openai.OpenAI(base_url=url, api_key="any", max_retries=0) as client:
        stream = client.chat.completions.create(
            model="tiny", messages=USER, extra_body={"ignore_eos": True}, n=8, stream=True
        )
        next(iter(stream))
        started = time.monotonic()
        server.terminate()
        assert server.wait(timeout=20) == 0
        assert time.monotonic() - started < 10


def test_a_port_that_is_taken(command, serve, tiny):
    _, url = serve(f"tiny={tiny}", "--threads", "1")
    port = url.split(":")[2].split("/")[0]
    second = subprocess.run(
        [command, "serve", "--port", port, tiny], capture_output=True, text=True, timeout=30
    )
    assert second.returncode == 1 and "cannot listen" in second.stderr
