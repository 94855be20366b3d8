//! Messages of a request and what they contain (CQ2 to CQ6).

use std::fmt;

use serde::de::{Error as _, MapAccess, SeqAccess, Visitor, value::SeqAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::error::{Error, Result};
use super::parse::{Object, Unserved, UnservedKey};

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
    /// The result of a tool call. Not served by this release: a 400.
    Tool,
    /// The result of a function call. Not served by this release: a 400.
    Function,
}

/// One message of a conversation.
///
/// The message of a reply becomes history with `into()`; in JSON, a reply's `message` is accepted
/// unchanged, whatever null and empty keys the SDK's `model_dump()` has added (CR16).
///
/// ```
/// use zerohop::types::ChatCompletionMessage;
///
/// let messages = [
///     ChatCompletionMessage::system("Answer in one word."),
///     ChatCompletionMessage::user("What is the capital of France?").name("ada"),
/// ];
/// let json = serde_json::to_string(&messages[1]).unwrap();
/// assert_eq!(json, r#"{"role":"user","content":"What is the capital of France?","name":"ada"}"#);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[must_use = "a message does nothing until it is part of a request"]
#[non_exhaustive]
pub struct ChatCompletionMessage {
    /// Who the message is from.
    pub role: Role,

    /// What it says. Required, except from an assistant that refused (CQ4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<MessageContent>,

    /// The name of the participant, where several share a role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,

    /// The assistant's words of refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,

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

    /// Names the participant.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    pub(crate) fn empty(role: Role) -> Self {
        ChatCompletionMessage { role, content: None, name: None, refusal: None, unserved: Unserved::default() }
    }

    /// Checks what the role allows; `path` is where the message stands in the request.
    pub(crate) fn validate(&self, path: &str) -> Result<()> {
        if matches!(self.role, Role::Tool | Role::Function) {
            return Err(Error::unsupported_value(
                format!("{path}.role"),
                "This release serves no tool results: \
                 the role must be developer, system, user or assistant",
            ));
        }
        self.unserved.check(path)?;
        if self.refusal.is_some() && self.role != Role::Assistant {
            return Err(Error::unsupported_parameter(
                format!("{path}.refusal"),
                "Only an assistant message may have a refusal",
            ));
        }
        match &self.content {
            Some(content) => content.validate(self.role, path),
            None if self.refusal.is_some() => Ok(()),
            None => {
                Err(Error::invalid(format!("{path}.content"), format!("Missing required parameter: '{path}.content'")))
            }
        }
    }
}

/// Keys that a message of the API may have, and the values that say nothing (CR16).
const UNSERVED: &[UnservedKey] = &[
    ("tool_calls", is_empty_list),
    ("tool_call_id", Value::is_null),
    ("function_call", Value::is_null),
    ("audio", Value::is_null),
    ("annotations", is_empty_list),
    // Earlier thoughts are not shown to the model again, so the text changes nothing.
    ("reasoning_content", Value::is_string),
];

fn is_empty_list(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
}

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
                key => message.unserved.read(UNSERVED, key, &mut map)?,
            }
        }
        message.role = role.ok_or_else(|| A::Error::missing_field("role"))?;
        Ok(message)
    }
}

/// What a message says: a text, or a list of parts (CQ3).
///
/// ```
/// use zerohop::types::{ChatCompletionMessage, ContentPart};
///
/// let message = ChatCompletionMessage::user(vec![
///     ContentPart::text("First this, "),
///     ContentPart::text("then that."),
/// ]);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum MessageContent {
    /// A plain text.
    Text(String),
    /// Parts, in order; at least one.
    Parts(Vec<ContentPart>),
}

impl From<String> for MessageContent {
    fn from(text: String) -> Self {
        MessageContent::Text(text)
    }
}

impl From<&str> for MessageContent {
    fn from(text: &str) -> Self {
        MessageContent::Text(text.to_owned())
    }
}

impl From<Vec<ContentPart>> for MessageContent {
    fn from(parts: Vec<ContentPart>) -> Self {
        MessageContent::Parts(parts)
    }
}

impl MessageContent {
    fn validate(&self, role: Role, path: &str) -> Result<()> {
        let MessageContent::Parts(parts) = self else {
            return Ok(());
        };
        if parts.is_empty() {
            return Err(Error::invalid(
                format!("{path}.content"),
                "A list of content parts must have at least one entry",
            ));
        }
        for (index, part) in parts.iter().enumerate() {
            part.validate(role, || format!("{path}.content[{index}]"))?;
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for MessageContent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = MessageContent;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or a list of content parts")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(text.into())
    }

    fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(seq)).map(MessageContent::Parts)
    }
}

/// One part of a message's content (CQ3).
///
/// This release runs text models, so that a part of another kind than text gives a 400 and is never
/// dropped silently (CQ5).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ContentPart {
    /// Text, in a message of any role.
    Text {
        /// The text.
        text: String,
    },
    /// A refusal, in an assistant's message.
    Refusal {
        /// The words of refusal.
        refusal: String,
    },
    /// An image, in a user's message. Not served by this release: a 400.
    ImageUrl {
        /// The image.
        image_url: ImageUrl,
    },
    /// Sound, in a user's message. Not served by this release: a 400.
    InputAudio {
        /// The sound.
        input_audio: InputAudio,
    },
    /// A file, in a user's message. Not served by this release: a 400.
    File {
        /// The file.
        file: InputFile,
    },
}

