"""Images: the engine's own methods, openai's SDK over it, and a reference to compare with."""

import asyncio
import base64
import contextlib
import inspect
import io
import os
import pty
import subprocess
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import diffusion_reference
import numpy as np
import openai
import pytest
import support
from PIL import Image, ImageDraw

import zerohop
from zerohop import types

CHECKPOINT = "tiny/diffusion/sd1.safetensors"
FAST = {"seed": 7, "steps": 1, "cfg_scale": 1.0, "sampler": "euler"}
LARGE_ENOUGH = 30.0


@pytest.fixture(scope="module")
def painting() -> Iterator[zerohop.Engine]:
    with zerohop.Engine(support.model(CHECKPOINT), alias="sd", threads=2) as engine:
        yield engine


@pytest.fixture(scope="module")
def client(painting: zerohop.Engine) -> Iterator[openai.OpenAI]:
    with zerohop.OpenAI(painting) as client:
        yield client


def decoded(b64_json: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(b64_json, validate=True)))


def pixels(b64_json: str) -> np.ndarray:
    return np.asarray(decoded(b64_json).convert("RGB"), np.float64)


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / max(np.mean((one - other) ** 2), 1e-12)))


def png(size: tuple[int, int] = (64, 64), mode: str = "RGB", color: Any = (200, 30, 90)) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, color).save(file, "PNG")
    return file.getvalue()


def paint(engine: zerohop.Engine, **params: Any) -> types.ImagesResponse:
    extra = FAST | params.pop("extra_body", {})
    return engine.images.generate(
        **({"prompt": "a b c", "size": "64x64"} | params), extra_body=extra
    )


def test_images_through_the_sdk(client: openai.OpenAI) -> None:
    # IM1, IM2, IM3
    def generate(seed: int) -> openai.types.ImagesResponse:
        return client.images.generate(
            model="sd",
            prompt="a lighthouse at night",
            n=2,
            size="256x256",
            extra_body={"seed": seed, "steps": 1, "cfg_scale": 1},
        )

    reply, same, other = generate(1), generate(1), generate(2)
    assert reply.data and same.data and other.data and len(reply.data) == 2
    for image in reply.data:
        assert image.b64_json and image.url is None
        assert (decoded(image.b64_json).format, decoded(image.b64_json).size) == ("PNG", (256, 256))
    assert [image.b64_json for image in same.data] == [image.b64_json for image in reply.data]
    assert other.data[0].b64_json != reply.data[0].b64_json != reply.data[1].b64_json
    # The second has the seed after the first one's.
    assert other.data[0].b64_json == reply.data[1].b64_json
    assert (reply.output_format, reply.size, reply.background) == ("png", "256x256", "opaque")
    usage = reply.usage
    assert usage and usage.input_tokens_details.image_tokens == 0
    assert usage.input_tokens == usage.input_tokens_details.text_tokens == 4
    assert usage.output_tokens == 2 * 256
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens


def test_parity_with_the_reference(painting: zerohop.Engine) -> None:
    # Tokens of single letters are known without merges: 256 and their place among the bytes.
    reply = paint(painting, extra_body={"cfg_scale": 2.0})
    weights = diffusion_reference.Weights(support.model(CHECKPOINT))
    expected = diffusion_reference.draw(weights, [320, 321, 322], 64, 7, 2.0)
    assert reply.data and reply.data[0].b64_json
    assert psnr(pixels(reply.data[0].b64_json), expected) >= LARGE_ENOUGH
    for change in ({"prompt": "a b d"}, {"extra_body": {"cfg_scale": 2.0, "seed": 8}}):
        other = paint(painting, **({"extra_body": {"cfg_scale": 2.0}} | change))
        assert other.data and other.data[0].b64_json
        assert psnr(pixels(other.data[0].b64_json), expected) < 45


def test_a_folder_of_parts_paints_the_same(painting: zerohop.Engine) -> None:
    folder = support.model(CHECKPOINT).with_name("sd1-parts")
    whole = paint(painting)
    with zerohop.Engine(folder, threads=2) as engine:
        parts = paint(engine)
        assert engine.model_info[0].architecture == "sd1"
    assert whole.data and parts.data and whole.data[0].b64_json and parts.data[0].b64_json
    assert psnr(pixels(whole.data[0].b64_json), pixels(parts.data[0].b64_json)) >= 50


