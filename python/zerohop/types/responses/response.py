"""An answer of the Responses API, and what it was asked with."""

from ..._native import ResponseIncompleteDetails as IncompleteDetails
from ..._native import ResponseObject as Response

__all__ = ["IncompleteDetails", "Response"]
