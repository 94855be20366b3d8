//! Smaller types of a chat request: each the value of one parameter.

use std::fmt;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::content::{ContentPart, MessageContent};
use super::error::{Error, Result};

/// Texts that end the answer (CQ10).
///
/// The answer stops before the first of them and does not contain it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Stop {
    /// One text, not empty.
    One(String),
    /// Up to four texts, none of them empty.
    Many(Vec<String>),
}

impl Stop {
    /// The texts, however they were given.
    pub fn as_slice(&self) -> &[String] {
        match self {
            Stop::One(text) => std::slice::from_ref(text),
            Stop::Many(texts) => texts,
        }
    }

    pub(crate) fn validate(&self) -> Result<()> {
        let texts = self.as_slice();
        if texts.len() > 4 {
            let message = format!("'stop' has {} texts; at most 4 are allowed", texts.len());
            return Err(Error::invalid("stop", message));
        }
        if texts.iter().any(String::is_empty) {
            return Err(Error::invalid("stop", "'stop' must not contain an empty text"));
        }
        Ok(())
    }
}

impl From<String> for Stop {
    fn from(text: String) -> Self {
        Stop::One(text)
    }
}

impl From<&str> for Stop {
    fn from(text: &str) -> Self {
        Stop::One(text.to_owned())
    }
}

impl<S: Into<String>> From<Vec<S>> for Stop {
    fn from(texts: Vec<S>) -> Self {
        Stop::Many(texts.into_iter().map(Into::into).collect())
    }
}

impl<S: Into<String>, const N: usize> From<[S; N]> for Stop {
    fn from(texts: [S; N]) -> Self {
        Stop::Many(texts.into_iter().map(Into::into).collect())
    }
}

impl<'de> Deserialize<'de> for Stop {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StopVisitor)
    }
}

struct StopVisitor;

impl<'de> Visitor<'de> for StopVisitor {
    type Value = Stop;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or a list of strings")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(text.into())
    }

    fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(seq)).map(Stop::Many)
    }
}

/// What the chunks of a streamed answer contain (CQ14).
///
/// ```
/// use zerohop::types::StreamOptions;
///
/// let options = StreamOptions::default().include_usage(true);
/// assert_eq!(options.include_usage, Some(true));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "options do nothing until they are part of a request"]
#[non_exhaustive]
pub struct StreamOptions {
    /// Whether one more chunk, the last, reports the tokens used. Default false (CS5, CS6).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub include_usage: Option<bool>,

    /// Whether to hide the size of chunks from eavesdroppers; accepted and without effect, since
    /// nothing is sent anywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub include_obfuscation: Option<bool>,
}

impl StreamOptions {
    /// Whether one more chunk, the last, reports the tokens used.
    pub fn include_usage(mut self, include: bool) -> Self {
        self.include_usage = Some(include);
        self
    }
}

/// How prefixes are cached (CQ17).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PromptCacheOptions {
    /// Who chooses the prefixes to cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<PromptCacheMode>,

    /// How long they are kept at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<PromptCacheTtl>,
}

/// Who chooses the prefixes to cache (CQ17).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PromptCacheMode {
    /// The provider.
    Implicit,
    /// The request, by marks in its content.
    Explicit,
}

/// How long prefixes are cached at least (CQ17).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum PromptCacheTtl {
    /// `30m`
    #[serde(rename = "30m")]
    ThirtyMinutes,
}

/// How long prefixes are cached at most (CQ17).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PromptCacheRetention {
    /// As long as memory allows.
    InMemory,
    /// `24h`
    #[serde(rename = "24h")]
    OneDay,
}

/// A hosted provider's class of service (CQ17).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ServiceTier {
    /// The provider chooses.
    Auto,
    /// The ordinary one.
    Default,
    /// Slower and cheaper.
    Flex,
    /// Bought in advance.
    Scale,
    /// Faster and dearer.
    Priority,
    /// Another name of `priority`.
    Fast,
}
/// How long a reasoning model may think (CQ13).
///
/// Models know fewer steps than this. One that can only switch its thoughts on and off has them off
/// for `none` and on for all others; where its template takes an effort, the nearest one is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ReasoningEffort {
    /// Not at all.
    None,
    /// As little as possible.
    Minimal,
    /// Little.
    Low,
    /// The usual amount.
    Medium,
    /// Much.
    High,
    /// More than `high`.
    Xhigh,
    /// As much as possible.
    Max,
}

/// How many words the answer makes (CQ13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Verbosity {
    /// Few. No model that runs here knows how: a 400.
    Low,
    /// The model's own way, and the default.
    Medium,
    /// Many. No model that runs here knows how: a 400.
    High,
}

/// A kind of output (CQ16).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Modality {
    /// Text.
    Text,
    /// Sound. Not served by this release: a 400.
    Audio,
}

/// What the answer will probably be, to be confirmed instead of generated (CQ15).
///
/// ```
/// use zerohop::types::PredictionContent;
///
/// let prediction = PredictionContent::new("fn main() {}");
/// let json = serde_json::to_string(&prediction).unwrap();
/// assert_eq!(json, r#"{"type":"content","content":"fn main() {}"}"#);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PredictionContent {
    /// Always `content`.
    #[serde(rename = "type")]
    pub kind: PredictionKind,
    /// The text, or parts of text.
    pub content: MessageContent,
}

/// The fixed `type` of a [`PredictionContent`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PredictionKind {
    /// `content`
    #[default]
    Content,
}

impl PredictionContent {
    /// Predicts this text.
    pub fn new(content: impl Into<MessageContent>) -> Self {
        PredictionContent { kind: PredictionKind::Content, content: content.into() }
    }

    /// The predicted text; parts follow each other without anything between them.
    pub fn text(&self) -> String {
        match &self.content {
            MessageContent::Text(text) => text.clone(),
            MessageContent::Parts(parts) => parts.iter().filter_map(ContentPart::as_text).collect(),
        }
    }

    pub(crate) fn validate(&self) -> Result<()> {
        let MessageContent::Parts(parts) = &self.content else {
            return Ok(());
        };
        match parts.iter().position(|part| part.as_text().is_none()) {
            Some(index) => Err(Error::invalid(
                format!("prediction.content[{index}]"),
                "A prediction may have parts of type text only",
            )),
            None => Ok(()),
        }
    }
}
