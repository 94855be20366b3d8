"""An answer of the Responses API, and what it was asked with."""

from ..._native import ResponseObject as Response
from ..._native import ResponseIncompleteDetails as IncompleteDetails

__all__ = ["IncompleteDetails", "Response"]
