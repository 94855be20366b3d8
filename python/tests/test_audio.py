"""Speech to text: the engine's own methods, and openai's SDK over it."""

import inspect
import io
import json
import threading
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
import support
from openai.types.audio import (
    Transcription,
    TranscriptionTextDeltaEvent,
    TranscriptionTextDoneEvent,
    TranscriptionVerbose,
)

import zerohop
from zerohop import types

MODEL = "whisper-tiny.en-f16.bin"
SPEECH = "speech"


@pytest.fixture(scope="module")
def hearing() -> Iterator[zerohop.Engine]:
    with zerohop.Engine(support.model(MODEL), threads=2) as engine:
        yield engine


@pytest.fixture(scope="module")
def client(hearing: zerohop.Engine) -> Iterator[openai.OpenAI]:
    with zerohop.OpenAI(hearing) as client:
        yield client


def speech(name: str) -> Path:
    return support.model(SPEECH) / name


def words(text: str) -> list[str]:
    return "".join(c if c.isalnum() or c.isspace() else "" for c in text.lower()).split()


def error_rate(said: str, heard: str) -> float:
    """The words that were inserted, left out or replaced, for each that was said."""
    wanted, given = words(said), words(heard)
    row = list(range(len(given) + 1))
    for i, word in enumerate(wanted):
        diagonal, row[0] = row[0], i + 1
        for j, other in enumerate(given):
            replaced = diagonal + (word != other)
            diagonal = row[j + 1]
            row[j + 1] = min(replaced, row[j] + 1, row[j + 1] + 1)
    return row[-1] / len(wanted)


def said(name: str) -> str:
    return speech(f"{name}.txt").read_text()


def create(client: openai.OpenAI, name: str = "garden.wav", **params: Any) -> Any:
    model = client.models.list().data[0].id
    return client.audio.transcriptions.create(file=speech(name), model=model, **params)


def silence(seconds: float) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(int(seconds * 8000) * 2))
    return out.getvalue()


@pytest.mark.parametrize("ending", ["flac", "mp3", "mp4", "m4a", "ogg", "wav", "webm", "opus"])
def test_containers(client: openai.OpenAI, ending: str) -> None:
    # AU1, AU3
    reply = create(client, f"garden.{ending}")
    assert isinstance(reply, Transcription)
    assert error_rate(said("garden"), reply.text) <= 0.35
    assert reply.usage and reply.usage.type == "duration" and 4 < reply.usage.seconds < 6
    assert reply.logprobs is None


def test_what_is_no_audio(client: openai.OpenAI) -> None:
    # AU1, ER3, ER8
    model = client.models.list().data[0].id
    for content in [b"", b"RIFF", b"\0" * 5000, b"no audio " * 500, silence(0)]:
        with pytest.raises(openai.BadRequestError) as caught:
            client.audio.transcriptions.create(file=("a.wav", content), model=model)
        assert caught.value.param == "file"
    with pytest.raises(openai.NotFoundError):
        client.audio.transcriptions.create(file=speech("garden.mp3"), model="none")


def test_formats(client: openai.OpenAI) -> None:
    # AU2, AU6
    text = create(client, response_format="text")
    srt = create(client, response_format="srt")
    vtt = create(client, response_format="vtt")
    assert all(isinstance(reply, str) for reply in (text, srt, vtt))
    assert text.strip() == create(client).text
    assert srt.startswith("1\n00:00:0") and " --> 00:00:0" in srt
    assert vtt.startswith("WEBVTT\n\n00:00:0") and "," not in vtt.splitlines()[2]
    raw = client.audio.transcriptions.with_raw_response.create(
        file=speech("garden.mp3"), model=client.models.list().data[0].id, response_format="srt"
    )
    # T3, T4
    assert raw.headers["content-type"].startswith("text/plain")
    assert raw.headers["x-request-id"]
    for wrong in ["diarized_json", "xml"]:
        with pytest.raises(openai.BadRequestError) as caught:
            create(client, response_format=wrong)
        assert caught.value.param == "response_format"


def test_logprobs(client: openai.OpenAI) -> None:
    # AU3
    reply = create(client, include=["logprobs"])
    joined = b"".join(bytes(int(b) for b in entry.bytes) for entry in reply.logprobs)
    assert joined.decode().strip() == reply.text
    assert all(entry.logprob <= 0 for entry in reply.logprobs)


