"""A call of a custom tool."""

from ..._native import ResponseCustomToolCall

__all__ = ["ResponseCustomToolCall"]
