"""What is left of a model that was deleted."""

from .._native import ModelDeleted

__all__ = ["ModelDeleted"]
