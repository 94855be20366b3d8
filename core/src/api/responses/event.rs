//! The events of a streamed response (RE7 to RE10).

use serde::{Deserialize, Serialize};

use super::item::{OutputContent, OutputItem};
use super::reply::Response;
use crate::api::logprobs::TokenLogprob;

/// An event of a streamed response.
///
/// The first is `response.created`, the second `response.in_progress`, and the last holds the whole
/// response: `response.completed`, `response.incomplete` or `response.failed` (RE7, RE10).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
#[non_exhaustive]
pub enum ResponseStreamEvent {
    /// The response has been taken on.
    #[serde(rename = "response.created")]
    Created(ResponseEvent),
    /// It is being computed.
    #[serde(rename = "response.in_progress")]
    InProgress(ResponseEvent),
    /// It is whole.
    #[serde(rename = "response.completed")]
    Completed(ResponseEvent),
    /// A limit has cut it.
    #[serde(rename = "response.incomplete")]
    Incomplete(ResponseEvent),
    /// Something went wrong.
    #[serde(rename = "response.failed")]
    Failed(ResponseEvent),
    /// An item begins.
    #[serde(rename = "response.output_item.added")]
    OutputItemAdded(OutputItemEvent),
    /// An item is finished.
    #[serde(rename = "response.output_item.done")]
    OutputItemDone(OutputItemEvent),
    /// A part of an item begins.
    #[serde(rename = "response.content_part.added")]
    ContentPartAdded(ContentPartEvent),
    /// A part of an item is finished.
    #[serde(rename = "response.content_part.done")]
    ContentPartDone(ContentPartEvent),
    /// More text.
    #[serde(rename = "response.output_text.delta")]
    OutputTextDelta(TextDeltaEvent),
    /// The text is finished.
    #[serde(rename = "response.output_text.done")]
    OutputTextDone(TextDoneEvent),
    /// More thoughts.
    #[serde(rename = "response.reasoning_text.delta")]
    ReasoningTextDelta(ReasoningDeltaEvent),
    /// The thoughts are finished.
    #[serde(rename = "response.reasoning_text.done")]
    ReasoningTextDone(ReasoningDoneEvent),
    /// More of a call's arguments.
    #[serde(rename = "response.function_call_arguments.delta")]
    FunctionCallArgumentsDelta(ArgumentsDeltaEvent),
    /// The arguments are finished.
    #[serde(rename = "response.function_call_arguments.done")]
    FunctionCallArgumentsDone(ArgumentsDoneEvent),
    /// More of a custom tool's input.
    #[serde(rename = "response.custom_tool_call_input.delta")]
    CustomToolCallInputDelta(ArgumentsDeltaEvent),
    /// The input is finished.
    #[serde(rename = "response.custom_tool_call_input.done")]
    CustomToolCallInputDone(InputDoneEvent),
}

/// An event about the whole response.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ResponseEvent {
    /// Counts the events, from 0.
    pub sequence_number: u64,
    /// The response as far as it is.
    pub response: Box<Response>,
}

/// An event about an item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OutputItemEvent {
    /// Counts the events, from 0.
    pub sequence_number: u64,
    /// The item's place in the output.
    pub output_index: usize,
    /// The item as far as it is.
    pub item: OutputItem,
}

/// An event about a part of an item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ContentPartEvent {
    /// Counts the events, from 0.
    pub sequence_number: u64,
    /// The item's id.
    pub item_id: String,
    /// The item's place in the output.
    pub output_index: usize,
    /// The part's place in the item.
    pub content_index: usize,
    /// The part as far as it is.
    pub part: OutputContent,
}

/// More text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TextDeltaEvent {
    /// Counts the events, from 0.
    pub sequence_number: u64,
    /// The item's id.
    pub item_id: String,
    /// The item's place in the output.
    pub output_index: usize,
    /// The part's place in the item.
    pub content_index: usize,
    /// Text to append.
    pub delta: String,
    /// How likely its tokens were; empty unless asked for.
    pub logprobs: Vec<TokenLogprob>,
}

/// A text that is finished.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TextDoneEvent {
    /// Counts the events, from 0.
    pub sequence_number: u64,
    /// The item's id.
    pub item_id: String,
    /// The item's place in the output.
    pub output_index: usize,
    /// The part's place in the item.
    pub content_index: usize,
    /// The whole text.
    pub text: String,
    /// How likely its tokens were; empty unless asked for.
    pub logprobs: Vec<TokenLogprob>,
}

/// More thoughts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReasoningDeltaEvent {
    /// Counts the events, from 0.
    pub sequence_number: u64,
    /// The item's id.
    pub item_id: String,
    /// The item's place in the output.
    pub output_index: usize,
    /// The part's place in the item.
    pub content_index: usize,
    /// Thoughts to append.
    pub delta: String,
}

/// Thoughts that are finished.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReasoningDoneEvent {
    /// Counts the events, from 0.
    pub sequence_number: u64,
    /// The item's id.
    pub item_id: String,
    /// The item's place in the output.
    pub output_index: usize,
    /// The part's place in the item.
    pub content_index: usize,
    /// The whole of the thoughts.
    pub text: String,
}

/// More of a call's arguments, or of a custom tool's input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ArgumentsDeltaEvent {
    /// Counts the events, from 0.
    pub sequence_number: u64,
    /// The item's id.
    pub item_id: String,
    /// The item's place in the output.
    pub output_index: usize,
    /// Text to append.
    pub delta: String,
}

/// Arguments that are finished.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ArgumentsDoneEvent {
    /// Counts the events, from 0.
    pub sequence_number: u64,
    /// The item's id.
    pub item_id: String,
    /// The item's place in the output.
    pub output_index: usize,
    /// The function's name.
    pub name: String,
    /// The whole of the arguments.
    pub arguments: String,
}

/// The input of a custom tool that is finished.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InputDoneEvent {
    /// Counts the events, from 0.
    pub sequence_number: u64,
    /// The item's id.
    pub item_id: String,
    /// The item's place in the output.
    pub output_index: usize,
    /// The whole input.
    pub input: String,
}

impl ResponseStreamEvent {
    /// The event's `type`, such as `response.created`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Created(_) => "response.created",
            Self::InProgress(_) => "response.in_progress",
            Self::Completed(_) => "response.completed",
            Self::Incomplete(_) => "response.incomplete",
            Self::Failed(_) => "response.failed",
            Self::OutputItemAdded(_) => "response.output_item.added",
            Self::OutputItemDone(_) => "response.output_item.done",
            Self::ContentPartAdded(_) => "response.content_part.added",
            Self::ContentPartDone(_) => "response.content_part.done",
            Self::OutputTextDelta(_) => "response.output_text.delta",
            Self::OutputTextDone(_) => "response.output_text.done",
            Self::ReasoningTextDelta(_) => "response.reasoning_text.delta",
            Self::ReasoningTextDone(_) => "response.reasoning_text.done",
            Self::FunctionCallArgumentsDelta(_) => "response.function_call_arguments.delta",
            Self::FunctionCallArgumentsDone(_) => "response.function_call_arguments.done",
            Self::CustomToolCallInputDelta(_) => "response.custom_tool_call_input.delta",
            Self::CustomToolCallInputDone(_) => "response.custom_tool_call_input.done",
        }
    }

    /// What has come to the text; `None` for other events.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::OutputTextDelta(event) => Some(&event.delta),
            _ => None,
        }
    }

    /// The whole response, in the last event.
    pub fn response(&self) -> Option<&Response> {
        match self {
            Self::Completed(event) | Self::Incomplete(event) | Self::Failed(event) => Some(&event.response),
            _ => None,
        }
    }
}
