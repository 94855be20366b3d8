"""A spoken answer."""

from ..._native import ChatCompletionAudio

__all__ = ["ChatCompletionAudio"]
