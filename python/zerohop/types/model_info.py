"""What a loaded model is."""

from .._native import ModelInfo

__all__ = ["ModelInfo"]
