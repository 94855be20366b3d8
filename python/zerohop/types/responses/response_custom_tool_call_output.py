"""What a custom tool gave."""

from ..._native import ResponseCustomToolCallOutput

__all__ = ["ResponseCustomToolCallOutput"]
