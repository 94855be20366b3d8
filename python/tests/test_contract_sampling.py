"""How answers are chosen: limits, seeds, stops, penalties, biases, predictions, several choices."""

import pytest
from contract import both, joined, streamed, user, whole
from support import USER

import zerohop

PARIS = user("What is the capital of France?")


def content(engine, **request) -> str:
    return whole(engine, **request).choices[0].message.content


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
def test_the_limit_is_a_limit(engine, limit):
    # CQ8, CR4
    reply = both(engine, messages=USER, seed=1, **{limit: 5})
    assert (reply.usage.completion_tokens, reply.choices[0].finish_reason) == (5, "length")


def test_a_stop_token_on_the_limit_is_a_stop(qwen_engine):
    # CR4: the eighth token is the end of the turn
    for limit, reason in [(7, "length"), (8, "stop"), (9, "stop")]:
        reply = both(qwen_engine, messages=PARIS, temperature=0, max_tokens=limit)
        assert reply.choices[0].finish_reason == reason
        assert reply.choices[0].message.content == "The capital of France is Paris."


def test_without_a_limit_the_context_is_one(make_engine):
    # CQ8, CR4: no small default
    engine = make_engine(context_length=700)
    reply = whole(engine, messages=USER, seed=3, extra_body={"ignore_eos": True})
    assert reply.choices[0].finish_reason == "length"
    # The last token needs no cell of the context.
    assert reply.usage.total_tokens in (700, 701)


def test_a_seed_repeats_itself(engine):
    # CQ12
    request = {"messages": USER, "temperature": 1.5, "max_tokens": 30}
    first = whole(engine, **request, seed=11)
    assert first.choices[0].message.content == content(engine, **request, seed=11)
    assert len({content(engine, **request, seed=seed) for seed in range(4)}) == 4
    assert len({content(engine, **request) for _ in range(4)}) == 4
    again = whole(engine, **request, seed=11)
    assert again.system_fingerprint == first.system_fingerprint


def test_a_fingerprint_names_the_model(engine, qwen_engine):
    # CQ12
    prints = {
        whole(e, messages=USER, max_tokens=1).system_fingerprint for e in (engine, qwen_engine)
    }
    assert len(prints) == 2


@pytest.mark.parametrize("stop", [" Paris", ["xyz", "is Paris"], ["of", "The capital of France"]])
def test_a_stop_text_is_not_in_the_answer(qwen_engine, stop):
    # CQ10, CS8
    reply = both(
        qwen_engine, messages=PARIS, temperature=0, max_tokens=30, stop=stop, logprobs=True
    )
    (choice,) = reply.choices
    text = choice.message.content
    assert choice.finish_reason == "stop"
    assert "The capital of France is Paris.".startswith(text)
    assert not any(word in text for word in ([stop] if isinstance(stop, str) else stop))
    # CR10
    assert b"".join(bytes(entry.bytes) for entry in choice.logprobs.content) == text.encode()


def test_a_bias_bans_and_forces(engine):
    # CQ11: the tiny model's first 256 tokens are the bytes
    request = {"messages": USER, "max_tokens": 8, "seed": 1}
    assert content(engine, **request, temperature=2, logit_bias={str(ord("x")): 100}) == "x" * 8
    banned = {str(byte): -100 for byte in range(0x21, 0x7F)}
    entries = whole(
        engine, **request | {"max_tokens": 60}, temperature=2, logit_bias=banned, logprobs=True
    )
    tokens = {entry.token for entry in entries.choices[0].logprobs.content}
    assert tokens and not tokens & set(map(chr, range(0x21, 0x7F)))


@pytest.mark.parametrize("token", ["999999", "4294967295"])
def test_a_bias_of_no_token_is_refused(engine, token):
    # CQ9
    with pytest.raises(zerohop.BadRequestError) as caught:
        engine.chat.completions.create(messages=USER, logit_bias={token: 1})
    assert caught.value.param == f"logit_bias.{token}"


