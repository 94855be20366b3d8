"""What the model thought."""

from ..._native import ResponseReasoningItem
from ..._native import ResponseReasoningSummary as Summary
from ..._native import ResponseReasoningContent as Content

__all__ = ["Content", "ResponseReasoningItem", "Summary"]
