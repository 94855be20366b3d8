"""A sentence, or a part of one."""

from ..._native import TranscriptionSegment

__all__ = ["TranscriptionSegment"]
