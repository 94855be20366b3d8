"""Legacy completions, through openai's own SDK and through the engine's own calls."""

import inspect
import json
import threading
from collections.abc import Iterator
from typing import Any

import anyio
import openai
import pytest
from openai.resources.completions import Completions as OpenAICompletions
from openai.types import Completion
from support import ENDLESS

import zerohop
from zerohop import types
from zerohop._native import LegacyCompletions

GAP = {"prompt": "def add(a, b):\n    return ", "suffix": "\n\nprint(add(1, 2))\n"}


@pytest.fixture(scope="module")
def client(engine: zerohop.Engine) -> Iterator[openai.OpenAI]:
    with zerohop.OpenAI(engine, max_retries=0) as client:
        yield client


def model(client: openai.OpenAI) -> str:
    return client.models.list().data[0].id


def whole(client: openai.OpenAI, **request: Any) -> Completion:
    """The reply to a request, checked; and the engine's own call says the same."""
    reply = client.completions.create(model=model(client), **request)
    strict = {"echo", "logprobs"} - set(request)
    # The SDK's types know no null in a list of log probabilities, but the API has it (CO5).
    if strict:
        assert Completion.model_validate(reply.to_dict(), strict=True) == reply
    # CO1, CO2
    assert reply.object == "text_completion" and reply.id.startswith("cmpl-")
    assert [choice.index for choice in reply.choices] == list(range(len(reply.choices)))
    for choice in reply.choices:
        # CO3
        assert choice.finish_reason in {"stop", "length", "content_filter"}
        assert (choice.logprobs is None) == ("logprobs" not in request)
        check_logprobs(choice)
    assert reply.usage is not None
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens
    return reply


def check_logprobs(choice: Any) -> None:
    # CO4
    if (lists := choice.logprobs) is None:
        return
    length = len(lists.tokens)
    assert len(lists.token_logprobs) == len(lists.top_logprobs) == len(lists.text_offset) == length
    for token, offset in zip(lists.tokens, lists.text_offset, strict=True):
        if not token.startswith("bytes:"):
            assert choice.text[offset : offset + len(token)] == token


def joined(client: openai.OpenAI, **request: Any) -> list[tuple[str, str | None]]:
    """The choices of a stream, put together and checked."""
    texts: dict[int, str] = {}
    ends: dict[int, str | None] = {}
    options = {"stream": True, "stream_options": {"include_usage": True}}
    chunks = list(client.completions.create(model=model(client), **request, **options))
    # CO1, CO8, CS5
    assert len({chunk.id for chunk in chunks}) == 1
    assert all(chunk.object == "text_completion" for chunk in chunks)
    assert chunks[-1].choices == [] and chunks[-1].usage is not None
    assert all(chunk.usage is None for chunk in chunks[:-1])
    for chunk in chunks[:-1]:
        [choice] = chunk.choices
        # CO3
        assert ends.get(choice.index) is None
        texts[choice.index] = texts.get(choice.index, "") + choice.text
        ends[choice.index] = choice.finish_reason
    return [(texts[index], ends[index]) for index in sorted(texts)]


@pytest.mark.parametrize(
    "request_",
    [
        {"prompt": "red blue"},
        {"prompt": ["red", "blue"], "n": 3, "seed": 5},
        {"prompt": [1, 2, 3], "temperature": 0, "max_tokens": 40},
        {"prompt": [[1], [2, 3]], "seed": 1, "temperature": 1.4},
        {"prompt": None, "temperature": 0},
        {"prompt": ["red", ""], "temperature": 0, "echo": True},
        {"prompt": "red blue stone", "seed": 2, "stop": ["a", "e"], "max_tokens": 60},
        {"prompt": "red", "seed": 2, "presence_penalty": 1.5, "frequency_penalty": 1.0},
        {"prompt": "red", "temperature": 0, "max_tokens": 0},
    ],
    ids=lambda request: json.dumps(request),
)
def test_streamed_equals_whole(client: openai.OpenAI, request_: dict[str, Any]) -> None:
    # CO1, CO2, CO3, CO5, CO8
    request_ = {"seed": 3} | request_
    reply = whole(client, **request_)
    prompts = request_["prompt"]
    count = len(prompts) if isinstance(prompts, list) and not isinstance(prompts[0], int) else 1
    assert len(reply.choices) == count * request_.get("n", 1)
    expected = [(choice.text, choice.finish_reason) for choice in reply.choices]
    assert joined(client, **request_) == expected


