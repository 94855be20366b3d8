"""A call of a function, in a list of items."""

from ..._native import ResponseFunctionToolCallItem

__all__ = ["ResponseFunctionToolCallItem"]
