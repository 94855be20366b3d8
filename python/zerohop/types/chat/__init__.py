"""The objects of chat completions."""

from .chat_completion import ChatCompletion
from .chat_completion_audio import ChatCompletionAudio
from .chat_completion_chunk import ChatCompletionChunk
from .chat_completion_content_part_text import ChatCompletionContentPartText
from .chat_completion_deleted import ChatCompletionDeleted
from .chat_completion_message import ChatCompletionMessage
from .chat_completion_message_custom_tool_call import ChatCompletionMessageCustomToolCall
from .chat_completion_message_function_tool_call import ChatCompletionMessageFunctionToolCall
from .chat_completion_message_tool_call import (
    ChatCompletionMessageToolCall,
    ChatCompletionMessageToolCallUnion,
)
from .chat_completion_store_message import ChatCompletionStoreMessage
from .chat_completion_token_logprob import ChatCompletionTokenLogprob

__all__ = [
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
]
