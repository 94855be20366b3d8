"""More text."""

from ..._native import ResponseTextDeltaEvent
from ..._native import ResponseTextDeltaLogprob as Logprob
from ..._native import ResponseTextDeltaTopLogprob as LogprobTopLogprob

__all__ = ["Logprob", "LogprobTopLogprob", "ResponseTextDeltaEvent"]
