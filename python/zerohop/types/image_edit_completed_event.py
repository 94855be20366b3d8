"""The end of the stream of an edited image."""

from .._native import ImageEditCompletedEvent
from .._native import ImageEditCompletedEventUsage as Usage
from .._native import ImageEditCompletedEventUsageDetails as UsageInputTokensDetails

__all__ = ["ImageEditCompletedEvent", "Usage", "UsageInputTokensDetails"]
