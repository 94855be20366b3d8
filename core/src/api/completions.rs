//! The request of `/v1/completions`, the API's older endpoint for plain text (CO1 to CO8).

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::chat::{next_biases, next_object};
use super::chat_options::{Stop, StreamOptions};
use super::chat_validate::{check_range, check_sampling_params};
use super::embeddings::EmbeddingInput;
use super::error::{Error, Result};
use super::ext::CompletionExtensions;
use super::response_format::ResponseFormat;
use crate::generate::SamplingParams;

/// The most answers of one request, those that `best_of` drops included.
const MAX_CHOICES: usize = 2048;

/// The number of tokens generated unless the request says otherwise (CO3).
const DEFAULT_MAX_TOKENS: u32 = 16;

/// Which text to go on from, and how. No chat template is applied (CO8).
///
/// Every optional field that is `None` has the default that its documentation names. A request is
/// checked when it is sent: a value out of range is a 400 that names the parameter.
///
/// ```
/// use zerohop::types::CreateCompletionRequest;
///
/// let request = CreateCompletionRequest::new("base", "Once upon a time")
///     .max_tokens(64)
///     .temperature(0.7)
///     .stop("\n\n");
/// assert_eq!(request.max_tokens, Some(64));
/// ```
///
/// It reads and writes the API's JSON:
///
/// ```
/// use zerohop::types::CreateCompletionRequest;
///
/// let json = r#"{"model":"base","prompt":["a","b"],"echo":true,"logprobs":2,"max_tokens":0}"#;
/// let request: CreateCompletionRequest = serde_json::from_str(json).unwrap();
/// assert_eq!(request.prompt.as_ref().unwrap().len(), 2);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[must_use = "a request does nothing until it is sent"]
#[non_exhaustive]
pub struct CreateCompletionRequest {
    /// The name of the model.
    pub model: String,
    /// The texts to go on from. `None` begins a new text, as an empty one does (CO2).
    pub prompt: Option<CompletionPrompt>,
    /// How many answers to generate, of which the `n` whose tokens were the likeliest on average are
    /// given; from `n` to 20, not with a stream. Default `n` (CO7).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub best_of: Option<u32>,
    /// Whether the answer begins with the prompt. With `logprobs` the prompt's tokens are told too,
    /// and `max_tokens` 0 does nothing but that (CO5). Default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub echo: Option<bool>,
    /// Makes tokens less likely the more often they have come already, from -2 to 2; below 0 likelier.
    /// Default 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frequency_penalty: Option<f32>,
    /// What is added to the logits of tokens, from -100, which bans one, to 100, which forces it.
    /// Default nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logit_bias: Option<BTreeMap<u32, f32>>,
    /// Tells how likely the tokens were, with this many of the likeliest in each place, from 0 to 5.
    /// Default not at all (CO4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<u32>,
    /// The most tokens to generate. Default 16 (CO3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// How many answers to give to each prompt, from 1 to 128. Default 1 (CO2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n: Option<u32>,
    /// Makes tokens less likely that have come already, from -2 to 2; below 0 likelier. Default 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub presence_penalty: Option<f32>,
    /// Makes sampling repeatable: the same seed, parameters and `system_fingerprint` give the same
    /// text. By default every prompt draws its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// Texts that end the answer and are not part of it. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
    /// Whether the answer comes in chunks. The typed calls go by their name instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<bool>,
    /// What the chunks contain; only with `stream`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_options: Option<StreamOptions>,
    /// The text after the gap that the answer fills, for models that were trained to fill in; an empty
    /// one is none (CO6).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suffix: Option<String>,
    /// How random the choice of tokens is, from 0 (always the likeliest) to 2. Default 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
    /// Sample only among the likeliest tokens that together have this probability, from 0 to 1.
    /// Default 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f32>,
    /// The end user behind the request, for the records of hosted services; without effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Parameters that the API does not have.
    #[serde(flatten)]
    pub ext: CompletionExtensions,
}

impl CreateCompletionRequest {
    /// A request to go on from `prompt`: a text, texts, a text's tokens, or several texts' tokens.
    pub fn new(model: impl Into<String>, prompt: impl Into<CompletionPrompt>) -> Self {
        CreateCompletionRequest { model: model.into(), prompt: Some(prompt.into()), ..Self::default() }
    }

