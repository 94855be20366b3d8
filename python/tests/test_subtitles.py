"""Subtitles and word errors, judged by packages made for that."""

from collections.abc import Iterator
from datetime import timedelta

import jiwer
import pytest
import srt
import support
import webvtt

import zerohop

NAMES = ["garden", "weather", "river"]


@pytest.fixture(scope="module")
def hearing() -> Iterator[zerohop.Engine]:
    with zerohop.Engine(support.model("whisper-tiny.en-f16.bin"), threads=2) as engine:
        yield engine


def test_word_errors(hearing: zerohop.Engine) -> None:
    # AU3
    clean = jiwer.Compose(
        [
            jiwer.ToLowerCase(),
            jiwer.RemovePunctuation(),
            jiwer.RemoveMultipleSpaces(),
            jiwer.Strip(),
            jiwer.ReduceToListOfListOfWords(),
        ]
    )
    folder = support.model("speech")
    said = [(folder / f"{name}.txt").read_text() for name in NAMES]
    create = hearing.audio.transcriptions.create
    heard = [create(file=folder / f"{name}.wav").text for name in NAMES]
    rate = jiwer.wer(said, heard, reference_transform=clean, hypothesis_transform=clean)
    assert rate <= 0.2, heard


def test_subtitles(hearing: zerohop.Engine) -> None:
    # AU6
    create = hearing.audio.transcriptions.create
    path = support.model("speech") / "weather.wav"
    verbose = create(file=path, response_format="verbose_json")
    assert verbose.segments
    entries = list(srt.parse(create(file=path, response_format="srt"), ignore_errors=False))
    captions = list(webvtt.from_string(create(file=path, response_format="vtt")))
    assert len(entries) == len(captions) == len(verbose.segments)
    for segment, entry, caption in zip(verbose.segments, entries, captions, strict=True):
        assert entry.index == segment.id + 1
        assert entry.content == caption.text == segment.text.strip()
        assert entry.start == timedelta(seconds=segment.start)
        assert caption.start_in_seconds == pytest.approx(segment.start, abs=0.001)
        assert entry.end == timedelta(seconds=segment.end)
