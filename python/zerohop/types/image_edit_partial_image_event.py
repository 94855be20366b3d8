"""What a step of an edited image has come to."""

from .._native import ImageEditPartialImageEvent

__all__ = ["ImageEditPartialImageEvent"]
