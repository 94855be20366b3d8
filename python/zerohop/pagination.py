"""Lists that the API gives in pages; the engine's have one."""

from ._native import SyncPage

__all__ = ["SyncPage"]
