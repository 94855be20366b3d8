"""LoRA adapters as models of their own, over weights that are shared."""

import pickle
import threading

import pytest
from support import USER, model

import zerohop
from zerohop.types import Adapter


@pytest.fixture(scope="module")
def adapter():
    return model("tiny/tiny-lora.gguf")


@pytest.fixture(scope="module")
def other():
    return model("tiny/tiny-lora-other.gguf")


@pytest.fixture(scope="module")
def engine(tiny, adapter):
    base = zerohop.ModelOptions(tiny, threads=1)
    tuned = zerohop.ModelOptions(tiny, threads=1, adapters=adapter)
    with zerohop.Engine({"base": base, "tuned": tuned}) as engine:
        yield engine


def ask(engine, name, **options):
    reply = engine.chat.completions.create(
        messages=USER, model=name, max_tokens=16, temperature=0, **options
    )
    return reply.choices[0].message.content


def test_an_adapted_model_answers_as_one_with_merged_weights(engine, adapter, other):
    base, tuned = ask(engine, "base"), ask(engine, "tuned")
    assert base != tuned
    engine.load("merged", model("tiny/tiny-merged.gguf"), threads=1)
    assert ask(engine, "merged") == tuned
    engine.unload("merged")
    path = model("tiny/tiny-llama.gguf")
    engine.load("both", path, threads=1, adapters=[(adapter, 0.5), (str(other), -2)])
    engine.load("both-merged", model("tiny/tiny-merged-both.gguf"), threads=1)
    assert ask(engine, "both") == ask(engine, "both-merged") != tuned
    engine.unload("both")
    engine.unload("both-merged")
    engine.load("untuned", path, threads=1, adapters=[(adapter, 0)])
    assert ask(engine, "untuned") == base
    engine.unload("untuned")


def test_an_adapted_model_is_listed_and_described(engine, adapter):
    assert [listed.id for listed in engine.models.list()] == ["base", "tuned"]
    plain, tuned = engine.model_info
    assert plain.adapters == []
    assert tuned.adapters == [Adapter(path=str(adapter), scale=1.0)]
    replies = [
        engine.chat.completions.create(messages=USER, model=name, max_tokens=1)
        for name in ("base", "tuned")
    ]
    assert replies[0].system_fingerprint != replies[1].system_fingerprint


def test_base_and_adapted_models_answer_at_once(engine, tiny, other):
    expected = {name: ask(engine, name) for name in ("base", "tuned")}
    answers = []

    def call(name):
        answers.extend((name, ask(engine, name)) for _ in range(5))

    callers = [threading.Thread(target=call, args=[name]) for name in [*expected] * 3]
    for caller in callers:
        caller.start()
    for _ in range(3):
        engine.load("new", tiny, threads=1, adapters=[other])
        engine.unload("new")
    for caller in callers:
        caller.join()
    assert len(answers) == 30
    assert all(answer == expected[name] for name, answer in answers)


def test_options_read_adapters(adapter, other):
    options = zerohop.ModelOptions("m.gguf", adapters=[adapter, (other, 0.5)])
    assert options.adapters == ((adapter, 1.0), (other, 0.5))
    assert pickle.loads(pickle.dumps(options)) == options
    assert options != zerohop.ModelOptions("m.gguf", adapters=[adapter, other])
    assert "adapters=" in repr(options)
    assert zerohop.ModelOptions("m.gguf", adapters="a.gguf").adapters[0][1] == 1.0
    assert zerohop.ModelOptions("m.gguf").adapters == ()
    for wrong in (1, [1], [(adapter,)], [(adapter, "much")]):
        with pytest.raises(TypeError):
            zerohop.ModelOptions("m.gguf", adapters=wrong)


def test_what_is_no_adapter_for_the_model_is_refused(engine, tiny, adapter):
    with pytest.raises(zerohop.InvalidModelError, match=r"general\.type"):
        engine.load("x", tiny, adapters=[tiny])
    with pytest.raises(zerohop.InvalidModelError, match="architecture"):
        engine.load("x", model("tiny/tiny-gemma3.gguf"), adapters=adapter)
    with pytest.raises(FileNotFoundError):
        engine.load("x", tiny, adapters="/no/such.gguf")
    with pytest.raises(ValueError, match="scale"):
        engine.load("x", tiny, adapters=[(adapter, float("nan"))])
    assert len(engine.model_info) == 2
