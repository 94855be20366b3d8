"""Lists page by page, for event loops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .reply import reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Generator

    from .._native import AsyncCursorPage, AsyncPage, BaseAsyncPage

_T = TypeVar("_T")
_AsyncPageT = TypeVar("_AsyncPageT", bound="BaseAsyncPage[Any]")


class AsyncPaginator(Generic[_T, _AsyncPageT]):
    """A list on its way.

    Await it for its first page, or iterate over it with `async for`: that gives the entries of all
    pages, which are fetched meanwhile.
    """

    def __init__(self, first_page: Callable[[], Coroutine[Any, Any, _AsyncPageT]]) -> None:
        self._first_page = first_page

    def __await__(self) -> Generator[Any, Any, _AsyncPageT]:
        return self._first_page().__await__()

    async def __aiter__(self) -> AsyncIterator[_T]:
        async for entry in await self:
            yield entry


async def get_next_page(page: _AsyncPageT) -> _AsyncPageT:
    """The page behind a page."""
    return await reply(page._next_page())


async def iter_pages(page: _AsyncPageT) -> AsyncIterator[_AsyncPageT]:
    """A page and all behind it."""
    yield page
    while page.has_next_page():
        page = await page.get_next_page()
        yield page


async def iter_entries(page: AsyncPage[Any] | AsyncCursorPage[Any]) -> AsyncIterator[Any]:
    """The entries of a page and of all behind it."""
    async for each in iter_pages(page):
        for entry in each.data:
            yield entry
