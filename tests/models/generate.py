"""Writes tiny GGUF models with random weights, and hostile files, into the cache folder.

What the tiny models say is noise, but they load in milliseconds, give the same tokens on every run
and cover what the small real models do not: a SentencePiece vocabulary, a sliding window, a
recurrent architecture, a mixture of experts, a missing chat template, all kinds of pooling, a
ranking head, LoRA adapters and what they make of weights, projectors for images and sound. Run it
through `make models`, whose Python has gguf and numpy.
"""

import hashlib
import itertools
import math
import os
import random
import shutil
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
from buildenv import cache_dir, locked  # noqa: E402

try:
    import diffusion
    import lora
    import media
    import numpy as np
    import rank
    from gguf import GGMLQuantizationType, GGUFWriter, PoolingType, TokenType, quants
    from lora import EMBEDDINGS, Adapter
except ImportError as error:
    sys.exit(f"zerohop: {error}; run `make models`, whose Python has gguf and numpy")

EMBEDDING = 64
HEADS = 4
KV_HEADS = 2
HEAD = EMBEDDING // HEADS
FEED_FORWARD = 128
EXPERTS = 16
LAYERS = 2
CONTEXT = 2048
WINDOW = 16

CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)

# As in Mistral's first models: BOS is the template's to write, and there is no system role.
INST = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token }}"
    "{% else %}{{ raise_exception('Only the roles user and assistant are supported') }}"
    "{% endif %}{% endfor %}"
)

# Words and their prefixes, tokens that cross the borders of JSON's grammar, and characters of two
# and four bytes, whose beginnings are tokens too.
MERGES = (
    "h e|t he|Ġ the|i n|in g|r e|o n|a n|an d|Ġ and|e r|Ġ a|Ġ t|l l|o u|Ġ s|Ċ Ċ|Ġ Ġ|0 0|1 2"
    '|{ "|" :|" ,|" }|": Ġ|} }|[ {|Ã ©|ð Ł|ðŁ ĺ|ðŁĺ Ģ'
).split("|")

# SentencePiece joins two pieces only where the result is a piece, so prefixes are pieces too.
PIECES = "▁t ▁th ▁the he in ing ▁a ▁an ▁and er on re ou ll ▁s ▁is ▁▁ 00 12".split()


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer, as GGUF describes it."""

    model: str
    tokens: list[str]
    types: list[TokenType]
    # Which tokens are whole, printable text.
    text: list[bool]
    bos: str
    eos: str
    add_bos: bool
    template: str

    def write(self, out: GGUFWriter) -> None:
        out.add_tokenizer_model(self.model)
        out.add_token_list(self.tokens)
        out.add_token_types(self.types)
        out.add_bos_token_id(self.tokens.index(self.bos))
        out.add_eos_token_id(self.tokens.index(self.eos))
        out.add_add_bos_token(self.add_bos)
        if self.model == "gpt2":
            out.add_tokenizer_pre("qwen2")
            out.add_token_merges(MERGES)
        else:
            out.add_tokenizer_pre("default")
            # Earlier pieces are joined first.
            out.add_token_scores([-float(rank) for rank in range(len(self.tokens))])
            out.add_add_space_prefix(True)
            out.add_unk_token_id(self.tokens.index("<unk>"))


def byte_level(*more: str) -> Vocabulary:
    """A byte-level BPE vocabulary with ChatML's control tokens, and perhaps more."""
    control = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *more]
    byte_of = {spelling: byte for byte, spelling in enumerate(_byte_spellings())}
    pieces = [*byte_of, *(merge.replace(" ", "") for merge in MERGES)]
    return Vocabulary(
        model="gpt2",
        tokens=pieces + control,
        types=[TokenType.NORMAL] * len(pieces) + [TokenType.CONTROL] * len(control),
        text=[_is_text(bytes(map(byte_of.__getitem__, piece))) for piece in pieces]
        + [False] * len(control),
        bos="<|endoftext|>",
        eos="<|im_end|>",
        add_bos=False,
        template=CHATML,
    )


