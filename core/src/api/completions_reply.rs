//! The answer of `/v1/completions`, whole and in chunks (CO1 to CO5).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::chat_chunk::present;
use super::chat_reply::FinishReason;
use super::usage::CompletionUsage;

/// A whole answer, or a chunk of one (CO1).
///
/// ```
/// use zerohop::types::{Completion, FinishReason};
///
/// let json = r#"{
///     "id": "cmpl-1", "object": "text_completion", "created": 1700000000, "model": "base",
///     "choices": [{"index": 0, "text": " 4, 5", "logprobs": null, "finish_reason": "length"}],
///     "usage": {"prompt_tokens": 6, "completion_tokens": 4, "total_tokens": 10},
///     "system_fingerprint": null
/// }"#;
/// let reply: Completion = serde_json::from_str(json).unwrap();
/// assert_eq!(reply.text(), Some(" 4, 5"));
/// assert_eq!(reply.choices[0].finish_reason, Some(FinishReason::Length));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Completion {
    /// A unique name of the answer, starting with `cmpl-`.
    pub id: String,
    /// Always `text_completion`.
    pub object: CompletionObject,
    /// When the answer was made, in seconds since 1970.
    pub created: u64,
    /// The model, as the request named it.
    pub model: String,
    /// The answers, in the order of the prompts, `n` for each (CO2). In a chunk, the pieces that have
    /// come; none in the one that reports the usage.
    pub choices: Vec<CompletionChoice>,
    /// The tokens used. In a chunk: absent unless the request asks for it, then null until the last.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub usage: Option<Option<CompletionUsage>>,
    /// Changes with whatever may change the text that a seed gives (CQ12); null if unknown.
    pub system_fingerprint: Option<String>,
}

impl Completion {
    /// The text of the first choice; `None` in a chunk without any.
    pub fn text(&self) -> Option<&str> {
        Some(self.choices.first()?.text.as_str())
    }

    /// The tokens used; in a stream, only ever in the last chunk.
    pub fn usage(&self) -> Option<&CompletionUsage> {
        self.usage.as_ref()?.as_ref()
    }
}

/// The fixed `object` of a [`Completion`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CompletionObject {
    /// `text_completion`
    #[default]
    #[serde(rename = "text_completion")]
    TextCompletion,
}

/// One of the answers to a request, or a piece of one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CompletionChoice {
    /// Which answer this is, from 0: the prompt's number times `n`, and then the answer's (CO2).
    pub index: u32,
    /// What the model wrote, after the prompt if the request has `echo`.
    pub text: String,
    /// How likely the tokens were; null unless asked for.
    pub logprobs: Option<CompletionLogprobs>,
    /// Why the answer ended; null in a chunk before its last.
    pub finish_reason: Option<FinishReason>,
}

/// How likely a text's tokens were: lists of one length (CO4).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CompletionLogprobs {
    /// The tokens' texts; `bytes:\xe2\x82` for one that is a part of a character.
    pub tokens: Vec<String>,
    /// The natural logarithms of their probabilities, -9999 for very unlikely ones; null for a
    /// prompt's first token (CO5).
    pub token_logprobs: Vec<Option<f32>>,
    /// The likeliest tokens in each place, as many as were asked for, and the one that stands there;
    /// null for a prompt's first token.
    pub top_logprobs: Vec<Option<BTreeMap<String, f32>>>,
    /// Where in the returned text each begins, in characters (Unicode scalar values).
    pub text_offset: Vec<u32>,
}

impl CompletionLogprobs {
    /// Adds what follows.
    pub(crate) fn extend(&mut self, more: CompletionLogprobs) {
        self.tokens.extend(more.tokens);
        self.token_logprobs.extend(more.token_logprobs);
        self.top_logprobs.extend(more.top_logprobs);
        self.text_offset.extend(more.text_offset);
    }
}
