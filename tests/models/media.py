"""Tiny models that see and hear, with random weights, and their projectors.

No package ships a real one. What they say is noise, but their shapes are those that llama.cpp's
mtmd takes: an image for `tiny-gemma3` is 16 rows that see each other, and its projector hears too
(375 rows for 30 seconds); `tiny-qwen2vl` has positions in a plane, and an image's size says how
many rows it has. The folder `kinds` has projectors of other types for one model.
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
MERGED = WIDTH * MERGE * MERGE
MELS = 80
CHANNELS = 4
# Frames of 30 seconds, halved by a convolution.
FRAMES = 1500
STACK = 4


class Projector:
    """A projector under construction."""

    def __init__(self, path: Path, model_width: int, seed: int, width: int = WIDTH) -> None:
        self.width = width
        self.out = GGUFWriter(path, "clip")
        self.out.add_name(path.stem)
        self.out.add_type("mmproj")
        self.model_width = model_width
        self._random = np.random.default_rng(seed)

    def encoder(
        self, name: str, kind: str, layers: int, *, key_bias: bool, is_fused: bool = False
    ) -> None:
        """An encoder, `vision` or `audio`: what all have in common."""
        out, short = self.out, name[0]
        out.add_bool(f"clip.has_{name}_encoder", True)
        out.add_string(f"clip.{name}.projector_type", kind)
        out.add_uint32(f"clip.{name}.embedding_length", self.width)
        out.add_uint32(f"clip.{name}.attention.head_count", HEADS)
        out.add_uint32(f"clip.{name}.feed_forward_length", FEED_FORWARD)
        out.add_uint32(f"clip.{name}.block_count", layers)
        out.add_uint32(f"clip.{name}.projection_dim", self.model_width)
        out.add_float32(f"clip.{name}.attention.layer_norm_epsilon", 1e-6)
        parts = {"qkv": 3, "out": 1} if is_fused else dict.fromkeys(("q", "k", "v", "out"), 1)
        for layer in range(layers):
            block = f"{short}.blk.{layer}"
            for part, times in parts.items():
                self.weights(f"{block}.attn_{part}.weight", (times * self.width, self.width))
                if part != "k" or key_bias:
                    self.weights(f"{block}.attn_{part}.bias", (times * self.width,), 0.1)
            self.linear(f"{block}.ffn_up", self.width, FEED_FORWARD)
            self.linear(f"{block}.ffn_down", FEED_FORWARD, self.width)
            self.norm(f"{block}.ln1")
            self.norm(f"{block}.ln2")
        self.norm(f"{short}.post_ln")

    def vision(self, kind: str, patch: int = PATCH, *, is_fused: bool = False) -> None:
        self.encoder("vision", kind, LAYERS, key_bias=True, is_fused=is_fused)
        self.out.add_bool("clip.use_gelu", True)
        self.out.add_uint32("clip.vision.image_size", IMAGE)
        self.out.add_uint32("clip.vision.patch_size", patch)
        self.out.add_array("clip.vision.image_mean", [0.5, 0.5, 0.5])
        self.out.add_array("clip.vision.image_std", [0.5, 0.5, 0.5])
        # Strong, so that pixels count beside the places of patches.
        self.weights("v.patch_embd.weight", (WIDTH, 3, patch, patch), 0.2)

    def whisper(self, kind: str, stack: int | None = None) -> None:
        """Ears as Whisper has them."""
        self.encoder("audio", kind, 1, key_bias=False)
        self.out.add_uint32("clip.audio.num_mel_bins", MELS)
        if stack:
            self.out.add_uint32("clip.audio.projector.stack_factor", stack)
        self.weights("a.position_embd.weight", (FRAMES, self.width), 0.1)
        # Convolutions are computed with half-precision floats.
        self.weights("a.conv1d.1.weight", (self.width, MELS, 3), 0.1, np.float16)
        self.weights("a.conv1d.1.bias", (self.width, 1), 0.1)
        self.weights("a.conv1d.2.weight", (self.width, self.width, 3), 0.2, np.float16)
        self.weights("a.conv1d.2.bias", (self.width, 1), 0.1)

    def places(self, count: int = (IMAGE // PATCH) ** 2) -> None:
        self.weights("v.position_embd.weight", (count, WIDTH), 0.1)

    def linear(self, name: str, inputs: int, outputs: int) -> None:
        self.weights(f"{name}.weight", (outputs, inputs))
        self.weights(f"{name}.bias", (outputs,), 0.1)

    def norm(self, name: str, width: int | None = None) -> None:
        self.ones(f"{name}.weight", width or self.width)
        self.out.add_tensor(f"{name}.bias", np.zeros(width or self.width, dtype=np.float32))

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
    projector.places()
    projector.ones("mm.soft_emb_norm.weight", WIDTH)
    projector.weights("mm.input_projection.weight", (WIDTH, model_width), 1 / math.sqrt(WIDTH))
    _hear_like_ultravox(projector, STACK)
    projector.finish()


def write_qwen2vl(path: Path, model_width: int) -> None:
    """Eyes as Qwen2-VL has them."""
    projector = Projector(path, model_width, seed=5)
    projector.vision("qwen2vl_merger")
    projector.weights("v.patch_embd.weight.1", (WIDTH, 3, PATCH, PATCH), 0.2)
    _merge_like_qwen(projector)
    projector.finish()


def _hear_like_ultravox(projector: Projector, stack: int) -> None:
    projector.whisper("ultravox", stack)
    stacked, model_width = projector.width * stack, projector.model_width
    projector.ones("mm.a.norm_pre.weight", stacked)
    projector.weights("mm.a.mlp.1.weight", (2 * model_width, stacked))
    projector.ones("mm.a.norm_mid.weight", model_width)
    projector.weights("mm.a.mlp.2.weight", (model_width, model_width))


def _merge_like_qwen(projector: Projector) -> None:
    projector.linear("mm.0", MERGED, MERGED)
    projector.linear("mm.2", MERGED, projector.model_width)


def _mlp(projector: Projector) -> None:
    projector.vision("mlp")
    # Sizes that images are scaled to, and then cut into squares.
    projector.out.add_array(
        "clip.vision.image_grid_pinpoints", [2 * IMAGE, IMAGE, IMAGE, 2 * IMAGE]
    )
    projector.places()
    projector.linear("mm.0", WIDTH, projector.model_width)
    projector.linear("mm.2", projector.model_width, projector.model_width)


def _idefics3(projector: Projector) -> None:
    projector.vision("idefics3")
    projector.places()
    projector.out.add_uint32("clip.vision.projector.scale_factor", MERGE)
    projector.weights("mm.model.fc.weight", (projector.model_width, MERGED))


def _internvl(projector: Projector) -> None:
    projector.vision("internvl")
    projector.out.add_uint32("clip.vision.preproc_min_tiles", 1)
    projector.out.add_uint32("clip.vision.preproc_max_tiles", 4)
    projector.weights("v.class_embd", (WIDTH,), 0.1)
    projector.places((IMAGE // PATCH) ** 2 + 1)
    projector.out.add_uint32("clip.vision.projector.scale_factor", MERGE)
    projector.norm("mm.model.mlp.0", MERGED)
    projector.linear("mm.model.mlp.1", MERGED, projector.model_width)
    projector.linear("mm.model.mlp.3", projector.model_width, projector.model_width)


def _lfm2(projector: Projector) -> None:
    projector.vision("lfm2", 16)
    projector.places()
    projector.out.add_uint32("clip.vision.projector.scale_factor", MERGE)
    projector.linear("mm.1", MERGED, projector.model_width)
    projector.linear("mm.2", projector.model_width, projector.model_width)


def _pixtral(projector: Projector) -> None:
    projector.vision("pixtral")
    projector.out.add_uint32("clip.vision.spatial_merge_size", MERGE)
    projector.ones("mm.input_norm.weight", WIDTH)
    projector.weights("mm.patch_merger.weight", (WIDTH, MERGED))
    projector.linear("mm.1", WIDTH, projector.model_width)
    projector.linear("mm.2", projector.model_width, projector.model_width)
    projector.weights("v.token_embd.img_break", (projector.model_width,), 0.1)


def _gemma4v(projector: Projector) -> None:
    """With patches of 4 pixels that become a row each."""
    projector.vision("gemma4v", 4)
    projector.out.add_uint32("clip.vision.projector.scale_factor", 1)
    projector.weights("v.position_embd.weight", (2, 256, WIDTH), 0.1, np.float16)
    projector.weights("mm.input_projection.weight", (projector.model_width, WIDTH))


def _qwen25(projector: Projector) -> None:
    """Eyes as Qwen2.5-VL has them, and ears as Qwen2-Audio has them, in one."""
    projector.vision("qwen2.5o")
    projector.out.add_uint32("clip.vision.spatial_merge_size", MERGE)
    projector.out.add_uint32("clip.vision.n_wa_pattern", LAYERS)
    projector.weights("v.patch_embd.weight.1", (WIDTH, 3, PATCH, PATCH), 0.2)
    _merge_like_qwen(projector)
    projector.whisper("qwen2.5o")
    projector.linear("mm.a.fc", WIDTH, projector.model_width)


def _qwen3vl(projector: Projector) -> None:
    projector.vision("qwen3vl_merger", is_fused=True)
    projector.places()
    projector.weights("v.patch_embd.weight.1", (WIDTH, 3, PATCH, PATCH), 0.2)
    projector.weights("v.patch_embd.bias", (WIDTH,), 0.1)
    _merge_like_qwen(projector)


def _ultravox(projector: Projector) -> None:
    _hear_like_ultravox(projector, 8)


def _voxtral(projector: Projector) -> None:
    projector.whisper("voxtral", 4)
    projector.weights("mm.a.mlp.1.weight", (projector.model_width, projector.width * 4))
    projector.weights("mm.a.mlp.2.weight", (projector.model_width, projector.model_width))


def _qwen3a(projector: Projector) -> None:
    projector.encoder("audio", "qwen3a", 1, key_bias=True)
    projector.out.add_uint32("clip.audio.num_mel_bins", MELS)
    projector.weights("a.position_embd.weight", (FRAMES, WIDTH), 0.1)
    inputs = 1
    for conv in (1, 2, 3):
        projector.weights(f"a.conv2d.{conv}.weight", (CHANNELS, inputs, 3, 3), 0.3, np.float16)
        projector.weights(f"a.conv2d.{conv}.bias", (CHANNELS,), 0.1)
        inputs = CHANNELS
    projector.weights("a.conv_out.weight", (WIDTH, CHANNELS * MELS // 8))
    projector.linear("mm.a.mlp.1", WIDTH, WIDTH)
    projector.linear("mm.a.mlp.2", WIDTH, projector.model_width)


def _gemma4a(projector: Projector) -> None:
    projector.encoder("audio", "gemma4a", 1, key_bias=True)
    projector.out.add_uint32("clip.audio.num_mel_bins", MELS)
    inputs = 1
    for conv in (0, 1):
        projector.weights(f"a.conv1d.{conv}.weight", (CHANNELS, inputs, 3, 3), 0.3, np.float16)
        inputs = CHANNELS
    projector.weights("a.input_projection.weight", (WIDTH, CHANNELS * MELS // 4))
    block = "a.blk.0"
    for name in ("ffn_norm", "ffn_norm_1", "conv_norm", "norm_conv"):
        projector.ones(f"{block}.{name}.weight", WIDTH)
    projector.weights(f"{block}.attn_k_rel.weight", (WIDTH, WIDTH))
    projector.weights(f"{block}.conv_pw1.weight", (2 * WIDTH, WIDTH))
    projector.weights(f"{block}.conv_dw.weight", (WIDTH, 5))
    projector.weights(f"{block}.conv_pw2.weight", (WIDTH, WIDTH))
    projector.weights(f"{block}.ffn_up_1.weight", (FEED_FORWARD, WIDTH))
    projector.weights(f"{block}.ffn_down_1.weight", (WIDTH, FEED_FORWARD))
    projector.weights("mm.a.input_projection.weight", (projector.model_width, WIDTH))


# mtmd counts stacked frames as many as it computes only where the width is no power of two.
ODD_WIDTH = 40
KINDS = {
    "mlp": (_mlp, WIDTH),
    "idefics3": (_idefics3, WIDTH),
    "internvl": (_internvl, WIDTH),
    "lfm2": (_lfm2, WIDTH),
    "pixtral": (_pixtral, WIDTH),
    "gemma4v": (_gemma4v, WIDTH),
    "qwen2.5o": (_qwen25, WIDTH),
    "qwen3vl": (_qwen3vl, WIDTH),
    "ultravox": (_ultravox, ODD_WIDTH),
    "voxtral": (_voxtral, ODD_WIDTH),
    "qwen3a": (_qwen3a, WIDTH),
    "gemma4a": (_gemma4a, WIDTH),
}
# Tokens that some of them put beside their rows.
MARKS = ("\n\n", "<fake_token_around_image>", "<global-img>", "<|img_thumbnail|>")


def write_kinds(folder: Path, model_width: int) -> None:
    """Projectors of the other types that are served, as simple as each can be."""
    for seed, (kind, (write, width)) in enumerate(KINDS.items(), start=6):
        projector = Projector(folder / f"mmproj-{kind}.gguf", model_width, seed, width)
        write(projector)
        projector.finish()
