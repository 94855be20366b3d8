"""A part of an item is finished."""

from ..._native import ResponseContentPartDoneEvent
from ..._native import ResponseContentPartDoneReasoning as PartReasoningText

__all__ = ["PartReasoningText", "ResponseContentPartDoneEvent"]
