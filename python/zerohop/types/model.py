"""A model that requests may name."""

from .._native import Model

__all__ = ["Model"]