@pytest.mark.parametrize("name", ["png", "jpeg", "webp"])
def test_formats(painting: zerohop.Engine, name: Any) -> None:
    # IM1, IM2
    lossless = paint(painting).data[0].b64_json
    reply = paint(painting, output_format=name)
    file = decoded(reply.data[0].b64_json)
    assert (file.format, file.size) == (name.upper(), (64, 64))
    assert reply.output_format == name
    assert psnr(pixels(lossless), pixels(reply.data[0].b64_json)) > (25 if name == "jpeg" else 100)
    if name != "png":
        small = paint(painting, output_format=name, output_compression=10)
        assert len(small.data[0].b64_json) < len(reply.data[0].b64_json) / 2
        assert decoded(small.data[0].b64_json).format == name.upper()
        assert 10 < psnr(pixels(lossless), pixels(small.data[0].b64_json)) < 40


def test_streams(client: openai.OpenAI, painting: zerohop.Engine) -> None:
    # IM4
    params: Any = {"model": "sd", "prompt": "a b c", "size": "64x64"}
    extra = FAST | {"steps": 3}
    with client.images.generate(
        **params, stream=True, partial_images=2, extra_body=extra
    ) as stream:
        events = list(stream)
    kinds = ["image_generation.partial_image"] * 2 + ["image_generation.completed"]
    assert [event.type for event in events] == kinds
    assert [event.partial_image_index for event in events[:2]] == [0, 1]
    assert all(decoded(event.b64_json).size == (64, 64) for event in events)
    assert len({event.b64_json for event in events}) == 3
    assert events[-1].usage.output_tokens == 16 and events[-1].size == "64x64"
    whole = paint(painting, extra_body={"steps": 3})
    assert whole.data[0].b64_json == events[-1].b64_json
    own = list(painting.images.generate(prompt="a b c", size="64x64", stream=True, extra_body=FAST))
    assert [type(event) for event in own] == [types.ImageGenCompletedEvent]
    edited = list(
        painting.images.edit(
            image=png(), prompt="a", stream=True, partial_images=1, extra_body=FAST
        )
    )
    assert edited[-1].type == "image_edit.completed"


def test_async(painting: zerohop.Engine) -> None:
    async def main() -> None:
        path = support.model(CHECKPOINT)
        async with zerohop.AsyncEngine(path, threads=2) as engine:
            reply = await engine.images.generate(prompt="a b c", size="64x64", extra_body=FAST)
            assert reply.data[0].b64_json == paint(painting).data[0].b64_json
            stream = await engine.images.generate(
                prompt="a b c", size="64x64", stream=True, extra_body=FAST
            )
            assert [event.type async for event in stream] == ["image_generation.completed"]
            edited = await engine.images.edit(image=png(), prompt="a", extra_body=FAST)
            varied = await engine.images.create_variation(image=png(), extra_body=FAST)
            assert decoded(edited.data[0].b64_json).size == (64, 64)
            assert varied.usage.input_tokens_details.image_tokens == 16

    asyncio.run(main())


def test_edits(client: openai.OpenAI) -> None:
    # IM5
    mask = Image.new("RGBA", (128, 128), (0, 0, 0, 255))
    ImageDraw.Draw(mask).rectangle((0, 0, 63, 127), (0, 0, 0, 0))
    file = io.BytesIO()
    mask.save(file, "PNG")

    def edit(prompt: str, mask: bytes | None) -> np.ndarray:
        given: Any = {"mask": ("mask.png", mask)} if mask else {}
        reply = client.images.edit(
            model="sd",
            image=("room.png", png((128, 128))),
            prompt=prompt,
            extra_body=FAST | {"strength": 1.0},
            **given,
        )
        assert reply.data and reply.data[0].b64_json and reply.size == "128x128"
        return pixels(reply.data[0].b64_json)

    # Where nothing is transparent, the prompt has nothing to say.
    closed = png((128, 128), "RGBA", (0, 0, 0, 255))
    assert psnr(edit("a b c", closed), edit("x y z", closed)) > 100
    half, other = edit("a b c", file.getvalue()), edit("x y z", file.getvalue())
    # Normalisation carries a little of the open half's difference to the rest.
    assert psnr(half[:, :48], other[:, :48]) + 3 < psnr(half[:, 80:], other[:, 80:])
    assert psnr(edit("a b c", None), edit("x y z", None)) < 60


