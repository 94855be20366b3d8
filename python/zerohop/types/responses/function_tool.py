"""A function that the model might call."""

from ..._native import FunctionTool

__all__ = ["FunctionTool"]
