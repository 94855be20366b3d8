"""A call of a function. `arguments` is JSON text."""

from ..._native import ResponseFunctionToolCall

__all__ = ["ResponseFunctionToolCall"]
