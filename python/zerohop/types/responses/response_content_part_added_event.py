"""A part of an item begins."""

from ..._native import ResponseContentPartAddedEvent
from ..._native import ResponseContentPartAddedReasoning as PartReasoningText

__all__ = ["PartReasoningText", "ResponseContentPartAddedEvent"]
