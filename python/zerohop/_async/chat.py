"""Chat completions, for event loops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from .._native import Completions
from .part import Part
from .reply import reply
from .stream import AsyncStream, reply_or_stream

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Unpack

    from .._native import (
        AsyncCursorPage,
        ChatCompletion,
        ChatCompletionChunk,
        ChatCompletionDeleted,
        ChatCompletionStoreMessage,
        _CallOptions,
        _CreateParams,
    )
    from .pages import AsyncPaginator


class AsyncChat(Part):
    """The chat endpoints of an engine."""

    @property
    def completions(self) -> AsyncCompletions:
        """Chat completions: `await create(...)`."""
        return AsyncCompletions(self._engine)

    def __repr__(self) -> str:
        return f"<chat of {self._engine!r}>"


class AsyncCompletions(Part):
    """The chat completions of an engine.

    Those that were asked for with `store` are kept in memory, beside the responses, whose bounds
    they share.
    """

    @overload
    async def create(
        self, *, stream: Literal[False] | None = ..., **params: Unpack[_CreateParams]
    ) -> ChatCompletion: ...
    @overload
    async def create(
        self, *, stream: Literal[True], **params: Unpack[_CreateParams]
    ) -> AsyncStream[ChatCompletionChunk]: ...
    @overload
    async def create(
        self, *, stream: bool, **params: Unpack[_CreateParams]
    ) -> ChatCompletion | AsyncStream[ChatCompletionChunk]: ...
    async def create(self, **params: Any) -> ChatCompletion | AsyncStream[ChatCompletionChunk]:
        """Answers a conversation, as `Engine`'s does.

        The answer is a `ChatCompletion`, or an `AsyncStream` of `ChatCompletionChunk`s if `stream`
        is true.

        The parameters are the API's. `model` may be left out if the engine has one model.
        Parameters that the API does not have, such as `top_k`, go into `extra_body`. `timeout` is
        the number of seconds that the answer, or each chunk of a stream, may take; none by default.
        """
        return await reply_or_stream((await self._calls()).chat.completions.create(**params))

    # For `help()` and editors: the parameters are written down once.
    create.__wrapped__ = Completions.create  # type: ignore[attr-defined]

    async def retrieve(self, completion_id: str, **options: Unpack[_CallOptions]) -> ChatCompletion:
        """The chat completion of this id, if it was kept. Raises `NotFoundError` if there is
        none."""
        return await reply(
            (await self._calls()).chat.completions.retrieve(completion_id, **options)
        )

    async def update(
        self,
        completion_id: str,
        *,
        metadata: Mapping[str, str] | None,
        **options: Unpack[_CallOptions],
    ) -> ChatCompletion:
        """Gives a kept chat completion other labels: `metadata` in place of those it has.

        Raises `NotFoundError` if there is none of this id.
        """
        completions = (await self._calls()).chat.completions
        return await reply(completions.update(completion_id, metadata=metadata, **options))

    def list(
        self,
        *,
        after: str | None = None,
        limit: int | None = None,
        metadata: Mapping[str, str] | None = None,
        model: str | None = None,
        order: Literal["asc", "desc"] | None = None,
        **options: Unpack[_CallOptions],
    ) -> AsyncPaginator[ChatCompletion, AsyncCursorPage[ChatCompletion]]:
        """The chat completions that are kept, in pages: await it, or iterate over it.

        Those behind the one of the id `after`, `limit` a page (by default 20), of this `model` and
        with all these labels (`metadata`); the oldest first unless `order` is `"desc"`.
        """
        return self._pages(
            lambda calls: calls.chat.completions.list(
                after=after, limit=limit, metadata=metadata, model=model, order=order, **options
            )
        )

    async def delete(
        self, completion_id: str, **options: Unpack[_CallOptions]
    ) -> ChatCompletionDeleted:
        """Forgets a kept chat completion. Raises `NotFoundError` if there is none of this id."""
        return await reply((await self._calls()).chat.completions.delete(completion_id, **options))

    @property
    def messages(self) -> AsyncMessages:
        """The messages of kept chat completions: `await list(completion_id)`."""
        return AsyncMessages(self._engine)

    def __repr__(self) -> str:
        return f"<chat.completions of {self._engine!r}>"


class AsyncMessages(Part):
    """The messages that kept chat completions answer."""

    def list(
        self,
        completion_id: str,
        *,
        after: str | None = None,
        limit: int | None = None,
        order: Literal["asc", "desc"] | None = None,
        **options: Unpack[_CallOptions],
    ) -> AsyncPaginator[ChatCompletionStoreMessage, AsyncCursorPage[ChatCompletionStoreMessage]]:
        """The messages that a kept chat completion answers, in pages: await it, or iterate over it.

        Those behind the one of the id `after`, `limit` a page (by default 20), in their order
        unless `order` is `"desc"`. Raises `NotFoundError` if there is no chat completion of this
        id.
        """
        return self._pages(
            lambda calls: calls.chat.completions.messages.list(
                completion_id, after=after, limit=limit, order=order, **options
            )
        )

    def __repr__(self) -> str:
        return f"<chat.completions.messages of {self._engine!r}>"
