"""What was said."""

from ..._native import (
    Transcription,
    UsageDuration,
    UsageTokens,
    UsageTokensInputTokenDetails,
)
from ..._native import TranscriptionLogprob as Logprob

__all__ = [
    "Logprob",
    "Transcription",
    "UsageDuration",
    "UsageTokens",
    "UsageTokensInputTokenDetails",
]
