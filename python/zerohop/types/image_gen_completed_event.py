"""The end of the stream of an image."""

from .._native import ImageGenCompletedEvent
from .._native import ImageGenCompletedEventUsage as Usage
from .._native import ImageGenCompletedEventUsageDetails as UsageInputTokensDetails

__all__ = ["ImageGenCompletedEvent", "Usage", "UsageInputTokensDetails"]
