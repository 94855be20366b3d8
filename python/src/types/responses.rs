//! The classes of the Responses API.

use pyo3::prelude::*;
use pyo3::types::PyString;

use super::base::BaseModel;
use super::classes::classes;
use super::schema::{OPTIONAL, REQUIRED, Schema, Shape, kind};
use crate::json::Fields;

/// The class of an item of an answer.
fn output_item(item: &Fields) -> Option<&'static Schema> {
    match kind(item)? {
        "message" => Some(&RESPONSE_OUTPUT_MESSAGE),
        "reasoning" => Some(&RESPONSE_REASONING_ITEM),
        "function_call" => Some(&RESPONSE_FUNCTION_TOOL_CALL),
        "custom_tool_call" => Some(&RESPONSE_CUSTOM_TOOL_CALL),
        _ => None,
    }
}

/// The class of a part of a message.
fn message_part(part: &Fields) -> Option<&'static Schema> {
    match kind(part)? {
        "output_text" => Some(&RESPONSE_OUTPUT_TEXT),
        "refusal" => Some(&RESPONSE_OUTPUT_REFUSAL),
        _ => None,
    }
}

/// The class of a part that begins.
fn added_part(part: &Fields) -> Option<&'static Schema> {
    match kind(part)? {
        "reasoning_text" => Some(&RESPONSE_CONTENT_PART_ADDED_REASONING),
        _ => message_part(part),
    }
}

/// The class of a part that is finished.
fn done_part(part: &Fields) -> Option<&'static Schema> {
    match kind(part)? {
        "reasoning_text" => Some(&RESPONSE_CONTENT_PART_DONE_REASONING),
        _ => message_part(part),
    }
}

/// The class of a tool.
fn tool(tool: &Fields) -> Option<&'static Schema> {
    match kind(tool)? {
        "function" => Some(&FUNCTION_TOOL),
        "custom" => Some(&CUSTOM_TOOL),
        _ => None,
    }
}

/// The events of a stream.
pub(crate) static RESPONSE_STREAM_EVENT: Shape = Shape::OneOf(stream_event);

/// The class of an event of a stream.
fn stream_event(event: &Fields) -> Option<&'static Schema> {
    match kind(event)? {
        "response.created" => Some(&RESPONSE_CREATED_EVENT),
        "response.in_progress" => Some(&RESPONSE_IN_PROGRESS_EVENT),
        "response.completed" => Some(&RESPONSE_COMPLETED_EVENT),
        "response.incomplete" => Some(&RESPONSE_INCOMPLETE_EVENT),
        "response.failed" => Some(&RESPONSE_FAILED_EVENT),
        "response.output_item.added" => Some(&RESPONSE_OUTPUT_ITEM_ADDED_EVENT),
        "response.output_item.done" => Some(&RESPONSE_OUTPUT_ITEM_DONE_EVENT),
        "response.content_part.added" => Some(&RESPONSE_CONTENT_PART_ADDED_EVENT),
        "response.content_part.done" => Some(&RESPONSE_CONTENT_PART_DONE_EVENT),
        "response.output_text.delta" => Some(&RESPONSE_TEXT_DELTA_EVENT),
        "response.output_text.done" => Some(&RESPONSE_TEXT_DONE_EVENT),
        "response.reasoning_text.delta" => Some(&RESPONSE_REASONING_TEXT_DELTA_EVENT),
        "response.reasoning_text.done" => Some(&RESPONSE_REASONING_TEXT_DONE_EVENT),
        "response.function_call_arguments.delta" => Some(&RESPONSE_FUNCTION_CALL_ARGUMENTS_DELTA_EVENT),
        "response.function_call_arguments.done" => Some(&RESPONSE_FUNCTION_CALL_ARGUMENTS_DONE_EVENT),
        "response.custom_tool_call_input.delta" => Some(&RESPONSE_CUSTOM_TOOL_CALL_INPUT_DELTA_EVENT),
        "response.custom_tool_call_input.done" => Some(&RESPONSE_CUSTOM_TOOL_CALL_INPUT_DONE_EVENT),
        _ => None,
    }
}