def test_the_engines_own_call_says_the_same(client: openai.OpenAI, engine: zerohop.Engine) -> None:
    # CO1
    request: dict[str, Any] = {"prompt": ["red", "blue"], "temperature": 0, "logprobs": 2}
    theirs, mine = whole(client, **request), engine.completions.create(**request)
    assert isinstance(mine, types.Completion)
    assert isinstance(mine.choices[0].logprobs, types.Logprobs)
    changing = {"id": "", "created": 0}
    assert mine.to_dict() | changing == theirs.to_dict() | changing
    with engine.completions.create(prompt=iter(["red", "blue"]), temperature=0, stream=True) as s:
        text = "".join(chunk.choices[0].text for chunk in s if chunk.choices[0].index == 1)
    assert text == mine.choices[1].text


def test_event_loops(engine: zerohop.Engine) -> None:
    async def main() -> None:
        expected = engine.completions.create(prompt="red", temperature=0)
        async with zerohop.AsyncEngine(engine) as own, zerohop.AsyncOpenAI(engine) as client:
            name = (await client.models.list()).data[0].id
            mine = await own.completions.create(prompt="red", temperature=0)
            theirs = await client.completions.create(model=name, prompt="red", temperature=0)
            assert mine.choices == expected.choices
            assert theirs.choices[0].text == expected.choices[0].text
            stream = await own.completions.create(prompt="red", temperature=0, stream=True)
            pieces = [chunk.choices[0].text async for chunk in stream]
            assert "".join(pieces) == expected.choices[0].text
            # Cancelled, nothing of it is computed on.
            with anyio.move_on_after(0.2) as scope:
                await own.completions.create(
                    prompt="red", max_tokens=2000, n=64, extra_body={"ignore_eos": True}
                )
            assert scope.cancelled_caught
            again = await own.completions.create(prompt="red", temperature=0)
            assert again.choices == expected.choices

    anyio.run(main)


def test_probabilities_of_what_was_said(client: openai.OpenAI) -> None:
    # CO4, CO5
    said = "the red river and the blue stone, é 😀"
    reply = whole(client, prompt=said, echo=True, logprobs=3, max_tokens=0)
    [choice] = reply.choices
    lists: Any = choice.logprobs
    assert (choice.text, choice.finish_reason) == (said, "length")
    assert "".join(token for token in lists.tokens if not token.startswith("bytes:")) in said
    assert lists.token_logprobs[0] is None and lists.top_logprobs[0] is None
    assert all(logprob <= 0 for logprob in lists.token_logprobs[1:])
    assert reply.usage is not None and reply.usage.completion_tokens == 0
    # Those of the first tokens do not depend on what follows; the answer's own come after them.
    answered: Any = whole(client, prompt=said, echo=True, logprobs=3, max_tokens=4, temperature=0)
    count = len(lists.tokens)
    everything = answered.choices[0].logprobs
    assert everything.token_logprobs[1:count] == pytest.approx(lists.token_logprobs[1:], abs=0.02)
    assert len(everything.tokens) == count + 4
    for token, logprob, top in list(
        zip(everything.tokens, everything.token_logprobs, everything.top_logprobs, strict=True)
    )[1:]:
        # The likeliest three, and the one that stands there.
        assert 3 <= len(top) <= 4
        assert top[token] == logprob
    for token, top in zip(everything.tokens[count:], everything.top_logprobs[count:], strict=True):
        assert top[token] == max(top.values())


def test_gaps_are_filled(qwen_engine: zerohop.Engine) -> None:
    # CO6
    with zerohop.OpenAI(qwen_engine) as client:
        request: dict[str, Any] = GAP | {"temperature": 0, "max_tokens": 32, "stop": "\n"}
        reply = whole(client, **request)
        assert reply.choices[0].text.strip() == "a + b"
        assert joined(client, **request) == [(reply.choices[0].text, "stop")]
        echoed = whole(client, **request, echo=True)
        assert echoed.choices[0].text == GAP["prompt"] + reply.choices[0].text


def test_models_without_marks_fill_no_gaps(client: openai.OpenAI) -> None:
    # CO6
    with pytest.raises(openai.BadRequestError) as raised:
        client.completions.create(model=model(client), **GAP)
    assert raised.value.param == "suffix"


