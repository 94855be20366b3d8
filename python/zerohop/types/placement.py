"""What a loaded model is."""

from .._native import Placement

__all__ = ["Placement"]