def words() -> Vocabulary:
    """As many tokens as Qwen's vocabulary has, for the benches of what choosing costs."""
    small = byte_level()
    letters = "abcdefghijklmnopqrstuvwxyz"
    spellings = ("Ġ" + "".join(word) for word in itertools.product(letters, repeat=4))
    more = list(itertools.islice(spellings, 151_936 - len(small.tokens)))
    return replace(
        small,
        tokens=small.tokens + more,
        types=small.types + [TokenType.NORMAL] * len(more),
        text=small.text + [True] * len(more),
    )


def _byte_spellings() -> list[str]:
    # GPT-2 writes printable bytes as they are and the others as the characters from U+0100 on.
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    spare = iter(range(0x100, 0x200))
    return [chr(byte if byte in printable else next(spare)) for byte in range(256)]


def _is_text(piece: bytes) -> bool:
    try:
        return piece.decode().replace("\n", " ").isprintable()
    except UnicodeDecodeError:
        return False


def sentence_piece() -> Vocabulary:
    """A SentencePiece vocabulary with byte fallback."""
    special = ["<unk>", "<s>", "</s>"]
    raw = [f"<0x{byte:02X}>" for byte in range(256)]
    pieces = [*PIECES, "▁", *map(chr, range(0x21, 0x7F))]
    return Vocabulary(
        model="llama",
        tokens=special + raw + pieces,
        types=[TokenType.UNKNOWN, TokenType.CONTROL, TokenType.CONTROL]
        + [TokenType.BYTE] * len(raw)
        + [TokenType.NORMAL] * len(pieces),
        text=[False] * (len(special) + len(raw)) + [True] * len(pieces),
        bos="<s>",
        eos="</s>",
        add_bos=True,
        template=INST,
    )


Q8_0 = GGMLQuantizationType.Q8_0


def _same(name: str, values: np.ndarray) -> np.ndarray:
    return values


@dataclass(frozen=True)
class Variant:
    """What becomes of a model's matrices."""

    change: Callable[[str, np.ndarray], np.ndarray] = _same
    is_quantized: bool = False


class TinyModel:
    """A model under construction: what all architectures have in common."""

    def __init__(
        self,
        path: Path,
        architecture: str,
        vocabulary: Vocabulary,
        variant: Variant | None = None,
    ) -> None:
        self.out = GGUFWriter(path, architecture)
        self.vocabulary = vocabulary
        self._variant = variant or Variant()
        self._random = np.random.default_rng(seed=1)
        self.out.add_name(path.stem)
        self.out.add_context_length(CONTEXT)
        self.out.add_embedding_length(EMBEDDING)
        self.out.add_block_count(LAYERS)
        self.out.add_layer_norm_rms_eps(1e-5)
        vocabulary.write(self.out)
        self.weights("token_embd.weight", len(vocabulary.tokens), EMBEDDING)
        self.ones("output_norm.weight", EMBEDDING)
        # Three times the usual scale sets the likeliest token clear of the next, so that the
        # rounding of another CPU's kernels does not change greedy answers.
        output = 3.0 * self._normal(len(vocabulary.tokens), EMBEDDING)
        # A logit of zero is far under the greatest of a hundred: greedy answers are text, in which
        # a difference shows, and never end by chance; at temperature 1 one token in 50 is not text.
        output[np.logical_not(vocabulary.text)] = 0.0
        self._matrix("output.weight", output)

    def weights(self, name: str, *shape: int) -> None:
        self._matrix(name, self._normal(*shape))

    def floats(self, name: str, *shape: int) -> None:
        """Weights that are never quantised."""
        self.out.add_tensor(name, self._normal(*shape))

    def _matrix(self, name: str, values: np.ndarray) -> None:
        values = self._variant.change(name, values)
        if self._variant.is_quantized:
            self.out.add_tensor(name, quants.quantize(values, Q8_0), raw_dtype=Q8_0)
        else:
            self.out.add_tensor(name, values)

    def ones(self, name: str, size: int) -> None:
        self.out.add_tensor(name, np.ones(size, dtype=np.float32))

    def finish(self) -> None:
        self.out.write_header_to_file()
        self.out.write_kv_data_to_file()
        self.out.write_tensors_to_file()
        self.out.close()

    def _normal(self, *shape: int) -> np.ndarray:
        # This scale keeps activations near 1.
        values = self._random.standard_normal(shape) / math.sqrt(shape[-1])
        return values.astype(np.float32)


