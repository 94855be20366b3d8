"""A checkpoint of Stable Diffusion 1's layout with random weights.

No package ships one with trained weights. stable-diffusion.cpp fixes the sizes of the text encoder
(CLIP ViT-L/14) and of the image encoder, so that these are as large as ever, in 8 bits; the
diffusion model and the image decoder are as narrow as their 32 groups allow. What it draws is
noise, but noise that depends on every part.
"""

import json
from pathlib import Path
from statistics import NormalDist

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter

CHANNELS = 32
DECODER = 32
# Fixed by stable-diffusion.cpp.
ENCODER = 128
TEXT = 768
VOCABULARY = 49408
POSITIONS = 77
LATENT = 4
DEVIATION = 0.02

UNET = "model.diffusion_model."
CLIP = "cond_stage_model.transformer."
VAE = "first_stage_model."


def float8() -> np.ndarray:
    """The numbers of the type F8_E4M3, by their code."""
    code = np.arange(256)
    exponent, fraction = (code >> 3) & 15, code & 7
    number = np.where(
        exponent == 0, fraction / 8 * 2.0**-6, (1 + fraction / 8) * 2.0 ** (exponent - 7.0)
    )
    number[(code & 127) == 127] = np.nan
    return np.where(code > 127, -number, number).astype(np.float32)


class Checkpoint:
    """Tensors by name, each a type's name, a shape and its bytes."""

    def __init__(self, seed: int) -> None:
        self.tensors: dict[str, tuple[str, tuple[int, ...], bytes]] = {}
        self._random = np.random.default_rng(seed)
        # For a byte of chance, the code of the number that the normal distribution has there.
        known = float8()
        normal = NormalDist(0, DEVIATION)
        self._codes = np.array(
            [
                np.nanargmin(np.abs(known - normal.inv_cdf((index + 0.5) / 256)))
                for index in range(256)
            ],
            np.uint8,
        )

    def eighth(self, name: str, *shape: int) -> None:
        """A matrix in 8 bits."""
        chance = np.frombuffer(self._random.bytes(int(np.prod(shape))), np.uint8)
        self.tensors[name] = ("F8_E4M3", shape, self._codes[chance].tobytes())

    def half(self, name: str, deviation: float, *shape: int, mean: float = 0.0) -> None:
        numbers = self._random.standard_normal(shape, np.float32) * deviation + mean
        self.tensors[name] = ("F16", shape, numbers.astype(np.float16).tobytes())

    def norm(self, name: str, width: int) -> None:
        self.half(f"{name}.weight", 0.1, width, mean=1.0)
        self.half(f"{name}.bias", 0.1, width)

    def linear(self, name: str, inputs: int, outputs: int, *, bias: bool = True) -> None:
        self.half(f"{name}.weight", inputs**-0.5, outputs, inputs)
        if bias:
            self.half(f"{name}.bias", 0.05, outputs)

    def convolution(self, name: str, inputs: int, outputs: int, size: int = 3) -> None:
        self.half(f"{name}.weight", (inputs * size * size) ** -0.5, outputs, inputs, size, size)
        self.half(f"{name}.bias", 0.05, outputs)

    def large_convolution(self, name: str, inputs: int, outputs: int, size: int = 3) -> None:
        self.eighth(f"{name}.weight", outputs, inputs, size, size)
        self.half(f"{name}.bias", 0.05, outputs)

    def under(self, prefix: str) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
        return {
            name.removeprefix(prefix): tensor
            for name, tensor in self.tensors.items()
            if name.startswith(prefix)
        }


def write_safetensors(path: Path, tensors: dict[str, tuple[str, tuple[int, ...], bytes]]) -> None:
    header, offset = {}, 0
    for name, (kind, shape, content) in tensors.items():
        end = offset + len(content)
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, _, content in tensors.values():
            file.write(content)


