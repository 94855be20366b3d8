"""DSPy, by way of LiteLLM."""

import dspy
import litellm
import pytest


@pytest.fixture(scope="module")
def lm(program):
    lm = program("DSPy")["lm"]
    yield lm
    litellm.client_session = litellm.aclient_session = None


def test_a_prompt(lm):
    [answer] = lm("What is the capital of France?", max_tokens=32)
    assert "Paris" in answer


def test_predict(lm):
    predict = dspy.Predict("text -> city: str, country: str")
    with dspy.context(lm=lm, adapter=dspy.JSONAdapter()):
        found = predict(text="Paris is the capital of France.")
    assert (found.city, found.country) == ("Paris", "France")
    assert lm.history[-1]["kwargs"]["response_format"] != {"type": "json_object"}


def test_predict_async(lm, run_async):
    predict = dspy.Predict("text -> city: str, is_in_europe: bool")

    async def found():
        with dspy.context(lm=lm, adapter=dspy.JSONAdapter()):
            return await predict.acall(text="Paris is the capital of France.")

    found = run_async(found())
    assert found.city == "Paris"
    assert isinstance(found.is_in_europe, bool)