def test_verbose(client: openai.OpenAI) -> None:
    # AU4
    reply = create(client, response_format="verbose_json")
    assert isinstance(reply, TranscriptionVerbose)
    TranscriptionVerbose.model_validate(json.loads(reply.model_dump_json()), strict=True)
    assert reply.language == "english" and 4 < reply.duration < 6
    assert reply.words is None and reply.segments
    assert "".join(segment.text for segment in reply.segments).strip() == reply.text
    for index, segment in enumerate(reply.segments):
        assert segment.id == index
        assert 0 <= segment.start <= segment.end <= reply.duration
        assert segment.avg_logprob <= 0 and segment.tokens and segment.compression_ratio > 0


def test_words(client: openai.OpenAI) -> None:
    # AU5
    known = json.loads(speech("words.json").read_text())
    reply = create(
        client,
        "words.wav",
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
    )
    assert [words(word.word) for word in reply.words] == [words(word["word"]) for word in known]
    last = 0.0
    for word, expected in zip(reply.words, known, strict=True):
        assert abs(word.start - expected["start"]) < 0.15
        assert abs(word.end - expected["end"]) < 0.15
        assert last <= word.start <= word.end <= reply.duration
        last = word.end
    only = create(client, response_format="verbose_json", timestamp_granularities=["word"])
    assert only.words and only.segments is None
    with pytest.raises(openai.BadRequestError) as caught:
        create(client, timestamp_granularities=["word"])
    assert caught.value.param == "timestamp_granularities"


def test_streams(client: openai.OpenAI) -> None:
    # AU7
    events = list(create(client, stream=True, include=["logprobs"]))
    *deltas, done = events
    assert deltas and all(isinstance(event, TranscriptionTextDeltaEvent) for event in deltas)
    assert isinstance(done, TranscriptionTextDoneEvent)
    assert "".join(event.delta for event in deltas) == done.text == create(client).text
    assert sum(len(event.logprobs) for event in deltas) == done.usage.output_tokens
    assert done.usage.total_tokens == done.usage.input_tokens + done.usage.output_tokens
    with pytest.raises(openai.BadRequestError):
        create(client, stream=True, response_format="srt")


def test_options(client: openai.OpenAI) -> None:
    # AU8
    plain = create(client).text
    assert create(client, language="en", temperature=0, prompt="").text == plain
    assert create(client, prompt="Aesop's fables.").text
    strategies: list[Any] = [
        "auto",
        {"type": "server_vad"},
        {"type": "server_vad", "threshold": 0.4, "silence_duration_ms": 400},
    ]
    for strategy in strategies:
        assert error_rate(plain, create(client, chunking_strategy=strategy).text) < 0.3
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("language", {"language": "xx"}),
        ("language", {"language": "fr"}),
        ("temperature", {"temperature": 1.5}),
        ("chunking_strategy.type", {"chunking_strategy": {"type": "client"}}),
        ("known_speaker_names", {"known_speaker_names": ["Ada"]}),
        ("langauge", {"extra_body": {"langauge": "en"}}),
    ]
    for param, params in wrong:
        with pytest.raises(openai.BadRequestError) as caught:
            create(client, **params)
        assert caught.value.param == param
    model = client.models.list().data[0].id
    quiet = client.audio.transcriptions.create(file=("a.wav", silence(35)), model=model)
    assert quiet.text == ""


def test_translations_need_other_languages(client: openai.OpenAI) -> None:
    # AU9: on this model, only that it is refused. To the SDK, translations are deprecated.
    model = client.models.list().data[0].id
    with pytest.raises(openai.BadRequestError) as caught, pytest.warns(DeprecationWarning):
        client.audio.translations.create(file=speech("garden.mp3"), model=model)
    assert caught.value.param == "model"


def test_nothing_speaks(client: openai.OpenAI) -> None:
    # AU10
    with pytest.raises(openai.BadRequestError) as caught:
        client.audio.speech.create(model="m", voice="alloy", input="Hello")
    assert caught.value.code == "unsupported_endpoint"


def test_parameters_of_any_form(hearing: zerohop.Engine) -> None:
    create: Any = hearing.audio.transcriptions.create
    path = speech("garden.mp3")
    # What is extra goes before.
    extra = {"response_format": "verbose_json", "timestamp_granularities": ["word"]}
    given = {"response_format": "text", "timestamp_granularities": ["segment"]}
    reply = create(file=path, **given, extra_body=extra)
    assert reply.words and not reply.segments
    endless: Any = {}
    endless["a"] = endless
    lists: Any = []
    lists.append(lists)
    for name, value in [("chunking_strategy", endless), ("include", lists)]:
        with pytest.raises(zerohop.BadRequestError, match="nested"):
            create(file=path, **{name: value})
    # Nothing in a file ends the form.
    with pytest.raises(zerohop.BadRequestError, match="cannot be read"):
        create(file=b"zerohop" + b"-" * 100)


