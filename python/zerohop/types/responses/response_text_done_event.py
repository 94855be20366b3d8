"""A text is finished."""

from ..._native import ResponseTextDoneEvent
from ..._native import ResponseTextDoneLogprob as Logprob
from ..._native import ResponseTextDoneTopLogprob as LogprobTopLogprob

__all__ = ["Logprob", "LogprobTopLogprob", "ResponseTextDoneEvent"]
