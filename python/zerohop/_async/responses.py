"""The Responses API, for event loops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from .._native import InputTokens, Responses
from .part import Part
from .reply import reply
from .stream import AsyncStream, reply_or_stream

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Unpack

    from .._native import (
        AsyncCursorPage,
        InputTokenCountResponse,
        ResponseObject,
        _CallOptions,
        _CountParams,
        _ResponseParams,
    )
    from ..types.responses import ResponseItem, ResponseStreamEvent
    from .pages import AsyncPaginator


class AsyncResponses(Part):
    """The responses of an engine."""

    @overload
    async def create(
        self, *, stream: Literal[False] | None = ..., **params: Unpack[_ResponseParams]
    ) -> ResponseObject: ...
    @overload
    async def create(
        self, *, stream: Literal[True], **params: Unpack[_ResponseParams]
    ) -> AsyncStream[ResponseStreamEvent]: ...
    @overload
    async def create(
        self, *, stream: bool, **params: Unpack[_ResponseParams]
    ) -> ResponseObject | AsyncStream[ResponseStreamEvent]: ...
    async def create(self, **params: Any) -> ResponseObject | AsyncStream[ResponseStreamEvent]:
        """Answers a conversation, as `Engine`'s does.

        The answer is a `Response`, or an `AsyncStream` of events if `stream` is true.

        The parameters are the API's. `model` may be left out if the engine has one model.
        Parameters that the API does not have, such as `top_k`, go into `extra_body`. `timeout` is
        the number of seconds that the answer, or each event of a stream, may take; none by default.
        """
        return await reply_or_stream((await self._calls()).responses.create(**params))

    # For `help()` and editors: the parameters are written down once.
    create.__wrapped__ = Responses.create  # type: ignore[attr-defined]

    async def retrieve(self, response_id: str, **options: Unpack[_CallOptions]) -> ResponseObject:
        """The response of this id, if it was kept. Raises `NotFoundError` if there is none."""
        return await reply((await self._calls()).responses.retrieve(response_id, **options))

    async def delete(self, response_id: str, **options: Unpack[_CallOptions]) -> None:
        """Forgets a response. Raises `NotFoundError` if there is none of this id."""
        await reply((await self._calls()).responses.delete(response_id, **options))

    async def cancel(self, response_id: str, **options: Unpack[_CallOptions]) -> ResponseObject:
        """Raises `BadRequestError`: only responses made in the background could be cancelled so.
        Close a stream, or cancel the task that waits."""
        return await reply((await self._calls()).responses.cancel(response_id, **options))

    @property
    def input_items(self) -> AsyncInputItems:
        """What kept responses answer: `await list(response_id)`."""
        return AsyncInputItems(self._engine)

    @property
    def input_tokens(self) -> AsyncInputTokens:
        """How many tokens an input is: `await count(...)`."""
        return AsyncInputTokens(self._engine)

    def __repr__(self) -> str:
        return f"<responses of {self._engine!r}>"


class AsyncInputItems(Part):
    """The items that kept responses answer."""

    def list(
        self,
        response_id: str,
        *,
        after: str | None = None,
        include: Sequence[str] | None = None,
        limit: int | None = None,
        order: Literal["asc", "desc"] | None = None,
        **options: Unpack[_CallOptions],
    ) -> AsyncPaginator[ResponseItem, AsyncCursorPage[ResponseItem]]:
        """The items that a kept response answers, in pages: await it, or iterate over it.

        Those of the responses before it are among them. Those behind the one of the id `after`,
        `limit` a page (by default 20), the newest first unless `order` is `"asc"`. `include` adds
        nothing: what it names was added when the response was made. Raises `NotFoundError` if there
        is no response of this id.
        """
        return self._pages(
            lambda calls: calls.responses.input_items.list(
                response_id, after=after, include=include, limit=limit, order=order, **options
            )
        )

    def __repr__(self) -> str:
        return f"<responses.input_items of {self._engine!r}>"


class AsyncInputTokens(Part):
    """The number of tokens of an input."""

    async def count(self, **params: Unpack[_CountParams]) -> InputTokenCountResponse:
        """How many tokens a response would answer.

        The parameters are those of `responses.create`, as far as they make a difference. `model`
        may be left out if the engine has one model.
        """
        return await reply((await self._calls()).responses.input_tokens.count(**params))

    # For `help()` and editors: the parameters are written down once.
    count.__wrapped__ = InputTokens.count  # type: ignore[attr-defined]

    def __repr__(self) -> str:
        return f"<responses.input_tokens of {self._engine!r}>"
