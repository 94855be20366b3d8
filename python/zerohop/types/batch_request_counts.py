"""How many of a batch's requests have been answered."""

from .._native import BatchRequestCounts

__all__ = ["BatchRequestCounts"]
