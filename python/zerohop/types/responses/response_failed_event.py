"""A response went wrong."""

from ..._native import ResponseFailedEvent

__all__ = ["ResponseFailedEvent"]
