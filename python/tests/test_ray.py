"""The stage for Ray Data, without Ray; tests/ecosystem/ray has a cluster."""

import json

import numpy as np
import pytest

import zerohop
import zerohop.ray


def body(text, **more):
    return {"messages": [{"role": "user", "content": text}], "max_tokens": 2, **more}


def test_importing_zerohop_brings_no_ray(run_python):
    script = "import sys, zerohop; print([n for n in sys.modules if 'ray' in n.split('.')])"
    assert run_python(script).stdout == "[]\n"


def test_a_column_of_bodies(tiny):
    # As Ray gives it: arrays of objects, with every row's fields.
    stage = zerohop.ray.EngineStage(tiny, threads=1, context_length=4096)
    bodies = np.empty(3, dtype=object)
    bodies[:] = [body("a", seed=None), json.dumps(body("b")), body("c", temperature=9)]
    columns = stage({"id": np.arange(3), "request": bodies})
    assert columns["id"] == [0, 1, 2]
    replies = [json.loads(text) for text in columns["response"][:2]]
    assert [reply["usage"]["completion_tokens"] for reply in replies] == [2, 2]
    assert columns["error"][:2] == [None, None] and columns["response"][2] is None
    assert json.loads(columns["error"][2])["param"] == "temperature"
    assert stage({"id": np.arange(0), "request": np.empty(0, dtype=object)}) == {}


def test_rows_in_and_out(tiny):
    stage = zerohop.ray.EngineStage(
        tiny,
        preprocess=lambda row: body(f"Number {row['id']}", temperature=0),
        postprocess=lambda row: {"id": row["id"], "model": row["response"]["model"]},
        in_flight=4,
        threads=1,
        context_length=4096,
    )
    columns = stage({"id": np.arange(20)})
    assert columns == {"id": list(range(20)), "model": ["tiny-llama"] * 20}


def test_what_cannot_be_a_batch(tiny):
    stage = zerohop.ray.EngineStage(tiny, threads=1, context_length=4096)
    with pytest.raises(zerohop.BadRequestError, match="stream"):
        stage({"request": [body("a", stream=True)]})
    with pytest.raises(KeyError):
        stage({"text": ["a"]})
    with pytest.raises(zerohop.ModelFileError):
        zerohop.ray.EngineStage("none.gguf")
