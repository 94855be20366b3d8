"""The images that were made."""

from .._native import ImagesResponse
from .._native import ImagesUsage as Usage
from .._native import ImagesUsageDetails as UsageInputTokensDetails

__all__ = ["ImagesResponse", "Usage", "UsageInputTokensDetails"]
