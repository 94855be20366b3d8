"""That a file has been deleted."""

from .._native import FileDeleted

__all__ = ["FileDeleted"]
