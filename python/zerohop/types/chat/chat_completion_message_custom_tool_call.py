"""A call of a custom tool."""

from ..._native import ChatCompletionMessageCustomToolCall
from ..._native import ToolCallCustom as Custom

__all__ = ["ChatCompletionMessageCustomToolCall", "Custom"]
