"""A file of requests and what has become of them."""

from .._native import Batch
from .._native import BatchErrors as Errors

__all__ = ["Batch", "Errors"]
