"""The objects of speech to text, under the names and modules that openai's SDK has them in."""

from typing import TypeAlias

from .transcription import (
    Transcription,
    UsageDuration,
    UsageTokens,
    UsageTokensInputTokenDetails,
)
from .transcription_segment import TranscriptionSegment
from .transcription_text_delta_event import TranscriptionTextDeltaEvent
from .transcription_text_done_event import TranscriptionTextDoneEvent
from .transcription_verbose import TranscriptionVerbose
from .transcription_word import TranscriptionWord
from .translation import Translation
from .translation_verbose import TranslationVerbose

TranscriptionStreamEvent: TypeAlias = TranscriptionTextDeltaEvent | TranscriptionTextDoneEvent

__all__ = [
    "Transcription",
    "TranscriptionSegment",
    "TranscriptionStreamEvent",
    "TranscriptionTextDeltaEvent",
    "TranscriptionTextDoneEvent",
    "TranscriptionVerbose",
    "TranscriptionWord",
    "Translation",
    "TranslationVerbose",
    "UsageDuration",
    "UsageTokens",
    "UsageTokensInputTokenDetails",
]
