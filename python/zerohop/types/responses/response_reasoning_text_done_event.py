"""The thoughts are finished."""

from ..._native import ResponseReasoningTextDoneEvent

__all__ = ["ResponseReasoningTextDoneEvent"]
