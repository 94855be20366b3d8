"""What a custom tool gave, in a list of items."""

from ..._native import ResponseCustomToolCallOutputItem

__all__ = ["ResponseCustomToolCallOutputItem"]
