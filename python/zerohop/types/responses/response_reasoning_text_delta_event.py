"""More thoughts."""

from ..._native import ResponseReasoningTextDeltaEvent

__all__ = ["ResponseReasoningTextDeltaEvent"]
