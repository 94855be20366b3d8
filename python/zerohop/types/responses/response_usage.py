"""The tokens that a response used."""

from ..._native import ResponseInputTokensDetails as InputTokensDetails
from ..._native import ResponseOutputTokensDetails as OutputTokensDetails
from ..._native import ResponseUsage

__all__ = ["InputTokensDetails", "OutputTokensDetails", "ResponseUsage"]
