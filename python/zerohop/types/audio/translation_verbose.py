"""What was said, in English and with times."""

from ..._native import TranslationVerbose

__all__ = ["TranslationVerbose"]
