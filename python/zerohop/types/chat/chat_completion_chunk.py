"""A piece of a streamed answer."""

from ..._native import ChatCompletionChunk, ChoiceDelta
from ..._native import ChunkChoice as Choice
from ..._native import ChunkChoiceLogprobs as ChoiceLogprobs

__all__ = ["ChatCompletionChunk", "Choice", "ChoiceDelta", "ChoiceLogprobs"]
