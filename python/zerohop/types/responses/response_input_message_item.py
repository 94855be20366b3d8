"""A message to the model."""

from ..._native import ResponseInputMessageItem

__all__ = ["ResponseInputMessageItem"]
