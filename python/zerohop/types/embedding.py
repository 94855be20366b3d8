"""The vector of a text."""

from .._native import Embedding

__all__ = ["Embedding"]
