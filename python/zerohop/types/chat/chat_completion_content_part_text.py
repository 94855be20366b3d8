"""A text among the parts of a message."""

from ..._native import ChatCompletionContentPartText

__all__ = ["ChatCompletionContentPartText"]
