"""A call of a function."""

from ..._native import ChatCompletionMessageFunctionToolCall
from ..._native import ToolCallFunction as Function

__all__ = ["ChatCompletionMessageFunctionToolCall", "Function"]
