//! What a conversation is made of (RE1, RE5, RE6): the items of a request, and of an answer.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::content::{ItemContent, ItemPart};
use crate::api::logprobs::TokenLogprob;

/// An item of a request's `input`.
///
/// The items of an answer become input with `into()`; in JSON they are accepted unchanged.
///
/// ```
/// use zerohop::types::responses::{InputItem, InputMessage};
///
/// let items = [
///     InputItem::from(InputMessage::user("How is the weather in Oslo?")),
///     InputItem::function_call("call_1", "get_weather", r#"{"city":"Oslo"}"#),
///     InputItem::function_call_output("call_1", "sunny"),
/// ];
/// let json = serde_json::to_string(&items[2]).unwrap();
/// assert_eq!(json, r#"{"type":"function_call_output","call_id":"call_1","output":"sunny"}"#);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum InputItem {
    /// Something that somebody said.
    Message(InputMessage),
    /// A call of a function by the model.
    FunctionCall(FunctionToolCall),
    /// What the function gave.
    FunctionCallOutput(ToolCallOutput),
    /// A call of a custom tool by the model.
    CustomToolCall(CustomToolCall),
    /// What the custom tool gave.
    CustomToolCallOutput(ToolCallOutput),
    /// What the model thought.
    Reasoning(ReasoningItem),
    /// An item of a stored response, or of its input, by its id.
    ItemReference(ItemReference),
}

/// A message of anybody's in a request.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct InputMessage {
    /// The item's id, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Who it is from.
    pub role: MessageRole,
    /// What it says.
    pub content: ItemContent,
    /// Whether it is whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<ItemStatus>,
}

/// Who a message is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum MessageRole {
    /// The person, or program, that the model answers.
    User,
    /// The model.
    Assistant,
    /// Instructions from the program's author.
    System,
    /// Instructions from the program's author; acts as `system`.
    Developer,
}

/// Whether an item is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ItemStatus {
    /// More is to come.
    InProgress,
    /// It is whole.
    Completed,
    /// A limit has cut it.
    Incomplete,
}

/// A call of a function (RE5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FunctionToolCall {
    /// The item's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What the answer refers to.
    pub call_id: String,
    /// The function's name.
    pub name: String,
    /// The text of a JSON object, unless a limit has cut it.
    pub arguments: String,
    /// Whether it is whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ItemStatus>,
}

/// A call of a custom tool (RE5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CustomToolCall {
    /// The item's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What the answer refers to.
    pub call_id: String,
    /// The tool's name.
    pub name: String,
    /// The text that it is called with.
    pub input: String,
    /// Whether it is whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ItemStatus>,
}

/// What a called tool gave (RE6).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ToolCallOutput {
    /// The item's id, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Which call it answers.
    pub call_id: String,
    /// What the tool gave.
    pub output: ItemContent,
    /// Whether it is whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<ItemStatus>,
}

/// What the model thought (RE5).
///
/// The thoughts stand in `content` as they are: nothing is summarised or encrypted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReasoningItem {
    /// The item's id.
    pub id: String,
    /// Summaries of the thoughts; always empty in answers of this engine.
    pub summary: Vec<SummaryText>,
    /// The thoughts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Vec<ReasoningText>>,
    /// Whether they are whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ItemStatus>,
}

/// A summary of thoughts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "summary_text")]
#[non_exhaustive]
pub struct SummaryText {
    /// The summary.
    pub text: String,
}

/// A part of the model's thoughts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "reasoning_text")]
#[non_exhaustive]
pub struct ReasoningText {
    /// The thoughts.
    pub text: String,
}

/// An item of a stored response, or of its input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ItemReference {
    /// The item's id.
    pub id: String,
}

/// An item of an answer (RE5).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum OutputItem {
    /// What the model says.
    Message(OutputMessage),
    /// What the model thought.
    Reasoning(ReasoningItem),
    /// A call of a function.
    FunctionCall(FunctionToolCall),
    /// A call of a custom tool.
    CustomToolCall(CustomToolCall),
}

/// A message of the model's (RE5).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OutputMessage {
    /// The item's id.
    pub id: String,
    /// Always [`MessageRole::Assistant`].
    pub role: MessageRole,
    /// What it says.
    pub content: Vec<OutputContent>,
    /// Whether it is whole.
    pub status: ItemStatus,
}

