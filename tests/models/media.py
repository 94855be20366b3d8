"""Tiny models that see and hear, with random weights, and their projectors.

No package ships a real one. What they say is noise, but their shapes are those that llama.cpp's
mtmd takes: an image for `tiny-gemma3` is 16 rows that see each other, and its projector hears too
(375 rows for 30 seconds); `tiny-qwen2vl` has positions in a plane, and an image's size says how
many rows it has.
"""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from gguf import GGUFWriter

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH = 32
HEADS = 2
FEED_FORWARD = 64
LAYERS = 2
PATCH = 14
# Eight patches on a side; gemma3's projector makes one row of two by two of them.
IMAGE = 112
MERGE = 2
MELS = 80
# Frames of 30 seconds, halved by a convolution.
FRAMES = 1500
STACK = 4


class Projector:
    """A projector under construction."""

    def __init__(self, path: Path, model_width: int, seed: int) -> None:
        self.out = GGUFWriter(path, "clip")
        self.out.add_name(path.stem)
        self.out.add_type("mmproj")
        self.model_width = model_width
        self._random = np.random.default_rng(seed)

    def encoder(self, name: str, kind: str, layers: int, *, key_bias: bool) -> None:
        """An encoder, `vision` or `audio`: what all have in common."""
        out, short = self.out, name[0]
        out.add_bool(f"clip.has_{name}_encoder", True)
        out.add_string(f"clip.{name}.projector_type", kind)
        out.add_uint32(f"clip.{name}.embedding_length", WIDTH)
        out.add_uint32(f"clip.{name}.attention.head_count", HEADS)
        out.add_uint32(f"clip.{name}.feed_forward_length", FEED_FORWARD)
        out.add_uint32(f"clip.{name}.block_count", layers)
        out.add_uint32(f"clip.{name}.projection_dim", self.model_width)
        out.add_float32(f"clip.{name}.attention.layer_norm_epsilon", 1e-6)
        for layer in range(layers):
            block = f"{short}.blk.{layer}"
            for part in ("q", "k", "v", "out"):
                self.weights(f"{block}.attn_{part}.weight", (WIDTH, WIDTH))
                if part != "k" or key_bias:
                    self.weights(f"{block}.attn_{part}.bias", (WIDTH,), 0.1)
            self.weights(f"{block}.ffn_up.weight", (FEED_FORWARD, WIDTH))
            self.weights(f"{block}.ffn_up.bias", (FEED_FORWARD,), 0.1)
            self.weights(f"{block}.ffn_down.weight", (WIDTH, FEED_FORWARD))
            self.weights(f"{block}.ffn_down.bias", (WIDTH,), 0.1)
            self.norm(f"{block}.ln1")
            self.norm(f"{block}.ln2")
        self.norm(f"{short}.post_ln")

    def vision(self, kind: str) -> None:
        self.encoder("vision", kind, LAYERS, key_bias=True)
        self.out.add_bool("clip.use_gelu", True)
        self.out.add_uint32("clip.vision.image_size", IMAGE)
        self.out.add_uint32("clip.vision.patch_size", PATCH)
        self.out.add_array("clip.vision.image_mean", [0.5, 0.5, 0.5])
        self.out.add_array("clip.vision.image_std", [0.5, 0.5, 0.5])
        # Strong, so that pixels count beside the places of patches.
        self.weights("v.patch_embd.weight", (WIDTH, 3, PATCH, PATCH), 0.2)

    def norm(self, name: str, width: int = WIDTH) -> None:
        self.ones(f"{name}.weight", width)
        self.out.add_tensor(f"{name}.bias", np.zeros(width, dtype=np.float32))

    def ones(self, name: str, width: int) -> None:
        self.out.add_tensor(name, np.ones(width, dtype=np.float32))

    def weights(
        self,
        name: str,
        shape: "Sequence[int]",
        scale: float | None = None,
        dtype: type[np.floating] = np.float32,
    ) -> None:
        """Random weights; this default scale keeps activations near 1."""
        values = self._random.standard_normal(shape) * (scale or 1 / math.sqrt(shape[-1]))
        self.out.add_tensor(name, values.astype(dtype))

    def finish(self) -> None:
        self.out.write_header_to_file()
        self.out.write_kv_data_to_file()
        self.out.write_tensors_to_file()
        self.out.close()


def write_gemma3(path: Path, model_width: int) -> None:
    """Eyes as Gemma 3 has them, and ears as Ultravox has them, with a shorter stack."""
    projector = Projector(path, model_width, seed=4)
    projector.vision("gemma3")
    projector.out.add_uint32("clip.vision.projector.scale_factor", MERGE)
    projector.weights("v.patch_embd.bias", (WIDTH,), 0.1)
    projector.weights("v.position_embd.weight", ((IMAGE // PATCH) ** 2, WIDTH), 0.1)
    projector.ones("mm.soft_emb_norm.weight", WIDTH)
    projector.weights("mm.input_projection.weight", (WIDTH, model_width), 1 / math.sqrt(WIDTH))
    projector.encoder("audio", "ultravox", 1, key_bias=False)
    projector.out.add_uint32("clip.audio.num_mel_bins", MELS)
    projector.out.add_uint32("clip.audio.projector.stack_factor", STACK)
    projector.weights("a.position_embd.weight", (FRAMES, WIDTH), 0.1)
    # Convolutions are computed with half-precision floats.
    projector.weights("a.conv1d.1.weight", (WIDTH, MELS, 3), 0.1, np.float16)
    projector.weights("a.conv1d.1.bias", (WIDTH, 1), 0.1)
    projector.weights("a.conv1d.2.weight", (WIDTH, WIDTH, 3), 0.2, np.float16)
    projector.weights("a.conv1d.2.bias", (WIDTH, 1), 0.1)
    projector.ones("mm.a.norm_pre.weight", WIDTH * STACK)
    projector.weights("mm.a.mlp.1.weight", (2 * model_width, WIDTH * STACK))
    projector.ones("mm.a.norm_mid.weight", model_width)
    projector.weights("mm.a.mlp.2.weight", (model_width, model_width))
    projector.finish()


def write_qwen2vl(path: Path, model_width: int) -> None:
    """Eyes as Qwen2-VL has them."""
    projector = Projector(path, model_width, seed=5)
    projector.vision("qwen2vl_merger")
    projector.weights("v.patch_embd.weight.1", (WIDTH, 3, PATCH, PATCH), 0.2)
    merged = WIDTH * MERGE * MERGE
    projector.weights("mm.0.weight", (merged, merged))
    projector.weights("mm.0.bias", (merged,), 0.1)
    projector.weights("mm.2.weight", (model_width, merged))
    projector.weights("mm.2.bias", (model_width,), 0.1)
    projector.finish()
