"""The tokens of a batch's answers."""

from .._native import BatchInputTokensDetails as InputTokensDetails
from .._native import BatchOutputTokensDetails as OutputTokensDetails
from .._native import BatchUsage

__all__ = ["BatchUsage", "InputTokensDetails", "OutputTokensDetails"]
