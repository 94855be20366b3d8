"""What was said, with times."""

from ..._native import TranscriptionVerbose
from ..._native import TranscriptionVerboseUsage as Usage

__all__ = ["TranscriptionVerbose", "Usage"]
