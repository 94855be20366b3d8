"""Makes speech for tests: a synthesiser says known texts, and single words at known times."""

import ctypes
import json
import sys
import wave
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]

# What is said in each file.
TEXTS = {
    "garden": "She bought a new car last week. The children are playing in the garden.",
    "weather": "Tomorrow morning will be cold in the north. "
    "In the afternoon the sun will come out.",
    "river": "My brother lives in a small house near the river. "
    "He reads the newspaper every morning.",
}
# Words a minute: slow enough for a small model to understand the synthesiser.
PACE = 130
# Words with known pauses, and the pauses' seconds.
WORDS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"]
PAUSE = 1.0

# The formats of the containers: ending, format, codec, rate.
CONTAINERS = [
    ("flac", "flac", "flac", 22050),
    ("mp3", "mp3", "libmp3lame", 22050),
    ("m4a", "ipod", "aac", 22050),
    ("mp4", "mp4", "aac", 44100),
    ("ogg", "ogg", "vorbis", 22050),
    ("opus", "ogg", "libopus", 48000),
    ("webm", "webm", "libopus", 48000),
]


def make(synthesiser: Path, coders: Path, target: Path) -> None:
    """Fills the folder `target`, with the packages unpacked in the other two."""
    speaker = Speaker(synthesiser / "espeakng_loader")
    for name, text in TEXTS.items():
        _write(target / f"{name}.wav", speaker.rate, speaker.say(text))
        (target / f"{name}.txt").write_text(text + "\n")
    _write_words(speaker, target)
    sys.path.insert(0, str(coders))
    try:
        said = speaker.say(TEXTS["garden"])
        for ending, form, codec, rate in CONTAINERS:
            _encode(target / f"garden.{ending}", form, codec, speaker.rate, rate, said)
    finally:
        sys.path.remove(str(coders))


class Speaker:
    """eSpeak NG in this process."""

    def __init__(self, folder: Path) -> None:
        self._library = ctypes.CDLL(str(folder / "libespeak-ng.so"))
        # 2: it gives what it says and plays nothing.
        self.rate = int(self._library.espeak_Initialize(2, 0, str(folder).encode(), 0))
        self._said: list[Samples] = []
        callback = ctypes.CFUNCTYPE(
            ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
        )

        def hear(samples: Any, count: int, _events: int | None) -> int:
            if samples and count:
                self._said.append(np.ctypeslib.as_array(samples, (count,)).copy())
            return 0

        self._callback = callback(hear)
        self._library.espeak_SetSynthCallback(self._callback)
        self._library.espeak_SetVoiceByName(b"en-us")
        # 1: the pace.
        self._library.espeak_SetParameter(1, PACE, 0)

    def say(self, text: str) -> Samples:
        """What the text sounds like."""
        self._said.clear()
        data = text.encode()
        # 1: the text is UTF-8.
        self._library.espeak_Synth(data, len(data) + 1, 0, 1, 0, 1, None, None)
        self._library.espeak_Synchronize()
        return np.concatenate(self._said)


def _write_words(speaker: Speaker, target: Path) -> None:
    pause = np.zeros(int(PAUSE * speaker.rate), np.int16)
    parts, times, length = [pause], [], len(pause)
    for word in WORDS:
        said = _without_silence(speaker.say(word + "."))
        times.append(
            {
                "word": word,
                "start": length / speaker.rate,
                "end": (length + len(said)) / speaker.rate,
            }
        )
        parts += [said, pause]
        length += len(said) + len(pause)
    _write(target / "words.wav", speaker.rate, np.concatenate(parts))
    (target / "words.json").write_text(json.dumps(times, indent=1) + "\n")


def _without_silence(samples: Samples) -> Samples:
    loud = np.nonzero(np.abs(samples.astype(np.int32)) > 300)[0]
    return samples[loud[0] : loud[-1] + 1]


def _write(path: Path, rate: int, samples: Samples) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())


def _encode(
    path: Path, form: str, codec: str, rate: int, coded_rate: int, samples: Samples
) -> None:
    import av  # On the path only now.

    with av.open(str(path), "w", format=form) as container:
        # FFmpeg's own Vorbis encoder is called experimental, and knows two channels only.
        layout = "stereo" if codec == "vorbis" else "mono"
        stream = container.add_stream(codec, rate=coded_rate, options={"strict": "-2"})
        stream.layout = layout
        resampler = av.AudioResampler(format=stream.format, layout=layout, rate=coded_rate)
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.rate = rate
        fifo = av.AudioFifo()
        for resampled in resampler.resample(frame):
            resampled.pts = None
            fifo.write(resampled)
        size = stream.codec_context.frame_size or 1024
        written = 0
        while (part := fifo.read(size, partial=True)) is not None:
            part.pts = written
            written += part.samples
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