def write_transformer(
    path: Path,
    vocabulary: Vocabulary,
    *,
    template: bool = True,
    pooling: PoolingType | None = None,
    variant: Variant | None = None,
) -> None:
    """A llama model; with `pooling`, one that turns texts into vectors."""
    model = TinyModel(path, "llama", vocabulary, variant)
    if template:
        model.out.add_chat_template(vocabulary.template)
    if pooling is not None:
        model.out.add_pooling_type(pooling)
    _add_attention(model)
    model.finish()


def write_sliding_window(path: Path, vocabulary: Vocabulary) -> None:
    """A gemma3 model, whose first layer sees the last 16 tokens only."""
    model = TinyModel(path, "gemma3", vocabulary)
    model.out.add_chat_template(vocabulary.template)
    model.out.add_key_length(HEAD)
    model.out.add_value_length(HEAD)
    model.out.add_sliding_window(WINDOW)
    model.out.add_sliding_window_pattern(LAYERS)
    _add_attention(model)
    for layer in range(LAYERS):
        model.ones(f"blk.{layer}.attn_q_norm.weight", HEAD)
        model.ones(f"blk.{layer}.attn_k_norm.weight", HEAD)
        model.ones(f"blk.{layer}.post_attention_norm.weight", EMBEDDING)
        model.ones(f"blk.{layer}.post_ffw_norm.weight", EMBEDDING)
    model.finish()


def write_planes(path: Path, vocabulary: Vocabulary) -> None:
    """A qwen2vl model, whose positions have a time, a line and a column."""
    model = TinyModel(path, "qwen2vl", vocabulary, Variant(is_quantized=True))
    model.out.add_chat_template(vocabulary.template)
    # Half of a head's numbers are turned by these in turn.
    model.out.add_rope_dimension_sections([2, 3, 3, 0])
    _add_attention(model)
    for layer in range(LAYERS):
        for part, heads in (("q", HEADS), ("k", KV_HEADS), ("v", KV_HEADS)):
            bias = np.zeros(heads * HEAD, dtype=np.float32)
            model.out.add_tensor(f"blk.{layer}.attn_{part}.bias", bias)
    model.finish()


def write_mixture(path: Path, vocabulary: Vocabulary) -> None:
    """A llama model that is a mixture of experts, of which each token takes two."""
    model = TinyModel(path, "llama", vocabulary, Variant(is_quantized=True))
    model.out.add_chat_template(vocabulary.template)
    model.out.add_expert_count(EXPERTS)
    model.out.add_expert_used_count(2)
    _add_attention(model, experts=EXPERTS)
    model.finish()


def _add_attention(model: TinyModel, experts: int = 0) -> None:
    model.out.add_head_count(HEADS)
    model.out.add_head_count_kv(KV_HEADS)
    model.out.add_feed_forward_length(FEED_FORWARD)
    for layer in range(LAYERS):
        block = f"blk.{layer}"
        model.ones(f"{block}.attn_norm.weight", EMBEDDING)
        model.weights(f"{block}.attn_q.weight", HEADS * HEAD, EMBEDDING)
        model.weights(f"{block}.attn_k.weight", KV_HEADS * HEAD, EMBEDDING)
        model.weights(f"{block}.attn_v.weight", KV_HEADS * HEAD, EMBEDDING)
        model.weights(f"{block}.attn_output.weight", EMBEDDING, HEADS * HEAD)
        model.ones(f"{block}.ffn_norm.weight", EMBEDDING)
        if experts > 0:
            model.floats(f"{block}.ffn_gate_inp.weight", experts, EMBEDDING)
            model.weights(f"{block}.ffn_gate_exps.weight", experts, FEED_FORWARD, EMBEDDING)
            model.weights(f"{block}.ffn_up_exps.weight", experts, FEED_FORWARD, EMBEDDING)
            model.weights(f"{block}.ffn_down_exps.weight", experts, EMBEDDING, FEED_FORWARD)
            continue
        model.weights(f"{block}.ffn_gate.weight", FEED_FORWARD, EMBEDDING)
        model.weights(f"{block}.ffn_up.weight", FEED_FORWARD, EMBEDDING)
        model.weights(f"{block}.ffn_down.weight", EMBEDDING, FEED_FORWARD)


