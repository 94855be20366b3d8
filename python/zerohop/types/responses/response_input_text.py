"""A text for the model."""

from ..._native import ResponseInputText

__all__ = ["ResponseInputText"]
