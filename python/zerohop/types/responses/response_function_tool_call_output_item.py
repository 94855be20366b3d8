"""What a function gave."""

from ..._native import ResponseFunctionToolCallOutputItem

__all__ = ["ResponseFunctionToolCallOutputItem"]
