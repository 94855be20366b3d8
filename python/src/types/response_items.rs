//! The classes of the items that responses answer, and of their number of tokens.

use pyo3::prelude::*;

use super::base::BaseModel;
use super::classes::classes;
use super::responses::{
    RESPONSE_OUTPUT_MESSAGE, RESPONSE_REASONING_ITEM, ResponseCustomToolCall, ResponseFunctionToolCall,
};
use super::schema::{OPTIONAL, REQUIRED, Schema, kind};
use crate::json::Fields;

/// The class of an item of a response's input. Of the messages, the model's are of another class than
/// those to it.
pub(super) fn response_item(item: &Fields) -> Option<&'static Schema> {
    match kind(item)? {
        "message" if item.text("role") == Some("assistant") => Some(&RESPONSE_OUTPUT_MESSAGE),
        "message" => Some(&RESPONSE_INPUT_MESSAGE_ITEM),
        "reasoning" => Some(&RESPONSE_REASONING_ITEM),
        "function_call" => Some(&RESPONSE_FUNCTION_TOOL_CALL_ITEM),
        "function_call_output" => Some(&RESPONSE_FUNCTION_TOOL_CALL_OUTPUT_ITEM),
        "custom_tool_call" => Some(&RESPONSE_CUSTOM_TOOL_CALL_ITEM),
        "custom_tool_call_output" => Some(&RESPONSE_CUSTOM_TOOL_CALL_OUTPUT_ITEM),
        _ => None,
    }
}

/// The class of a part of a message to the model, or of what a tool gave.
fn input_content(part: &Fields) -> Option<&'static Schema> {
    (kind(part)? == "input_text").then_some(&RESPONSE_INPUT_TEXT)
}

classes! {
    /// A message to the model.
    ResponseInputMessageItem, RESPONSE_INPUT_MESSAGE_ITEM, "ResponseInputMessageItem",
    "zerohop.types.responses.response_input_message_item" {
        id: REQUIRED,
        content: REQUIRED.union(input_content),
        role: REQUIRED,
        r#type: REQUIRED,
        status: OPTIONAL,
    }

    /// A text for the model.
    ResponseInputText, RESPONSE_INPUT_TEXT, "ResponseInputText", "zerohop.types.responses.response_input_text" {
        text: REQUIRED,
        r#type: REQUIRED,
        prompt_cache_breakpoint: OPTIONAL,
    }

    /// A call of a function, in a list of items. `arguments` is JSON text.
    ResponseFunctionToolCallItem(ResponseFunctionToolCall), RESPONSE_FUNCTION_TOOL_CALL_ITEM,
    "ResponseFunctionToolCallItem", "zerohop.types.responses.response_function_tool_call_item" {
        arguments: REQUIRED,
        call_id: REQUIRED,
        name: REQUIRED,
        r#type: REQUIRED,
        id: REQUIRED,
        async_: OPTIONAL,
        caller: OPTIONAL,
        namespace: OPTIONAL,
        status: REQUIRED,
        created_by: OPTIONAL,
    }

    /// What a function gave: a text, or a list of parts.
    ResponseFunctionToolCallOutputItem, RESPONSE_FUNCTION_TOOL_CALL_OUTPUT_ITEM, "ResponseFunctionToolCallOutputItem",
    "zerohop.types.responses.response_function_tool_call_output_item" {
        id: REQUIRED,
        output: REQUIRED.text_or_union(input_content),
        status: REQUIRED,
        r#type: REQUIRED,
        call_id: OPTIONAL,
        caller: OPTIONAL,
        created_by: OPTIONAL,
        name: OPTIONAL,
        namespace: OPTIONAL,
    }

    /// A call of a custom tool, in a list of items.
    ResponseCustomToolCallItem(ResponseCustomToolCall), RESPONSE_CUSTOM_TOOL_CALL_ITEM, "ResponseCustomToolCallItem",
    "zerohop.types.responses.response_custom_tool_call_item" {
        call_id: REQUIRED,
        input: REQUIRED,
        name: REQUIRED,
        r#type: REQUIRED,
        id: REQUIRED,
        async_: OPTIONAL,
        caller: OPTIONAL,
        namespace: OPTIONAL,
        status: REQUIRED,
        created_by: OPTIONAL,
    }

    /// What a custom tool gave: a text, or a list of parts.
    #[pyo3(subclass)]
    ResponseCustomToolCallOutput, RESPONSE_CUSTOM_TOOL_CALL_OUTPUT, "ResponseCustomToolCallOutput",
    "zerohop.types.responses.response_custom_tool_call_output" {
        call_id: REQUIRED,
        output: REQUIRED.text_or_union(input_content),
        r#type: REQUIRED,
        id: OPTIONAL,
        caller: OPTIONAL,
    }

    /// What a custom tool gave, in a list of items.
    ResponseCustomToolCallOutputItem(ResponseCustomToolCallOutput), RESPONSE_CUSTOM_TOOL_CALL_OUTPUT_ITEM,
    "ResponseCustomToolCallOutputItem", "zerohop.types.responses.response_custom_tool_call_output_item" {
        call_id: REQUIRED,
        output: REQUIRED.text_or_union(input_content),
        r#type: REQUIRED,
        id: REQUIRED,
        caller: OPTIONAL,
        status: REQUIRED,
        created_by: OPTIONAL,
    }

    /// How many tokens a request's input is.
    InputTokenCountResponse, INPUT_TOKEN_COUNT_RESPONSE, "InputTokenCountResponse",
    "zerohop.types.responses.input_token_count_response" {
        input_tokens: REQUIRED,
        object: REQUIRED,
    }
}
