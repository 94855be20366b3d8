"""Scores data sets on a cluster, with Ray Data: `pip install zerohop[ray]`.

    import ray
    import zerohop.ray

    processor = zerohop.ray.build_processor(
        "/models/qwen.gguf",
        preprocess=lambda row: {
            "messages": [{"role": "user", "content": f"Is this review positive? {row['text']}"}],
            "max_tokens": 3,
        },
        postprocess=lambda row: {
            "text": row["text"],
            "answer": row["response"] and row["response"]["choices"][0]["message"]["content"],
        },
        concurrency=2,
    )
    processor(ray.data.read_parquet("reviews.parquet")).write_parquet("answers")

Each of `concurrency` actors loads the model once and computes many requests of a batch of rows
together. Where the actors run, and what is done when one dies, is Ray's to decide.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

from ._native import Engine

Row: TypeAlias = dict[str, Any]
"""A row of a data set: its columns by name."""

Dataset: TypeAlias = Any
"""Ray's `ray.data.Dataset`; Ray need not be installed to import this module."""

__all__ = ["Dataset", "EngineStage", "Row", "build_processor"]


class EngineStage:
    """A stage for `Dataset.map_batches`: scores rows with an engine, which each actor loads once.

    `preprocess` makes a row into the body of a request to `endpoint`; without it, the column
    `request` has the body, as a mapping or as JSON text. The model's name may be left out. As the
    columns of a data set have one type for all rows, a mapping there comes with every other row's
    fields too; those that are None are left out of the request.

    `postprocess` makes the new row, from the old one's columns with `response`, the reply's body,
    and `error`, the error of the API, one of which is None. Without it, both are columns of JSON
    text. Requests that fail do not fail the data set.

    `in_flight` is how many requests are sent at once; by default a few more than are computed
    together. `options` are those of `zerohop.Engine`.

        ds.map_batches(
            zerohop.ray.EngineStage,
            fn_constructor_args=("/models/qwen.gguf",),
            fn_constructor_kwargs={"endpoint": "/v1/chat/completions"},
            batch_size=64,
            compute=ray.data.ActorPoolStrategy(size=2),
            num_cpus=8,
        )
    """

    def __init__(
        self,
        model: str | os.PathLike[str],
        *,
        endpoint: str = "/v1/chat/completions",
        preprocess: Callable[[Row], Mapping[str, Any]] | None = None,
        postprocess: Callable[[Row], Row] | None = None,
        in_flight: int | None = None,
        **options: Any,
    ) -> None:
        self._engine = Engine(model, **options)
        [self._model] = [info.id for info in self._engine.model_info]
        self._endpoint = endpoint
        self._preprocess = preprocess or _request_column
        self._postprocess = postprocess or _as_json
        self._in_flight = in_flight

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Scores a batch of rows, given as columns, and gives the columns of the new rows."""
        rows = list(_rows(batch))
        replies = self._answer([self._preprocess(row) for row in rows])
        scored = (self._postprocess(row | reply) for row, reply in zip(rows, replies, strict=True))
        return _columns(list(scored))

    def _answer(self, bodies: list[Mapping[str, Any]]) -> list[Row]:
        """The `response` and `error` of each body."""
        if not bodies:
            return []
        # From file to file, the engine itself keeps requests in flight and repeats what it refused.
        with tempfile.TemporaryDirectory(prefix="zerohop-") as name:
            requests, answers, failures = (Path(name) / part for part in ("in", "out", "errors"))
            with requests.open("w", encoding="utf-8") as file:
                for number, body in enumerate(bodies):
                    line = {"custom_id": str(number), "method": "POST", "url": self._endpoint}
                    json.dump(line | {"body": {"model": self._model} | dict(body)}, file)
                    file.write("\n")
            self._engine.batch(requests, answers, errors=failures, concurrency=self._in_flight)
            lines = answers.read_bytes().splitlines() + failures.read_bytes().splitlines()
        replies = dict(map(_reply, lines))
        return [replies[number] for number in range(len(bodies))]


def build_processor(
    model: str | os.PathLike[str],
    preprocess: Callable[[Row], Mapping[str, Any]] | None = None,
    postprocess: Callable[[Row], Row] | None = None,
    *,
    endpoint: str = "/v1/chat/completions",
    concurrency: int | tuple[int, int] = 1,
    batch_size: int = 64,
    num_cpus: float | None = None,
    num_gpus: float | None = None,
    resources: dict[str, float] | None = None,
    in_flight: int | None = None,
    **options: Any,
) -> Callable[[Dataset], Dataset]:
    """A function from data set to data set, as `ray.data.llm.build_processor` gives one.

    `concurrency` is the number of actors, or a range of it; each takes `batch_size` rows at a time
    and is given `num_cpus` (by default 1: set it to the number of threads that the engine computes
    with), `num_gpus` and other `resources` by Ray. The rest is as for `EngineStage`. Every node
    needs the model under its path.
    """
    data = import_module("ray.data")
    if isinstance(concurrency, tuple):
        pool = data.ActorPoolStrategy(min_size=concurrency[0], max_size=concurrency[1])
    else:
        pool = data.ActorPoolStrategy(size=concurrency)
    arguments = {
        "endpoint": endpoint,
        "preprocess": preprocess,
        "postprocess": postprocess,
        "in_flight": in_flight,
        **options,
    }

    def processor(dataset: Dataset) -> Dataset:
        return dataset.map_batches(
            EngineStage,
            fn_constructor_args=(model,),
            fn_constructor_kwargs=arguments,
            batch_size=batch_size,
            compute=pool,
            num_cpus=num_cpus,
            num_gpus=num_gpus,
            resources=resources,
        )

    return processor


def _rows(batch: dict[str, Any]) -> Iterator[Row]:
    # numpy's scalars and arrays are no JSON, nor what others expect in a row.
    columns = {
        name: column.tolist() if hasattr(column, "tolist") else list(column)
        for name, column in batch.items()
    }
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(columns, values, strict=True))


def _columns(rows: list[Row]) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _request_column(row: Row) -> Mapping[str, Any]:
    request = row["request"]
    if isinstance(request, str | bytes):
        body: Mapping[str, Any] = json.loads(request)
        return body
    filled: Mapping[str, Any] = _filled(request)
    return filled


def _filled(value: Any) -> Any:
    """The value as JSON has it, without the fields that only other rows have."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {name: _filled(field) for name, field in value.items() if field is not None}
    if isinstance(value, list | tuple):
        return [_filled(item) for item in value]
    return value


def _as_json(row: Row) -> Row:
    texts = {
        name: None if row[name] is None else json.dumps(row[name]) for name in ("response", "error")
    }
    return row | texts


def _reply(line: bytes) -> tuple[int, Row]:
    result = json.loads(line)
    body = result["response"] and result["response"]["body"]
    if result["error"]:
        reply = {"response": None, "error": result["error"]}
    elif "error" in body and result["response"]["status_code"] >= 400:
        reply = {"response": None, "error": body["error"]}
    else:
        reply = {"response": body, "error": None}
    return int(result["custom_id"]), reply
