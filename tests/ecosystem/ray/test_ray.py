"""Ray Data over engines: a local cluster of two workers."""

import json
import os
import re
import runpy
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import ray
from support import model

import zerohop
import zerohop.ray

ROOT = Path(__file__).resolve().parents[3]
TINY = "tiny/tiny-llama.gguf"

# Ray starts several processes for each data set, which on a busy machine takes minutes.
pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module", autouse=True)
def cluster():
    # The workers import what this process does.
    path = os.pathsep.join(path for path in sys.path if path)
    # Ray reads the footer of a Parquet file with 32 processes unless it is told otherwise.
    environment = {"PYTHONPATH": path, "RAY_DATA_PARQUET_FOOTER_NUM_ACTORS": "1"}
    ray.init(
        # Two for the actors, and some for what reads and writes the data.
        num_cpus=4,
        include_dashboard=False,
        log_to_driver=False,
        runtime_env={"env_vars": environment},
    )
    yield
    ray.shutdown()


def body(text):
    messages = [{"role": "user", "content": text}]
    return {"messages": messages, "max_tokens": 3, "temperature": 0}


def test_a_processor_scores_a_data_set_with_two_workers(tmp_path):
    def answer(row):
        # One worker alone could be done with all rows before the other has started.
        (tmp_path / str(os.getpid())).touch()
        deadline = time.monotonic() + 300
        while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        return {
            "id": row["id"],
            "answer": row["response"]["choices"][0]["message"]["content"],
            "process": os.getpid(),
        }

    processor = zerohop.ray.build_processor(
        model(TINY),
        preprocess=lambda row: body(f"Number {row['id']}"),
        postprocess=answer,
        concurrency=2,
        batch_size=10,
        threads=1,
        context_length=4096,
    )
    rows = processor(ray.data.range(60, override_num_blocks=6)).take_all()
    assert sorted(row["id"] for row in rows) == list(range(60))
    assert len({row["process"] for row in rows} - {os.getpid()}) == 2
    # The same as from an engine of this process.
    with zerohop.Engine(model(TINY), threads=1, context_length=4096) as engine:
        for row in rows[::20]:
            reply = engine.chat.completions.create(**body(f"Number {row['id']}"))
            assert row["answer"] == reply.choices[0].message.content


def test_the_class_takes_bodies_and_gives_errors():
    # One body has a field that the other lacks: Arrow gives it to both.
    bodies = [body("a") | {"seed": 3}, body("b"), body("c") | {"temperature": 9.0}]
    rows = [{"id": number, "request": body} for number, body in enumerate(bodies)]
    scored = ray.data.from_items(rows).map_batches(
        zerohop.ray.EngineStage,
        fn_constructor_args=(str(model(TINY)),),
        fn_constructor_kwargs={"threads": 1, "context_length": 4096},
        compute=ray.data.ActorPoolStrategy(size=1),
    )
    rows = {row["id"]: row for row in scored.take_all()}
    assert [rows[number]["error"] for number in (0, 1)] == [None, None]
    assert json.loads(rows[1]["response"])["object"] == "chat.completion"
    assert rows[2]["response"] is None
    assert json.loads(rows[2]["error"])["param"] == "temperature"


def test_embeddings_become_a_column():
    processor = zerohop.ray.build_processor(
        model("all-minilm-l6-v2-f16.gguf"),
        preprocess=lambda row: {"input": row["item"]},
        postprocess=lambda row: {
            "text": row["item"],
            "vector": row["response"]["data"][0]["embedding"],
        },
        endpoint="/v1/embeddings",
        threads=1,
    )
    rows = processor(ray.data.from_items(["a cat", "a kitten", "a stock"])).take_all()
    vectors = {row["text"]: np.asarray(row["vector"]) for row in rows}
    assert vectors["a cat"] @ vectors["a kitten"] > vectors["a cat"] @ vectors["a stock"]


def test_the_example(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["score.py", str(model(TINY))])
    runpy.run_path(str(ROOT / "examples/ray/score.py"), run_name="__main__")
    assert len(re.findall(r"^.+ -> .+$", capsys.readouterr().out, re.M)) >= 1


def test_the_guide(tmp_path):
    guide = (ROOT / "docs/batches.md").read_text()
    section = re.search(r"^## Ray Data\n(.*?)(?=^## |\Z)", guide, re.M | re.S)
    [program] = re.findall(r"^```python\n(.*?)^```", section[1], re.M | re.S)
    reviews = [{"text": "Good."}, {"text": "Bad."}]
    ray.data.from_items(reviews).write_parquet(tmp_path / "reviews.parquet")
    for name in ("reviews.parquet", "answers"):
        assert f'"{name}"' in program
        program = program.replace(f'"{name}"', repr(str(tmp_path / name)))
    assert '"/models/qwen.gguf"' in program
    exec(program.replace('"/models/qwen.gguf"', repr(str(model(TINY)))), {})
    rows = ray.data.read_parquet(str(tmp_path / "answers")).take_all()
    assert sorted(row["text"] for row in rows) == ["Bad.", "Good."]
    assert all(isinstance(row["answer"], str) for row in rows)
