"""The API's objects, under the names and modules that openai's SDK has them in.

Where it has two of one name, that of chunks is `ChunkChoice` and `ChunkChoiceLogprobs` here.
"""

from .._native import BaseModel, ChunkChoice, ChunkChoiceLogprobs
from .chat.chat_completion import ChatCompletion, Choice, ChoiceLogprobs
from .chat.chat_completion_chunk import ChatCompletionChunk, ChoiceDelta
from .chat.chat_completion_message import ChatCompletionMessage
from .chat.chat_completion_token_logprob import ChatCompletionTokenLogprob, TopLogprob
from .completion_usage import CompletionTokensDetails, CompletionUsage, PromptTokensDetails
from .device import Device
from .model import Model
from .model_info import ModelInfo

__all__ = [
    "BaseModel",
    "ChatCompletion",
    "ChatCompletionChunk",
    "ChatCompletionMessage",
    "ChatCompletionTokenLogprob",
    "Choice",
    "ChoiceDelta",
    "ChoiceLogprobs",
    "ChunkChoice",
    "ChunkChoiceLogprobs",
    "CompletionTokensDetails",
    "CompletionUsage",
    "Device",
    "Model",
    "ModelInfo",
    "PromptTokensDetails",
    "TopLogprob",
]
