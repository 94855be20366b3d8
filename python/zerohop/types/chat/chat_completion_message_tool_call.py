"""A call of a tool of either kind."""

from typing import TypeAlias

from .chat_completion_message_custom_tool_call import ChatCompletionMessageCustomToolCall
from .chat_completion_message_function_tool_call import (
    ChatCompletionMessageFunctionToolCall,
    Function,
)

__all__ = ["ChatCompletionMessageToolCall", "ChatCompletionMessageToolCallUnion", "Function"]

ChatCompletionMessageToolCallUnion: TypeAlias = (
    ChatCompletionMessageFunctionToolCall | ChatCompletionMessageCustomToolCall
)

# The name from before there were custom tools.
ChatCompletionMessageToolCall: TypeAlias = ChatCompletionMessageFunctionToolCall
