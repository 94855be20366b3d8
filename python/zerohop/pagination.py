"""Lists that the API gives in pages; the engine's have one."""

from ._native import AsyncPage, SyncPage

__all__ = ["AsyncPage", "SyncPage"]
