"""Plain texts, for event loops: legacy completions and embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from .._native import Embeddings, LegacyCompletions
from .part import Part
from .reply import reply
from .stream import AsyncStream, reply_or_stream

if TYPE_CHECKING:
    from typing import Unpack

    from .._native import Completion, CreateEmbeddingResponse, _EmbeddingParams, _LegacyParams


class AsyncLegacyCompletions(Part):
    """The legacy completions of an engine."""

    @overload
    async def create(
        self, *, stream: Literal[False] | None = ..., **params: Unpack[_LegacyParams]
    ) -> Completion: ...
    @overload
    async def create(
        self, *, stream: Literal[True], **params: Unpack[_LegacyParams]
    ) -> AsyncStream[Completion]: ...
    @overload
    async def create(
        self, *, stream: bool, **params: Unpack[_LegacyParams]
    ) -> Completion | AsyncStream[Completion]: ...
    async def create(self, **params: Any) -> Completion | AsyncStream[Completion]:
        """Goes on from a text, as `Engine`'s does.

        The answer is a `Completion`, or an `AsyncStream` of `Completion`s if `stream` is true.
        """
        return await reply_or_stream((await self._calls()).completions.create(**params))

    # For `help()` and editors: the parameters are written down once.
    create.__wrapped__ = LegacyCompletions.create  # type: ignore[attr-defined]

    def __repr__(self) -> str:
        return f"<completions of {self._engine!r}>"


class AsyncEmbeddings(Part):
    """The embeddings of an engine."""

    async def create(self, **params: Unpack[_EmbeddingParams]) -> CreateEmbeddingResponse:
        """Turns texts into vectors of length 1, as `Engine`'s does.

        `input` is a text, texts, a text's tokens, or several texts' tokens. The other parameters
        are the API's. `model` may be left out if the engine has one model. Each `embedding` is a
        list of floats, or text if `encoding_format` is `"base64"`; `vectors` of the reply has all
        of them for numpy, without copying. `timeout` is the number of seconds that the answer may
        take; none by default.
        """
        return await reply((await self._calls()).embeddings.create(**params))

    create.__wrapped__ = Embeddings.create  # type: ignore[attr-defined]

    def __repr__(self) -> str:
        return f"<embeddings of {self._engine!r}>"
