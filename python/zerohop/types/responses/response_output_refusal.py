"""Words of refusal of a message."""

from ..._native import ResponseOutputRefusal

__all__ = ["ResponseOutputRefusal"]
