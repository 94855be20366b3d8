//! The request of `/v1/chat/completions` (CQ1 to CQ20).

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::content::ChatCompletionMessage;
use super::error::{Error, Result};
use super::ext::ChatExtensions;
use super::parse::{Object, UNSERVED, Unserved};

/// What to answer, and how.
///
/// Every optional field that is `None` has the default that its documentation names. A request is
/// checked when it is sent: a value out of range is a 400 that names the parameter.
///
/// ```
/// use zerohop::types::{ChatCompletionMessage, CreateChatCompletionRequest};
///
/// let messages = [
///     ChatCompletionMessage::system("Answer in one word."),
///     ChatCompletionMessage::user("What is the capital of France?"),
/// ];
/// let request = CreateChatCompletionRequest::new("chat", messages)
///     .temperature(0.0)
///     .max_completion_tokens(64)
///     .stop("\n")
///     .seed(1);
/// assert_eq!(request.seed, Some(1));
/// ```
///
/// It reads and writes the API's JSON:
///
/// ```
/// use zerohop::types::CreateChatCompletionRequest;
///
/// let json = r#"{"model":"chat","messages":[{"role":"user","content":"Hi"}],"top_p":0.9}"#;
/// let request: CreateChatCompletionRequest = serde_json::from_str(json).unwrap();
/// assert_eq!(serde_json::to_string(&request).unwrap(), json);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[must_use = "a request does nothing until it is sent"]
#[non_exhaustive]
pub struct CreateChatCompletionRequest {
    /// The name of the model.
    pub model: String,
    /// The conversation so far; at least one message (CQ1).
    pub messages: Vec<ChatCompletionMessage>,
    /// How random the choice of tokens is, from 0 (always the likeliest) to 2. Default 1 (CQ9).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
    /// Sample only among the likeliest tokens that together have this probability, from 0 to 1.
    /// Default 1 (CQ9).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f32>,
    /// The most tokens to generate, reasoning included; at least 1. By default the model goes on to
    /// the end of its turn or of the context (CQ8).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_completion_tokens: Option<u32>,
    /// The deprecated name of `max_completion_tokens`. Giving both is a 400 (CQ8).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// Texts that end the answer and are not part of it. Default none (CQ10).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
    /// Makes sampling repeatable: the same seed, parameters and `system_fingerprint` give the same
    /// text. By default every request draws its own (CQ12).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// Whether the answer comes in chunks. Default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<bool>,
    /// What the chunks contain; only with `stream` (CQ14).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_options: Option<StreamOptions>,
    /// Whether to keep the answer for later retrieval. Default false; this release stores nothing,
    /// so that true is a 400.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<bool>,
    /// Labels of the caller's: at most 16, keys of at most 64 and values of at most 512 characters
    /// (CQ17).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
    /// The end user behind the request; accepted and without effect (CQ17).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The end user behind the request; accepted and without effect (CQ17).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub safety_identifier: Option<String>,
    /// Groups requests with a common prefix; accepted and without effect, since every prefix is
    /// looked up (CQ17).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_cache_key: Option<String>,
    /// How prefixes are cached; accepted and without effect (CQ17).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_cache_options: Option<PromptCacheOptions>,
    /// How long prefixes are cached; accepted and without effect (CQ17).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_cache_retention: Option<PromptCacheRetention>,
    /// A hosted provider's class of service. All are the same here (CQ17).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_tier: Option<ServiceTier>,
    /// What the API does not have. In JSON these keys stand beside the others.
    #[serde(flatten)]
    pub ext: ChatExtensions,
    #[serde(skip)]
    unserved: Unserved,
}

/// Setters, each for the field of its name.
impl CreateChatCompletionRequest {
    /// A request with every option at its default.
    pub fn new(model: impl Into<String>, messages: impl IntoIterator<Item = ChatCompletionMessage>) -> Self {
        CreateChatCompletionRequest { model: model.into(), messages: messages.into_iter().collect(), ..Self::default() }
    }

    /// How random the choice of tokens is, from 0 to 2.
    pub fn temperature(mut self, temperature: f32) -> Self {
        self.temperature = Some(temperature);
        self
    }

    /// Sample only among the likeliest tokens that together have this probability.
    pub fn top_p(mut self, top_p: f32) -> Self {
        self.top_p = Some(top_p);
        self
    }

    /// The most tokens to generate.
    pub fn max_completion_tokens(mut self, tokens: u32) -> Self {
        self.max_completion_tokens = Some(tokens);
        self
    }

    /// Texts that end the answer: one, `"END"`, or up to four, `["\n\n", "END"]`.
    pub fn stop(mut self, stop: impl Into<Stop>) -> Self {
        self.stop = Some(stop.into());
        self
    }

