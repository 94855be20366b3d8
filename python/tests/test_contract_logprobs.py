"""Log probabilities: their form, and that they are those of the text."""

import math

import pytest
from contract import both, joined, sampled, streamed, user, whole
from support import USER

LEAST = -9999.0
EMOJI = "🚀日本語ü👩‍👩‍👧 𝛁!"


def entries(reply, choice: int = 0):
    return reply.choices[choice].logprobs.content


def text_of(entries) -> bytes:
    return b"".join(bytes(entry.bytes) for entry in entries)


def check(entries, top: int) -> None:
    # CR9
    for entry in entries:
        assert LEAST <= entry.logprob <= 0
        assert len(entry.top_logprobs) == top
        likely = [other.logprob for other in entry.top_logprobs]
        assert likely == sorted(likely, reverse=True)
        assert sum(map(math.exp, likely)) < 1.001
        # CR10: the text of a token that is no text by itself is only a hint
        for token in [entry, *entry.top_logprobs]:
            assert bytes(token.bytes).decode(errors="replace") == token.token


@pytest.mark.parametrize("top", [None, 0, 1, 5, 20])
def test_entries_are_those_of_the_content(engine, top):
    # CR8, CR9, CR10, CR11, CS9
    request = {"messages": USER, "seed": 4, "max_tokens": 40, "logprobs": True}
    extra = {} if top is None else {"top_logprobs": top}
    reply = both(engine, **request, **extra)
    check(entries(reply), top or 0)
    # What the tiny model says may end inside a character, which a text cannot.
    content = reply.choices[0].message.content
    assert text_of(entries(reply)).decode(errors="replace").startswith(content.rstrip("\ufffd"))
    # CR11: the number of alternatives changes nothing
    plain = whole(engine, **request)
    assert [e.logprob for e in entries(plain)] == [e.logprob for e in entries(reply)]


def test_the_likeliest_token_comes_first(engine):
    # CR9
    reply = whole(
        engine, messages=USER, temperature=0, max_tokens=20, logprobs=True, top_logprobs=3
    )
    for entry in entries(reply):
        best = entry.top_logprobs[0]
        assert (entry.bytes, entry.logprob) == (best.bytes, best.logprob)


def test_characters_may_span_tokens(qwen_engine):
    # CR10, CR11, CS8, CS9
    reply = both(
        qwen_engine,
        messages=user(f"Repeat exactly: {EMOJI}"),
        temperature=0,
        logprobs=True,
        top_logprobs=2,
        response_format={"type": "regex", "regex": f"{EMOJI}+"},
        max_tokens=60,
    )
    (choice,) = reply.choices
    assert choice.message.content.startswith(EMOJI)
    # Neither the end of the turn nor anything else beyond the text.
    assert text_of(entries(reply)) == choice.message.content.encode()
    ends = int(choice.finish_reason == "stop")
    assert len(entries(reply)) == reply.usage.completion_tokens - ends
    # Some entry is a part of a character.
    assert any("\ufffd" in entry.token for entry in entries(reply))
    check(entries(reply), 2)


@pytest.mark.parametrize("seed", sampled(list(range(20)), 4))
def test_each_chunk_tells_of_its_own_tokens(engine, seed):
    # CS9
    request = {"messages": USER, "seed": seed, "max_tokens": 40, "temperature": 1.5}
    chunks = streamed(engine, **request, logprobs=True, top_logprobs=1)
    shown, told = b"", b""
    for choice in (choice for chunk in chunks for choice in chunk.choices):
        shown += (choice.delta.content or "").encode()
        told += text_of(choice.logprobs.content if choice.logprobs else [])
        # A chunk's tokens end where its text ends, but for a character that is not whole.
        assert len(told) <= len(shown) or "\ufffd" in told.decode(errors="replace")
    assert entries(joined(chunks)) == entries(
        whole(engine, **request, logprobs=True, top_logprobs=1)
    )


@pytest.mark.parametrize("stop", [" is Paris", "ital of", "Paris."])
def test_what_a_stop_text_cuts_has_no_entries(qwen_engine, stop):
    # CR10, CQ10
    reply = both(
        qwen_engine,
        messages=user("What is the capital of France?"),
        temperature=0,
        max_tokens=20,
        logprobs=True,
        stop=[stop],
    )
    (choice,) = reply.choices
    assert text_of(entries(reply)) == choice.message.content.encode()


def test_every_choice_has_its_own(engine):
    # CR2, CR8, CS9
    reply = both(engine, messages=USER, seed=9, max_tokens=12, n=3, logprobs=True, top_logprobs=2)
    assert len({text_of(entries(reply, choice)) for choice in range(3)}) == 3


def test_nobody_asked(engine):
    # CR8
    for asked in [{}, {"logprobs": False}, {"logprobs": None}]:
        reply = whole(engine, messages=USER, max_tokens=2, **asked)
        assert reply.choices[0].to_dict()["logprobs"] is None


def test_a_schema_does_not_change_what_is_told(qwen_engine):
    # CR10, CQ11: before masks; forced tokens are told of too
    schema = {
        "type": "object",
        "properties": {"capital": {"type": "string"}},
        "required": ["capital"],
    }
    reply = both(
        qwen_engine,
        messages=user("What is the capital of France? Answer in JSON."),
        temperature=0,
        max_tokens=40,
        logprobs=True,
        top_logprobs=1,
        response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": schema}},
    )
    assert text_of(entries(reply)) == reply.choices[0].message.content.encode()
    check(entries(reply), 1)


def test_bytes_that_are_no_text_do_not_move_the_entries(engine):
    # CR10, CQ10: a model of noise writes such bytes, and the stop text is in half of the answers
    cut = replaced = 0
    for seed in range(40):
        reply = whole(
            engine, messages=USER, seed=seed, max_tokens=60, temperature=2, logprobs=True,
            stop=["in"], extra_body={"min_p": 0},
        )  # fmt: skip
        content = reply.choices[0].message.content
        told = text_of(entries(reply)).decode(errors="replace")
        # A character whose bytes are of several tokens may be cut at the end.
        assert told.rstrip("\ufffd") == content.rstrip("\ufffd")
        cut += reply.choices[0].finish_reason == "stop"
        replaced += "\ufffd" in content
    assert cut > 5 and replaced > 5