def test_files_of_every_kind(hearing: zerohop.Engine) -> None:
    path = speech("garden.mp3")
    create = hearing.audio.transcriptions.create
    text = create(file=path).text
    with path.open("rb") as file:
        assert create(file=file).text == text
    assert create(file=path.read_bytes()).text == text
    assert create(file=io.BytesIO(path.read_bytes())).text == text
    assert create(file=("a.mp3", path.read_bytes())).text == text
    assert create(file=(None, path)).text == text
    with pytest.raises(TypeError):
        create(file=str(path))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="file"):
        create()  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="fiel"):
        create(file=path, fiel=1)  # type: ignore[call-overload]


def test_own_objects(hearing: zerohop.Engine) -> None:
    create = hearing.audio.transcriptions.create
    path = speech("garden.mp3")
    reply = create(file=path, include=["logprobs"])
    assert isinstance(reply, types.audio.Transcription)
    assert isinstance(reply.usage, types.audio.UsageDuration)
    assert reply.logprobs and reply.logprobs[0].logprob is not None
    verbose = create(file=path, response_format="verbose_json", timestamp_granularities=["word"])
    assert isinstance(verbose, types.audio.TranscriptionVerbose)
    assert verbose.words and isinstance(verbose.words[0], types.audio.TranscriptionWord)
    assert create(file=path, response_format="text") == reply.text + "\n"
    with create(file=path, stream=True) as stream:
        *deltas, done = stream
    assert isinstance(done, types.audio.TranscriptionTextDoneEvent)
    assert done.text == reply.text
    assert "".join(event.delta for event in deltas) == reply.text  # type: ignore[union-attr]
    with pytest.raises(zerohop.BadRequestError):
        hearing.audio.translations.create(file=path)
    assert "audio.transcriptions of" in repr(hearing.audio.transcriptions)


def test_event_loops(run: Any) -> None:
    async def main() -> None:
        async with zerohop.AsyncEngine(support.model(MODEL), threads=2) as engine:
            create = engine.audio.transcriptions.create
            path = speech("garden.mp3")
            replies = await support.gather(lambda: create(file=path), lambda: create(file=path))
            assert replies[0].text == replies[1].text
            text = await create(file=path, response_format="text")
            assert text == replies[0].text + "\n"
            events = [event async for event in await create(file=path, stream=True)]
            assert events[-1].text == replies[0].text  # type: ignore[union-attr]
            with pytest.raises(zerohop.BadRequestError):
                await engine.audio.translations.create(file=path)

    run(main)


def test_isolation() -> None:
    with zerohop.Engine(support.model(MODEL), threads=2, isolation="process") as engine:
        create = engine.audio.transcriptions.create
        path = speech("garden.mp3")
        text = create(file=path).text
        assert error_rate(said("garden"), text) <= 0.35
        assert create(file=path, response_format="text") == text + "\n"
        *_, done = create(file=path, stream=True)
        assert isinstance(done, types.audio.TranscriptionTextDoneEvent) and done.text == text
        with pytest.raises(zerohop.BadRequestError):
            create(file=b"no audio")


def test_callers_and_cancelling(hearing: zerohop.Engine) -> None:
    path = speech("garden.mp3")
    texts: list[str] = []

    def hear() -> None:
        texts.append(hearing.audio.transcriptions.create(file=path).text)

    threads = [threading.Thread(target=hear) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(texts) == 4 and len(set(texts)) == 1
    with pytest.raises(zerohop.APITimeoutError):
        hearing.audio.transcriptions.create(file=path, timeout=0.001)
    assert hearing.audio.transcriptions.create(file=path).text == texts[0]


def test_parameters_are_openais() -> None:
    pairs = [
        (zerohop._native.Transcriptions, openai.resources.audio.Transcriptions),
        (zerohop._native.Translations, openai.resources.audio.Translations),
    ]
    for ours, theirs in pairs:
        mine = set(inspect.signature(ours.create).parameters)
        assert mine == set(inspect.signature(theirs.create).parameters)
