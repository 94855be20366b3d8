"""A limit has cut a response."""

from ..._native import ResponseIncompleteEvent

__all__ = ["ResponseIncompleteEvent"]
