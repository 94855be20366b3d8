"""An item is finished."""

from ..._native import ResponseOutputItemDoneEvent

__all__ = ["ResponseOutputItemDoneEvent"]