/// A part of a message of the model's (RE5).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum OutputContent {
    /// Text.
    OutputText {
        /// The text.
        text: String,
        /// What a hosted service found for it; always empty here.
        annotations: Vec<Value>,
        /// How likely the text's tokens were; absent unless asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        logprobs: Option<Vec<TokenLogprob>>,
    },
    /// Words of refusal.
    Refusal {
        /// The words.
        refusal: String,
    },
    /// Thoughts, in the events about a reasoning item.
    ReasoningText {
        /// The thoughts.
        text: String,
    },
}

impl InputMessage {
    /// A message of the given role.
    pub fn new(role: MessageRole, content: impl Into<ItemContent>) -> Self {
        InputMessage { id: None, role, content: content.into(), status: None }
    }

    /// A message to the model.
    pub fn user(content: impl Into<ItemContent>) -> Self {
        Self::new(MessageRole::User, content)
    }

    /// Instructions from the program's author.
    pub fn system(content: impl Into<ItemContent>) -> Self {
        Self::new(MessageRole::System, content)
    }

    /// An earlier answer of the model.
    pub fn assistant(content: impl Into<ItemContent>) -> Self {
        Self::new(MessageRole::Assistant, content)
    }
}

impl ToolCallOutput {
    fn new(call_id: impl Into<String>, output: impl Into<ItemContent>) -> Self {
        ToolCallOutput { id: None, call_id: call_id.into(), output: output.into(), status: None }
    }
}

impl InputItem {
    /// An earlier call of a function.
    pub fn function_call(call_id: impl Into<String>, name: impl Into<String>, arguments: impl Into<String>) -> Self {
        InputItem::FunctionCall(FunctionToolCall {
            id: None,
            call_id: call_id.into(),
            name: name.into(),
            arguments: arguments.into(),
            status: None,
        })
    }

    /// What a function gave.
    pub fn function_call_output(call_id: impl Into<String>, output: impl Into<ItemContent>) -> Self {
        InputItem::FunctionCallOutput(ToolCallOutput::new(call_id, output))
    }

    /// What a custom tool gave.
    pub fn custom_tool_call_output(call_id: impl Into<String>, output: impl Into<ItemContent>) -> Self {
        InputItem::CustomToolCallOutput(ToolCallOutput::new(call_id, output))
    }

    /// The item's id, if it has one.
    pub fn id(&self) -> Option<&str> {
        match self {
            InputItem::Message(item) => item.id.as_deref(),
            InputItem::FunctionCall(item) => item.id.as_deref(),
            InputItem::CustomToolCall(item) => item.id.as_deref(),
            InputItem::FunctionCallOutput(item) | InputItem::CustomToolCallOutput(item) => item.id.as_deref(),
            InputItem::Reasoning(item) => Some(&item.id),
            InputItem::ItemReference(item) => Some(&item.id),
        }
    }
}

impl From<InputMessage> for InputItem {
    fn from(message: InputMessage) -> Self {
        InputItem::Message(message)
    }
}

impl From<OutputItem> for InputItem {
    fn from(item: OutputItem) -> Self {
        match item {
            OutputItem::Message(message) => InputItem::Message(InputMessage {
                id: Some(message.id),
                role: message.role,
                content: ItemContent::Parts(message.content.into_iter().map(ItemPart::from).collect()),
                status: Some(message.status),
            }),
            OutputItem::Reasoning(item) => InputItem::Reasoning(item),
            OutputItem::FunctionCall(item) => InputItem::FunctionCall(item),
            OutputItem::CustomToolCall(item) => InputItem::CustomToolCall(item),
        }
    }
}

impl From<OutputContent> for ItemPart {
    fn from(part: OutputContent) -> Self {
        match part {
            OutputContent::OutputText { text, .. } => ItemPart::output_text(text),
            OutputContent::Refusal { refusal } => ItemPart::Refusal { refusal },
            OutputContent::ReasoningText { text } => ItemPart::ReasoningText { text },
        }
    }
}

impl OutputItem {
    /// The texts of a message, joined; `None` for other items.
    pub fn text(&self) -> Option<String> {
        let OutputItem::Message(message) = self else { return None };
        let text = |part: &OutputContent| match part {
            OutputContent::OutputText { text, .. } => Some(text.clone()),
            _ => None,
        };
        Some(message.content.iter().filter_map(text).collect())
    }
}