def write_recurrent(path: Path, vocabulary: Vocabulary) -> None:
    """A mamba model: its state cannot be cut at a position, as a KV cache can."""
    # llama.cpp supports no other expansion than 2.
    inner, state, rank, kernel = 2 * EMBEDDING, 8, 4, 4
    model = TinyModel(path, "mamba", vocabulary)
    model.out.add_chat_template(vocabulary.template)
    model.out.add_head_count(0)
    model.out.add_feed_forward_length(0)
    model.out.add_ssm_conv_kernel(kernel)
    model.out.add_ssm_inner_size(inner)
    model.out.add_ssm_state_size(state)
    model.out.add_ssm_time_step_rank(rank)
    for layer in range(LAYERS):
        block = f"blk.{layer}"
        model.ones(f"{block}.attn_norm.weight", EMBEDDING)
        model.weights(f"{block}.ssm_in.weight", 2 * inner, EMBEDDING)
        model.weights(f"{block}.ssm_conv1d.weight", inner, kernel)
        model.out.add_tensor(f"{block}.ssm_conv1d.bias", np.zeros(inner, dtype=np.float32))
        model.weights(f"{block}.ssm_x.weight", rank + 2 * state, inner)
        model.weights(f"{block}.ssm_dt.weight", inner, rank)
        model.out.add_tensor(f"{block}.ssm_dt.bias", np.zeros(inner, dtype=np.float32))
        # Negative, or the state would grow without bound.
        decay = -np.arange(1, state + 1, dtype=np.float32)
        model.out.add_tensor(f"{block}.ssm_a", np.tile(decay, (inner, 1)))
        model.ones(f"{block}.ssm_d", inner)
        model.weights(f"{block}.ssm_out.weight", EMBEDDING, inner)
    model.finish()


def write_adapters(folder: Path, vocabulary: Vocabulary) -> None:
    """Adapters for tiny-llama and those like it, and models with the same merged into them."""
    blocks = [f"blk.{layer}" for layer in range(LAYERS)]
    shapes = {f"{block}.attn_q.weight": (HEADS * HEAD, EMBEDDING) for block in blocks}
    shapes |= {f"{block}.attn_v.weight": (KV_HEADS * HEAD, EMBEDDING) for block in blocks}
    shapes |= {f"{block}.ffn_down.weight": (EMBEDDING, FEED_FORWARD) for block in blocks}
    one = Adapter.random(shapes, rank=4, alpha=8.0, seed=2, dtype=np.float32)
    one.write(folder / "tiny-lora.gguf", "llama")
    shapes = {EMBEDDINGS: (len(vocabulary.tokens), EMBEDDING)}
    shapes |= {f"{block}.ffn_up.weight": (FEED_FORWARD, EMBEDDING) for block in blocks}
    other = Adapter.random(shapes, rank=3, alpha=1.5, seed=3, dtype=np.float16)
    other.write(folder / "tiny-lora-other.gguf", "llama")

    def both(name: str, values: np.ndarray) -> np.ndarray:
        return other.merged(name, one.merged(name, values, 0.5), -2.0)

    def requantized(name: str, values: np.ndarray) -> np.ndarray:
        return one.merged(name, quants.dequantize(quants.quantize(values, Q8_0), Q8_0))

    merged = Variant(one.merged)
    write_transformer(folder / "tiny-merged.gguf", vocabulary, variant=merged)
    write_transformer(folder / "tiny-merged-both.gguf", vocabulary, variant=Variant(both))
    write_transformer(folder / "tiny-q8.gguf", vocabulary, variant=Variant(is_quantized=True))
    write_transformer(folder / "tiny-q8-merged.gguf", vocabulary, variant=Variant(requantized))
    write_transformer(
        folder / "tiny-embedding-merged.gguf",
        vocabulary,
        template=False,
        pooling=PoolingType.MEAN,
        variant=merged,
    )


