"""What was said, in English."""

from ..._native import Translation

__all__ = ["Translation"]