def test_variations(client: openai.OpenAI) -> None:
    # IM5
    def vary(**extra: Any) -> str:
        # Deprecated by the SDK, for hosted models.
        with pytest.warns(DeprecationWarning):
            reply = client.images.create_variation(
                model="sd", image=png(), n=1, size="256x256", extra_body=FAST | extra
            )
        assert reply.data and reply.data[0].b64_json
        return reply.data[0].b64_json

    assert decoded(vary()).size == (256, 256)
    assert vary() == vary() != vary(seed=8)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"n": 0}, "n"),
    ({"n": 11}, "n"),
    ({"n": "two"}, "n"),
    ({"size": "64"}, "size"),
    ({"size": "100x64"}, "size"),
    ({"size": "64x4096"}, "size"),
    ({"size": "0x0"}, "size"),
    ({"output_format": "gif"}, "output_format"),
    ({"output_format": "jpeg", "output_compression": 101}, "output_compression"),
    ({"output_compression": 50}, "output_compression"),
    ({"response_format": "url"}, "response_format"),
    ({"background": "transparent"}, "background"),
    ({"partial_images": 1}, "partial_images"),
    ({"partial_images": 4, "stream": True}, "partial_images"),
    ({"stream": True, "n": 2}, "n"),
    ({"quality": "best"}, "quality"),
    ({"style": "vivid"}, "style"),
    ({"moderation": "low"}, "moderation"),
    ({"svg": {}}, "svg"),
    ({"prompt": ""}, "prompt"),
    ({"prompt": "a\0b"}, "prompt"),
    ({"prompt": "a" * 32001}, "prompt"),
    ({"extra_body": {"steps": 0}}, "steps"),
    ({"extra_body": {"steps": 1000}}, "steps"),
    ({"extra_body": {"sampler": "magic"}}, "sampler"),
    ({"extra_body": {"scheduler": "magic"}}, "scheduler"),
    ({"extra_body": {"cfg_scale": -1}}, "cfg_scale"),
    ({"extra_body": {"seed": -1}}, "seed"),
    ({"extra_body": {"seed": 1 << 60}}, "seed"),
    ({"extra_body": {"strength": 0.5}}, "strength"),
    ({"extra_body": {"sead": 1}}, "sead"),
]


@pytest.mark.parametrize(("params", "param"), BAD)
def test_bad_requests(painting: zerohop.Engine, params: dict[str, Any], param: str) -> None:
    # IM1, IM2, ER3
    with pytest.raises(zerohop.BadRequestError) as caught:
        paint(painting, **params)
    assert caught.value.param == param, caught.value


def test_bad_images(painting: zerohop.Engine) -> None:
    # IM5, ER3
    def edit(**params: Any) -> zerohop.BadRequestError:
        with pytest.raises(zerohop.BadRequestError) as caught:
            painting.images.edit(**({"image": png(), "prompt": "a"} | params), extra_body=FAST)
        return caught.value

    for image in (b"", b"no image", png()[:50]):
        assert edit(image=image).param == "image"
    assert edit(image=[png(), png()]).param == "image"
    assert edit(mask=png((128, 64), "RGBA", (0, 0, 0, 0))).param == "mask"
    assert edit(mask=png()).param == "mask"
    file = io.BytesIO()
    Image.new("RGB", (64, 64)).save(file, "JPEG")
    assert edit(mask=file.getvalue()).param == "mask"


def test_models_do_what_they_are_for(painting: zerohop.Engine, engine: zerohop.Engine) -> None:
    with pytest.raises(zerohop.BadRequestError, match="makes no images"):
        paint(engine)
    with pytest.raises(zerohop.BadRequestError, match="/v1/images/generations"):
        painting.chat.completions.create(messages=[{"role": "user", "content": "hi"}])
    with pytest.raises(zerohop.NotFoundError):
        paint(painting, model="none")


def test_cancelling_between_steps(painting: zerohop.Engine) -> None:
    params: Any = {"prompt": "a b c", "size": "256x256", "stream": True, "partial_images": 3}
    stream = painting.images.generate(**params, extra_body=FAST | {"steps": 150})
    start = time.monotonic()
    stream.close()
    # The next request has its turn soon, and is not disturbed.
    again = paint(painting)
    assert time.monotonic() - start < 60
    assert again.data[0].b64_json == paint(painting).data[0].b64_json
    with pytest.raises(zerohop.APITimeoutError):
        paint(painting, size="256x256", extra_body={"steps": 150}, timeout=0.5)


def test_chat_and_images_at_once(painting: zerohop.Engine, tiny: Path) -> None:
    messages: Any = [{"role": "user", "content": "Tell me."}]

    def answer(engine: zerohop.Engine) -> str | None:
        reply = engine.chat.completions.create(messages=messages, seed=1, max_tokens=64)
        return reply.choices[0].message.content

    with zerohop.Engine(tiny, threads=2) as chat:
        alone, image = answer(chat), paint(painting).data[0].b64_json
        images: list[str | None] = []
        thread = threading.Thread(
            target=lambda: images.extend(paint(painting).data[0].b64_json for _ in range(3))
        )
        thread.start()
        while thread.is_alive():
            assert answer(chat) == alone
        thread.join()
        assert images == [image] * 3


