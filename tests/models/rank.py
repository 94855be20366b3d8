"""Writes a tiny encoder with random weights that ranks texts, and what it must answer.

The answers are computed here with numpy, from the same weights and by the book, so that a test can
hold the engine to them.
"""

import json
import math
from pathlib import Path

import gguf
import numpy as np

EMBEDDING = 32
HEADS = 2
FEED_FORWARD = 64
LAYERS = 2
CONTEXT = 128
EPSILON = 1e-12

CONTROL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = (
    "a cat dog sat on the mat what is capital of france paris rome city big red blue stone river"
).split()
CLS, SEP = CONTROL.index("[CLS]"), CONTROL.index("[SEP]")

PAIRS = [
    ("what is the capital of france", "paris is the capital of france"),
    ("what is the capital of france", "a cat sat on the mat"),
    ("what is the capital of france", "rome"),
    ("a big cat", "the river is blue"),
    ("a big cat", "red " * 60 + "stone"),
]


def write_rank(folder: Path) -> None:
    """Writes `tiny-rank.gguf`, and `tiny-rank.json` with pairs of texts and their scores."""
    weights = _weights()
    writer = gguf.GGUFWriter(folder / "tiny-rank.gguf", "bert")
    writer.add_name("tiny-rank")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(EMBEDDING)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_layer_norm_eps(EPSILON)
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.RANK)
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([*CONTROL, *("\u2581" + word for word in WORDS)])
    types = [gguf.TokenType.CONTROL] * len(CONTROL) + [gguf.TokenType.NORMAL] * len(WORDS)
    writer.add_token_types(types)
    writer.add_token_type_count(2)
    writer.add_pad_token_id(CONTROL.index("[PAD]"))
    writer.add_unk_token_id(CONTROL.index("[UNK]"))
    writer.add_bos_token_id(CLS)
    writer.add_eos_token_id(SEP)
    writer.add_sep_token_id(SEP)
    writer.add_mask_token_id(CONTROL.index("[MASK]"))
    # As the usual converter writes it for the pairs of BERT.
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(True)
    writer.add_add_sep_token(False)
    for name, tensor in weights.items():
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    answers = [
        {"query": query, "document": document, "logit": _logit(weights, _tokens(query, document))}
        for query, document in PAIRS
    ]
    (folder / "tiny-rank.json").write_text(json.dumps(answers, indent=1) + "\n")


def _weights() -> dict[str, np.ndarray]:
    noise = np.random.default_rng(seed=2)
    weights: dict[str, np.ndarray] = {}

    def add(name: str, *shape: int, scale: float = 1.0, mean: float = 0.0) -> None:
        weights[name] = (mean + scale * noise.standard_normal(shape)).astype(np.float32)

    def add_linear(name: str, rows: int, columns: int) -> None:
        add(f"{name}.weight", rows, columns, scale=1.5 / math.sqrt(columns))
        add(f"{name}.bias", rows, scale=0.1)

    def add_norm(name: str) -> None:
        add(f"{name}.weight", EMBEDDING, scale=0.1, mean=1.0)
        add(f"{name}.bias", EMBEDDING, scale=0.1)

    add("token_embd.weight", len(CONTROL) + len(WORDS), EMBEDDING)
    add("position_embd.weight", CONTEXT, EMBEDDING, scale=0.3)
    add("token_types.weight", 2, EMBEDDING, scale=0.3)
    add_norm("token_embd_norm")
    for layer in range(LAYERS):
        block = f"blk.{layer}"
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            add_linear(f"{block}.{part}", EMBEDDING, EMBEDDING)
        add_norm(f"{block}.attn_output_norm")
        add_linear(f"{block}.ffn_up", FEED_FORWARD, EMBEDDING)
        add_linear(f"{block}.ffn_down", EMBEDDING, FEED_FORWARD)
        add_norm(f"{block}.layer_output_norm")
    add_linear("cls", EMBEDDING, EMBEDDING)
    add_linear("cls.output", 1, EMBEDDING)
    return weights


def _tokens(query: str, document: str) -> list[int]:
    words = [
        [len(CONTROL) + WORDS.index(word) for word in text.split()] for text in (query, document)
    ]
    return [CLS, *words[0], SEP, *words[1], SEP]


def _logit(weights: dict[str, np.ndarray], tokens: list[int]) -> float:
    def linear(x: np.ndarray, name: str) -> np.ndarray:
        y: np.ndarray = x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]
        return y

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        centred = x - x.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + EPSILON)
        y: np.ndarray = scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]
        return y

    def heads(x: np.ndarray) -> np.ndarray:
        return x.reshape(len(tokens), HEADS, -1).swapaxes(0, 1)

    x = weights["token_embd.weight"][tokens] + weights["position_embd.weight"][: len(tokens)]
    x = norm(x + weights["token_types.weight"][0], "token_embd_norm")
    for layer in range(LAYERS):
        block = f"blk.{layer}"
        q, k, v = (heads(linear(x, f"{block}.attn_{part}")) for part in "qkv")
        likeness = q @ k.swapaxes(1, 2) / math.sqrt(EMBEDDING // HEADS)
        shares = np.exp(likeness - likeness.max(axis=-1, keepdims=True))
        shares /= shares.sum(axis=-1, keepdims=True)
        attended = (shares @ v).swapaxes(0, 1).reshape(len(tokens), EMBEDDING)
        x = norm(x + linear(attended, f"{block}.attn_output"), f"{block}.attn_output_norm")
        up = linear(x, f"{block}.ffn_up")
        up = 0.5 * up * (1 + np.tanh(math.sqrt(2 / math.pi) * (up + 0.044715 * up**3)))
        x = norm(x + linear(up, f"{block}.ffn_down"), f"{block}.layer_output_norm")
    return float(linear(np.tanh(linear(x[0], "cls")), "cls.output")[0])
