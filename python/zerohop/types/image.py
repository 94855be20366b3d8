"""An image of a reply."""

from .._native import Image

__all__ = ["Image"]