def write_gguf(path: Path, tensors: dict[str, tuple[str, tuple[int, ...], bytes]]) -> None:
    """As conversion programs write it, with vectors in 32 bits."""
    out = GGUFWriter(path, "sd1")
    for name, (_, shape, content) in tensors.items():
        numbers = np.frombuffer(content, np.float16).reshape(shape)
        kind = GGMLQuantizationType.F16 if len(shape) > 1 else GGMLQuantizationType.F32
        numbers = numbers if len(shape) > 1 else numbers.astype(np.float32)
        out.add_tensor(name, numbers, raw_dtype=kind)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def text_encoder(out: Checkpoint) -> None:
    model = f"{CLIP}text_model."
    out.eighth(f"{model}embeddings.token_embedding.weight", VOCABULARY, TEXT)
    out.half(f"{model}embeddings.position_embedding.weight", DEVIATION, POSITIONS, TEXT)
    for layer in range(12):
        block = f"{model}encoder.layers.{layer}."
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            out.eighth(f"{block}self_attn.{part}.weight", TEXT, TEXT)
            out.half(f"{block}self_attn.{part}.bias", DEVIATION, TEXT)
        out.eighth(f"{block}mlp.fc1.weight", 4 * TEXT, TEXT)
        out.half(f"{block}mlp.fc1.bias", DEVIATION, 4 * TEXT)
        out.eighth(f"{block}mlp.fc2.weight", TEXT, 4 * TEXT)
        out.half(f"{block}mlp.fc2.bias", DEVIATION, TEXT)
        out.norm(f"{block}layer_norm1", TEXT)
        out.norm(f"{block}layer_norm2", TEXT)
    out.norm(f"{model}final_layer_norm", TEXT)


def residual(out: Checkpoint, name: str, inputs: int, outputs: int) -> None:
    out.norm(f"{name}.in_layers.0", inputs)
    out.convolution(f"{name}.in_layers.2", inputs, outputs)
    out.linear(f"{name}.emb_layers.1", 4 * CHANNELS, outputs)
    out.norm(f"{name}.out_layers.0", outputs)
    out.convolution(f"{name}.out_layers.3", outputs, outputs)
    if inputs != outputs:
        out.convolution(f"{name}.skip_connection", inputs, outputs, 1)


def transformer(out: Checkpoint, name: str, width: int) -> None:
    out.norm(f"{name}.norm", width)
    out.convolution(f"{name}.proj_in", width, width, 1)
    block = f"{name}.transformer_blocks.0."
    for attention, context in (("attn1", width), ("attn2", TEXT)):
        out.linear(f"{block}{attention}.to_q", width, width, bias=False)
        out.linear(f"{block}{attention}.to_k", context, width, bias=False)
        out.linear(f"{block}{attention}.to_v", context, width, bias=False)
        out.linear(f"{block}{attention}.to_out.0", width, width)
    out.linear(f"{block}ff.net.0.proj", width, 8 * width)
    out.linear(f"{block}ff.net.2", 4 * width, width)
    for number in (1, 2, 3):
        out.norm(f"{block}norm{number}", width)
    out.convolution(f"{name}.proj_out", width, width, 1)


def diffusion_model(out: Checkpoint) -> None:
    out.linear(f"{UNET}time_embed.0", CHANNELS, 4 * CHANNELS)
    out.linear(f"{UNET}time_embed.2", 4 * CHANNELS, 4 * CHANNELS)
    out.convolution(f"{UNET}input_blocks.0.0", LATENT, CHANNELS)
    skips, width, number = [CHANNELS], CHANNELS, 0
    for level, times in enumerate((1, 2, 4, 4)):
        for _ in range(2):
            number += 1
            residual(out, f"{UNET}input_blocks.{number}.0", width, times * CHANNELS)
            width = times * CHANNELS
            if level < 3:
                transformer(out, f"{UNET}input_blocks.{number}.1", width)
            skips.append(width)
        if level < 3:
            number += 1
            out.convolution(f"{UNET}input_blocks.{number}.0.op", width, width)
            skips.append(width)
    residual(out, f"{UNET}middle_block.0", width, width)
    transformer(out, f"{UNET}middle_block.1", width)
    residual(out, f"{UNET}middle_block.2", width, width)
    number = 0
    for level, times in reversed(list(enumerate((1, 2, 4, 4)))):
        for index in range(3):
            block = f"{UNET}output_blocks.{number}"
            residual(out, f"{block}.0", width + skips.pop(), times * CHANNELS)
            width = times * CHANNELS
            if level < 3:
                transformer(out, f"{block}.1", width)
            if level > 0 and index == 2:
                place = 2 if level < 3 else 1
                out.convolution(f"{block}.{place}.conv", width, width)
            number += 1
    out.norm(f"{UNET}out.0", width)
    out.convolution(f"{UNET}out.2", width, LATENT)


