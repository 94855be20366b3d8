"""A word and when it was said."""

from ..._native import TranscriptionWord

__all__ = ["TranscriptionWord"]
