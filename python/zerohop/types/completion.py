"""A text gone on from."""

from .._native import Completion

__all__ = ["Completion"]
