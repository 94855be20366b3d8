//! The request of `/v1/responses` (RE1, RE2).

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::item::InputItem;
use super::options::{Includable, Reasoning, TextConfig, Truncation};
use super::tools::{FlatChoice, FlatTool, flat_choice, flat_tools};
use crate::api::chat_options::{PromptCacheOptions, PromptCacheRetention, ServiceTier};
use crate::api::error::Result;
use crate::api::ext::ChatExtensions;
use crate::api::parse::{Object, Unserved, UnservedKey};
use crate::api::response_format::ResponseFormat;
use crate::api::tool_choice::ToolChoice;
use crate::api::tools::ChatCompletionTool;

/// What to answer, and how.
///
/// Every optional field that is `None` has the default that its documentation names. A request is
/// checked when it is sent: a value out of range is a 400 that names the parameter.
///
/// ```
/// use zerohop::types::responses::CreateResponse;
///
/// let request = CreateResponse::new("chat", "What is the capital of France?")
///     .instructions("Answer in one word.")
///     .temperature(0.0)
///     .max_output_tokens(64);
/// assert_eq!(request.max_output_tokens, Some(64));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[must_use = "a request does nothing until it is sent"]
#[non_exhaustive]
pub struct CreateResponse {
    /// The name of the model.
    pub model: String,
    /// What has been said since the response that `previous_response_id` names, or ever.
    pub input: Input,
    /// Instructions from the program's author, before everything else; for this response only (RE11).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
    /// Goes on with the conversation of a stored response (RE11).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_response_id: Option<String>,
    /// Whether to keep the response for later. Default true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<bool>,
    /// The most tokens to generate, reasoning included; at least 1. By default the model goes on to
    /// the end of its turn or of the context.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<u32>,
    /// How random the choice of tokens is, from 0 (always the likeliest) to 2. Default 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
    /// Sample only among the likeliest tokens that together have this probability, from 0 to 1.
    /// Default 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f32>,
    /// How many of the likeliest tokens are told in each place, from 0 to 20. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_logprobs: Option<u32>,
    /// What to add to the answer. Default nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub include: Option<Vec<Includable>>,
    /// The form of the answer's text. Default any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<TextConfig>,
    /// How the model thinks before it answers. Default the model's own way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<Reasoning>,
    /// The tools that the model may call. Default none. Each is flat in JSON (RE2).
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "flat_tools::serialize_option")]
    pub tools: Option<Vec<ChatCompletionTool>>,
    /// Which of the tools the model may or must call. Default [`ToolChoice::Auto`].
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "flat_choice::serialize_option")]
    pub tool_choice: Option<ToolChoice>,
    /// Whether one answer may call several tools. Default true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallel_tool_calls: Option<bool>,
    /// The most calls of a hosted service's own tools, of which there are none here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tool_calls: Option<u32>,
    /// What to do with a conversation that is longer than the model's context. Default refuse it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truncation: Option<Truncation>,
    /// Labels of the caller's: at most 16, keys of at most 64 and values of at most 512 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
    /// Whether the answer comes in events. Default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<bool>,
    /// What the events contain; only with `stream`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_options: Option<ResponseStreamOptions>,
    /// The end user behind the request; given back and without effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The end user behind the request; given back and without effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub safety_identifier: Option<String>,
    /// Groups requests with a common prefix; given back and without effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_cache_key: Option<String>,
    /// How prefixes are cached; accepted and without effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_cache_options: Option<PromptCacheOptions>,
    /// How long prefixes are cached; given back and without effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_cache_retention: Option<PromptCacheRetention>,
    /// A hosted provider's class of service. All are the same here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_tier: Option<ServiceTier>,
    /// Makes sampling repeatable (an extension).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// What the API does not have. In JSON these keys stand beside the others.
    #[serde(flatten)]
    pub ext: ChatExtensions,
    #[serde(skip)]
    unserved: Unserved,
}

/// What has been said: a text of the user's, or items.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Input {
    /// One message of the user's.
    Text(String),
    /// Items, in order.
    Items(Vec<InputItem>),
}

impl Default for Input {
    fn default() -> Self {
        Input::Items(Vec::new())
    }
}