classes! {
    /// An answer of the Responses API, and what it was asked with.
    ResponseObject, RESPONSE_OBJECT, "Response", "zerohop.types.responses.response" {
        id: REQUIRED,
        access_programs: OPTIONAL,
        created_at: REQUIRED,
        error: OPTIONAL.object(&RESPONSE_ERROR),
        incomplete_details: OPTIONAL.object(&RESPONSE_INCOMPLETE_DETAILS),
        instructions: OPTIONAL,
        metadata: OPTIONAL,
        model: REQUIRED,
        object: REQUIRED,
        output: REQUIRED.union(output_item),
        parallel_tool_calls: REQUIRED,
        temperature: OPTIONAL,
        tool_choice: REQUIRED,
        tools: REQUIRED.union(tool),
        top_p: OPTIONAL,
        background: OPTIONAL,
        completed_at: OPTIONAL,
        conversation: OPTIONAL,
        image: OPTIONAL,
        input_transformations: OPTIONAL,
        max_output_tokens: OPTIONAL,
        max_tool_calls: OPTIONAL,
        moderation: OPTIONAL,
        previous_response_id: OPTIONAL,
        prompt: OPTIONAL,
        prompt_cache_diagnostics: OPTIONAL,
        prompt_cache_key: OPTIONAL,
        prompt_cache_options: OPTIONAL,
        prompt_cache_retention: OPTIONAL,
        reasoning: OPTIONAL.object(&REASONING),
        safety_identifier: OPTIONAL,
        service_tier: OPTIONAL,
        status: OPTIONAL,
        text: OPTIONAL.object(&RESPONSE_TEXT_CONFIG),
        tool_usage: OPTIONAL,
        top_logprobs: OPTIONAL,
        truncation: OPTIONAL,
        usage: OPTIONAL.object(&RESPONSE_USAGE),
        user: OPTIONAL,
    } + {
        /// The texts of all messages, joined.
        #[getter]
        fn output_text(slf: &Bound<'_, Self>) -> PyResult<String> {
            let mut text = String::new();
            for item in slf.getattr("output")?.try_iter()? {
                let item = item?;
                if item.is_instance_of::<ResponseOutputMessage>() {
                    for part in item.getattr("content")?.try_iter()? {
                        let part = part?;
                        if part.is_instance_of::<ResponseOutputText>() {
                            text.push_str(part.getattr("text")?.cast::<PyString>()?.to_str()?);
                        }
                    }
                }
            }
            Ok(text)
        }
    }

    /// Why a response is not whole.
    ResponseIncompleteDetails, RESPONSE_INCOMPLETE_DETAILS, "IncompleteDetails", "zerohop.types.responses.response" {
        reason: OPTIONAL,
    }

    /// What went wrong with a response.
    ResponseError, RESPONSE_ERROR, "ResponseError", "zerohop.types.responses.response_error" {
        code: REQUIRED,
        message: REQUIRED,
        misalignment: OPTIONAL,
        param: OPTIONAL,
        r#type: OPTIONAL,
    }

    /// The tokens that a response used.
    ResponseUsage, RESPONSE_USAGE, "ResponseUsage", "zerohop.types.responses.response_usage" {
        input_tokens: REQUIRED,
        input_tokens_details: REQUIRED.object(&RESPONSE_INPUT_TOKENS_DETAILS),
        output_tokens: REQUIRED,
        output_tokens_details: REQUIRED.object(&RESPONSE_OUTPUT_TOKENS_DETAILS),
        total_tokens: REQUIRED,
    }

    /// Of the input's tokens, how many were which.
    ResponseInputTokensDetails, RESPONSE_INPUT_TOKENS_DETAILS, "InputTokensDetails",
    "zerohop.types.responses.response_usage" {
        cache_write_tokens: REQUIRED,
        cached_tokens: REQUIRED,
        cache_write_tokens_details: OPTIONAL,
    }

    /// Of the answer's tokens, how many were which.
    ResponseOutputTokensDetails, RESPONSE_OUTPUT_TOKENS_DETAILS, "OutputTokensDetails",
    "zerohop.types.responses.response_usage" {
        reasoning_tokens: REQUIRED,
    }

    /// The form of a response's text.
    ResponseTextConfig, RESPONSE_TEXT_CONFIG, "ResponseTextConfig", "zerohop.types.responses.response_text_config" {
        format: OPTIONAL,
        verbosity: OPTIONAL,
    }

    /// How the model was to think.
    Reasoning, REASONING, "Reasoning", "zerohop.types.shared.reasoning" {
        context: OPTIONAL,
        effort: OPTIONAL,
        generate_summary: OPTIONAL,
        mode: OPTIONAL,
        summary: OPTIONAL,
    }

    /// A function that the model might call.
    FunctionTool, FUNCTION_TOOL, "FunctionTool", "zerohop.types.responses.function_tool" {
        name: REQUIRED,
        parameters: OPTIONAL,
        strict: OPTIONAL,
        r#type: REQUIRED,
        allowed_callers: OPTIONAL,
        async_: OPTIONAL,
        defer_loading: OPTIONAL,
        description: OPTIONAL,
        output_schema: OPTIONAL,
    }

    /// A tool that the model might call with a text.
    CustomTool, CUSTOM_TOOL, "CustomTool", "zerohop.types.responses.custom_tool" {
        name: REQUIRED,
        r#type: REQUIRED,
        allowed_callers: OPTIONAL,
        async_: OPTIONAL,
        defer_loading: OPTIONAL,
        description: OPTIONAL,
        format: OPTIONAL,
    }

    /// What the model says. It can be sent back as input, as all items can.
    ResponseOutputMessage, RESPONSE_OUTPUT_MESSAGE, "ResponseOutputMessage",
    "zerohop.types.responses.response_output_message" {
        id: REQUIRED,
        content: REQUIRED.union(message_part),
        role: REQUIRED,
        status: REQUIRED,
        r#type: REQUIRED,
        phase: OPTIONAL,
    }

    /// Text of a message.
    ResponseOutputText, RESPONSE_OUTPUT_TEXT, "ResponseOutputText", "zerohop.types.responses.response_output_text" {
        annotations: REQUIRED,
        text: REQUIRED,
        r#type: REQUIRED,
        logprobs: OPTIONAL.list(&RESPONSE_OUTPUT_TEXT_LOGPROB),
    }

    /// How likely a token of a text was.
    ResponseOutputTextLogprob, RESPONSE_OUTPUT_TEXT_LOGPROB, "Logprob", "zerohop.types.responses.response_output_text" {
        token: REQUIRED,
        bytes: REQUIRED,
        logprob: REQUIRED,
        top_logprobs: REQUIRED.list(&RESPONSE_OUTPUT_TEXT_TOP_LOGPROB),
    }

    /// One of the likeliest tokens in a place.
    ResponseOutputTextTopLogprob, RESPONSE_OUTPUT_TEXT_TOP_LOGPROB, "LogprobTopLogprob",
    "zerohop.types.responses.response_output_text" {
        token: REQUIRED,
        bytes: REQUIRED,
        logprob: REQUIRED,
    }

    /// Words of refusal of a message.
    ResponseOutputRefusal, RESPONSE_OUTPUT_REFUSAL, "ResponseOutputRefusal",
    "zerohop.types.responses.response_output_refusal" {
        refusal: REQUIRED,
        r#type: REQUIRED,
    }

    /// What the model thought.
    ResponseReasoningItem, RESPONSE_REASONING_ITEM, "ResponseReasoningItem",
    "zerohop.types.responses.response_reasoning_item" {
        id: REQUIRED,
        summary: REQUIRED.list(&RESPONSE_REASONING_SUMMARY),
        r#type: REQUIRED,
        content: OPTIONAL.list(&RESPONSE_REASONING_CONTENT),
        encrypted_content: OPTIONAL,
        status: OPTIONAL,
    }

    /// A summary of thoughts.
    ResponseReasoningSummary, RESPONSE_REASONING_SUMMARY, "Summary", "zerohop.types.responses.response_reasoning_item" {
        text: REQUIRED,
        r#type: REQUIRED,
    }

    /// A part of the model's thoughts.
    ResponseReasoningContent, RESPONSE_REASONING_CONTENT, "Content", "zerohop.types.responses.response_reasoning_item" {
        text: REQUIRED,
        r#type: REQUIRED,
    }

    /// A call of a function. `arguments` is JSON text.
    #[pyo3(subclass)]
    ResponseFunctionToolCall, RESPONSE_FUNCTION_TOOL_CALL, "ResponseFunctionToolCall",
    "zerohop.types.responses.response_function_tool_call" {
        arguments: REQUIRED,
        call_id: REQUIRED,
        name: REQUIRED,
        r#type: REQUIRED,
        id: OPTIONAL,
        async_: OPTIONAL,
        caller: OPTIONAL,
        namespace: OPTIONAL,
        status: OPTIONAL,
    }

    /// A call of a custom tool.
    #[pyo3(subclass)]
    ResponseCustomToolCall, RESPONSE_CUSTOM_TOOL_CALL, "ResponseCustomToolCall",
    "zerohop.types.responses.response_custom_tool_call" {
        call_id: REQUIRED,
        input: REQUIRED,
        name: REQUIRED,
        r#type: REQUIRED,
        id: OPTIONAL,
        async_: OPTIONAL,
        caller: OPTIONAL,
        namespace: OPTIONAL,
    }

    /// A response has been taken on.
    ResponseCreatedEvent, RESPONSE_CREATED_EVENT, "ResponseCreatedEvent",
    "zerohop.types.responses.response_created_event" {
        response: REQUIRED.object(&RESPONSE_OBJECT),
        sequence_number: REQUIRED,
        r#type: REQUIRED,
    }

    /// A response is being computed.
    ResponseInProgressEvent, RESPONSE_IN_PROGRESS_EVENT, "ResponseInProgressEvent",
    "zerohop.types.responses.response_in_progress_event" {
        response: REQUIRED.object(&RESPONSE_OBJECT),
        sequence_number: REQUIRED,
        r#type: REQUIRED,
    }

    /// A response is whole.
    ResponseCompletedEvent, RESPONSE_COMPLETED_EVENT, "ResponseCompletedEvent",
    "zerohop.types.responses.response_completed_event" {
        response: REQUIRED.object(&RESPONSE_OBJECT),
        sequence_number: REQUIRED,
        r#type: REQUIRED,
    }

    /// A limit has cut a response.
    ResponseIncompleteEvent, RESPONSE_INCOMPLETE_EVENT, "ResponseIncompleteEvent",
    "zerohop.types.responses.response_incomplete_event" {
        response: REQUIRED.object(&RESPONSE_OBJECT),
        sequence_number: REQUIRED,
        r#type: REQUIRED,
    }

    /// A response went wrong.
    ResponseFailedEvent, RESPONSE_FAILED_EVENT, "ResponseFailedEvent", "zerohop.types.responses.response_failed_event" {
        response: REQUIRED.object(&RESPONSE_OBJECT),
        sequence_number: REQUIRED,
        r#type: REQUIRED,
    }

    /// An item begins.
    ResponseOutputItemAddedEvent, RESPONSE_OUTPUT_ITEM_ADDED_EVENT, "ResponseOutputItemAddedEvent",
    "zerohop.types.responses.response_output_item_added_event" {
        item: REQUIRED.one_of(output_item),
        output_index: REQUIRED,
        sequence_number: REQUIRED,
        r#type: REQUIRED,
    }

    /// An item is finished.
    ResponseOutputItemDoneEvent, RESPONSE_OUTPUT_ITEM_DONE_EVENT, "ResponseOutputItemDoneEvent",
    "zerohop.types.responses.response_output_item_done_event" {
        item: REQUIRED.one_of(output_item),
        output_index: REQUIRED,
        sequence_number: REQUIRED,
        r#type: REQUIRED,
    }

    /// A part of an item begins.
    ResponseContentPartAddedEvent, RESPONSE_CONTENT_PART_ADDED_EVENT, "ResponseContentPartAddedEvent",
    "zerohop.types.responses.response_content_part_added_event" {
        content_index: REQUIRED,
        item_id: REQUIRED,
        output_index: REQUIRED,
        part: REQUIRED.one_of(added_part),
        sequence_number: REQUIRED,
        r#type: REQUIRED,
    }

    /// Thoughts that begin.
    ResponseContentPartAddedReasoning, RESPONSE_CONTENT_PART_ADDED_REASONING, "PartReasoningText",
    "zerohop.types.responses.response_content_part_added_event" {
        text: REQUIRED,
        r#type: REQUIRED,
    }

    /// A part of an item is finished.
    ResponseContentPartDoneEvent, RESPONSE_CONTENT_PART_DONE_EVENT, "ResponseContentPartDoneEvent",
    "zerohop.types.responses.response_content_part_done_event" {
        content_index: REQUIRED,
        item_id: REQUIRED,
        output_index: REQUIRED,
        part: REQUIRED.one_of(done_part),
        sequence_number: REQUIRED,
        r#type: REQUIRED,
    }

    /// Thoughts that are finished.
    ResponseContentPartDoneReasoning, RESPONSE_CONTENT_PART_DONE_REASONING, "PartReasoningText",
    "zerohop.types.responses.response_content_part_done_event" {
        text: REQUIRED,
        r#type: REQUIRED,
    }

    /// More text.
    ResponseTextDeltaEvent, RESPONSE_TEXT_DELTA_EVENT, "ResponseTextDeltaEvent",
    "zerohop.types.responses.response_text_delta_event" {
        content_index: REQUIRED,
        delta: REQUIRED,
        item_id: REQUIRED,
        logprobs: REQUIRED.list(&RESPONSE_TEXT_DELTA_LOGPROB),
        output_index: REQUIRED,
        sequence_number: REQUIRED,
        r#type: REQUIRED,
    }

    /// How likely a token was.
    ResponseTextDeltaLogprob, RESPONSE_TEXT_DELTA_LOGPROB, "Logprob",
    "zerohop.types.responses.response_text_delta_event" {
        token: REQUIRED,
        logprob: REQUIRED,
        top_logprobs: OPTIONAL.list(&RESPONSE_TEXT_DELTA_TOP_LOGPROB),
    }

    /// One of the likeliest tokens in a place.
    ResponseTextDeltaTopLogprob, RESPONSE_TEXT_DELTA_TOP_LOGPROB, "LogprobTopLogprob",
    "zerohop.types.responses.response_text_delta_event" {
        token: OPTIONAL,
        logprob: OPTIONAL,
    }

    /// A text is finished.
    ResponseTextDoneEvent, RESPONSE_TEXT_DONE_EVENT, "ResponseTextDoneEvent",
    "zerohop.types.responses.response_text_done_event" {
        content_index: REQUIRED,
        item_id: REQUIRED,
        logprobs: REQUIRED.list(&RESPONSE_TEXT_DONE_LOGPROB),
        output_index: REQUIRED,
        sequence_number: REQUIRED,
        text: REQUIRED,
        r#type: REQUIRED,
    }

    /// How likely a token was.
    ResponseTextDoneLogprob, RESPONSE_TEXT_DONE_LOGPROB, "Logprob", "zerohop.types.responses.response_text_done_event" {
        token: REQUIRED,
        logprob: REQUIRED,
        top_logprobs: OPTIONAL.list(&RESPONSE_TEXT_DONE_TOP_LOGPROB),
    }

    /// One of the likeliest tokens in a place.
    ResponseTextDoneTopLogprob, RESPONSE_TEXT_DONE_TOP_LOGPROB, "LogprobTopLogprob",
    "zerohop.types.responses.response_text_done_event" {
        token: OPTIONAL,
        logprob: OPTIONAL,
    }

    /// More thoughts.
    ResponseReasoningTextDeltaEvent, RESPONSE_REASONING_TEXT_DELTA_EVENT, "ResponseReasoningTextDeltaEvent",
    "zerohop.types.responses.response_reasoning_text_delta_event" {
        content_index: REQUIRED,
        delta: REQUIRED,
        item_id: REQUIRED,
        output_index: REQUIRED,
        sequence_number: REQUIRED,
        r#type: REQUIRED,
    }

    /// The thoughts are finished.
    ResponseReasoningTextDoneEvent, RESPONSE_REASONING_TEXT_DONE_EVENT, "ResponseReasoningTextDoneEvent",
    "zerohop.types.responses.response_reasoning_text_done_event" {
        content_index: REQUIRED,
        item_id: REQUIRED,
        output_index: REQUIRED,
        sequence_number: REQUIRED,
        text: REQUIRED,
        r#type: REQUIRED,
    }

    /// More of a call's arguments.
    ResponseFunctionCallArgumentsDeltaEvent, RESPONSE_FUNCTION_CALL_ARGUMENTS_DELTA_EVENT, "ResponseFunctionCallArgumentsDeltaEvent",
    "zerohop.types.responses.response_function_call_arguments_delta_event" {
        delta: REQUIRED,
        item_id: REQUIRED,
        output_index: REQUIRED,
        sequence_number: REQUIRED,
        r#type: REQUIRED,
    }

    /// A call's arguments are finished.
    ResponseFunctionCallArgumentsDoneEvent, RESPONSE_FUNCTION_CALL_ARGUMENTS_DONE_EVENT, "ResponseFunctionCallArgumentsDoneEvent",
    "zerohop.types.responses.response_function_call_arguments_done_event" {
        arguments: REQUIRED,
        item_id: REQUIRED,
        output_index: REQUIRED,
        sequence_number: REQUIRED,
        r#type: REQUIRED,
    }

    /// More of a custom tool's input.
    ResponseCustomToolCallInputDeltaEvent, RESPONSE_CUSTOM_TOOL_CALL_INPUT_DELTA_EVENT, "ResponseCustomToolCallInputDeltaEvent",
    "zerohop.types.responses.response_custom_tool_call_input_delta_event" {
        delta: REQUIRED,
        item_id: REQUIRED,
        output_index: REQUIRED,
        sequence_number: REQUIRED,
        r#type: REQUIRED,
    }

    /// A custom tool's input is finished.
    ResponseCustomToolCallInputDoneEvent, RESPONSE_CUSTOM_TOOL_CALL_INPUT_DONE_EVENT, "ResponseCustomToolCallInputDoneEvent",
    "zerohop.types.responses.response_custom_tool_call_input_done_event" {
        input: REQUIRED,
        item_id: REQUIRED,
        output_index: REQUIRED,
        sequence_number: REQUIRED,
        r#type: REQUIRED,
    }
}
