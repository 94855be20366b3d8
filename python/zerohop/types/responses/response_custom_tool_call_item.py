"""A call of a custom tool, in a list of items."""

from ..._native import ResponseCustomToolCallItem

__all__ = ["ResponseCustomToolCallItem"]