    /// Sets [`best_of`](Self::best_of).
    pub fn best_of(mut self, best_of: u32) -> Self {
        self.best_of = Some(best_of);
        self
    }

    /// Sets [`echo`](Self::echo).
    pub fn echo(mut self, echo: bool) -> Self {
        self.echo = Some(echo);
        self
    }

    /// Sets [`frequency_penalty`](Self::frequency_penalty).
    pub fn frequency_penalty(mut self, penalty: f32) -> Self {
        self.frequency_penalty = Some(penalty);
        self
    }

    /// Sets [`logit_bias`](Self::logit_bias), such as `[(198, -100.0)]`.
    pub fn logit_bias(mut self, pairs: impl IntoIterator<Item = (u32, f32)>) -> Self {
        self.logit_bias = Some(pairs.into_iter().collect());
        self
    }

    /// Sets [`logprobs`](Self::logprobs).
    pub fn logprobs(mut self, count: u32) -> Self {
        self.logprobs = Some(count);
        self
    }

    /// Sets [`max_tokens`](Self::max_tokens).
    pub fn max_tokens(mut self, tokens: u32) -> Self {
        self.max_tokens = Some(tokens);
        self
    }

    /// Sets [`n`](Self::n).
    pub fn n(mut self, n: u32) -> Self {
        self.n = Some(n);
        self
    }

    /// Sets [`presence_penalty`](Self::presence_penalty).
    pub fn presence_penalty(mut self, penalty: f32) -> Self {
        self.presence_penalty = Some(penalty);
        self
    }

