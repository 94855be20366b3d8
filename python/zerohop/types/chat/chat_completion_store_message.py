"""A message that a kept chat completion answers."""

from ..._native import ChatCompletionStoreMessage

__all__ = ["ChatCompletionStoreMessage"]