impl From<&str> for Input {
    fn from(text: &str) -> Self {
        Input::Text(text.to_owned())
    }
}

impl From<String> for Input {
    fn from(text: String) -> Self {
        Input::Text(text)
    }
}

impl<I: Into<InputItem>> From<Vec<I>> for Input {
    fn from(items: Vec<I>) -> Self {
        Input::Items(items.into_iter().map(Into::into).collect())
    }
}

impl<I: Into<InputItem>, const N: usize> From<[I; N]> for Input {
    fn from(items: [I; N]) -> Self {
        Input::Items(items.into_iter().map(Into::into).collect())
    }
}

impl<'de> Deserialize<'de> for Input {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(InputVisitor)
    }
}

struct InputVisitor;

impl<'de> Visitor<'de> for InputVisitor {
    type Value = Input;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or a list of items")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(text.into())
    }

    fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(seq)).map(Input::Items)
    }
}

/// What the events of a streamed response contain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ResponseStreamOptions {
    /// Whether to hide the size of events from eavesdroppers; accepted and without effect, since
    /// nothing is sent anywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub include_obfuscation: Option<bool>,
}

/// Setters, each for the field of its name.
impl CreateResponse {
    /// A request with every option at its default.
    pub fn new(model: impl Into<String>, input: impl Into<Input>) -> Self {
        CreateResponse { model: model.into(), input: input.into(), ..Self::default() }
    }

    /// Instructions from the program's author.
    pub fn instructions(mut self, instructions: impl Into<String>) -> Self {
        self.instructions = Some(instructions.into());
        self
    }

    /// Goes on with the conversation of a stored response.
    pub fn previous_response_id(mut self, id: impl Into<String>) -> Self {
        self.previous_response_id = Some(id.into());
        self
    }

    /// Whether to keep the response for later.
    pub fn store(mut self, store: bool) -> Self {
        self.store = Some(store);
        self
    }

    /// The most tokens to generate.
    pub fn max_output_tokens(mut self, tokens: u32) -> Self {
        self.max_output_tokens = Some(tokens);
        self
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

    /// What to add to the answer.
    pub fn include(mut self, include: impl IntoIterator<Item = Includable>) -> Self {
        self.include = Some(include.into_iter().collect());
        self
    }

    /// The form of the answer's text.
    pub fn text_format(mut self, format: impl Into<ResponseFormat>) -> Self {
        self.text.get_or_insert_default().format = Some(format.into());
        self
    }

    /// The tools that the model may call.
    pub fn tools<T: Into<ChatCompletionTool>>(mut self, tools: impl IntoIterator<Item = T>) -> Self {
        self.tools = Some(tools.into_iter().map(Into::into).collect());
        self
    }

    /// Which of the tools the model may or must call.
    pub fn tool_choice(mut self, choice: ToolChoice) -> Self {
        self.tool_choice = Some(choice);
        self
    }

    /// What to do with a conversation that is longer than the model's context.
    pub fn truncation(mut self, truncation: Truncation) -> Self {
        self.truncation = Some(truncation);
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

    /// Makes sampling repeatable (an extension).
    pub fn seed(mut self, seed: i64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// A variable for the model's chat template, such as `enable_thinking` (an extension).
    pub fn chat_template_kwarg(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.ext.chat_template_kwargs.get_or_insert_default().insert(name.into(), value.into());
        self
    }

    /// Whether the answer is to be kept.
    pub(crate) fn is_stored(&self) -> bool {
        self.store.unwrap_or(true)
    }

    /// Whether the answer tells how likely its tokens were.
    pub(crate) fn wants_logprobs(&self) -> bool {
        let included = self.include.iter().flatten().any(|include| *include == Includable::OutputTextLogprobs);
        included || self.top_logprobs.is_some_and(|count| count > 0)
    }

    /// Refuses keys that this release does not serve.
    pub(crate) fn check_unserved(&self) -> Result<()> {
        self.unserved.check("")
    }
}

/// Parameters that this engine does not serve, and the values that ask for nothing.
const UNSERVED: &[UnservedKey] = &[
    ("background", |value| *value == Value::Bool(false)),
    ("conversation", |_| false),
    ("prompt", |_| false),
    ("moderation", |_| false),
    ("context_management", |value| value.as_array().is_some_and(Vec::is_empty)),
    ("background_options", |_| false),
    ("access_programs", |_| false),
    ("image", |_| false),
];

impl<'de> Deserialize<'de> for CreateResponse {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = RawCreateResponse::deserialize(deserializer)?;
        let mut request = raw.request;
        request.model = raw.model.ok_or_else(|| D::Error::missing_field("model"))?;
        request.input = raw.input.ok_or_else(|| D::Error::missing_field("input"))?;
        Ok(request)
    }
}

/// A request of which the model and the input may be missing.
pub(crate) struct RawCreateResponse {
    pub(crate) model: Option<String>,
    pub(crate) input: Option<Input>,
    /// Everything else.
    pub(crate) request: CreateResponse,
}

impl<'de> Deserialize<'de> for RawCreateResponse {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RequestVisitor)
    }
}

