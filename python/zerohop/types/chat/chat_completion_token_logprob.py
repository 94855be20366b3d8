"""How likely a token was."""

from ..._native import ChatCompletionTokenLogprob, TopLogprob

__all__ = ["ChatCompletionTokenLogprob", "TopLogprob"]
