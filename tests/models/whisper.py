"""Writes a Whisper model in whisper.cpp's format, from the one that CTranslate2 reads."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

Tensor = npt.NDArray[np.generic]

# The samples of a spectrum and of a second that Whisper's mel filters are made for.
FFT = 400
RATE = 16_000
AUDIO_CONTEXT = 1500

F32, F16 = 0, 1

# CTranslate2's numbers for types.
TYPES: dict[int, type[np.generic]] = {
    0: np.float32,
    1: np.int8,
    2: np.int16,
    3: np.int32,
    4: np.float16,
}

# A layer's parts, by what CTranslate2 calls them; queries, keys and values are joined there.
ATTENTION = {
    "encoder": {"self_attention": "attn"},
    "decoder": {"self_attention": "attn", "attention": "cross_attn"},
}


def convert(folder: Path, target: Path) -> None:
    """Writes the file `target` from the model in `folder`."""
    tensors = _read(folder / "model.bin")
    words = (folder / "vocabulary.txt").read_text(encoding="utf-8").split("\n")
    vocabulary, width = tensors["decoder/embeddings/weight"].shape
    text_context = tensors["decoder/position_encodings/encodings"].shape[0]
    heads = int(tensors["encoder/num_heads"])
    mels = tensors["encoder/conv1/weight"].shape[1]
    layers = {side: _layers(tensors, side) for side in ATTENTION}
    with target.open("wb") as out:
        numbers = [vocabulary, AUDIO_CONTEXT, width, heads, layers["encoder"]]
        numbers += [text_context, width, heads, layers["decoder"], mels, F16]
        out.write(b"lmgg" + struct.pack("<11i", *numbers))
        filters = _mel_filters(mels)
        out.write(struct.pack("<2i", *filters.shape) + filters.tobytes())
        # whisper.cpp adds control tokens itself.
        texts = [
            _bytes(word) for word in words[: next(i for i, w in enumerate(words) if w[:2] == "<|")]
        ]
        out.write(struct.pack("<i", len(texts)))
        for text in texts:
            out.write(struct.pack("<i", len(text)) + text)

        def put(name: str, tensor: Tensor) -> None:
            full = tensor.ndim == 1 or "positional" in name
            if name.endswith(("conv1.bias", "conv2.bias")):
                tensor = tensor.reshape(-1, 1)
            data = tensor.astype(np.float32 if full else np.float16)
            encoded = name.encode()
            out.write(struct.pack("<3i", data.ndim, len(encoded), F32 if full else F16))
            out.write(struct.pack(f"<{data.ndim}i", *data.shape[::-1]) + encoded + data.tobytes())

        for side, count in layers.items():
            put(f"{side}.positional_embedding", tensors[f"{side}/position_encodings/encodings"])
            for layer in range(count):
                _put_layer(tensors, side, layer, put)
            norm = "encoder.ln_post" if side == "encoder" else "decoder.ln"
            _put_pair(tensors, f"{side}/layer_norm", norm, put, weight="gamma", bias="beta")
        for name in ("conv1", "conv2"):
            _put_pair(tensors, f"encoder/{name}", f"encoder.{name}", put)
        put("decoder.token_embedding.weight", tensors["decoder/embeddings/weight"])


Put = Callable[[str, Tensor], None]


def _put_layer(tensors: dict[str, Tensor], side: str, layer: int, put: Put) -> None:
    source, block = f"{side}/layer_{layer}", f"{side}.blocks.{layer}"
    for name, attention in ATTENTION[side].items():
        parts = ["query", "key", "value"]
        for number, joined in enumerate([parts] if attention == "attn" else [parts[:1], parts[1:]]):
            linear = f"{source}/{name}/linear_{number}"
            weights = np.split(tensors[f"{linear}/weight"], len(joined))
            biases = np.split(tensors[f"{linear}/bias"], len(joined))
            for part, weight, bias in zip(joined, weights, biases, strict=True):
                put(f"{block}.{attention}.{part}.weight", weight)
                if part != "key":
                    put(f"{block}.{attention}.{part}.bias", bias)
        last = 1 if attention == "attn" else 2
        _put_pair(tensors, f"{source}/{name}/linear_{last}", f"{block}.{attention}.out", put)
        norm = f"{block}.{attention}_ln"
        _put_pair(tensors, f"{source}/{name}/layer_norm", norm, put, weight="gamma", bias="beta")
    for number, part in enumerate(("mlp.0", "mlp.2")):
        _put_pair(tensors, f"{source}/ffn/linear_{number}", f"{block}.{part}", put)
    _put_pair(
        tensors, f"{source}/ffn/layer_norm", f"{block}.mlp_ln", put, weight="gamma", bias="beta"
    )


def _put_pair(
    tensors: dict[str, Tensor],
    source: str,
    name: str,
    put: Put,
    *,
    weight: str = "weight",
    bias: str = "bias",
) -> None:
    put(f"{name}.weight", tensors[f"{source}/{weight}"])
    put(f"{name}.bias", tensors[f"{source}/{bias}"])


def _layers(tensors: dict[str, Tensor], side: str) -> int:
    return len(
        {
            name.split("/")[1]
            for name in tensors
            if name.startswith(f"{side}/layer_") and "norm" not in name.split("/")[1]
        }
    )


def _read(path: Path) -> dict[str, Tensor]:
    """The variables of a CTranslate2 model."""
    data = path.read_bytes()
    offset = 0

    def number(form: str) -> int:
        nonlocal offset
        (value,) = struct.unpack_from(f"<{form}", data, offset)
        offset += struct.calcsize(form)
        return int(value)

    def take(count: int) -> bytes:
        nonlocal offset
        offset += count
        return data[offset - count : offset]

    def text() -> str:
        return take(number("H")).removesuffix(b"\0").decode()

    tensors = {}
    number("I")  # the format's version
    text()  # the kind of model
    number("I")  # its revision
    for _ in range(number("I")):
        name = text()
        shape = [number("I") for _ in range(number("B"))]
        kind = TYPES.get(number("B"))
        content = take(number("I"))
        if kind is not None:
            tensors[name] = np.frombuffer(content, dtype=kind).reshape(shape)
    return tensors


def _bytes(word: str) -> bytes:
    """The bytes of a token in GPT-2's spelling, which has a letter for each."""
    return bytes(SPELLING[letter] for letter in word)


def _spelling() -> dict[str, int]:
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {
        chr(256 + i): byte for i, byte in enumerate(others)
    }


SPELLING = _spelling()


def _mel_filters(count: int) -> npt.NDArray[np.float32]:
    """Slaney's mel filters: triangles of equal area, at equal ratios from 1 kHz on."""
    linear, knee, step = 200 / 3, 1000.0, np.log(6.4) / 27

    def to_hertz(mel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.where(
            mel < knee / linear, mel * linear, knee * np.exp(step * (mel - knee / linear))
        )

    highest = knee / linear + np.log(RATE / 2 / knee) / step
    corners = to_hertz(np.linspace(0, highest, count + 2))
    frequencies = np.linspace(0, RATE / 2, FFT // 2 + 1)
    ramps = corners[:, None] - frequencies[None, :]
    widths = np.diff(corners)[:, None]
    filters = np.maximum(0, np.minimum(-ramps[:-2] / widths[:-1], ramps[2:] / widths[1:]))
    return (filters * 2 / (corners[2:] - corners[:-2])[:, None]).astype(np.float32)
