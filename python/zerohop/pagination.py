"""Lists that the API gives in pages."""

from ._async.pages import AsyncPaginator
from ._native import (
    AsyncCursorPage,
    AsyncPage,
    BaseAsyncPage,
    BasePage,
    BaseSyncPage,
    SyncCursorPage,
    SyncPage,
)
from ._pages import PageInfo

__all__ = [
    "AsyncCursorPage",
    "AsyncPage",
    "AsyncPaginator",
    "BaseAsyncPage",
    "BasePage",
    "BaseSyncPage",
    "PageInfo",
    "SyncCursorPage",
    "SyncPage",
]
