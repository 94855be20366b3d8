"""Images, for event loops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from .._native import Images
from .part import Part
from .reply import reply
from .stream import AsyncStream, reply_or_stream

if TYPE_CHECKING:
    from typing import Unpack

    from .._native import (
        ImageEditCompletedEvent,
        ImageEditPartialImageEvent,
        ImageGenCompletedEvent,
        ImageGenPartialImageEvent,
        ImagesResponse,
        _EditParams,
        _GenerateParams,
        _VariationParams,
    )


class AsyncImages(Part):
    """The images of an engine."""

    @overload
    async def generate(
        self, *, stream: Literal[True], **params: Unpack[_GenerateParams]
    ) -> AsyncStream[ImageGenPartialImageEvent | ImageGenCompletedEvent]: ...
    @overload
    async def generate(
        self, *, stream: Literal[False] | None = ..., **params: Unpack[_GenerateParams]
    ) -> ImagesResponse: ...
    async def generate(self, **params: Any) -> Any:
        """Makes images of a text, as `Engine`'s does.

        Gives an `ImagesResponse`, or an `AsyncStream` of events if `stream` is true.
        """
        return await reply_or_stream((await self._calls()).images.generate(**params))

    @overload
    async def edit(
        self, *, stream: Literal[True], **params: Unpack[_EditParams]
    ) -> AsyncStream[ImageEditPartialImageEvent | ImageEditCompletedEvent]: ...
    @overload
    async def edit(
        self, *, stream: Literal[False] | None = ..., **params: Unpack[_EditParams]
    ) -> ImagesResponse: ...
    async def edit(self, **params: Any) -> Any:
        """Paints an image anew, in parts or as a whole, as `Engine`'s does.

        Gives an `ImagesResponse`, or an `AsyncStream` of events if `stream` is true.
        """
        return await reply_or_stream((await self._calls()).images.edit(**params))

    async def create_variation(self, **params: Unpack[_VariationParams]) -> ImagesResponse:
        """Makes images that are like another, as `Engine`'s does."""
        images: ImagesResponse = await reply(
            (await self._calls()).images.create_variation(**params)
        )
        return images

    # For `help()` and editors: the parameters are written down once.
    generate.__wrapped__ = Images.generate  # type: ignore[attr-defined]
    edit.__wrapped__ = Images.edit  # type: ignore[attr-defined]
    create_variation.__wrapped__ = Images.create_variation  # type: ignore[attr-defined]

    def __repr__(self) -> str:
        return f"<images of {self._engine!r}>"