/// Reads the keys one by one: derived, the extensions (`flatten`) would lose the path to an error.
struct RequestVisitor;

impl<'de> Visitor<'de> for RequestVisitor {
    type Value = RawCreateResponse;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut model, mut input) = (None, None);
        let mut request = CreateResponse::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "model" => model = map.next_value()?,
                "input" => input = map.next_value()?,
                "instructions" => request.instructions = map.next_value()?,
                "previous_response_id" => request.previous_response_id = map.next_value()?,
                "store" => request.store = map.next_value()?,
                "max_output_tokens" => request.max_output_tokens = map.next_value()?,
                "temperature" => request.temperature = map.next_value()?,
                "top_p" => request.top_p = map.next_value()?,
                "top_logprobs" => request.top_logprobs = map.next_value()?,
                "include" => request.include = map.next_value()?,
                "text" => request.text = map.next_value()?,
                "reasoning" => request.reasoning = next_object(&mut map)?,
                "tools" => {
                    let tools: Option<Vec<FlatTool>> = map.next_value()?;
                    request.tools = tools.map(|tools| tools.into_iter().map(|FlatTool(tool)| tool).collect());
                }
                "tool_choice" => {
                    let choice: Option<FlatChoice> = map.next_value()?;
                    request.tool_choice = choice.map(|FlatChoice(choice)| choice);
                }
                "parallel_tool_calls" => request.parallel_tool_calls = map.next_value()?,
                "max_tool_calls" => request.max_tool_calls = map.next_value()?,
                "truncation" => request.truncation = map.next_value()?,
                "metadata" => request.metadata = map.next_value()?,
                "stream" => request.stream = map.next_value()?,
                "stream_options" => request.stream_options = next_object(&mut map)?,
                "user" => request.user = map.next_value()?,
                "safety_identifier" => request.safety_identifier = map.next_value()?,
                "prompt_cache_key" => request.prompt_cache_key = map.next_value()?,
                "prompt_cache_options" => request.prompt_cache_options = next_object(&mut map)?,
                "prompt_cache_retention" => request.prompt_cache_retention = map.next_value()?,
                "service_tier" => request.service_tier = map.next_value()?,
                "seed" => request.seed = map.next_value()?,
                key => {
                    if !request.ext.read(key, &mut map)? {
                        request.unserved.read(UNSERVED, key, &mut map)?;
                    }
                }
            }
        }
        Ok(RawCreateResponse { model, input, request })
    }
}

