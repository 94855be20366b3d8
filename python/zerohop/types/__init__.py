"""The API's objects, under the names and modules that openai's SDK has them in.

Where it has two of one name, that of chunks is `ChunkChoice` and `ChunkChoiceLogprobs` here. The
`Function` and `Custom` of tool calls are `ToolCallFunction` and `ToolCallCustom` here, and the
`Usage` of embeddings is `EmbeddingUsage`.
"""

from .._native import (
    BaseModel,
    ChunkChoice,
    ChunkChoiceLogprobs,
    EmbeddingUsage,
    ToolCallCustom,
    ToolCallFunction,
)
from . import audio as audio
from . import responses as responses
from . import shared as shared
from .adapter import Adapter
from .batch import Batch
from .batch_counts import BatchCounts
from .batch_error import BatchError
from .batch_request_counts import BatchRequestCounts
from .batch_usage import BatchUsage
from .chat.chat_completion import ChatCompletion, Choice, ChoiceLogprobs
from .chat.chat_completion_audio import ChatCompletionAudio
from .chat.chat_completion_chunk import (
    ChatCompletionChunk,
    ChoiceDelta,
    ChoiceDeltaAudio,
    ChoiceDeltaFunctionCall,
    ChoiceDeltaToolCall,
    ChoiceDeltaToolCallFunction,
)
from .chat.chat_completion_content_part_text import ChatCompletionContentPartText
from .chat.chat_completion_deleted import ChatCompletionDeleted
from .chat.chat_completion_message import (
    Annotation,
    AnnotationURLCitation,
    ChatCompletionMessage,
    FunctionCall,
)
from .chat.chat_completion_message_custom_tool_call import ChatCompletionMessageCustomToolCall
from .chat.chat_completion_message_function_tool_call import ChatCompletionMessageFunctionToolCall
from .chat.chat_completion_message_tool_call import (
    ChatCompletionMessageToolCall,
    ChatCompletionMessageToolCallUnion,
)
from .chat.chat_completion_store_message import ChatCompletionStoreMessage
from .chat.chat_completion_token_logprob import ChatCompletionTokenLogprob, TopLogprob
from .completion import Completion
from .completion_choice import CompletionChoice, Logprobs
from .completion_usage import CompletionTokensDetails, CompletionUsage, PromptTokensDetails
from .create_embedding_response import CreateEmbeddingResponse
from .device import Device
from .embedding import Embedding
from .file_deleted import FileDeleted
from .file_object import FileObject
from .image import Image
from .image_edit_completed_event import ImageEditCompletedEvent
from .image_edit_partial_image_event import ImageEditPartialImageEvent
from .image_gen_completed_event import ImageGenCompletedEvent
from .image_gen_partial_image_event import ImageGenPartialImageEvent
from .images_response import ImagesResponse
from .model import Model
from .model_deleted import ModelDeleted
from .model_info import ModelInfo
from .placement import Placement
from .rerank_response import RerankDocument, RerankResponse, RerankResult, RerankUsage
from .system_info import SystemInfo
from .tokenize_response import DetokenizeResponse, TokenizeResponse

__all__ = [
    "Adapter",
    "Annotation",
    "AnnotationURLCitation",
    "BaseModel",
    "Batch",
    "BatchCounts",
    "BatchError",
    "BatchRequestCounts",
    "BatchUsage",
    "ChatCompletion",
    "ChatCompletionAudio",
    "ChatCompletionChunk",
    "ChatCompletionContentPartText",
    "ChatCompletionDeleted",
    "ChatCompletionMessage",
    "ChatCompletionMessageCustomToolCall",
    "ChatCompletionMessageFunctionToolCall",
    "ChatCompletionMessageToolCall",
    "ChatCompletionMessageToolCallUnion",
    "ChatCompletionStoreMessage",
    "ChatCompletionTokenLogprob",
    "Choice",
    "ChoiceDelta",
    "ChoiceDeltaAudio",
    "ChoiceDeltaFunctionCall",
    "ChoiceDeltaToolCall",
    "ChoiceDeltaToolCallFunction",
    "ChoiceLogprobs",
    "ChunkChoice",
    "ChunkChoiceLogprobs",
    "Completion",
    "CompletionChoice",
    "CompletionTokensDetails",
    "CompletionUsage",
    "CreateEmbeddingResponse",
    "DetokenizeResponse",
    "Device",
    "Embedding",
    "EmbeddingUsage",
    "FileDeleted",
    "FileObject",
    "FunctionCall",
    "Image",
    "ImageEditCompletedEvent",
    "ImageEditPartialImageEvent",
    "ImageGenCompletedEvent",
    "ImageGenPartialImageEvent",
    "ImagesResponse",
    "Logprobs",
    "Model",
    "ModelDeleted",
    "ModelInfo",
    "Placement",
    "PromptTokensDetails",
    "RerankDocument",
    "RerankResponse",
    "RerankResult",
    "RerankUsage",
    "SystemInfo",
    "TokenizeResponse",
    "ToolCallCustom",
    "ToolCallFunction",
    "TopLogprob",
]
