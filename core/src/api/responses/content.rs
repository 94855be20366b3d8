//! What the items of a conversation contain.

use std::fmt;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::api::content::{CacheBreakpoint, ImageDetail};
use crate::api::parse::{Object, check_keys, required};

/// What a message, or the answer of a tool, says: a text, or a list of parts.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum ItemContent {
    /// A plain text.
    Text(String),
    /// Parts, in order; at least one.
    Parts(Vec<ItemPart>),
}

impl From<String> for ItemContent {
    fn from(text: String) -> Self {
        ItemContent::Text(text)
    }
}

impl From<&str> for ItemContent {
    fn from(text: &str) -> Self {
        ItemContent::Text(text.to_owned())
    }
}

impl From<Vec<ItemPart>> for ItemContent {
    fn from(parts: Vec<ItemPart>) -> Self {
        ItemContent::Parts(parts)
    }
}

impl<'de> Deserialize<'de> for ItemContent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = ItemContent;

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
        Vec::deserialize(SeqAccessDeserializer::new(seq)).map(ItemContent::Parts)
    }
}

/// One part of an item's content.
///
/// Messages of the user's and of the program's author have `input_*` parts, and so have the answers of
/// tools; messages of the model's have `output_text` and `refusal`. A file gives a 400, and so does an image
/// for a model that does not see, or in a message that is not the user's.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ItemPart {
    /// Text for the model.
    InputText {
        /// The text.
        text: String,
    },
    /// Text of the model's.
    OutputText {
        /// The text.
        text: String,
        /// What a hosted service found for it; always empty here.
        annotations: Vec<Value>,
    },
    /// The model's words of refusal.
    Refusal {
        /// The words.
        refusal: String,
    },
    /// The model's thoughts, in a reasoning item.
    ReasoningText {
        /// The thoughts.
        text: String,
    },
    /// An image, in a user's message.
    InputImage {
        /// How closely to look at it.
        #[serde(skip_serializing_if = "Option::is_none")]
        detail: Option<ImageDetail>,
        /// Its address, as [`ImageUrl::url`](crate::types::ImageUrl::url) says.
        #[serde(skip_serializing_if = "Option::is_none")]
        image_url: Option<String>,
        /// The id of a stored file: not served, a 400.
        #[serde(skip_serializing_if = "Option::is_none")]
        file_id: Option<String>,
    },
    /// A file. Not served by this release: a 400.
    InputFile {
        /// The id of a stored file.
        #[serde(skip_serializing_if = "Option::is_none")]
        file_id: Option<String>,
        /// The name of a file given here.
        #[serde(skip_serializing_if = "Option::is_none")]
        filename: Option<String>,
        /// The bytes of a file given here, in base64.
        #[serde(skip_serializing_if = "Option::is_none")]
        file_data: Option<String>,
        /// Where the file is.
        #[serde(skip_serializing_if = "Option::is_none")]
        file_url: Option<String>,
    },
}

impl ItemPart {
    /// Text for the model.
    pub fn input_text(text: impl Into<String>) -> Self {
        ItemPart::InputText { text: text.into() }
    }

    /// Text of the model's.
    pub fn output_text(text: impl Into<String>) -> Self {
        ItemPart::OutputText { text: text.into(), annotations: Vec::new() }
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
    detail: Option<ImageDetail>,
    image_url: Option<String>,
    file_id: Option<String>,
    filename: Option<String>,
    file_data: Option<String>,
    file_url: Option<String>,
    // Of a text that the model wrote, what does not concern the model.
    #[serde(rename = "annotations")]
    _annotations: Option<Vec<IgnoredAny>>,
    #[serde(rename = "logprobs")]
    _logprobs: Option<Vec<IgnoredAny>>,
    // The SDK's `parse()` adds it: the text again, as an object.
    #[serde(rename = "parsed")]
    _parsed: Option<IgnoredAny>,
    // Where to cut a cached prefix; here every prefix is cached, so that it changes nothing.
    #[serde(rename = "prompt_cache_breakpoint")]
    _cache_breakpoint: Option<Object<CacheBreakpoint>>,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PartKind {
    InputText,
    OutputText,
    Refusal,
    ReasoningText,
    InputImage,
    InputFile,
}

impl<'de> Deserialize<'de> for ItemPart {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Object(raw) = Object::<RawPart>::deserialize(deserializer)?;
        let has_text = matches!(raw.kind, PartKind::InputText | PartKind::OutputText | PartKind::ReasoningText);
        let text_kind = if has_text { raw.kind } else { PartKind::InputText };
        let file_kind = if raw.kind == PartKind::InputFile { raw.kind } else { PartKind::InputImage };
        check_keys(
            raw.kind,
            &[
                (text_kind, "text", raw.text.is_some()),
                (PartKind::Refusal, "refusal", raw.refusal.is_some()),
                (PartKind::InputImage, "detail", raw.detail.is_some()),
                (PartKind::InputImage, "image_url", raw.image_url.is_some()),
                (file_kind, "file_id", raw.file_id.is_some()),
                (PartKind::InputFile, "filename", raw.filename.is_some()),
                (PartKind::InputFile, "file_data", raw.file_data.is_some()),
                (PartKind::InputFile, "file_url", raw.file_url.is_some()),
            ],
        )?;
        Ok(match raw.kind {
            PartKind::InputText => ItemPart::InputText { text: required("text", raw.text)? },
            PartKind::OutputText => ItemPart::OutputText { text: required("text", raw.text)?, annotations: Vec::new() },
            PartKind::ReasoningText => ItemPart::ReasoningText { text: required("text", raw.text)? },
            PartKind::Refusal => ItemPart::Refusal { refusal: required("refusal", raw.refusal)? },
            PartKind::InputImage => {
                ItemPart::InputImage { detail: raw.detail, image_url: raw.image_url, file_id: raw.file_id }
            }
            PartKind::InputFile => ItemPart::InputFile {
                file_id: raw.file_id,
                filename: raw.filename,
                file_data: raw.file_data,
                file_url: raw.file_url,
            },
        })
    }
}
