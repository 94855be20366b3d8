//! Items as they arrive. serde's own tagged enums read ahead and so lose the path to an error.

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use super::content::{ItemContent, ItemPart};
use super::item::{
    CustomToolCall, FunctionToolCall, InputItem, InputMessage, ItemReference, ItemStatus, MessageRole, ReasoningItem,
    ReasoningText, SummaryText, ToolCallOutput,
};
use crate::api::parse::{Object, check_keys, required};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawItem {
    #[serde(rename = "type")]
    kind: Option<ItemKind>,
    id: Option<String>,
    role: Option<MessageRole>,
    content: Option<ItemContent>,
    call_id: Option<String>,
    name: Option<String>,
    arguments: Option<String>,
    input: Option<String>,
    output: Option<ItemContent>,
    summary: Option<Vec<Object<RawSummary>>>,
    status: Option<ItemStatus>,
    // Which part of an answer a message is; models that run here know no such parts.
    #[serde(rename = "phase")]
    _phase: Option<Phase>,
    // Nothing is encrypted here: the thoughts are in `content`.
    #[serde(rename = "encrypted_content")]
    _encrypted_content: Option<IgnoredAny>,
    // The SDK's `parse()` adds it: the arguments again, as an object.
    #[serde(rename = "parsed_arguments")]
    _parsed_arguments: Option<IgnoredAny>,
    // What the SDK's `model_dump()` adds to the items of an answer.
    #[serde(rename = "async")]
    _async: Option<Nothing>,
    #[serde(rename = "async_")]
    _async_: Option<Nothing>,
    #[serde(rename = "caller")]
    _caller: Option<Nothing>,
    #[serde(rename = "namespace")]
    _namespace: Option<Nothing>,
    #[serde(rename = "created_by")]
    _created_by: Option<Nothing>,
}

/// The value of a key that may only be null.
#[derive(Deserialize)]
enum Nothing {}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Phase {
    Commentary,
    FinalAnswer,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ItemKind {
    Message,
    FunctionCall,
    FunctionCallOutput,
    CustomToolCall,
    CustomToolCallOutput,
    Reasoning,
    ItemReference,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSummary {
    #[serde(rename = "type")]
    _kind: SummaryKind,
    text: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum SummaryKind {
    SummaryText,
}

impl<'de> Deserialize<'de> for InputItem {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Object(raw) = Object::<RawItem>::deserialize(deserializer)?;
        // A message may leave out its type, and so may a reference.
        let kind = raw.kind.unwrap_or(if raw.role.is_none() && raw.content.is_none() && raw.id.is_some() {
            ItemKind::ItemReference
        } else {
            ItemKind::Message
        });
        raw.check::<D::Error>(kind)?;
        raw.into_item(kind)
    }
}

impl RawItem {
    /// Refuses the keys of items of other types.
    fn check<E: serde::de::Error>(&self, kind: ItemKind) -> Result<(), E> {
        use ItemKind::{
            CustomToolCall, CustomToolCallOutput, FunctionCall, FunctionCallOutput, ItemReference, Message, Reasoning,
        };
        let one_of = |kinds: &[ItemKind]| if kinds.contains(&kind) { kind } else { kinds[0] };
        let calls = [FunctionCall, CustomToolCall, FunctionCallOutput, CustomToolCallOutput];
        check_keys(
            kind,
            &[
                (Message, "role", self.role.is_some()),
                (one_of(&[Message, Reasoning]), "content", self.content.is_some()),
                (one_of(&calls), "call_id", self.call_id.is_some()),
                (one_of(&calls[..3]), "name", self.name.is_some()),
                (FunctionCall, "arguments", self.arguments.is_some()),
                (CustomToolCall, "input", self.input.is_some()),
                (one_of(&calls[2..]), "output", self.output.is_some()),
                (Reasoning, "summary", self.summary.is_some()),
                (if kind == ItemReference { Message } else { kind }, "status", self.status.is_some()),
            ],
        )
    }

    fn into_item<E: serde::de::Error>(self, kind: ItemKind) -> Result<InputItem, E> {
        Ok(match kind {
            ItemKind::Message => InputItem::Message(InputMessage {
                id: self.id,
                role: required("role", self.role)?,
                content: required("content", self.content)?,
                status: self.status,
            }),
            ItemKind::FunctionCall => InputItem::FunctionCall(FunctionToolCall {
                id: self.id,
                call_id: required("call_id", self.call_id)?,
                name: required("name", self.name)?,
                arguments: required("arguments", self.arguments)?,
                status: self.status,
            }),
            ItemKind::CustomToolCall => InputItem::CustomToolCall(CustomToolCall {
                id: self.id,
                call_id: required("call_id", self.call_id)?,
                name: required("name", self.name)?,
                input: required("input", self.input)?,
                status: self.status,
            }),
            ItemKind::FunctionCallOutput => InputItem::FunctionCallOutput(self.into_output()?),
            ItemKind::CustomToolCallOutput => InputItem::CustomToolCallOutput(self.into_output()?),
            ItemKind::Reasoning => InputItem::Reasoning(ReasoningItem {
                // One that was never stored may have none.
                id: self.id.unwrap_or_default(),
                summary: self
                    .summary
                    .into_iter()
                    .flatten()
                    .map(|Object(part)| SummaryText { text: part.text })
                    .collect(),
                content: self.content.map(thoughts).transpose()?,
                status: self.status,
            }),
            ItemKind::ItemReference => InputItem::ItemReference(ItemReference { id: required("id", self.id)? }),
        })
    }

    fn into_output<E: serde::de::Error>(self) -> Result<ToolCallOutput, E> {
        Ok(ToolCallOutput {
            id: self.id,
            call_id: required("call_id", self.call_id)?,
            output: required("output", self.output)?,
            status: self.status,
        })
    }
}

fn thoughts<E: serde::de::Error>(content: ItemContent) -> Result<Vec<ReasoningText>, E> {
    let wrong = || E::custom("the content of a reasoning item must be a list of parts of type 'reasoning_text'");
    let ItemContent::Parts(parts) = content else { return Err(wrong()) };
    let text = |part| match part {
        ItemPart::ReasoningText { text } => Ok(ReasoningText { text }),
        _ => Err(wrong()),
    };
    parts.into_iter().map(text).collect()
}
