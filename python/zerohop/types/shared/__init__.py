"""Objects that several parts of the API have."""

from .reasoning import Reasoning

__all__ = ["Reasoning"]
