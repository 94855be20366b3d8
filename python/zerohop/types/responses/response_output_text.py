"""Text of a message."""

from ..._native import ResponseOutputText
from ..._native import ResponseOutputTextLogprob as Logprob
from ..._native import ResponseOutputTextTopLogprob as LogprobTopLogprob

__all__ = ["Logprob", "LogprobTopLogprob", "ResponseOutputText"]
