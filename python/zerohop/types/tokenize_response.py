"""Text to tokens and back."""

from .._native import DetokenizeResponse, TokenizeResponse

__all__ = ["DetokenizeResponse", "TokenizeResponse"]
