"""Speech to text, for event loops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from .._native import Transcriptions, Translations
from .part import Part
from .reply import reply
from .stream import AsyncStream, reply_or_stream

if TYPE_CHECKING:
    from typing import Unpack

    from .._native import (
        Transcription,
        TranscriptionTextDeltaEvent,
        TranscriptionTextDoneEvent,
        TranscriptionVerbose,
        Translation,
        TranslationVerbose,
        _AudioText,
        _SpeechParams,
        _TranscriptionParams,
    )


class AsyncAudio(Part):
    """The audio endpoints of an engine."""

    @property
    def transcriptions(self) -> AsyncTranscriptions:
        """Speech to text in its own language: `await ...create(...)`."""
        return AsyncTranscriptions(self._engine)

    @property
    def translations(self) -> AsyncTranslations:
        """Speech to English text: `await ...create(...)`."""
        return AsyncTranslations(self._engine)

    def __repr__(self) -> str:
        return f"<audio of {self._engine!r}>"


class AsyncTranscriptions(Part):
    """The transcriptions of an engine."""

    @overload
    async def create(
        self,
        *,
        stream: Literal[True],
        response_format: Literal["json", "text"] = ...,
        **params: Unpack[_TranscriptionParams],
    ) -> AsyncStream[TranscriptionTextDeltaEvent | TranscriptionTextDoneEvent]: ...
    @overload
    async def create(
        self,
        *,
        response_format: Literal["verbose_json"],
        stream: Literal[False] | None = ...,
        **params: Unpack[_TranscriptionParams],
    ) -> TranscriptionVerbose: ...
    @overload
    async def create(
        self,
        *,
        response_format: _AudioText,
        stream: Literal[False] | None = ...,
        **params: Unpack[_TranscriptionParams],
    ) -> str: ...
    @overload
    async def create(
        self,
        *,
        response_format: Literal["json"] = ...,
        stream: Literal[False] | None = ...,
        **params: Unpack[_TranscriptionParams],
    ) -> Transcription: ...
    async def create(self, **params: Any) -> Any:
        """Writes down what is said in a file, as `Engine`'s does.

        `file` is read at once. Gives a `Transcription`; a `TranscriptionVerbose` for
        `response_format="verbose_json"`; the text for `"text"`, `"srt"` and `"vtt"`; or an
        `AsyncStream` of events if `stream` is true.
        """
        return await reply_or_stream((await self._calls()).audio.transcriptions.create(**params))

    # For `help()` and editors: the parameters are written down once.
    create.__wrapped__ = Transcriptions.create  # type: ignore[attr-defined]

    def __repr__(self) -> str:
        return f"<audio.transcriptions of {self._engine!r}>"


class AsyncTranslations(Part):
    """The translations of an engine."""

    @overload
    async def create(
        self, *, response_format: Literal["verbose_json"], **params: Unpack[_SpeechParams]
    ) -> TranslationVerbose: ...
    @overload
    async def create(
        self, *, response_format: _AudioText, **params: Unpack[_SpeechParams]
    ) -> str: ...
    @overload
    async def create(
        self, *, response_format: Literal["json"] = ..., **params: Unpack[_SpeechParams]
    ) -> Translation: ...
    async def create(self, **params: Any) -> Any:
        """Writes down in English what is said in a file, as `Engine`'s does.

        Gives a `Translation`, a `TranslationVerbose` or the text.
        """
        return await reply((await self._calls()).audio.translations.create(**params))

    # For `help()` and editors: the parameters are written down once.
    create.__wrapped__ = Translations.create  # type: ignore[attr-defined]

    def __repr__(self) -> str:
        return f"<audio.translations of {self._engine!r}>"
