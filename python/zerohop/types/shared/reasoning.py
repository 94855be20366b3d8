"""How the model was to think."""

from ..._native import Reasoning

__all__ = ["Reasoning"]
