"""Lists page by page: what the pages of the native module do with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ._native import BaseSyncPage, SyncCursorPage, SyncPage

    _PageT = TypeVar("_PageT", bound=BaseSyncPage[Any])


@dataclass(frozen=True)
class PageInfo:
    """What to ask for to get the next page of a list."""

    params: dict[str, str]


def after(entry_id: str) -> PageInfo:
    """What to ask for to get the page behind an entry."""
    return PageInfo(params={"after": entry_id})


def iter_pages(page: _PageT) -> Iterator[_PageT]:
    """A page and all behind it."""
    yield page
    while page.has_next_page():
        page = page.get_next_page()
        yield page


def iter_entries(page: SyncPage[Any] | SyncCursorPage[Any]) -> Iterator[Any]:
    """The entries of a page and of all behind it."""
    for each in iter_pages(page):
        yield from each.data
