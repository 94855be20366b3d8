"""Lists that the API gives in pages."""

from ._native import AsyncCursorPage, AsyncPage, SyncCursorPage, SyncPage

__all__ = ["AsyncCursorPage", "AsyncPage", "SyncCursorPage", "SyncPage"]
