"""The form of a response's text."""

from ..._native import ResponseTextConfig

__all__ = ["ResponseTextConfig"]
