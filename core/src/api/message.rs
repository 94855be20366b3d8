//! The messages of a request, one by one (CQ2, CQ4) and as a conversation (CQ7).

use std::collections::HashSet;
use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::content::MessageContent;
use super::error::{Error, Result};
use super::parse::{Unserved, UnservedKey, shorten};
use super::tool_calls::{ChatCompletionMessageToolCall, FunctionCall, PastCall, PastFunctionCall};
use super::tools::check_name;

/// Who a message is from (CQ2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Role {
    /// Instructions from the program's author; acts as `system`.
    Developer,
    /// Instructions from the program's author.
    System,
    /// The person, or program, that the model answers.
    User,
    /// The model.
    Assistant,
    /// The result of a tool call.
    Tool,
    /// The result of a function call (deprecated).
    Function,
}

/// One message of a conversation.
///
/// The message of a reply becomes history with `into()`; in JSON, a reply's `message` is accepted
/// unchanged, whatever null and empty keys the SDK's `model_dump()` has added (CR16).
///
/// ```
/// use zerohop::types::{ChatCompletionMessage, ChatCompletionMessageToolCall};
///
/// let call = ChatCompletionMessageToolCall::function("call_1", "get_weather", r#"{"city":"Oslo"}"#);
/// let messages = [
///     ChatCompletionMessage::system("Answer in one word."),
///     ChatCompletionMessage::user("How is the weather in Oslo?").name("ada"),
///     ChatCompletionMessage::assistant_calls([call]),
///     ChatCompletionMessage::tool("call_1", "sunny"),
/// ];
/// let json = serde_json::to_string(&messages[1]).unwrap();
/// assert_eq!(json, r#"{"role":"user","content":"How is the weather in Oslo?","name":"ada"}"#);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[must_use = "a message does nothing until it is part of a request"]
#[non_exhaustive]
pub struct ChatCompletionMessage {
    /// Who the message is from.
    pub role: Role,

    /// What it says. Required, except from an assistant that called tools or refused, and from a
    /// function (CQ4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<MessageContent>,

    /// The name of the participant, where several share a role; of a function, which needs it, the
    /// function's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,

    /// The assistant's words of refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,

    /// The tools that the assistant called; not empty. Each needs an answer (CQ7).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_calls: Option<Vec<ChatCompletionMessageToolCall>>,

    /// The function that the assistant called (deprecated, CQ18).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function_call: Option<FunctionCall>,

    /// Which call a tool's message answers; required there (CQ7).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,

    /// What the assistant thought (an extension, CR15). The model's template decides whether it
    /// reads earlier thoughts again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_content: Option<String>,

    #[serde(skip)]
    unserved: Unserved,
}

impl ChatCompletionMessage {
    /// A message of the given role.
    pub fn new(role: Role, content: impl Into<MessageContent>) -> Self {
        ChatCompletionMessage { content: Some(content.into()), ..Self::empty(role) }
    }

    /// Instructions from the program's author.
    pub fn system(content: impl Into<MessageContent>) -> Self {
        Self::new(Role::System, content)
    }

    /// Instructions from the program's author; acts as [`system`](Self::system).
    pub fn developer(content: impl Into<MessageContent>) -> Self {
        Self::new(Role::Developer, content)
    }

    /// A message to the model.
    pub fn user(content: impl Into<MessageContent>) -> Self {
        Self::new(Role::User, content)
    }

    /// An earlier answer of the model.
    pub fn assistant(content: impl Into<MessageContent>) -> Self {
        Self::new(Role::Assistant, content)
    }

    /// An earlier answer of the model that calls tools and has no text.
    pub fn assistant_calls(calls: impl IntoIterator<Item = ChatCompletionMessageToolCall>) -> Self {
        ChatCompletionMessage { tool_calls: Some(calls.into_iter().collect()), ..Self::empty(Role::Assistant) }
    }

    /// The result of the call with this id.
    pub fn tool(tool_call_id: impl Into<String>, content: impl Into<MessageContent>) -> Self {
        ChatCompletionMessage { tool_call_id: Some(tool_call_id.into()), ..Self::new(Role::Tool, content) }
    }

