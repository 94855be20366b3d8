"""A custom tool's input is finished."""

from ..._native import ResponseCustomToolCallInputDoneEvent

__all__ = ["ResponseCustomToolCallInputDoneEvent"]
