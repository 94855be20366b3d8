"""Lists that the API gives in pages."""

from ._native import (
    AsyncBatchPage,
    AsyncCursorPage,
    AsyncPage,
    SyncBatchPage,
    SyncCursorPage,
    SyncPage,
)

__all__ = [
    "AsyncBatchPage",
    "AsyncCursorPage",
    "AsyncPage",
    "SyncBatchPage",
    "SyncCursorPage",
    "SyncPage",
]