    /// Makes sampling repeatable.
    pub fn seed(mut self, seed: i64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Whether the answer comes in chunks.
    pub fn stream(mut self, stream: bool) -> Self {
        self.stream = Some(stream);
        self
    }

    /// What the chunks contain.
    pub fn stream_options(mut self, options: StreamOptions) -> Self {
        self.stream_options = Some(options);
        self
    }

    /// Labels of the caller's, such as `[("experiment", "7")]`.
    pub fn metadata<K, V>(mut self, pairs: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: Into<String>,
        V: Into<String>,
    {
        let pairs = pairs.into_iter().map(|(key, value)| (key.into(), value.into()));
        self.metadata = Some(pairs.collect());
        self
    }

    /// The end user behind the request.
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// A hosted provider's class of service.
    pub fn service_tier(mut self, tier: ServiceTier) -> Self {
        self.service_tier = Some(tier);
        self
    }

    /// Sample only among this many most likely tokens (an extension).
    pub fn top_k(mut self, top_k: u32) -> Self {
        self.ext.top_k = Some(top_k);
        self
    }

    /// Sample only among tokens at least this fraction as likely as the likeliest (an extension).
    pub fn min_p(mut self, min_p: f32) -> Self {
        self.ext.min_p = Some(min_p);
        self
    }
}

impl CreateChatCompletionRequest {
    /// The most tokens to generate, under whichever name it was given (CQ8).
    pub(crate) fn token_limit(&self) -> Option<u32> {
        self.max_completion_tokens.or(self.max_tokens)
    }

    /// Checks everything that does not depend on the model.
    pub(crate) fn validate(&self) -> Result<()> {
        self.unserved.check("")?;
        if self.messages.is_empty() {
            return Err(Error::invalid("messages", "'messages' must have at least one entry"));
        }
        for (index, message) in self.messages.iter().enumerate() {
            message.validate(&format!("messages[{index}]"))?;
        }
        check_range("temperature", self.temperature, 0.0..=2.0)?;
        check_range("top_p", self.top_p, 0.0..=1.0)?;
        self.validate_token_limit()?;
        self.stop.as_ref().map_or(Ok(()), Stop::validate)?;
        if self.store == Some(true) {
            return Err(Error::unsupported_value("store", "This release stores no completions: 'store' must be false"));
        }
        self.metadata.as_ref().map_or(Ok(()), check_metadata)?;
        self.ext.validate()
    }

    fn validate_token_limit(&self) -> Result<()> {
        if self.max_tokens.is_some() && self.max_completion_tokens.is_some() {
            return Err(Error::invalid(
                "max_tokens",
                "'max_tokens' and 'max_completion_tokens' are the same limit: give only one",
            ));
        }
        let limits = [("max_tokens", self.max_tokens), ("max_completion_tokens", self.max_completion_tokens)];
        for (param, limit) in limits {
            if limit == Some(0) {
                let message = format!("'{param}' must be at least 1");
                return Err(Error::invalid(param, message));
            }
        }
        Ok(())
    }
}

/// Refuses a number outside of `range`; NaN is outside of every range (CQ9).
pub(crate) fn check_range(param: &'static str, value: Option<f32>, range: RangeInclusive<f32>) -> Result<()> {
    match value {
        Some(value) if !range.contains(&value) => {
            let (low, high) = range.into_inner();
            let message = format!("'{param}' must be from {low} to {high}, but is {value}");
            Err(Error::invalid(param, message))
        }
        _ => Ok(()),
    }
}

/// CQ17
fn check_metadata(metadata: &BTreeMap<String, String>) -> Result<()> {
    if metadata.len() > 16 {
        let count = metadata.len();
        let message = format!("'metadata' has {count} pairs; at most 16 are allowed");
        return Err(Error::invalid("metadata", message));
    }
    for (key, value) in metadata {
        if key.chars().count() > 64 {
            let message = "A key of 'metadata' has more than 64 characters";
            return Err(Error::invalid("metadata", message));
        }
        if value.chars().count() > 512 {
            let message = format!("The value of 'metadata.{key}' has more than 512 characters");
            return Err(Error::invalid(format!("metadata.{key}"), message));
        }
    }
    Ok(())
}

impl<'de> Deserialize<'de> for CreateChatCompletionRequest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RequestVisitor)
    }
}

/// Reads the keys one by one: derived, the extensions (`flatten`) would lose the path to an error.
struct RequestVisitor;