    /// Names the participant.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    pub(crate) fn empty(role: Role) -> Self {
        ChatCompletionMessage {
            role,
            content: None,
            name: None,
            refusal: None,
            tool_calls: None,
            function_call: None,
            tool_call_id: None,
            reasoning_content: None,
            unserved: Unserved::default(),
        }
    }

    /// The calls that this message makes under their present name.
    fn calls(&self) -> &[ChatCompletionMessageToolCall] {
        self.tool_calls.as_deref().unwrap_or_default()
    }

    /// The ids of those calls.
    pub(crate) fn call_ids(&self) -> impl Iterator<Item = &str> {
        self.calls().iter().map(ChatCompletionMessageToolCall::id)
    }

    /// Checks what the role allows; `path` is where the message stands in the request.
    pub(crate) fn validate(&self, path: &str) -> Result<()> {
        self.unserved.check(path)?;
        self.check_keys(path)?;
        self.check_calls(path)?;
        match self.role {
            Role::Tool if self.tool_call_id.is_none() => return Err(missing(path, "tool_call_id")),
            Role::Function => {
                let name = self.name.as_deref().ok_or_else(|| missing(path, "name"))?;
                check_name(name, || format!("{path}.name"))?;
                if matches!(self.content, Some(MessageContent::Parts(_))) {
                    let param = format!("{path}.content");
                    return Err(Error::invalid(param, "The content of a function's message must be a string"));
                }
            }
            _ => {}
        }
        match &self.content {
            Some(content) => content.validate(self.role, path),
            None if self.may_be_silent() => Ok(()),
            None => Err(missing(path, "content")),
        }
    }

    /// CQ4
    fn may_be_silent(&self) -> bool {
        let assistant = self.refusal.is_some() || self.tool_calls.is_some() || self.function_call.is_some();
        assistant || self.role == Role::Function
    }

    /// Refuses keys that only messages of other roles have.
    fn check_keys(&self, path: &str) -> Result<()> {
        let keys = [
            (Role::Assistant, "refusal", self.refusal.is_some()),
            (Role::Assistant, "tool_calls", self.tool_calls.is_some()),
            (Role::Assistant, "function_call", self.function_call.is_some()),
            (Role::Assistant, "reasoning_content", self.reasoning_content.is_some()),
            (Role::Tool, "tool_call_id", self.tool_call_id.is_some()),
        ];
        match keys.into_iter().find(|(role, _, given)| *given && *role != self.role) {
            Some((role, key, _)) => {
                let role = if role == Role::Tool { "a tool" } else { "an assistant" };
                let message = format!("Only {role} message may have '{key}'");
                Err(Error::unsupported_parameter(format!("{path}.{key}"), message))
            }
            None => Ok(()),
        }
    }

    fn check_calls(&self, path: &str) -> Result<()> {
        if let Some(calls) = &self.tool_calls {
            if calls.is_empty() {
                let param = format!("{path}.tool_calls");
                return Err(Error::invalid(param, "A list of tool calls must have at least one entry"));
            }
            if self.function_call.is_some() {
                let param = format!("{path}.function_call");
                return Err(Error::invalid(param, "A message has either 'tool_calls' or 'function_call'"));
            }
        }
        let mut ids = HashSet::new();
        for (index, call) in self.calls().iter().enumerate() {
            call.validate(&format!("{path}.tool_calls[{index}]"))?;
            if !ids.insert(call.id()) {
                let param = format!("{path}.tool_calls[{index}].id");
                return Err(Error::invalid(param, "Two calls of a message have the same id"));
            }
        }
        self.function_call.as_ref().map_or(Ok(()), |call| call.validate(&format!("{path}.function_call")))
    }
}

fn missing(path: &str, key: &str) -> Error {
    Error::invalid(format!("{path}.{key}"), format!("Missing required parameter: '{path}.{key}'"))
}

/// The longest conversation: templates go through it several times.
const MAX_MESSAGES: usize = 10_000;

/// Checks the whole of `messages` (CQ1 to CQ7).
pub(crate) fn check_messages(messages: &[ChatCompletionMessage]) -> Result<()> {
    if messages.is_empty() {
        return Err(Error::invalid("messages", "'messages' must have at least one entry"));
    }
    if messages.len() > MAX_MESSAGES {
        let message = format!("'messages' has {} entries; at most {MAX_MESSAGES} are read", messages.len());
        return Err(Error::invalid("messages", message).with_code("array_above_max_length"));
    }
    let mut open = OpenCalls::default();
    for (index, message) in messages.iter().enumerate() {
        message.validate(&format!("messages[{index}]"))?;
        if let (Role::Tool, Some(id)) = (message.role, &message.tool_call_id) {
            open.answer(index, id)?;
        } else {
            open.check()?;
            open = OpenCalls::of(index, message);
        }
    }
    open.check()
}

