"""The vectors of a request's texts."""

from .._native import CreateEmbeddingResponse
from .._native import EmbeddingUsage as Usage

__all__ = ["CreateEmbeddingResponse", "Usage"]