    /// Sets [`seed`](Self::seed).
    pub fn seed(mut self, seed: i64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Sets [`stop`](Self::stop): one text, `"END"`, or up to four, `["\n\n", "END"]`.
    pub fn stop(mut self, stop: impl Into<Stop>) -> Self {
        self.stop = Some(stop.into());
        self
    }

    /// Sets [`stream_options`](Self::stream_options).
    pub fn stream_options(mut self, options: StreamOptions) -> Self {
        self.stream_options = Some(options);
        self
    }

    /// Sets [`suffix`](Self::suffix).
    pub fn suffix(mut self, suffix: impl Into<String>) -> Self {
        self.suffix = Some(suffix.into());
        self
    }

    /// Sets [`temperature`](Self::temperature).
    pub fn temperature(mut self, temperature: f32) -> Self {
        self.temperature = Some(temperature);
        self
    }

    /// Sets [`top_p`](Self::top_p).
    pub fn top_p(mut self, top_p: f32) -> Self {
        self.top_p = Some(top_p);
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

    /// A Lark grammar that the text follows (an extension).
    pub fn grammar(mut self, lark: impl Into<String>) -> Self {
        self.ext.grammar = Some(lark.into());
        self
    }

    /// The form of the text (an extension).
    pub fn response_format(mut self, format: impl Into<ResponseFormat>) -> Self {
        self.ext.response_format = Some(format.into());
        self
    }

    /// Whether to go on where the model would end the text (an extension).
    pub fn ignore_eos(mut self, ignore: bool) -> Self {
        self.ext.ignore_eos = Some(ignore);
        self
    }
}

impl CreateCompletionRequest {
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

    /// How many answers each prompt gets.
    pub(crate) fn choices(&self) -> u32 {
        self.n.unwrap_or(1)
    }

    /// How many answers are generated for each prompt.
    pub(crate) fn candidates(&self) -> u32 {
        self.best_of.unwrap_or(self.choices())
    }

    /// The most tokens to generate.
    pub(crate) fn token_limit(&self) -> u32 {
        self.max_tokens.unwrap_or(DEFAULT_MAX_TOKENS)
    }

    /// The text after the gap, if there is one to be filled.
    pub(crate) fn gap(&self) -> Option<&str> {
        self.suffix.as_deref().filter(|suffix| !suffix.is_empty())
    }

    /// Whether the prompt's tokens are told.
    pub(crate) fn scores_prompt(&self) -> bool {
        self.echo == Some(true) && self.logprobs.is_some()
    }

    /// Checks everything that does not depend on the model. `streams` is whether the answer is to come
    /// in chunks.
    pub(crate) fn validate(&self, streams: bool) -> Result<()> {
        self.prompt.as_ref().map_or(Ok(()), CompletionPrompt::validate)?;
        check_sampling_params(&self.sampling_params())?;
        check_range("n", self.n, 1..=128)?;
        check_range("logprobs", self.logprobs, 0..=5)?;
        self.check_best_of(streams)?;
        let prompts = self.prompt.as_ref().map_or(1, CompletionPrompt::len);
        if prompts * self.candidates() as usize > MAX_CHOICES {
            let message = format!(
                "{prompts} prompts of {} answers are more than {MAX_CHOICES} answers, the most of one request",
                self.candidates()
            );
            return Err(Error::invalid("prompt", message));
        }
        self.stop.as_ref().map_or(Ok(()), Stop::validate)?;
        if self.gap().is_some() && self.scores_prompt() {
            let message =
                "'echo' with 'logprobs' is not allowed beside 'suffix': the prompt's tokens have marks between them";
            return Err(Error::invalid("echo", message));
        }
        self.ext.validate()
    }

    /// CO7
    fn check_best_of(&self, streams: bool) -> Result<()> {
        let Some(best_of) = self.best_of else { return Ok(()) };
        check_range("best_of", Some(best_of), 1..=20)?;
        if best_of < self.choices() {
            let message = format!("'best_of' is {best_of}, but 'n' asks for {} answers", self.choices());
            return Err(Error::invalid("best_of", message));
        }
        if streams && best_of > self.choices() {
            let message = "'best_of' is not allowed with a stream: which answers are the best is known at their end";
            return Err(Error::invalid("best_of", message));
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for CreateCompletionRequest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RequestVisitor)
    }
}

/// Reads the keys one by one: derived, the extensions (`flatten`) would lose the path to an error.
struct RequestVisitor;

impl<'de> Visitor<'de> for RequestVisitor {
    type Value = CreateCompletionRequest;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut model = None;
        let mut prompt = None;
        let mut request = CreateCompletionRequest::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "model" => model = Some(map.next_value()?),
                "prompt" => prompt = Some(map.next_value()?),
                "best_of" => request.best_of = map.next_value()?,
                "echo" => request.echo = map.next_value()?,
                "frequency_penalty" => request.frequency_penalty = map.next_value()?,
                "logit_bias" => request.logit_bias = next_biases(&mut map)?,
                "logprobs" => request.logprobs = map.next_value()?,
                "max_tokens" => request.max_tokens = map.next_value()?,
                "n" => request.n = map.next_value()?,
                "presence_penalty" => request.presence_penalty = map.next_value()?,
                "seed" => request.seed = map.next_value()?,
                "stop" => request.stop = map.next_value()?,
                "stream" => request.stream = map.next_value()?,
                "stream_options" => request.stream_options = next_object(&mut map)?,
                "suffix" => request.suffix = map.next_value()?,
                "temperature" => request.temperature = map.next_value()?,
                "top_p" => request.top_p = map.next_value()?,
                "user" => request.user = map.next_value()?,
                key => {
                    if !request.ext.read(key, &mut map)? {
                        return Err(A::Error::unknown_field(key, &[]));
                    }
                }
            }
        }
        request.model = model.ok_or_else(|| A::Error::missing_field("model"))?;
        request.prompt = prompt.ok_or_else(|| A::Error::missing_field("prompt"))?;
        Ok(request)
    }
}

/// Texts to go on from (CO2).
///
/// In a text, the spellings of control tokens are these tokens, since nothing else can put them there:
/// do not pass on text that you do not trust, or pass its tokens. Where there is a `suffix`, they stay
/// text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum CompletionPrompt {
    /// One text.
    Text(String),
    /// Several texts.
    Texts(Vec<String>),
    /// One text's tokens. They are taken as they are: no token that the model wants before a text is
    /// added.
    Tokens(Vec<u32>),
    /// The tokens of several texts.
    TokenLists(Vec<Vec<u32>>),
}