def image_block(out: Checkpoint, name: str, inputs: int, outputs: int, *, large: bool) -> None:
    convolution = out.large_convolution if large else out.convolution
    out.norm(f"{name}.norm1", inputs)
    convolution(f"{name}.conv1", inputs, outputs)
    out.norm(f"{name}.norm2", outputs)
    convolution(f"{name}.conv2", outputs, outputs)
    if inputs != outputs:
        convolution(f"{name}.nin_shortcut", inputs, outputs, 1)


def image_middle(out: Checkpoint, name: str, width: int, *, large: bool) -> None:
    convolution = out.large_convolution if large else out.convolution
    image_block(out, f"{name}.mid.block_1", width, width, large=large)
    out.norm(f"{name}.mid.attn_1.norm", width)
    for part in ("q", "k", "v", "proj_out"):
        convolution(f"{name}.mid.attn_1.{part}", width, width, 1)
    image_block(out, f"{name}.mid.block_2", width, width, large=large)


def autoencoder(out: Checkpoint) -> None:
    name, width = f"{VAE}encoder", ENCODER
    out.convolution(f"{name}.conv_in", 3, width)
    for level, times in enumerate((1, 2, 4, 4)):
        for index in range(2):
            image_block(
                out, f"{name}.down.{level}.block.{index}", width, times * ENCODER, large=True
            )
            width = times * ENCODER
        if level < 3:
            out.large_convolution(f"{name}.down.{level}.downsample.conv", width, width)
    image_middle(out, name, width, large=True)
    out.norm(f"{name}.norm_out", width)
    out.convolution(f"{name}.conv_out", width, 2 * LATENT)
    out.convolution(f"{VAE}quant_conv", 2 * LATENT, 2 * LATENT, 1)
    out.convolution(f"{VAE}post_quant_conv", LATENT, LATENT, 1)
    name, width = f"{VAE}decoder", 4 * DECODER
    out.convolution(f"{name}.conv_in", LATENT, width)
    image_middle(out, name, width, large=False)
    for level, times in reversed(list(enumerate((1, 2, 4, 4)))):
        for index in range(3):
            image_block(
                out, f"{name}.up.{level}.block.{index}", width, times * DECODER, large=False
            )
            width = times * DECODER
        if level > 0:
            out.convolution(f"{name}.up.{level}.upsample.conv", width, width)
    out.norm(f"{name}.norm_out", width)
    out.half(f"{name}.conv_out.weight", 0.03, 3, width, 3, 3)
    out.half(f"{name}.conv_out.bias", 0.05, 3)


def write(folder: Path) -> None:
    """One file, and the same parts in a folder: a GGUF file and two safetensors files."""
    out = Checkpoint(1)
    text_encoder(out)
    diffusion_model(out)
    autoencoder(out)
    write_safetensors(folder / "sd1.safetensors", out.tensors)
    parts = folder / "sd1-parts"
    parts.mkdir()
    write_gguf(parts / "diffusion_model.gguf", out.under(UNET))
    write_safetensors(parts / "clip_l.safetensors", out.under(CLIP))
    write_safetensors(parts / "vae.safetensors", out.under(VAE))
