"""A LoRA adapter of a model."""

from .._native import Adapter

__all__ = ["Adapter"]