impl CompletionPrompt {
    /// How many texts they are.
    pub fn len(&self) -> usize {
        match self {
            CompletionPrompt::Text(_) | CompletionPrompt::Tokens(_) => 1,
            CompletionPrompt::Texts(texts) => texts.len(),
            CompletionPrompt::TokenLists(lists) => lists.len(),
        }
    }

    /// Whether it is an empty list.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The path of one of the texts.
    pub(crate) fn path(&self, index: usize) -> String {
        match self {
            CompletionPrompt::Text(_) | CompletionPrompt::Tokens(_) => "prompt".to_owned(),
            CompletionPrompt::Texts(_) | CompletionPrompt::TokenLists(_) => format!("prompt[{index}]"),
        }
    }

    fn validate(&self) -> Result<()> {
        if self.is_empty() {
            return Err(Error::invalid("prompt", "'prompt' must not be an empty list"));
        }
        let empty = match self {
            CompletionPrompt::Tokens(tokens) => tokens.is_empty().then_some(0),
            CompletionPrompt::TokenLists(lists) => lists.iter().position(Vec::is_empty),
            CompletionPrompt::Text(_) | CompletionPrompt::Texts(_) => None,
        };
        match empty {
            Some(index) => {
                let param = self.path(index);
                Err(Error::invalid(param.clone(), format!("'{param}' must not be an empty list of tokens")))
            }
            None => Ok(()),
        }
    }
}

impl<'de> Deserialize<'de> for CompletionPrompt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The same four kinds, with their errors.
        EmbeddingInput::deserialize(deserializer).map(|input| match input {
            EmbeddingInput::Text(text) => CompletionPrompt::Text(text),
            EmbeddingInput::Texts(texts) => CompletionPrompt::Texts(texts),
            EmbeddingInput::Tokens(tokens) => CompletionPrompt::Tokens(tokens),
            EmbeddingInput::TokenLists(lists) => CompletionPrompt::TokenLists(lists),
        })
    }
}

impl From<&str> for CompletionPrompt {
    fn from(text: &str) -> Self {
        CompletionPrompt::Text(text.to_owned())
    }
}

impl From<String> for CompletionPrompt {
    fn from(text: String) -> Self {
        CompletionPrompt::Text(text)
    }
}

impl From<Vec<String>> for CompletionPrompt {
    fn from(texts: Vec<String>) -> Self {
        CompletionPrompt::Texts(texts)
    }
}

impl From<Vec<&str>> for CompletionPrompt {
    fn from(texts: Vec<&str>) -> Self {
        CompletionPrompt::Texts(texts.into_iter().map(str::to_owned).collect())
    }
}

impl<const N: usize> From<[&str; N]> for CompletionPrompt {
    fn from(texts: [&str; N]) -> Self {
        CompletionPrompt::Texts(texts.map(str::to_owned).into())
    }
}

impl From<Vec<u32>> for CompletionPrompt {
    fn from(tokens: Vec<u32>) -> Self {
        CompletionPrompt::Tokens(tokens)
    }
}

