"""What the model says."""

from ..._native import ChatCompletionMessage

__all__ = ["ChatCompletionMessage"]
