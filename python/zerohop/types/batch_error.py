"""What is wrong with a batch."""

from .._native import BatchError

__all__ = ["BatchError"]
