//! The classes of chat completions.

use pyo3::prelude::*;

use super::base::BaseModel;
use super::classes::classes;
use super::schema::{OPTIONAL, REQUIRED, Schema, kind};
use crate::json::Fields;

/// The class of a call of a tool.
fn tool_call(call: &Fields) -> Option<&'static Schema> {
    match kind(call)? {
        "function" => Some(&CHAT_COMPLETION_MESSAGE_FUNCTION_TOOL_CALL),
        "custom" => Some(&CHAT_COMPLETION_MESSAGE_CUSTOM_TOOL_CALL),
        _ => None,
    }
}

/// The class of a part of a message of a kept chat completion.
fn content_part(part: &Fields) -> Option<&'static Schema> {
    (kind(part)? == "text").then_some(&CHAT_COMPLETION_CONTENT_PART_TEXT)
}

classes! {
    /// A whole answer.
    ChatCompletion, CHAT_COMPLETION, "ChatCompletion", "zerohop.types.chat.chat_completion" {
        id: REQUIRED,
        choices: REQUIRED.list(&CHOICE),
        created: REQUIRED,
        model: REQUIRED,
        object: REQUIRED,
        metadata: OPTIONAL,
        moderation: OPTIONAL,
        service_tier: OPTIONAL,
        system_fingerprint: OPTIONAL,
        usage: OPTIONAL.object(&COMPLETION_USAGE),
    }

    /// One of the answers to a request.
    Choice, CHOICE, "Choice", "zerohop.types.chat.chat_completion" {
        finish_reason: REQUIRED,
        index: REQUIRED,
        logprobs: OPTIONAL.object(&CHOICE_LOGPROBS),
        message: REQUIRED.object(&CHAT_COMPLETION_MESSAGE),
    }

    /// How likely an answer's tokens were.
    ChoiceLogprobs, CHOICE_LOGPROBS, "ChoiceLogprobs", "zerohop.types.chat.chat_completion" {
        content: OPTIONAL.list(&CHAT_COMPLETION_TOKEN_LOGPROB),
        refusal: OPTIONAL.list(&CHAT_COMPLETION_TOKEN_LOGPROB),
    }

    /// How likely a token was.
    ChatCompletionTokenLogprob, CHAT_COMPLETION_TOKEN_LOGPROB, "ChatCompletionTokenLogprob",
    "zerohop.types.chat.chat_completion_token_logprob" {
        token: REQUIRED,
        bytes: OPTIONAL,
        logprob: REQUIRED,
        top_logprobs: REQUIRED.list(&TOP_LOGPROB),
    }

    /// One of the likeliest tokens in a place.
    TopLogprob, TOP_LOGPROB, "TopLogprob", "zerohop.types.chat.chat_completion_token_logprob" {
        token: REQUIRED,
        bytes: OPTIONAL,
        logprob: REQUIRED,
    }

    /// What the model says. It can be sent back as history.
    #[pyo3(subclass)]
    ChatCompletionMessage, CHAT_COMPLETION_MESSAGE, "ChatCompletionMessage",
    "zerohop.types.chat.chat_completion_message" {
        content: OPTIONAL,
        refusal: OPTIONAL,
        role: REQUIRED,
        annotations: OPTIONAL.list(&ANNOTATION),
        audio: OPTIONAL.object(&CHAT_COMPLETION_AUDIO),
        function_call: OPTIONAL.object(&FUNCTION_CALL),
        tool_calls: OPTIONAL.union(tool_call),
    }

    /// Where a statement of the model's comes from.
    Annotation, ANNOTATION, "Annotation", "zerohop.types.chat.chat_completion_message" {
        r#type: REQUIRED,
        url_citation: REQUIRED.object(&ANNOTATION_URL_CITATION),
    }

    /// The web page that a statement comes from.
    AnnotationURLCitation, ANNOTATION_URL_CITATION, "AnnotationURLCitation",
    "zerohop.types.chat.chat_completion_message" {
        end_index: REQUIRED,
        start_index: REQUIRED,
        title: REQUIRED,
        url: REQUIRED,
    }

    /// A spoken answer.
    ChatCompletionAudio, CHAT_COMPLETION_AUDIO, "ChatCompletionAudio", "zerohop.types.chat.chat_completion_audio" {
        id: REQUIRED,
        data: REQUIRED,
        expires_at: REQUIRED,
        transcript: REQUIRED,
    }

    /// What function the model calls, and how; the deprecated form of tool calls.
    FunctionCall, FUNCTION_CALL, "FunctionCall", "zerohop.types.chat.chat_completion_message" {
        arguments: REQUIRED,
        name: REQUIRED,
    }

    /// A call of a function.
    ChatCompletionMessageFunctionToolCall, CHAT_COMPLETION_MESSAGE_FUNCTION_TOOL_CALL,
    "ChatCompletionMessageFunctionToolCall", "zerohop.types.chat.chat_completion_message_function_tool_call" {
        id: REQUIRED,
        function: REQUIRED.object(&TOOL_CALL_FUNCTION),
        r#type: REQUIRED,
    }

    /// What function is called, and how. `arguments` is JSON text.
    ToolCallFunction, TOOL_CALL_FUNCTION, "Function",
    "zerohop.types.chat.chat_completion_message_function_tool_call" {
        arguments: REQUIRED,
        name: REQUIRED,
    }

    /// A call of a custom tool.
    ChatCompletionMessageCustomToolCall, CHAT_COMPLETION_MESSAGE_CUSTOM_TOOL_CALL,
    "ChatCompletionMessageCustomToolCall", "zerohop.types.chat.chat_completion_message_custom_tool_call" {
        id: REQUIRED,
        custom: REQUIRED.object(&TOOL_CALL_CUSTOM),
        r#type: REQUIRED,
    }

    /// What custom tool is called, and with what text.
    ToolCallCustom, TOOL_CALL_CUSTOM, "Custom", "zerohop.types.chat.chat_completion_message_custom_tool_call" {
        input: REQUIRED,
        name: REQUIRED,
    }

    /// A piece of a streamed answer.
    ChatCompletionChunk, CHAT_COMPLETION_CHUNK, "ChatCompletionChunk", "zerohop.types.chat.chat_completion_chunk" {
        id: REQUIRED,
        choices: REQUIRED.list(&CHUNK_CHOICE),
        created: REQUIRED,
        model: REQUIRED,
        object: REQUIRED,
        moderation: OPTIONAL,
        obfuscation: OPTIONAL,
        service_tier: OPTIONAL,
        system_fingerprint: OPTIONAL,
        usage: OPTIONAL.object(&COMPLETION_USAGE),
    }

    /// What has come to one of the answers.
    ChunkChoice, CHUNK_CHOICE, "Choice", "zerohop.types.chat.chat_completion_chunk" {
        delta: REQUIRED.object(&CHOICE_DELTA),
        index: REQUIRED,
        finish_reason: OPTIONAL,
        logprobs: OPTIONAL.object(&CHUNK_CHOICE_LOGPROBS),
    }

    /// How likely a piece's tokens were.
    ChunkChoiceLogprobs, CHUNK_CHOICE_LOGPROBS, "ChoiceLogprobs", "zerohop.types.chat.chat_completion_chunk" {
        content: OPTIONAL.list(&CHAT_COMPLETION_TOKEN_LOGPROB),
        refusal: OPTIONAL.list(&CHAT_COMPLETION_TOKEN_LOGPROB),
    }

    /// What has come to a message; what has no news is None.
    ChoiceDelta, CHOICE_DELTA, "ChoiceDelta", "zerohop.types.chat.chat_completion_chunk" {
        audio: OPTIONAL.object(&CHOICE_DELTA_AUDIO),
        content: OPTIONAL,
        function_call: OPTIONAL.object(&CHOICE_DELTA_FUNCTION_CALL),
        refusal: OPTIONAL,
        role: OPTIONAL,
        tool_calls: OPTIONAL.list(&CHOICE_DELTA_TOOL_CALL),
    }

    /// What has come to a spoken answer.
    ChoiceDeltaAudio, CHOICE_DELTA_AUDIO, "ChoiceDeltaAudio", "zerohop.types.chat.chat_completion_chunk" {
        id: OPTIONAL,
        data: OPTIONAL,
        expires_at: OPTIONAL,
        transcript: OPTIONAL,
    }

    /// What has come to the call of a function; the deprecated form of tool calls.
    ChoiceDeltaFunctionCall, CHOICE_DELTA_FUNCTION_CALL, "ChoiceDeltaFunctionCall",
    "zerohop.types.chat.chat_completion_chunk" {
        arguments: OPTIONAL,
        name: OPTIONAL,
    }

    /// What has come to the call of a tool; its first piece alone has `id`, `type` and a name.
    ChoiceDeltaToolCall, CHOICE_DELTA_TOOL_CALL, "ChoiceDeltaToolCall", "zerohop.types.chat.chat_completion_chunk" {
        index: REQUIRED,
        id: OPTIONAL,
        function: OPTIONAL.object(&CHOICE_DELTA_TOOL_CALL_FUNCTION),
        r#type: OPTIONAL,
    }

    /// What has come to the call of a function.
    ChoiceDeltaToolCallFunction, CHOICE_DELTA_TOOL_CALL_FUNCTION, "ChoiceDeltaToolCallFunction",
    "zerohop.types.chat.chat_completion_chunk" {
        arguments: OPTIONAL,
        name: OPTIONAL,
    }

    /// The tokens that a request used.
    CompletionUsage, COMPLETION_USAGE, "CompletionUsage", "zerohop.types.completion_usage" {
        completion_tokens: REQUIRED,
        prompt_tokens: REQUIRED,
        total_tokens: REQUIRED,
        completion_tokens_details: OPTIONAL.object(&COMPLETION_TOKENS_DETAILS),
        prompt_tokens_details: OPTIONAL.object(&PROMPT_TOKENS_DETAILS),
    }

    /// Of the answers' tokens, how many were which.
    CompletionTokensDetails, COMPLETION_TOKENS_DETAILS, "CompletionTokensDetails", "zerohop.types.completion_usage" {
        accepted_prediction_tokens: OPTIONAL,
        audio_tokens: OPTIONAL,
        reasoning_tokens: OPTIONAL,
        rejected_prediction_tokens: OPTIONAL,
        text_tokens: OPTIONAL,
    }

    /// Of the prompt's tokens, how many were which.
    PromptTokensDetails, PROMPT_TOKENS_DETAILS, "PromptTokensDetails", "zerohop.types.completion_usage" {
        audio_tokens: OPTIONAL,
        cache_write_tokens: OPTIONAL,
        cached_tokens: OPTIONAL,
        image_tokens: OPTIONAL,
        text_tokens: OPTIONAL,
    }

    /// What is left of a kept chat completion that was deleted.
    ChatCompletionDeleted, CHAT_COMPLETION_DELETED, "ChatCompletionDeleted",
    "zerohop.types.chat.chat_completion_deleted" {
        id: REQUIRED,
        deleted: REQUIRED,
        object: REQUIRED,
    }

    /// A message that a kept chat completion answers.
    ChatCompletionStoreMessage(ChatCompletionMessage), CHAT_COMPLETION_STORE_MESSAGE, "ChatCompletionStoreMessage",
    "zerohop.types.chat.chat_completion_store_message" {
        content: OPTIONAL,
        refusal: OPTIONAL,
        role: REQUIRED,
        annotations: OPTIONAL.list(&ANNOTATION),
        audio: OPTIONAL.object(&CHAT_COMPLETION_AUDIO),
        function_call: OPTIONAL.object(&FUNCTION_CALL),
        tool_calls: OPTIONAL.union(tool_call),
        id: REQUIRED,
        content_parts: OPTIONAL.union(content_part),
    }

    /// A text among the parts of a message.
    ChatCompletionContentPartText, CHAT_COMPLETION_CONTENT_PART_TEXT, "ChatCompletionContentPartText",
    "zerohop.types.chat.chat_completion_content_part_text" {
        text: REQUIRED,
        r#type: REQUIRED,
        prompt_cache_breakpoint: OPTIONAL,
    }
}