def test_hostile_checkpoints(tmp_path: Path) -> None:
    good = support.model(CHECKPOINT).read_bytes()[: 1 << 20]
    size = int.from_bytes(good[:8], "little")
    header = good[8 : 8 + size]
    unet = b'"model.diffusion_model.input_blocks.0.0.weight"'
    files = {
        "truncated": good,
        "huge-header": b"\xff" * 7 + b"\x00{" + good[9:],
        "no-json": good[:8] + b"{" * size,
        "no-diffusion": (2).to_bytes(8, "little") + b"{}",
        "dimensions": good[:8] + header.replace(b"[32, 4, 3, 3]", b"[-1, 4, 3, 3]", 1),
        "twice": good[:8] + header.replace(unet, b'"model.diffusion_model.time_embed.0.weight"', 1),
    }
    for name, content in files.items():
        path = tmp_path / f"{name}.safetensors"
        path.write_bytes(content)
        with pytest.raises(zerohop.ZerohopError) as caught:
            zerohop.Engine(path)
        assert str(path) in str(caught.value), name


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    parts = support.model(CHECKPOINT).with_name("sd1-parts")
    for missing, word in (("vae", "VAE"), ("clip_l", "CLIP-L")):
        folder = tmp_path / missing
        folder.mkdir()
        for file in parts.iterdir():
            if file.stem != missing:
                (folder / file.name).symlink_to(file)
        with pytest.raises(zerohop.ZerohopError, match=word):
            zerohop.Engine(folder)


def test_without_the_library(run_python: Any, tmp_path: Path) -> None:
    script = """
import os, sys
os.environ["ZEROHOP_DIFFUSION_LIB"] = sys.argv[2]
import zerohop
engine = zerohop.Engine(zerohop.ModelOptions(sys.argv[1], lazy=True))
try:
    engine.images.generate(prompt="a", size="64x64")
except zerohop.BadRequestError as error:
    assert error.code == "unsupported", error
    assert "ZEROHOP_DIFFUSION_LIB" in str(error)
    print("refused")
"""
    result = run_python(script, support.model(CHECKPOINT), tmp_path / "none.so")
    assert result.stdout.strip() == "refused", result.stderr


def test_symbols_are_hidden() -> None:
    folder = Path(os.environ["ZEROHOP_LIB_DIR"])
    for name, prefix in (
        ("libzerohop.so", "zerohop_"),
        ("libzerohop_diffusion.so", "zerohop_diffusion_"),
    ):
        listed = subprocess.run(
            ["nm", "-D", "--defined-only", folder / name],
            capture_output=True,
            text=True,
            check=True,
        )
        names = [line.split()[2] for line in listed.stdout.splitlines()]
        assert names and all(symbol.startswith(prefix) for symbol in names), name


def test_nothing_is_printed(run_python: Any) -> None:
    script = """
import sys, zerohop
with zerohop.Engine(sys.argv[1], threads=1) as engine:
    engine.images.generate(prompt="a", size="64x64", extra_body={"steps": 1})
"""
    result = run_python(script, support.model(CHECKPOINT))
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_parameters_are_openais() -> None:
    ours, theirs = zerohop._native.Images, openai.resources.Images
    for name in ("generate", "edit", "create_variation"):
        mine = set(inspect.signature(getattr(ours, name)).parameters)
        assert mine == set(inspect.signature(getattr(theirs, name)).parameters), name


def test_the_command_shows_images_in_a_terminal(tmp_path: Path) -> None:
    command = Path(zerohop.__file__).with_name("bin") / "zerohop"
    fast = ["--size", "64x64", "--steps", "1", "--cfg-scale", "1"]

    def shown(*arguments: str) -> str:
        """What a terminal of true color is sent."""
        primary, secondary = pty.openpty()
        termios.tcsetwinsize(secondary, (24, 80))
        environment = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
        process = subprocess.Popen(
            [command, "image", "a b c", "-m", support.model(CHECKPOINT), *fast, *arguments],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=secondary,
            stderr=subprocess.PIPE,
        )
        os.close(secondary)
        output = b""
        # At the end of the program, reading fails on Linux.
        with contextlib.suppress(OSError):
            while part := os.read(primary, 1 << 16):
                output += part
        os.close(primary)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        return output.decode()

    preview = shown()
    assert preview.count("▀") > 100 and "\x1b[48;2;" in preview
    with Image.open(tmp_path / "image.png") as image:
        assert image.size == (64, 64)
    assert shown("--no-preview") == ""
