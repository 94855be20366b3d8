"""What is left of a kept chat completion that was deleted."""

from ..._native import ChatCompletionDeleted

__all__ = ["ChatCompletionDeleted"]
