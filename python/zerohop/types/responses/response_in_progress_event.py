"""A response is being computed."""

from ..._native import ResponseInProgressEvent

__all__ = ["ResponseInProgressEvent"]
