"""Writes all-MiniLM-L6-v2 as GGUF: an encoder that turns texts into vectors of 384 numbers."""

import json
from pathlib import Path

import gguf
import numpy as np

# The file's names for the tensors, by the checkpoint's.
EMBEDDINGS = {
    "embeddings.word_embeddings.weight": "token_embd.weight",
    "embeddings.position_embeddings.weight": "position_embd.weight",
    "embeddings.token_type_embeddings.weight": "token_types.weight",
    "embeddings.LayerNorm.weight": "token_embd_norm.weight",
    "embeddings.LayerNorm.bias": "token_embd_norm.bias",
}
LAYER = {
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}
# llama.cpp adds these in their own precision.
FULL_PRECISION = ("position_embd.weight", "token_types.weight")


def convert(folder: Path, target: Path) -> None:
    """Writes the GGUF file `target` from the checkpoint in `folder`."""
    config = json.loads((folder / "config.json").read_text())
    writer = gguf.GGUFWriter(str(target), "bert")
    writer.add_name("all-MiniLM-L6-v2")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    _add_vocabulary(writer, (folder / "vocab.txt").read_text(encoding="utf-8").splitlines())
    for name, tensor in _tensors(folder / "model.safetensors"):
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_vocabulary(writer: gguf.GGUFWriter, words: list[str]) -> None:
    """WordPiece as llama.cpp reads it: what begins a word has a mark, what goes on has none."""
    tokens, types = [], []
    for word in words:
        if word.startswith("[") and word.endswith("]"):
            tokens.append(word)
            types.append(gguf.TokenType.CONTROL)
        else:
            tokens.append(word[2:] if word.startswith("##") else "\u2581" + word)
            types.append(gguf.TokenType.NORMAL)
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([token.encode() for token in tokens])
    writer.add_token_types(types)
    writer.add_token_type_count(2)
    writer.add_bos_token_id(words.index("[CLS]"))
    writer.add_eos_token_id(words.index("[SEP]"))
    writer.add_sep_token_id(words.index("[SEP]"))
    writer.add_pad_token_id(words.index("[PAD]"))
    writer.add_unk_token_id(words.index("[UNK]"))
    writer.add_mask_token_id(words.index("[MASK]"))


def _tensors(path: Path) -> list[tuple[str, np.ndarray]]:
    """The tensors that the GGUF file needs, of a safetensors file: a length, JSON, the numbers."""
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    tensors = []
    for name, info in json.loads(content[8:start]).items():
        ours = _our_name(name.removeprefix("bert."))
        if ours is None:
            continue
        if info["dtype"] != "F32":
            raise ValueError(f"{name} is of type {info['dtype']}, not F32")
        begin, end = info["data_offsets"]
        tensor = np.frombuffer(content[start + begin : start + end], np.float32)
        tensor = tensor.reshape(info["shape"])
        if tensor.ndim == 2 and ours not in FULL_PRECISION:
            tensor = tensor.astype(np.float16)
        tensors.append((ours, tensor))
    return tensors


def _our_name(name: str) -> str | None:
    if name in EMBEDDINGS:
        return EMBEDDINGS[name]
    match name.split("."):
        case ["encoder", "layer", index, *middle, kind] if ".".join(middle) in LAYER:
            return f"blk.{index}.{LAYER['.'.join(middle)]}.{kind}"
    return None