@pytest.mark.parametrize(
    "penalty",
    [{"frequency_penalty": 2}, {"presence_penalty": 2}, {"extra_body": {"repeat_penalty": 2}}],
    ids=lambda penalty: next(iter(penalty)),
)
def test_penalties_make_repetition_rarer(engine, penalty):
    # CQ11
    request = {"messages": USER, "temperature": 0, "max_tokens": 60, "logprobs": True}
    plain, penalised = [
        [entry.token for entry in whole(engine, **request, **extra).choices[0].logprobs.content]
        for extra in ({}, penalty)
    ]
    assert len(set(penalised)) > len(set(plain))


def test_log_probabilities_are_the_models_own(engine):
    # CQ11, CR11: as they were before biases, and whatever the number of alternatives
    request = {"messages": USER, "max_tokens": 1, "temperature": 0, "logprobs": True}
    (free,) = whole(engine, **request, top_logprobs=20).choices[0].logprobs.content
    assert free == free.model_copy(update={"logprob": free.top_logprobs[0].logprob})
    rival = next(entry for entry in free.top_logprobs[1:] if len(entry.bytes) == 1)
    forced = {str(rival.bytes[0]): 100}
    (entry,) = whole(engine, **request, logit_bias=forced).choices[0].logprobs.content
    assert (entry.token, entry.logprob) == (rival.token, rival.logprob)


def test_ends_of_turns_can_be_ignored(qwen_engine):
    # CQ19: an extension
    reply = both(
        qwen_engine, messages=PARIS, temperature=0, max_tokens=16, extra_body={"ignore_eos": True}
    )
    assert (reply.choices[0].finish_reason, reply.usage.completion_tokens) == ("length", 16)


@pytest.mark.parametrize("n", [1, 3, 6])
def test_choices_share_a_prompt(tiny, n):
    # CR2, CR12, CS7: also more of them than run at once
    with zerohop.Engine(tiny, threads=1, context_length=4096, parallel=2) as engine:
        one = whole(engine, messages=USER, max_tokens=9, seed=5)
        reply = both(engine, messages=USER, max_tokens=9, seed=5, n=n)
    assert reply.usage.prompt_tokens == one.usage.prompt_tokens
    assert reply.usage.completion_tokens == 9 * n
    assert len({choice.message.content for choice in reply.choices}) == n
    assert reply.choices[0].message.content == one.choices[0].message.content


def test_choices_come_as_they_are_generated(engine):
    # CS7: interleaved, not one after the other
    chunks = streamed(engine, messages=USER, max_tokens=60, seed=5, n=3)
    order = [chunk.choices[0].index for chunk in chunks if chunk.choices]
    assert sorted(order) != order
    assert len(joined(chunks).choices) == 3


CODE = """def area(width, height):
    total = width * height
    return total


def volume(width, height, depth):
    return area(width, height) * depth
"""


def test_a_prediction_changes_only_the_time(qwen_engine):
    # CQ15, CR14
    task = f"Repeat this code exactly, without any other text:\n```python\n{CODE}```"
    request = {"messages": user(task), "temperature": 0, "max_tokens": 90}
    plain = whole(qwen_engine, **request)
    for prediction in [f"```python\n{CODE}```", [{"type": "text", "text": f"```python\n{CODE}"}]]:
        predicted = both(
            qwen_engine, **request, prediction={"type": "content", "content": prediction}
        )
        assert predicted.choices[0].message == plain.choices[0].message
        details = predicted.usage.completion_tokens_details
        assert details.accepted_prediction_tokens > 20
        generated = predicted.usage.completion_tokens - details.rejected_prediction_tokens
        assert generated == plain.usage.completion_tokens
    assert plain.usage.completion_tokens_details.accepted_prediction_tokens == 0


def test_a_wrong_prediction_is_rejected(qwen_engine):
    # CQ15, CR14
    request = {"messages": PARIS, "temperature": 0, "max_tokens": 20}
    wrong = {
        "type": "content",
        "content": "The capital of Spain is Madrid, and it is a large city.",
    }
    plain, predicted = whole(qwen_engine, **request), both(qwen_engine, **request, prediction=wrong)
    assert predicted.choices[0].message == plain.choices[0].message
    details = predicted.usage.completion_tokens_details
    assert details.rejected_prediction_tokens > 0
    assert predicted.usage.completion_tokens == (
        plain.usage.completion_tokens + details.rejected_prediction_tokens
    )
