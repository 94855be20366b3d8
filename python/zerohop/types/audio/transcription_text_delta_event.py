"""More text."""

from ..._native import TranscriptionTextDeltaEvent
from ..._native import TranscriptionTextDeltaLogprob as Logprob

__all__ = ["Logprob", "TranscriptionTextDeltaEvent"]
