//! What a message contains (CQ3, CQ5, CQ6).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{SeqAccess, Visitor, value::SeqAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize};

use super::error::{Error, Result};
use super::message::Role;
use super::parse::{Object, check_keys, required};

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
    /// Checks what the role allows; `path` is where the message stands in the request.
    pub(super) fn validate(&self, role: Role, path: &str) -> Result<()> {
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
/// A model that does not see, or hear, gives a 400 for a part that it cannot take: none is dropped silently
/// (CQ5).
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
    /// An image, in a user's message.
    ImageUrl {
        /// The image.
        image_url: ImageUrl,
    },
    /// Sound, in a user's message.
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

/// Bytes of the file of an image or a sound in a message at most.
pub const MAX_MEDIA_FILE: usize = 64 << 20;

/// Where an image is (CQ5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ImageUrl {
    /// A base64 `data:` URI of a PNG, JPEG, WebP, GIF or BMP file; or, where the model's options allow it,
    /// a `file:` URL ([`media_folder`](crate::ModelOptions::media_folder)) or an http(s) address
    /// ([`media_fetcher`](crate::ModelOptions::media_fetcher)).
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
    /// As many tokens as the image has.
    Original,
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
    /// An image behind a URL.
    ///
    /// ```
    /// use zerohop::types::{ChatCompletionMessage, ContentPart};
    ///
    /// let message = ChatCompletionMessage::user(vec![
    ///     ContentPart::text("What is in this picture?"),
    ///     ContentPart::image("data:image/png;base64,iVBORw0KGgo="),
    /// ]);
    /// ```
    pub fn image(url: impl Into<String>) -> Self {
        ContentPart::ImageUrl { image_url: ImageUrl { url: url.into(), detail: None } }
    }

    /// An image file: PNG, JPEG, WebP, GIF or BMP.
    pub fn image_bytes(bytes: impl AsRef<[u8]>) -> Self {
        // What it really is, its bytes say.
        Self::image(format!("data:image/*;base64,{}", STANDARD.encode(bytes)))
    }

    /// A sound file.
    pub fn audio_bytes(bytes: impl AsRef<[u8]>, format: InputAudioFormat) -> Self {
        ContentPart::InputAudio { input_audio: InputAudio { data: STANDARD.encode(bytes), format } }
    }

    /// A part of text.
    pub fn text(text: impl Into<String>) -> Self {
        ContentPart::Text { text: text.into() }
    }

    /// The text of a part of type text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            ContentPart::Text { text } => Some(text),
            _ => None,
        }
    }

    fn validate(&self, role: Role, path: impl Fn() -> String) -> Result<()> {
        let kind = match self {
            ContentPart::Text { .. } => return Ok(()),
            ContentPart::Refusal { .. } if role == Role::Assistant => return Ok(()),
            ContentPart::Refusal { .. } => {
                return Err(Error::invalid(path(), "Only an assistant message may have a part of type refusal"));
            }
            ContentPart::ImageUrl { .. } | ContentPart::InputAudio { .. } if role == Role::User => return Ok(()),
            ContentPart::ImageUrl { .. } => "image_url",
            ContentPart::InputAudio { .. } => "input_audio",
            ContentPart::File { .. } => {
                let message = "Parts of type file are not served: send their text, or images as image_url";
                return Err(Error::unsupported_value(path(), message));
            }
        };
        Err(Error::invalid(path(), format!("Only a user message may have a part of type {kind}")))
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
pub(super) struct CacheBreakpoint {
    #[serde(rename = "mode")]
    _mode: CacheBreakpointMode,
    #[serde(rename = "ttl")]
    _ttl: Option<CacheBreakpointTtl>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CacheBreakpointMode {
    Explicit,
}

#[derive(Deserialize)]
pub(super) enum CacheBreakpointTtl {
    #[serde(rename = "30m")]
    ThirtyMinutes,
    #[serde(rename = "12h")]
    TwelveHours,
}

impl<'de> Deserialize<'de> for ContentPart {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Object(raw) = Object::<RawPart>::deserialize(deserializer)?;
        check_keys(
            raw.kind,
            &[
                (PartKind::Text, "text", raw.text.is_some()),
                (PartKind::Refusal, "refusal", raw.refusal.is_some()),
                (PartKind::ImageUrl, "image_url", raw.image_url.is_some()),
                (PartKind::InputAudio, "input_audio", raw.input_audio.is_some()),
                (PartKind::File, "file", raw.file.is_some()),
            ],
        )?;
        Ok(match raw.kind {
            PartKind::Text => ContentPart::Text { text: required("text", raw.text)? },
            PartKind::Refusal => ContentPart::Refusal { refusal: required("refusal", raw.refusal)? },
            PartKind::ImageUrl => ContentPart::ImageUrl { image_url: required("image_url", raw.image_url)?.0 },
            PartKind::InputAudio => {
                ContentPart::InputAudio { input_audio: required("input_audio", raw.input_audio)?.0 }
            }
            PartKind::File => ContentPart::File { file: required("file", raw.file)?.0 },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::message::ChatCompletionMessage;

    #[test]
    fn media_parts_are_a_users() {
        // CQ5, CQ6
        for part in [
            r#"{"type":"image_url","image_url":{"url":"https://a/b.png","detail":"low"}}"#,
            r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,AA==","detail":"original"}}"#,
            r#"{"type":"input_audio","input_audio":{"data":"AAAA","format":"mp3"}}"#,
            r#"{"type":"file","file":{"filename":"a.txt","file_data":"AAAA"}}"#,
        ] {
            let read: ContentPart = serde_json::from_str(part).unwrap();
            assert_eq!(serde_json::to_string(&read).unwrap(), part);
            let is_file = matches!(read, ContentPart::File { .. });
            let user = ChatCompletionMessage::user(vec![read.clone()]).validate("messages[2]");
            assert_eq!(user.err().and_then(|error| error.code().map(str::to_owned)).is_some(), is_file);
            let error = ChatCompletionMessage::system(vec![read]).validate("messages[2]").unwrap_err();
            assert_eq!((error.param(), error.status()), (Some("messages[2].content[0]"), Some(400)));
        }
    }

    #[test]
    fn text_parts_may_mark_a_cached_prefix() {
        // CQ17
        for mark in [r#"{"mode":"explicit"}"#, r#"{"mode":"explicit","ttl":"12h"}"#] {
            let marked = format!(r#"{{"type":"text","text":"a","prompt_cache_breakpoint":{mark}}}"#);
            let read: ContentPart = serde_json::from_str(&marked).unwrap();
            assert_eq!(read, ContentPart::text("a"));
        }
    }
}
