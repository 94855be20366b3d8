"""What the model thought."""

from ..._native import ResponseReasoningContent as Content
from ..._native import ResponseReasoningItem
from ..._native import ResponseReasoningSummary as Summary

__all__ = ["Content", "ResponseReasoningItem", "Summary"]
