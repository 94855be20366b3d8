"""What a step of an image has come to."""

from .._native import ImageGenPartialImageEvent

__all__ = ["ImageGenPartialImageEvent"]
