"""The engine for event loops."""

from .engine import AsyncEngine
from .stream import AsyncStream

__all__ = ["AsyncEngine", "AsyncStream"]
