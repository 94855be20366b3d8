"""An item begins."""

from ..._native import ResponseOutputItemAddedEvent

__all__ = ["ResponseOutputItemAddedEvent"]
