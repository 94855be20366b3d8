"""Documents in the order of how well they answer a query."""

from .._native import RerankDocument, RerankResponse, RerankResult, RerankUsage

__all__ = ["RerankDocument", "RerankResponse", "RerankResult", "RerankUsage"]
