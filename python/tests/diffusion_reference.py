"""Stable Diffusion 1 in numpy, to compare images with: written after the papers and the original
model's structure, and for a batch of one. The text is given as tokens."""

import json
from pathlib import Path

import numpy as np

Array = np.ndarray


class Weights:
    """A safetensors file."""

    def __init__(self, path: Path) -> None:
        self._bytes = np.memmap(path, np.uint8, "r")
        size = int(self._bytes[:8].view(np.uint64)[0])
        self._header = json.loads(self._bytes[8 : 8 + size].tobytes())
        self._start = 8 + size

    def __getitem__(self, name: str) -> Array:
        entry = self._header[name]
        begin, end = (self._start + offset for offset in entry["data_offsets"])
        raw = self._bytes[begin:end]
        if entry["dtype"] == "F8_E4M3":
            numbers = _FLOAT8[raw]
        else:
            numbers = raw.view({"F16": np.float16, "F32": np.float32}[entry["dtype"]])
        return numbers.astype(np.float32).reshape(entry["shape"])

    def __contains__(self, name: str) -> bool:
        return name in self._header


def _float8() -> Array:
    """Sign, four bits of exponent with a bias of 7, three of fraction."""
    numbers = []
    for code in range(256):
        exponent, fraction = code >> 3 & 15, code & 7
        size = (8 + fraction) * 2.0 ** (exponent - 10) if exponent else fraction * 2.0**-9
        numbers.append(-size if code & 128 else size)
    return np.array(numbers, np.float32)


_FLOAT8 = _float8()


def silu(x: Array) -> Array:
    return x / (1 + np.exp(-x))


def softmax(x: Array) -> Array:
    x = np.exp(x - x.max(-1, keepdims=True))
    return x / x.sum(-1, keepdims=True)


def gelu(x: Array) -> Array:
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def linear(w: Weights, name: str, x: Array) -> Array:
    x = x @ w[f"{name}.weight"].T
    return x + w[f"{name}.bias"] if f"{name}.bias" in w else x


def layer_norm(w: Weights, name: str, x: Array) -> Array:
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    return x * w[f"{name}.weight"] + w[f"{name}.bias"]


def group_norm(w: Weights, name: str, x: Array, epsilon: float = 1e-6) -> Array:
    groups = x.reshape(32, -1)
    groups = groups - groups.mean(1, keepdims=True)
    groups = groups / np.sqrt(groups.var(1, keepdims=True) + epsilon)
    scale, shift = w[f"{name}.weight"], w[f"{name}.bias"]
    return groups.reshape(x.shape) * scale[:, None, None] + shift[:, None, None]


def convolution(w: Weights, name: str, x: Array, stride: int = 1) -> Array:
    weight = w[f"{name}.weight"]
    size = weight.shape[-1]
    pad = size // 2
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), (1, 2))
    windows = windows[:, ::stride, ::stride]
    x = np.tensordot(weight, windows, ([1, 2, 3], [0, 3, 4]))
    return x + w[f"{name}.bias"][:, None, None]


def attention(query: Array, key: Array, value: Array, heads: int, mask: float | Array = 0) -> Array:
    def split(x: Array) -> Array:
        return x.reshape(len(x), heads, -1).transpose(1, 0, 2)

    query, key, value = split(query), split(key), split(value)
    scores = query @ key.transpose(0, 2, 1) / np.sqrt(query.shape[-1])
    return (softmax(scores + mask) @ value).transpose(1, 0, 2).reshape(query.shape[1], -1)


def encode_text(w: Weights, tokens: list[int]) -> Array:
    model = "cond_stage_model.transformer.text_model."
    tokens = [49406, *tokens, 49407]
    tokens += [49407] * (77 - len(tokens))
    x = w[f"{model}embeddings.token_embedding.weight"][tokens]
    x = x + w[f"{model}embeddings.position_embedding.weight"]
    mask = np.triu(np.full((77, 77), -np.inf, np.float32), 1)
    for layer in range(12):
        block = f"{model}encoder.layers.{layer}."
        h = layer_norm(w, f"{block}layer_norm1", x)
        q, k, v = (linear(w, f"{block}self_attn.{part}_proj", h) for part in "qkv")
        x = x + linear(w, f"{block}self_attn.out_proj", attention(q, k, v, 12, mask))
        h = linear(w, f"{block}mlp.fc1", layer_norm(w, f"{block}layer_norm2", x))
        x = x + linear(w, f"{block}mlp.fc2", h / (1 + np.exp(-1.702 * h)))
    return layer_norm(w, f"{model}final_layer_norm", x)


def residual(w: Weights, name: str, x: Array, time: Array) -> Array:
    h = convolution(w, f"{name}.in_layers.2", silu(group_norm(w, f"{name}.in_layers.0", x, 1e-5)))
    h = h + linear(w, f"{name}.emb_layers.1", silu(time))[:, None, None]
    h = convolution(w, f"{name}.out_layers.3", silu(group_norm(w, f"{name}.out_layers.0", h, 1e-5)))
    skip = f"{name}.skip_connection"
    return h + (convolution(w, skip, x) if f"{skip}.weight" in w else x)