/// Where an image is (CQ5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ImageUrl {
    /// An http(s) address or a base64 `data:` URI.
    pub url: String,
    /// How closely to look at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<ImageDetail>,
}

/// How closely to look at an image (CQ5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ImageDetail {
    /// The model chooses.
    Auto,
    /// Fewer tokens.
    Low,
    /// More tokens.
    High,
}

/// Sound inside of a message (CQ6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct InputAudio {
    /// The encoded sound, in base64.
    pub data: String,
    /// How it is encoded.
    pub format: InputAudioFormat,
}

/// How sound is encoded (CQ6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum InputAudioFormat {
    /// `wav`
    Wav,
    /// `mp3`
    Mp3,
}

/// A file inside of a message: stored earlier, or given here (CQ6).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct InputFile {
    /// The id of a stored file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_id: Option<String>,
    /// The name of a file given here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
    /// The bytes of a file given here, in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_data: Option<String>,
}

impl ContentPart {
    /// A part of text.
    pub fn text(text: impl Into<String>) -> Self {
        ContentPart::Text { text: text.into() }
    }

    fn validate(&self, role: Role, path: impl Fn() -> String) -> Result<()> {
        let kind = match self {
            ContentPart::Text { .. } => return Ok(()),
            ContentPart::Refusal { .. } if role == Role::Assistant => return Ok(()),
            ContentPart::Refusal { .. } => {
                return Err(Error::invalid(path(), "Only an assistant message may have a part of type refusal"));
            }
            ContentPart::ImageUrl { .. } => "image_url",
            ContentPart::InputAudio { .. } => "input_audio",
            ContentPart::File { .. } => "file",
        };
        Err(Error::unsupported_value(
            path(),
            format!("This model reads text only: it cannot take a part of type {kind}"),
        ))
    }
}

/// A part as it arrives: serde's own tagged enums read ahead and so lose the path to an error.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPart {
    #[serde(rename = "type")]
    kind: PartKind,
    text: Option<String>,
    refusal: Option<String>,
    image_url: Option<Object<ImageUrl>>,
    input_audio: Option<Object<InputAudio>>,
    file: Option<Object<InputFile>>,
    // Where to cut a cached prefix; here every prefix is cached, so that it changes nothing.
    #[serde(rename = "prompt_cache_breakpoint")]
    _cache_breakpoint: Option<Object<CacheBreakpoint>>,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PartKind {
    Text,
    Refusal,
    ImageUrl,
    InputAudio,
    File,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CacheBreakpoint {
    #[serde(rename = "mode")]
    _mode: CacheBreakpointMode,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum CacheBreakpointMode {
    Explicit,
}

impl RawPart {
    /// The first key that belongs to a part of another kind.
    fn stray_key(&self) -> Option<&'static str> {
        let keys = [
            (PartKind::Text, "text", self.text.is_some()),
            (PartKind::Refusal, "refusal", self.refusal.is_some()),
            (PartKind::ImageUrl, "image_url", self.image_url.is_some()),
            (PartKind::InputAudio, "input_audio", self.input_audio.is_some()),
            (PartKind::File, "file", self.file.is_some()),
        ];
        keys.iter().find(|(kind, _, given)| *given && *kind != self.kind).map(|(_, key, _)| *key)
    }

    /// The part, or the key that it lacks.
    fn into_part(self) -> Result<ContentPart, &'static str> {
        Ok(match self.kind {
            PartKind::Text => ContentPart::Text { text: self.text.ok_or("text")? },
            PartKind::Refusal => ContentPart::Refusal { refusal: self.refusal.ok_or("refusal")? },
            PartKind::ImageUrl => ContentPart::ImageUrl { image_url: self.image_url.ok_or("image_url")?.0 },
            PartKind::InputAudio => ContentPart::InputAudio { input_audio: self.input_audio.ok_or("input_audio")?.0 },
            PartKind::File => ContentPart::File { file: self.file.ok_or("file")?.0 },
        })
    }
}

impl<'de> Deserialize<'de> for ContentPart {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Object(raw) = Object::<RawPart>::deserialize(deserializer)?;
        if let Some(key) = raw.stray_key() {
            return Err(D::Error::unknown_field(key, &[]));
        }
        raw.into_part().map_err(D::Error::missing_field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn media_parts_are_read_before_they_are_refused() {
        // CQ5, CQ6
        for part in [
            r#"{"type":"image_url","image_url":{"url":"https://a/b.png","detail":"low"}}"#,
            r#"{"type":"input_audio","input_audio":{"data":"AAAA","format":"mp3"}}"#,
            r#"{"type":"file","file":{"filename":"a.txt","file_data":"AAAA"}}"#,
        ] {
            let read: ContentPart = serde_json::from_str(part).unwrap();
            assert_eq!(serde_json::to_string(&read).unwrap(), part);
            let message = ChatCompletionMessage::user(vec![read]);
            let error = message.validate("messages[2]").unwrap_err();
            assert_eq!(error.param(), Some("messages[2].content[0]"));
            assert_eq!(error.code(), Some("unsupported_value"));
        }
    }

    #[test]
    fn text_parts_may_mark_a_cached_prefix() {
        let marked = r#"{"type":"text","text":"a","prompt_cache_breakpoint":{"mode":"explicit"}}"#;
        let read: ContentPart = serde_json::from_str(marked).unwrap();
        assert_eq!(read, ContentPart::text("a"));
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
