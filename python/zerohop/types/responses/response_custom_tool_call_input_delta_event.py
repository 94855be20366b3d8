"""More of a custom tool's input."""

from ..._native import ResponseCustomToolCallInputDeltaEvent

__all__ = ["ResponseCustomToolCallInputDeltaEvent"]