def transformer(w: Weights, name: str, x: Array, text: Array) -> Array:
    def attend(part: str, x: Array, context: Array) -> Array:
        q = linear(w, f"{part}.to_q", x)
        k, v = (linear(w, f"{part}.to_{letter}", context) for letter in "kv")
        return linear(w, f"{part}.to_out.0", attention(q, k, v, 8))

    h = convolution(w, f"{name}.proj_in", group_norm(w, f"{name}.norm", x))
    h = h.reshape(len(h), -1).T
    block = f"{name}.transformer_blocks.0."
    normed = layer_norm(w, f"{block}norm1", h)
    h = h + attend(f"{block}attn1", normed, normed)
    h = h + attend(f"{block}attn2", layer_norm(w, f"{block}norm2", h), text)
    value, gate = np.split(
        linear(w, f"{block}ff.net.0.proj", layer_norm(w, f"{block}norm3", h)), 2, -1
    )
    h = h + linear(w, f"{block}ff.net.2", value * gelu(gate))
    return x + convolution(w, f"{name}.proj_out", h.T.reshape(x.shape))


def twice(x: Array) -> Array:
    return x.repeat(2, 1).repeat(2, 2)


def predict_noise(w: Weights, x: Array, step: float, text: Array) -> Array:
    model = "model.diffusion_model."
    half = w[f"{model}time_embed.0.weight"].shape[1] // 2
    angles = step * np.exp(-np.log(10000) * np.arange(half, dtype=np.float32) / half)
    time = np.concatenate([np.cos(angles), np.sin(angles)])
    time = linear(w, f"{model}time_embed.2", silu(linear(w, f"{model}time_embed.0", time)))

    def block(name: str, x: Array) -> Array:
        for place in range(3):
            part = f"{name}.{place}"
            if f"{part}.in_layers.0.weight" in w:
                x = residual(w, part, x, time)
            elif f"{part}.norm.weight" in w:
                x = transformer(w, part, x, text)
            elif f"{part}.op.weight" in w:
                x = convolution(w, f"{part}.op", x, 2)
            elif f"{part}.conv.weight" in w:
                x = convolution(w, f"{part}.conv", twice(x))
            elif f"{part}.weight" in w:
                x = convolution(w, part, x)
        return x

    skips = []
    for number in range(12):
        x = block(f"{model}input_blocks.{number}", x)
        skips.append(x)
    x = block(f"{model}middle_block", x)
    for number in range(12):
        x = block(f"{model}output_blocks.{number}", np.concatenate([x, skips.pop()]))
    return convolution(w, f"{model}out.2", silu(group_norm(w, f"{model}out.0", x, 1e-5)))


def decode_image(w: Weights, x: Array) -> Array:
    def block(name: str, x: Array) -> Array:
        h = convolution(w, f"{name}.conv1", silu(group_norm(w, f"{name}.norm1", x)))
        h = convolution(w, f"{name}.conv2", silu(group_norm(w, f"{name}.norm2", h)))
        skip = f"{name}.nin_shortcut"
        return h + (convolution(w, skip, x) if f"{skip}.weight" in w else x)

    model = "first_stage_model."
    x = convolution(w, f"{model}post_quant_conv", x / 0.18215)
    model += "decoder."
    x = block(f"{model}mid.block_1", convolution(w, f"{model}conv_in", x))
    part = f"{model}mid.attn_1"
    h = group_norm(w, f"{part}.norm", x)
    q, k, v = (convolution(w, f"{part}.{letter}", h).reshape(len(h), -1).T for letter in "qkv")
    x = x + convolution(w, f"{part}.proj_out", attention(q, k, v, 1).T.reshape(x.shape))
    x = block(f"{model}mid.block_2", x)
    for level in reversed(range(4)):
        for index in range(3):
            x = block(f"{model}up.{level}.block.{index}", x)
        if level:
            x = convolution(w, f"{model}up.{level}.upsample.conv", twice(x))
    x = convolution(w, f"{model}conv_out", silu(group_norm(w, f"{model}norm_out", x)))
    return np.clip(x / 2 + 0.5, 0, 1)


def noise(seed: int, count: int) -> Array:
    """What torch.randn gives on a GPU: Philox 4x32-10, and Box-Muller's sines."""
    counter = np.zeros((4, count), np.uint64)
    counter[2] = np.arange(count)
    key = [seed & 0xFFFFFFFF, seed >> 32]
    for _ in range(10):
        low, high = counter[0] * 0xD2511F53, counter[2] * 0xCD9E8D57
        counter = np.stack(
            [
                (high >> 32) ^ counter[1] ^ np.uint64(key[0]),
                high & 0xFFFFFFFF,
                (low >> 32) ^ counter[3] ^ np.uint64(key[1]),
                low & 0xFFFFFFFF,
            ]
        )
        key = [(key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF]
    uniform = (counter[:2] + 0.5) / 2.0**32
    return np.sqrt(-2 * np.log(uniform[0])) * np.sin(2 * np.pi * uniform[1])


def draw(w: Weights, tokens: list[int], side: int, seed: int, cfg_scale: float) -> Array:
    """One step of Euler's method, from the strongest noise to none; an image of bytes."""
    betas = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    alpha = np.cumprod(1 - betas)[-1]
    sigma = ((1 - alpha) / alpha) ** 0.5
    x = noise(seed, 4 * (side // 8) ** 2).reshape(4, side // 8, side // 8) * sigma
    scaled = (x / np.sqrt(sigma**2 + 1)).astype(np.float32)
    wanted = predict_noise(w, scaled, 999.0, encode_text(w, tokens))
    unwanted = predict_noise(w, scaled, 999.0, encode_text(w, []))
    x = x - sigma * (unwanted + cfg_scale * (wanted - unwanted))
    image = decode_image(w, x.astype(np.float32))
    return np.round(image.transpose(1, 2, 0) * 255).astype(np.uint8)
