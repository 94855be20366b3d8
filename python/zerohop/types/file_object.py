"""A file that the engine keeps."""

from .._native import FileObject

__all__ = ["FileObject"]