fn next_object<'de, A, T>(map: &mut A) -> Result<Option<T>, A::Error>
where
    A: MapAccess<'de>,
    T: Deserialize<'de>,
{
    Ok(map.next_value::<Option<Object<T>>>()?.map(|Object(value)| value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_field_survives_json() {
        // RE1, RE2
        let full = json!({
            "model": "m",
            "input": [
                {"type": "message", "id": "msg_1", "role": "user", "content": "Hi", "status": "completed"},
                {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "a"}]},
                {"type": "message", "role": "assistant", "content": [
                    {"type": "output_text", "text": "a", "annotations": []},
                    {"type": "refusal", "refusal": "no"},
                ]},
                {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "s"}],
                    "content": [{"type": "reasoning_text", "text": "t"}], "status": "completed"},
                {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c", "output": "1"},
                {"type": "custom_tool_call", "call_id": "d", "name": "g", "input": "x", "status": "incomplete"},
                {"type": "custom_tool_call_output", "id": "o", "call_id": "d", "output": [
                    {"type": "input_text", "text": "a"},
                    {"type": "input_image", "detail": "low", "image_url": "https://a/b.png", "file_id": "f"},
                    {"type": "input_file", "file_id": "f", "filename": "n", "file_data": "AA", "file_url": "u"},
                ]},
                {"type": "item_reference", "id": "msg_2"},
            ],
            "instructions": "i", "previous_response_id": "resp_1", "store": false, "max_output_tokens": 5,
            "temperature": 0.5, "top_p": 0.5, "top_logprobs": 2, "include": ["message.output_text.logprobs"],
            "text": {"format": {"type": "json_schema", "name": "n", "description": "d", "schema": {}, "strict": true},
                "verbosity": "medium"},
            "reasoning": {"effort": "low", "summary": "auto", "generate_summary": "auto", "context": "auto",
                "mode": "standard"},
            "tools": [
                {"type": "function", "name": "f", "description": "d", "parameters": {}, "strict": null},
                {"type": "custom", "name": "g", "description": "d",
                    "format": {"type": "grammar", "syntax": "lark", "definition": "start: /a/"}},
                {"type": "custom", "name": "h", "format": {"type": "text"}},
            ],
            "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "custom", "name": "g"}]},
            "parallel_tool_calls": true, "max_tool_calls": 3, "truncation": "auto", "metadata": {"k": "v"},
            "stream": true, "stream_options": {"include_obfuscation": false}, "user": "u",
            "safety_identifier": "s", "prompt_cache_key": "p", "prompt_cache_options": {"mode": "implicit"},
            "prompt_cache_retention": "24h", "service_tier": "flex", "seed": 1, "top_k": 4,
        });
        let request: CreateResponse = serde_json::from_value(full.clone()).unwrap();
        assert_eq!(serde_json::to_value(&request).unwrap(), full);
        assert!(request.check_unserved().is_ok());
    }

    #[test]
    fn choices_and_formats_are_flat() {
        // RE2
        for (key, value) in [
            ("tool_choice", json!("none")),
            ("tool_choice", json!("required")),
            ("tool_choice", json!({"type": "function", "name": "f"})),
            ("tool_choice", json!({"type": "custom", "name": "f"})),
            ("text", json!({"format": {"type": "text"}})),
            ("text", json!({"format": {"type": "json_object"}})),
            ("text", json!({"format": {"type": "regex", "regex": "a"}})),
            ("text", json!({"format": {"type": "lark", "lark": "start: /a/"}})),
            ("text", json!({})),
        ] {
            let body = json!({"model": "m", "input": "i", key: value});
            let request: CreateResponse = serde_json::from_value(body.clone()).unwrap();
            assert_eq!(serde_json::to_value(&request).unwrap(), body);
        }
    }

    #[test]
    fn what_the_sdk_adds_to_items_is_read() {
        // RE5, RE6
        let dumped = json!([
            {"id": "msg_1", "role": "assistant", "type": "message", "status": "completed", "phase": null, "content": [
                {"type": "output_text", "text": "a", "annotations": [{"type": "file_path"}], "parsed": {"a": 1},
                    "logprobs": [{"token": "a", "bytes": [97], "logprob": -0.5, "top_logprobs": []}]},
            ]},
            {"id": "fc_1", "type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", "async_": null,
                "caller": null, "namespace": null, "status": null, "parsed_arguments": {}},
            {"id": "rs_1", "type": "reasoning", "summary": [], "content": null, "encrypted_content": "x"},
            {"id": "x"},
            {"role": "user", "content": "b"},
        ]);
        let items: Vec<InputItem> = serde_json::from_value(dumped).unwrap();
        let kinds: Vec<_> =
            items.iter().map(|item| serde_json::to_value(item).unwrap()["type"].as_str().unwrap().to_owned()).collect();
        assert_eq!(kinds, ["message", "function_call", "reasoning", "item_reference", "message"]);
    }
}
