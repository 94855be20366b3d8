"""A response is whole."""

from ..._native import ResponseCompletedEvent

__all__ = ["ResponseCompletedEvent"]
