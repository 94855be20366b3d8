"""The images that were made."""

from .._native import ImagesResponse
from .._native import ImagesUsage as Usage
from .._native import ImagesUsageDetails as UsageInputTokensDetails
from .._native import ImagesUsageOutputDetails as UsageOutputTokensDetails

__all__ = ["ImagesResponse", "Usage", "UsageInputTokensDetails", "UsageOutputTokensDetails"]