def write_hostile(folder: Path, whole: bytes) -> None:
    """Files that must be refused, made from nothing and from `whole`, a good GGUF file."""
    noise = random.Random(1)
    # A header is the magic, the version, the number of tensors and the number of metadata pairs.
    header = struct.Struct("<4sIQQ")
    magic, version, tensors, pairs = header.unpack_from(whole)
    body = whole[header.size :]
    files = {
        "empty": b"",
        "not-gguf": bytes(noise.randrange(0x20, 0x7F) for _ in range(4096)),
        "truncated-header": whole[:1000],
        # The tensor data is by far the larger part, so this cuts inside it.
        "truncated-tensors": whole[: len(whole) * 2 // 3],
        "bad-version": header.pack(magic, 99, tensors, pairs) + body,
        "huge-counts": header.pack(magic, version, tensors, 1 << 60) + body,
    }
    for name, content in files.items():
        (folder / f"{name}.gguf").write_bytes(content)


def generate(models: Path) -> None:
    """Writes all files unless this very generator has written them."""
    sources = [
        Path(__file__),
        *(Path(str(module.__file__)) for module in (rank, lora, media, diffusion)),
    ]
    source = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    stamp = models / "tiny/stamp"
    with locked(models / ".generate.lock"):
        if stamp.is_file() and stamp.read_text().strip() == source:
            return
        stamp.unlink(missing_ok=True)
        scratch = models / ".generate"
        shutil.rmtree(scratch, ignore_errors=True)
        tiny, hostile = scratch / "tiny", scratch / "hostile"
        tiny.mkdir(parents=True)
        hostile.mkdir()
        bytes_, pieces = byte_level(), sentence_piece()
        write_transformer(tiny / "tiny-llama.gguf", bytes_)
        write_transformer(tiny / "tiny-no-template.gguf", bytes_, template=False)
        write_transformer(tiny / "tiny-spm.gguf", pieces)
        for pooling in (PoolingType.MEAN, PoolingType.CLS, PoolingType.LAST, PoolingType.RANK):
            path = tiny / f"tiny-embedding-{pooling.name.lower()}.gguf"
            write_transformer(path, bytes_, template=False, pooling=pooling)
        write_adapters(tiny, bytes_)
        rank.write_rank(tiny)
        write_sliding_window(tiny / "tiny-gemma3.gguf", pieces)
        media.write_gemma3(tiny / "mmproj-tiny-gemma3.gguf", EMBEDDING)
        # Alone in its folder, where its projector is found.
        beside = tiny / "qwen2vl"
        beside.mkdir()
        # As many tokens as our kernels take together, so that they compute the whole model.
        spare = [f"<|spare_{number}|>" for number in range(28)]
        seeing = byte_level("<|vision_start|>", "<|vision_end|>", *spare)
        write_planes(beside / "tiny-qwen2vl.gguf", seeing)
        media.write_qwen2vl(beside / "mmproj-tiny-qwen2vl.gguf", EMBEDDING)
        write_mixture(tiny / "tiny-mixture.gguf", byte_level(*spare[:14]))
        kinds = tiny / "kinds"
        kinds.mkdir()
        write_planes(kinds / "tiny-kinds.gguf", byte_level(*media.MARKS))
        media.write_kinds(kinds, EMBEDDING)
        write_recurrent(tiny / "tiny-mamba.gguf", bytes_)
        drawing = tiny / "diffusion"
        drawing.mkdir()
        diffusion.write(drawing)
        write_transformer(tiny / "tiny-words.gguf", words(), variant=Variant(is_quantized=True))
        write_hostile(hostile, (tiny / "tiny-llama.gguf").read_bytes())
        # Renamed one by one: a test that has an older file mapped keeps it whole.
        for file in scratch.rglob("*.*"):
            target = models / file.relative_to(scratch)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(file, target)
        shutil.rmtree(scratch)
        stamp.write_text(f"{source}\n")


if __name__ == "__main__":
    generate(cache_dir() / "models")
