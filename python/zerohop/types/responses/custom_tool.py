"""A tool that the model might call with a text."""

from ..._native import CustomTool

__all__ = ["CustomTool"]
