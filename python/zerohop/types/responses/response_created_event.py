"""A response has been taken on."""

from ..._native import ResponseCreatedEvent

__all__ = ["ResponseCreatedEvent"]