/// The calls of the last message that made some, until their answers are there (CQ7).
#[derive(Default)]
struct OpenCalls<'a> {
    /// Where the message stands.
    index: usize,
    all: HashSet<&'a str>,
    unanswered: HashSet<&'a str>,
}

impl<'a> OpenCalls<'a> {
    fn of(index: usize, message: &'a ChatCompletionMessage) -> Self {
        let all: HashSet<_> = message.calls().iter().map(ChatCompletionMessageToolCall::id).collect();
        OpenCalls { index, unanswered: all.clone(), all }
    }

    fn answer(&mut self, index: usize, id: &str) -> Result<()> {
        if self.unanswered.remove(id) {
            return Ok(());
        }
        let shown = shorten(id);
        let message = if self.all.contains(id) {
            format!("The tool call '{shown}' has two answers")
        } else {
            format!("'{shown}' is no id of the 'tool_calls' in the preceding assistant message")
        };
        Err(Error::invalid(format!("messages[{index}].tool_call_id"), message))
    }

    fn check(&self) -> Result<()> {
        if self.unanswered.is_empty() {
            return Ok(());
        }
        let mut ids: Vec<&str> = self.unanswered.iter().copied().collect();
        ids.sort_unstable();
        let ids = ids.join(", ");
        let message =
            format!("Each tool call must be answered by a message of role tool; not answered: {}", shorten(&ids));
        Err(Error::invalid(format!("messages[{}].tool_calls", self.index), message))
    }
}

/// Keys that a message of the API may have, and the values that say nothing (CR16).
const UNSERVED: &[UnservedKey] = &[
    ("audio", |_| false),
    // What a hosted service found on the web for a reply; its text stands without.
    ("annotations", serde_json::Value::is_array),
    // The SDK's `parse()` adds it to a reply's message: the content again, as an object.
    ("parsed", |_| true),
];

impl<'de> Deserialize<'de> for ChatCompletionMessage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MessageVisitor)
    }
}

struct MessageVisitor;

impl<'de> Visitor<'de> for MessageVisitor {
    type Value = ChatCompletionMessage;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut role = None;
        let mut message = ChatCompletionMessage::empty(Role::User);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "role" => role = Some(map.next_value()?),
                "content" => message.content = map.next_value()?,
                "name" => message.name = map.next_value()?,
                "refusal" => message.refusal = map.next_value()?,
                "tool_calls" => {
                    // CR16: an empty list says what null says.
                    let calls = map.next_value::<Option<Vec<PastCall>>>()?.filter(|calls| !calls.is_empty());
                    message.tool_calls = calls.map(|calls| calls.into_iter().map(|PastCall(call)| call).collect());
                }
                "function_call" => {
                    let call: Option<PastFunctionCall> = map.next_value()?;
                    message.function_call = call.map(|PastFunctionCall(call)| call);
                }
                "tool_call_id" => message.tool_call_id = map.next_value()?,
                "reasoning_content" => message.reasoning_content = map.next_value()?,
                key => message.unserved.read(UNSERVED, key, &mut map)?,
            }
        }
        message.role = role.ok_or_else(|| A::Error::missing_field("role"))?;
        Ok(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::content::ContentPart;

    fn round_trip(message: &ChatCompletionMessage, json: &str) {
        assert_eq!(serde_json::to_string(message).unwrap(), json);
        assert_eq!(&serde_json::from_str::<ChatCompletionMessage>(json).unwrap(), message);
    }

    #[test]
    fn messages_have_the_apis_shape() {
        // CQ2, CQ3
        round_trip(&ChatCompletionMessage::developer("a"), r#"{"role":"developer","content":"a"}"#);
        round_trip(&ChatCompletionMessage::system("a"), r#"{"role":"system","content":"a"}"#);
        round_trip(
            &ChatCompletionMessage::user(vec![ContentPart::text("a"), ContentPart::text("b")]),
            r#"{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}"#,
        );
        let refusal = ContentPart::Refusal { refusal: "no".to_owned() };
        round_trip(
            &ChatCompletionMessage::assistant(vec![refusal]).name("bot"),
            r#"{"role":"assistant","content":[{"type":"refusal","refusal":"no"}],"name":"bot"}"#,
        );
    }

    #[test]
    fn only_an_assistant_may_refuse() {
        // CQ3, CQ4
        let mut message = ChatCompletionMessage::empty(Role::Assistant);
        message.refusal = Some("no".to_owned());
        assert!(message.validate("messages[0]").is_ok());
        message.role = Role::User;
        let error = message.validate("messages[0]").unwrap_err();
        assert_eq!(error.param(), Some("messages[0].refusal"));
    }
}
