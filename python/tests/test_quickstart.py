"""Real models give real answers; the package's own examples run."""

import json
import subprocess
import sys
from pathlib import Path

import zerohop

DEMO = Path(__file__).parents[2] / "examples/python/demo.py"


def test_quickstart(qwen):
    with zerohop.Engine(qwen, context_length=2048) as engine:
        messages = [{"role": "user", "content": "What is the capital of France?"}]
        reply = engine.chat.completions.create(messages=messages, temperature=0)
        assert "Paris" in reply.choices[0].message.content
        assert reply.choices[0].finish_reason == "stop"
        messages += [
            reply.choices[0].message,
            {"role": "user", "content": "In which country is that city? Answer in one word."},
        ]
        stream = engine.chat.completions.create(messages=messages, temperature=0, stream=True)
        assert "France" in "".join(chunk.choices[0].delta.content or "" for chunk in stream)


def test_a_stop_text_ends_the_answer(qwen):
    # CQ10
    with zerohop.Engine(qwen, context_length=2048) as engine:
        request = {
            "messages": [{"role": "user", "content": "Count from 1 to 9, separated by commas."}],
            "temperature": 0,
        }
        reply = engine.chat.completions.create(**request, stop=["5"])
        text = reply.choices[0].message.content
        assert "4" in text and "5" not in text
        assert reply.choices[0].finish_reason == "stop"


def test_the_demo_runs(smollm2):
    result = subprocess.run(
        [sys.executable, str(DEMO), str(smollm2)], capture_output=True, text=True, timeout=100
    )
    assert (result.returncode, result.stderr) == (0, "")
    _, answer, _, city, _, call = result.stdout.splitlines()
    assert "Paris" in answer
    assert set(json.loads(city)) == {"city", "country", "is_capital"}
    assert call.startswith("get_weather({") and call.endswith("})")
