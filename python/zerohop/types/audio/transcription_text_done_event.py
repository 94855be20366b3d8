"""The end of a stream."""

from ..._native import TranscriptionTextDoneEvent
from ..._native import TranscriptionTextDoneLogprob as Logprob
from ..._native import TranscriptionTextDoneUsage as Usage
from ..._native import TranscriptionTextDoneUsageDetails as UsageInputTokenDetails

__all__ = ["Logprob", "TranscriptionTextDoneEvent", "Usage", "UsageInputTokenDetails"]
