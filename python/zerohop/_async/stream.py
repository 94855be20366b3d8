"""Streamed replies, for event loops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, NoReturn, Self, TypeVar

from .._native import Stream
from .._wait import ready
from .reply import reply

if TYPE_CHECKING:
    from types import TracebackType

    from .._native import _Pending
    from .._response import Response

_T = TypeVar("_T")
_U = TypeVar("_U")
_T_co = TypeVar("_T_co", covariant=True)


class AsyncStream(Generic[_T_co]):
    """The pieces of an answer, as they are generated.

    Iterate over it with `async for`. Closing it, leaving its `async with` block, dropping it, or
    cancelling a task that waits for a piece stops the generation.
    """

    def __init__(self, stream: Stream[_T_co]) -> None:
        self._stream = stream

    @property
    def response(self) -> Response:
        """The status and headers of the reply."""
        return self._stream.response

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> _T_co:
        try:
            (piece,) = await ready(self._stream._poll, self._stream._timeout)
        except BaseException:
            self._stream.close()
            raise
        if piece is None:
            raise StopAsyncIteration
        return piece

    async def close(self) -> None:
        """Stops the generation if it still runs. Closing twice is fine."""
        self._stream.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self._stream.close()

    def __repr__(self) -> str:
        return repr(self._stream).replace("Stream", "AsyncStream", 1)

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "an AsyncStream cannot be pickled or copied: it is an answer that is being generated"
        )


async def reply_or_stream(pending: _Pending[_T | Stream[_U]]) -> _T | AsyncStream[_U]:
    """The reply that is on its way, or the beginning of its events."""
    value = await reply(pending)
    return AsyncStream(value) if isinstance(value, Stream) else value
