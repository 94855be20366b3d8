"""What has become of a batch's requests."""

from .._native import BatchCounts

__all__ = ["BatchCounts"]
