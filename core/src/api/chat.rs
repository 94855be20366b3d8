//! The request of `/v1/chat/completions` (CQ1 to CQ20).

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error as _, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::chat_options::{
    Modality, PredictionContent, PromptCacheOptions, PromptCacheRetention, ReasoningEffort, ServiceTier, Stop,
    StreamOptions, Verbosity,
};
use super::error::Result;
use super::ext::ChatExtensions;
use super::message::ChatCompletionMessage;
use super::parse::{Object, UNSERVED, Unserved};
use super::response_format::ResponseFormat;
use super::tool_choice::{FunctionCallOption, ToolChoice};
use super::tools::{ChatCompletionFunction, ChatCompletionTool};
use crate::generate::SamplingParams;

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
    /// Makes tokens less likely the more often they have come already, from -2 to 2; below 0 likelier.
    /// Default 0 (CQ9, CQ11).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frequency_penalty: Option<f32>,
    /// Makes tokens less likely that have come already, from -2 to 2; below 0 likelier. Default 0
    /// (CQ9, CQ11).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub presence_penalty: Option<f32>,
    /// What is added to the logits of tokens, from -100, which bans one, to 100, which forces it.
    /// Default nothing (CQ9, CQ11).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logit_bias: Option<BTreeMap<u32, f32>>,
    /// Whether the answer tells how likely its tokens were. Default false (CR8).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<bool>,
    /// How many of the likeliest tokens are told in each place, from 0 to 20; only with `logprobs`.
    /// Default 0 (CQ9, CR9).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_logprobs: Option<u32>,
    /// How many answers to give, from 1 to 128. Default 1 (CQ9, CR2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n: Option<u32>,
    /// The most tokens to generate, reasoning included; at least 1. By default the model goes on to
    /// the end of its turn or of the context (CQ8).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_completion_tokens: Option<u32>,
    /// The deprecated name of `max_completion_tokens`. Giving both is a 400 (CQ8).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// Texts that end the answer and are not part of it. They end text, not calls: without effect
    /// where a call is forced. Default none (CQ10).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
    /// Makes sampling repeatable: the same seed, parameters and `system_fingerprint` give the same
    /// text. By default every request draws its own (CQ12).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// How long a reasoning model may think. Default the model's own way (CQ13).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_effort: Option<ReasoningEffort>,
    /// How many words the answer makes; only `medium`, the default, is served (CQ13).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verbosity: Option<Verbosity>,
    /// What the answer will probably be, so that it comes sooner. The answer is the same with and
    /// without it. Default nothing (CQ15).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prediction: Option<PredictionContent>,
    /// The kinds of output; only text, the default, is served (CQ16).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modalities: Option<Vec<Modality>>,
    /// The form of the answer's text. Default any (SO1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_format: Option<ResponseFormat>,
    /// The tools that the model may call; at least one. Default none (TL1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<ChatCompletionTool>>,
    /// Which of the tools the model may or must call; only with `tools`. Default [`ToolChoice::Auto`]
    /// (TL2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<ToolChoice>,
    /// Whether one answer may call several tools; only with `tools`. Default true (TL4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallel_tool_calls: Option<bool>,
    /// The deprecated form of `tools`; not beside it (CQ18).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub functions: Option<Vec<ChatCompletionFunction>>,
    /// The deprecated form of `tool_choice`; only with `functions` (CQ18).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function_call: Option<FunctionCallOption>,
    /// Whether the answer comes in chunks. Default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<bool>,
    /// What the chunks contain; only with `stream` (CQ14).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_options: Option<StreamOptions>,
    /// Whether to keep the answer for later. Default false (CQ17).
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

    /// Makes tokens less likely the more often they have come already.
    pub fn frequency_penalty(mut self, penalty: f32) -> Self {
        self.frequency_penalty = Some(penalty);
        self
    }

    /// Makes tokens less likely that have come already.
    pub fn presence_penalty(mut self, penalty: f32) -> Self {
        self.presence_penalty = Some(penalty);
        self
    }

    /// What is added to the logits of tokens, such as `[(198, -100.0)]`.
    pub fn logit_bias(mut self, pairs: impl IntoIterator<Item = (u32, f32)>) -> Self {
        self.logit_bias = Some(pairs.into_iter().collect());
        self
    }

    /// Whether the answer tells how likely its tokens were.
    pub fn logprobs(mut self, logprobs: bool) -> Self {
        self.logprobs = Some(logprobs);
        self
    }

    /// How many of the likeliest tokens are told in each place.
    pub fn top_logprobs(mut self, count: u32) -> Self {
        self.top_logprobs = Some(count);
        self
    }

    /// How many answers to give.
    pub fn n(mut self, n: u32) -> Self {
        self.n = Some(n);
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

    /// How long a reasoning model may think.
    pub fn reasoning_effort(mut self, effort: ReasoningEffort) -> Self {
        self.reasoning_effort = Some(effort);
        self
    }

    /// What the answer will probably be.
    pub fn prediction(mut self, prediction: PredictionContent) -> Self {
        self.prediction = Some(prediction);
        self
    }

    /// The form of the answer's text.
    pub fn response_format(mut self, format: impl Into<ResponseFormat>) -> Self {
        self.response_format = Some(format.into());
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

    /// Whether one answer may call several tools.
    pub fn parallel_tool_calls(mut self, parallel: bool) -> Self {
        self.parallel_tool_calls = Some(parallel);
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

    /// Whether to keep the answer for later.
    pub fn store(mut self, store: bool) -> Self {
        self.store = Some(store);
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

    /// How much less likely tokens become that have come already (an extension).
    pub fn repeat_penalty(mut self, penalty: f32) -> Self {
        self.ext.repeat_penalty = Some(penalty);
        self
    }

    /// A Lark grammar that the answer's text follows (an extension).
    pub fn grammar(mut self, lark: impl Into<String>) -> Self {
        self.ext.grammar = Some(lark.into());
        self
    }

    /// A variable for the model's chat template, such as `enable_thinking` (an extension).
    pub fn chat_template_kwarg(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.ext.chat_template_kwargs.get_or_insert_default().insert(name.into(), value.into());
        self
    }

    /// Whether to go on where the model would end its turn (an extension).
    pub fn ignore_eos(mut self, ignore: bool) -> Self {
        self.ext.ignore_eos = Some(ignore);
        self
    }
}

impl CreateChatCompletionRequest {
    /// How to choose tokens.
    pub(crate) fn sampling_params(&self) -> SamplingParams<'_> {
        SamplingParams {
            temperature: self.temperature,
            top_p: self.top_p,
            frequency_penalty: self.frequency_penalty,
            presence_penalty: self.presence_penalty,
            logit_bias: self.logit_bias.as_ref(),
            seed: self.seed,
            top_k: self.ext.top_k,
            min_p: self.ext.min_p,
            repeat_penalty: self.ext.repeat_penalty,
            ignore_eos: self.ext.ignore_eos,
        }
    }

    /// The most tokens to generate, under whichever name it was given (CQ8).
    pub(crate) fn token_limit(&self) -> Option<u32> {
        self.max_completion_tokens.or(self.max_tokens)
    }

    /// Refuses keys that this release does not serve.
    pub(super) fn check_unserved(&self) -> Result<()> {
        self.unserved.check("")
    }
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
                "frequency_penalty" => request.frequency_penalty = map.next_value()?,
                "presence_penalty" => request.presence_penalty = map.next_value()?,
                "logit_bias" => request.logit_bias = next_biases(&mut map)?,
                "logprobs" => request.logprobs = map.next_value()?,
                "top_logprobs" => request.top_logprobs = map.next_value()?,
                "n" => request.n = map.next_value()?,
                "max_completion_tokens" => request.max_completion_tokens = map.next_value()?,
                "max_tokens" => request.max_tokens = map.next_value()?,
                "stop" => request.stop = map.next_value()?,
                "seed" => request.seed = map.next_value()?,
                "reasoning_effort" => request.reasoning_effort = map.next_value()?,
                "verbosity" => request.verbosity = map.next_value()?,
                "prediction" => request.prediction = next_object(&mut map)?,
                "modalities" => request.modalities = map.next_value()?,
                "response_format" => request.response_format = map.next_value()?,
                "tools" => request.tools = map.next_value()?,
                "tool_choice" => request.tool_choice = map.next_value()?,
                "parallel_tool_calls" => request.parallel_tool_calls = map.next_value()?,
                "functions" => {
                    let functions: Option<Vec<Object<_>>> = map.next_value()?;
                    request.functions = functions.map(|all| all.into_iter().map(|Object(one)| one).collect());
                }
                "function_call" => request.function_call = map.next_value()?,
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

/// A token's id as a key of `logit_bias`, where JSON has only strings.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct TokenId(u32);

impl<'de> Deserialize<'de> for TokenId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let key = String::deserialize(deserializer)?;
        let id = key.parse().map_err(|_| D::Error::invalid_value(Unexpected::Str(&key), &"token ids as keys"))?;
        Ok(TokenId(id))
    }
}

/// The value of `logit_bias`.
pub(super) fn next_biases<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<BTreeMap<u32, f32>>, A::Error> {
    let biases: Option<BTreeMap<TokenId, f32>> = map.next_value()?;
    Ok(biases.map(|all| all.into_iter().map(|(TokenId(id), bias)| (id, bias)).collect()))
}

pub(super) fn next_object<'de, A, T>(map: &mut A) -> Result<Option<T>, A::Error>
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
    use crate::api::chat_options::{PromptCacheMode, PromptCacheTtl};
    use crate::api::response_format::JsonSchema;
    use crate::api::tool_choice::ToolName;
    use crate::api::tools::{CustomTool, FunctionDefinition, GrammarSyntax};

    fn request() -> CreateChatCompletionRequest {
        CreateChatCompletionRequest::new("m", [ChatCompletionMessage::user("hi")])
    }

    #[test]
    fn every_field_survives_json() {
        let custom = CustomTool::new("c").description("d").grammar(GrammarSyntax::Regex, "a+");
        let function = serde_json::from_value(json!({"name": "g", "parameters": {}})).unwrap();
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
            .frequency_penalty(0.5)
            .presence_penalty(-0.5)
            .logit_bias([(7, -100.0), (70, 0.5)])
            .logprobs(true)
            .top_logprobs(3)
            .n(2)
            .reasoning_effort(ReasoningEffort::Xhigh)
            .prediction(PredictionContent::new("a"))
            .response_format(JsonSchema::new("s", json!({"type": "object"})).description("d").strict(true))
            .tools([ChatCompletionTool::from(FunctionDefinition::new("f")), custom.into()])
            .tool_choice(ToolChoice::Named(ToolName::function("f")))
            .parallel_tool_calls(false)
            .top_k(40)
            .min_p(0.05)
            .repeat_penalty(1.1)
            .grammar("start: /a/")
            .chat_template_kwarg("enable_thinking", false)
            .ignore_eos(true);
        full.verbosity = Some(Verbosity::Medium);
        full.modalities = Some(vec![Modality::Text]);
        full.functions = Some(vec![function]);
        full.function_call = Some(FunctionCallOption::named("g"));
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
        // Each of the 40 keys was set above, so that a new field fails here until it is read.
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value.as_object().unwrap().len(), 40);
    }

    #[test]
    fn unset_fields_are_not_written() {
        let json = serde_json::to_string(&request()).unwrap();
        assert_eq!(json, r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#);
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
