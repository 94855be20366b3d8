"""What several test files need beside fixtures."""

import os
import struct
import subprocess
import zlib
from pathlib import Path

import anyio
import pytest

ROOT = Path(__file__).resolve().parents[2]

USER = [{"role": "user", "content": "Hello"}]

# Far more tokens than any test waits for.
ENDLESS = 200_000


def models_folder() -> Path:
    """ZEROHOP_TEST_MODELS, or where `make models` puts them."""
    if folder := os.environ.get("ZEROHOP_TEST_MODELS"):
        return Path(folder)
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("ZEROHOP_CACHE") or caches / "zerohop") / "models"


def model(name: str) -> Path:
    """The model file of this name in the models' folder."""
    path = models_folder() / name
    if not path.exists():
        pytest.fail(f"{path} does not exist: run `make models`", pytrace=False)
    return path


def c_driver(folder: Path) -> Path:
    """Builds the C program that answers requests, one a line."""
    library = os.environ.get("ZEROHOP_LIB_DIR")
    if not library:
        pytest.fail(
            "ZEROHOP_LIB_DIR does not name libzerohop's folder: run `make test`", pytrace=False
        )
    driver = folder / "driver"
    source = ROOT / "tests/cases/driver.c"
    flags = [
        "-std=c11",
        "-Wall",
        "-Wextra",
        "-Wpedantic",
        "-Werror",
        "-D_GNU_SOURCE",
        f"-I{ROOT / 'include'}",
    ]
    link = [f"-L{library}", "-lzerohop", f"-Wl,-rpath,{library}"]
    subprocess.run([os.environ.get("CC", "cc"), *flags, source, "-o", driver, *link], check=True)
    return driver


def picture(seed: int, width: int = 112, height: int = 84) -> bytes:
    """A PNG file that is different for each seed."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    def pixel(x: int, y: int) -> bytes:
        return bytes(number % 256 for number in (x * seed, y * 3 + seed * 40, (x + y) * 2))

    rows = (b"\0" + b"".join(pixel(x, y) for x in range(width)) for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(b"".join(rows))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


async def gather(*functions):
    """Runs async functions together, in any event loop; gives their results in order."""
    results = [None] * len(functions)

    async def keep(index, function):
        results[index] = await function()

    async with anyio.create_task_group() as group:
        for index, function in enumerate(functions):
            group.start_soon(keep, index, function)
    return results


def threads() -> int:
    """The threads of this process, native ones too."""
    with open("/proc/self/status") as status:
        [line] = [line for line in status if line.startswith("Threads:")]
    return int(line.split()[1])
