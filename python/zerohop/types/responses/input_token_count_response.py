"""How many tokens a request's input is."""

from ..._native import InputTokenCountResponse

__all__ = ["InputTokenCountResponse"]
