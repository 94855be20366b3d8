"""One of the answers of a legacy completion."""

from .._native import CompletionChoice, Logprobs

__all__ = ["CompletionChoice", "Logprobs"]
