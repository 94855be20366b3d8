"""A call's arguments are finished."""

from ..._native import ResponseFunctionCallArgumentsDoneEvent

__all__ = ["ResponseFunctionCallArgumentsDoneEvent"]