impl<'de> Visitor<'de> for RequestVisitor {
    type Value = CreateChatCompletionRequest;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut model = None;
        let mut messages = None;
        let mut request = CreateChatCompletionRequest::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "model" => model = Some(map.next_value()?),
                "messages" => messages = Some(map.next_value()?),
                "temperature" => request.temperature = map.next_value()?,
                "top_p" => request.top_p = map.next_value()?,
                "max_completion_tokens" => request.max_completion_tokens = map.next_value()?,
                "max_tokens" => request.max_tokens = map.next_value()?,
                "stop" => request.stop = map.next_value()?,
                "seed" => request.seed = map.next_value()?,
                "stream" => request.stream = map.next_value()?,
                "stream_options" => request.stream_options = next_object(&mut map)?,
                "store" => request.store = map.next_value()?,
                "metadata" => request.metadata = map.next_value()?,
                "user" => request.user = map.next_value()?,
                "safety_identifier" => request.safety_identifier = map.next_value()?,
                "prompt_cache_key" => request.prompt_cache_key = map.next_value()?,
                "prompt_cache_options" => request.prompt_cache_options = next_object(&mut map)?,
                "prompt_cache_retention" => request.prompt_cache_retention = map.next_value()?,
                "service_tier" => request.service_tier = map.next_value()?,
                key => {
                    if !request.ext.read(key, &mut map)? {
                        request.unserved.read(UNSERVED, key, &mut map)?;
                    }
                }
            }
        }
        request.model = model.ok_or_else(|| A::Error::missing_field("model"))?;
        request.messages = messages.ok_or_else(|| A::Error::missing_field("messages"))?;
        Ok(request)
    }
}

fn next_object<'de, A, T>(map: &mut A) -> Result<Option<T>, A::Error>
where
    A: MapAccess<'de>,
    T: Deserialize<'de>,
{
    Ok(map.next_value::<Option<Object<T>>>()?.map(|Object(value)| value))
}

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

    fn validate(&self) -> Result<()> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> CreateChatCompletionRequest {
        CreateChatCompletionRequest::new("m", [ChatCompletionMessage::user("hi")])
    }

    #[test]
    fn every_field_survives_json() {
        let mut full = request()
            .temperature(0.5)
            .top_p(0.9)
            .max_completion_tokens(64)
            .stop(["a", "b"])
            .seed(-1)
            .stream(true)
            .stream_options(StreamOptions::default().include_usage(true))
            .metadata([("k", "v")])
            .user("u")
            .service_tier(ServiceTier::Flex)
            .top_k(40)
            .min_p(0.05);
        full.max_tokens = Some(32);
        full.store = Some(false);
        full.safety_identifier = Some("s".to_owned());
        full.prompt_cache_key = Some("p".to_owned());
        full.prompt_cache_options = Some(PromptCacheOptions {
            mode: Some(PromptCacheMode::Explicit),
            ttl: Some(PromptCacheTtl::ThirtyMinutes),
        });
        full.prompt_cache_retention = Some(PromptCacheRetention::OneDay);
        let json = serde_json::to_string(&full).unwrap();
        assert_eq!(serde_json::from_str::<CreateChatCompletionRequest>(&json).unwrap(), full);
        // Each of the 20 keys was set above, so that a new field fails here until it is read.
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value.as_object().unwrap().len(), 20);
    }

    #[test]
    fn unset_fields_are_not_written() {
        let json = serde_json::to_string(&request()).unwrap();
        assert_eq!(json, r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#);
    }

    #[test]
    fn typed_requests_are_checked_too() {
        // CQ9: values that JSON cannot even write
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for (request, param) in [
                (request().temperature(bad), "temperature"),
                (request().top_p(bad), "top_p"),
                (request().min_p(bad), "min_p"),
            ] {
                assert_eq!(request.validate().unwrap_err().param(), Some(param));
            }
        }
        let at_the_ends = request().temperature(2.0).top_p(0.0).stop(["a", "b", "c", "d"]);
        assert!(at_the_ends.validate().is_ok());
    }

    #[test]
    fn metadata_is_counted_in_characters() {
        // CQ17
        let pairs = |count: usize| (0..count).map(|i| (i.to_string(), ""));
        assert!(request().metadata(pairs(16)).validate().is_ok());
        assert!(request().metadata([("ü".repeat(64), "ü".repeat(512))]).validate().is_ok());
        for (request, param) in [
            (request().metadata(pairs(17)), "metadata"),
            (request().metadata([("ü".repeat(65), "")]), "metadata"),
            (request().metadata([("k", "ü".repeat(513))]), "metadata.k"),
        ] {
            assert_eq!(request.validate().unwrap_err().param(), Some(param));
        }
    }

    #[test]
    fn either_name_sets_the_token_limit() {
        // CQ8
        assert_eq!(request().token_limit(), None);
        assert_eq!(request().max_completion_tokens(5).token_limit(), Some(5));
        let deprecated = CreateChatCompletionRequest { max_tokens: Some(7), ..request() };
        assert_eq!(deprecated.token_limit(), Some(7));
    }
}
