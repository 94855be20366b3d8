"""More of a call's arguments."""

from ..._native import ResponseFunctionCallArgumentsDeltaEvent

__all__ = ["ResponseFunctionCallArgumentsDeltaEvent"]
