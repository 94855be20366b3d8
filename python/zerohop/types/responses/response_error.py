"""What went wrong with a response."""

from ..._native import ResponseError

__all__ = ["ResponseError"]