impl From<Vec<Vec<u32>>> for CompletionPrompt {
    fn from(lists: Vec<Vec<u32>>) -> Self {
        CompletionPrompt::TokenLists(lists)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::parse::parse_completion_request;

    fn parse(keys: &Value) -> Result<CreateCompletionRequest> {
        let mut body = json!({"model": "m", "prompt": "text"});
        body.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
        parse_completion_request(body.to_string().as_bytes())
    }

    #[test]
    fn every_field_survives_json() {
        let mut full = CreateCompletionRequest::new("m", ["a", "b"])
            .best_of(3)
            .echo(true)
            .frequency_penalty(0.5)
            .logit_bias([(7, -100.0)])
            .logprobs(3)
            .max_tokens(0)
            .n(2)
            .presence_penalty(-0.5)
            .seed(-1)
            .stop(["a", "b"])
            .stream_options(StreamOptions::default().include_usage(true))
            .suffix("s")
            .temperature(0.5)
            .top_p(0.9)
            .top_k(40)
            .min_p(0.05)
            .repeat_penalty(1.1)
            .grammar("start: /a/")
            .response_format(ResponseFormat::Text)
            .ignore_eos(true);
        full.stream = Some(true);
        full.user = Some("u".to_owned());
        let json = serde_json::to_value(&full).unwrap();
        // Each of the 24 keys was set above, so that a new field fails here until it is read.
        assert_eq!(json.as_object().unwrap().len(), 24);
        assert_eq!(serde_json::from_value::<CreateCompletionRequest>(json).unwrap(), full);
        let bare = serde_json::to_value(CreateCompletionRequest::new("m", "a")).unwrap();
        assert_eq!(bare, json!({"model": "m", "prompt": "a"}));
    }

    #[test]
    fn prompts_come_in_five_kinds() {
        // CO2
        let kinds: [(Value, Option<CompletionPrompt>, usize); 5] = [
            (json!("a"), Some("a".into()), 1),
            (json!(["a", ""]), Some(["a", ""].into()), 2),
            (json!([1, 2]), Some(vec![1, 2].into()), 1),
            (json!([[1], [2, 3]]), Some(vec![vec![1], vec![2, 3]].into()), 2),
            (json!(null), None, 1),
        ];
        for (json, prompt, count) in kinds {
            let request = parse(&json!({ "prompt": json })).unwrap();
            assert_eq!((&request.prompt, request.prompt.as_ref().map_or(1, CompletionPrompt::len)), (&prompt, count));
        }
    }

    #[test]
    fn bad_requests_name_the_parameter() {
        // CO2, CO4, CO7, CO8
        let bad = [
            (json!({"prompt": []}), "prompt"),
            (json!({"prompt": [[]]}), "prompt[0]"),
            (json!({"prompt": [[1], []]}), "prompt[1]"),
            (json!({"prompt": ["a", 1]}), "prompt[1]"),
            (json!({"prompt": [1, -1]}), "prompt[1]"),
            (json!({"prompt": {}}), "prompt"),
            (json!({"prompt": vec!["a"; 2049]}), "prompt"),
            (json!({"prompt": vec!["a"; 17], "n": 128}), "prompt"),
            (json!({"logprobs": 6}), "logprobs"),
            (json!({"logprobs": true}), "logprobs"),
            (json!({"n": 0}), "n"),
            (json!({"n": 129}), "n"),
            (json!({"best_of": 0}), "best_of"),
            (json!({"best_of": 21}), "best_of"),
            (json!({"best_of": 2, "n": 3}), "best_of"),
            (json!({"best_of": 3, "n": 2, "stream": true}), "best_of"),
            (json!({"max_tokens": -1}), "max_tokens"),
            (json!({"temperature": 2.1}), "temperature"),
            (json!({"top_p": -0.1}), "top_p"),
            (json!({"presence_penalty": 3}), "presence_penalty"),
            (json!({"frequency_penalty": -3}), "frequency_penalty"),
            (json!({"logit_bias": {"a": 1}}), "logit_bias.a"),
            (json!({"logit_bias": {"1": 101}}), "logit_bias.1"),
            (json!({"stop": ["a", "b", "c", "d", "e"]}), "stop"),
            (json!({"stream_options": {"include_usage": true}}), "stream_options"),
            (json!({"suffix": "a", "echo": true, "logprobs": 1}), "echo"),
            (json!({"min_p": 2}), "min_p"),
            (json!({"grammar": ""}), "grammar"),
            (json!({"grammar": "start: /a/", "response_format": {"type": "json_object"}}), "grammar"),
            (json!({"messages": []}), "messages"),
            (json!({"max_completion_tokens": 1}), "max_completion_tokens"),
            (json!({"chat_template_kwargs": {}}), "chat_template_kwargs"),
        ];
        for (keys, param) in bad {
            let error = parse(&keys).expect_err(&keys.to_string());
            assert_eq!((error.status(), error.param()), (Some(400), Some(param)), "{keys}: {error}");
        }
        assert_eq!(parse_completion_request(br#"{"model": "m"}"#).unwrap_err().param(), Some("prompt"));
        let ends = json!({"n": 2, "best_of": 20, "logprobs": 5, "max_tokens": 0, "suffix": "", "echo": true});
        assert!(parse(&ends).is_ok());
        assert!(parse(&json!({"n": 2, "best_of": 2, "stream": true, "stream_options": {}})).is_ok());
    }
}