def test_the_best_of_several(client: openai.OpenAI) -> None:
    # CO7
    def mean(choice: Any) -> float:
        values = choice.logprobs.token_logprobs
        return sum(values) / len(values)

    request: dict[str, Any] = {
        "prompt": "red",
        "seed": 4,
        "temperature": 1.3,
        "max_tokens": 8,
        "logprobs": 0,
        "extra_body": {"ignore_eos": True},
    }
    all_of_them = whole(client, **request, n=5)
    best = whole(client, **request, n=2, best_of=5)
    ranked = sorted(all_of_them.choices, key=mean, reverse=True)
    assert [choice.text for choice in best.choices] == [choice.text for choice in ranked[:2]]
    assert best.usage is not None and best.usage.completion_tokens == 40
    for bad in ({"n": 3, "best_of": 2}, {"best_of": 2, "stream": True}):
        with pytest.raises(openai.BadRequestError) as raised:
            client.completions.create(model=model(client), prompt="a", **bad)  # type: ignore[call-overload]
        assert raised.value.param == "best_of"


def test_parameters_act_as_in_chats(client: openai.OpenAI) -> None:
    # CO8
    def text(**request: Any) -> str:
        reply = whole(client, prompt="red", **({"temperature": 0, "max_tokens": 12} | request))
        return reply.choices[0].text

    plain = text()
    assert text(logit_bias={str(i): -100 for i in range(33, 250)}) != plain
    assert text(stop=plain[3]) == plain[: plain.index(plain[3])]
    assert text(temperature=1.5, seed=1) == text(temperature=1.5, seed=1) != plain
    assert text(temperature=1.5, seed=1, extra_body={"top_k": 1}) == plain
    assert text(extra_body={"grammar": 'start: "yes"'}) == "yes"
    regex = {"type": "regex", "regex": "[ab]{3}"}
    assert set(text(extra_body={"response_format": regex})) <= {"a", "b"}
    # No template: the prompt is all that the model reads.
    reply = whole(client, prompt="<|im_start|>red", max_tokens=1)
    assert reply.usage is not None and reply.usage.prompt_tokens == 3


@pytest.mark.parametrize(
    ("request_", "param"),
    [
        ({"prompt": []}, "prompt"),
        ({"prompt": [[1], []]}, "prompt[1]"),
        ({"prompt": [1, 10**7]}, "prompt"),
        ({"prompt": "red " * 5000}, "prompt"),
        ({"prompt": "a", "max_tokens": 10**6}, "prompt"),
        ({"prompt": "a", "logprobs": 6}, "logprobs"),
        ({"prompt": "a", "n": 0}, "n"),
        ({"prompt": "a", "extra_body": {"messages": []}}, "messages"),
        ({"prompt": "a", "extra_body": {"grammar": "start: ("}}, "grammar"),
    ],
)
def test_bad_requests(client: openai.OpenAI, request_: dict[str, Any], param: str) -> None:
    # CO2, CO4, CO8
    with pytest.raises(openai.BadRequestError) as raised:
        client.completions.create(model=model(client), **request_)
    assert raised.value.param == param


def test_the_parameters_are_openais() -> None:
    ours = inspect.signature(LegacyCompletions.create).parameters
    theirs = inspect.signature(OpenAICompletions.create).parameters
    assert set(ours) == set(theirs)
    assert all(ours[name].kind is theirs[name].kind for name in ours if name != "self")


def test_every_parameter_of_the_signature_is_taken(engine: zerohop.Engine) -> None:
    names = set(inspect.signature(LegacyCompletions.create).parameters) - {"self", "model"}
    request: Any = dict.fromkeys(names)
    assert engine.completions.create(**request).choices


def test_arguments_are_checked(engine: zerohop.Engine) -> None:
    create: Any = engine.completions.create
    pytest.raises(TypeError, create)
    pytest.raises(TypeError, create, prompt="a", messages=[])
    with pytest.raises(zerohop.BadRequestError) as raised:
        create(prompt=[{"a": 1}])
    assert raised.value.param == "prompt[0]"


def test_chats_are_answered_meanwhile(make_engine: Any) -> None:
    # CO2
    engine = make_engine(parallel=2)
    done = threading.Event()

    def complete() -> None:
        engine.completions.create(prompt=["red blue"] * 100, max_tokens=24)
        done.set()

    thread = threading.Thread(target=complete)
    thread.start()
    user = [{"role": "user", "content": "hi"}]
    reply = engine.chat.completions.create(messages=user, max_tokens=2)
    assert reply.usage.completion_tokens <= 2
    thread.join()
    assert done.is_set()


def test_a_dropped_stream_frees_its_place(make_engine: Any) -> None:
    # CS12
    engine = make_engine(parallel=1, queue=1)
    for _ in range(4):
        extra = {"ignore_eos": True}
        stream = engine.completions.create(
            prompt="red", max_tokens=ENDLESS // 100, stream=True, extra_body=extra
        )
        next(stream)
        stream.close()
