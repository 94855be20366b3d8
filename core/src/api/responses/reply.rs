//! The object of `/v1/responses` (RE3, RE4).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::item::{InputItem, OutputItem};
use super::options::{Reasoning, TextConfig, Truncation};
use super::tools::{flat_choice, flat_tools};
use crate::api::chat_options::{PromptCacheRetention, ServiceTier};
use crate::api::stored::Page;
use crate::api::tool_choice::ToolChoice;
use crate::api::tools::ChatCompletionTool;
use crate::api::usage::CompletionUsage;

/// An answer, and what it was asked with (RE3).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Response {
    /// A unique name of the response, starting with `resp_`.
    pub id: String,
    /// Always `response`.
    pub object: ResponseObject,
    /// When it was begun, in seconds since 1970.
    pub created_at: u64,
    /// How far it is.
    pub status: ResponseStatus,
    /// Always false.
    pub background: bool,
    /// When it was finished, in seconds since 1970; null until then, and if it was cut or failed.
    pub completed_at: Option<u64>,
    /// What went wrong; null unless it failed.
    pub error: Option<ResponseError>,
    /// Why it is not whole; null unless it is `incomplete`.
    pub incomplete_details: Option<IncompleteDetails>,
    /// The request's instructions.
    pub instructions: Option<String>,
    /// The request's limit.
    pub max_output_tokens: Option<u32>,
    /// The request's limit.
    pub max_tool_calls: Option<u32>,
    /// Labels of the caller's.
    pub metadata: BTreeMap<String, String>,
    /// The model, as the request named it.
    pub model: String,
    /// What the model said, thought and called, in the order in which it did.
    pub output: Vec<OutputItem>,
    /// Whether one answer might call several tools.
    pub parallel_tool_calls: bool,
    /// The response that it goes on from.
    pub previous_response_id: Option<String>,
    /// As the request had it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_cache_key: Option<String>,
    /// As the request had it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_cache_retention: Option<PromptCacheRetention>,
    /// How the model was to think.
    pub reasoning: Reasoning,
    /// As the request had it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub safety_identifier: Option<String>,
    /// As the request had it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_tier: Option<ServiceTier>,
    /// Whether it is kept for later.
    pub store: bool,
    /// How random the choice of tokens was.
    pub temperature: f32,
    /// The form of the text.
    pub text: TextConfig,
    /// Which tools the model might or had to call.
    #[serde(with = "flat_choice")]
    pub tool_choice: ToolChoice,
    /// The tools that the model might call.
    #[serde(with = "flat_tools")]
    pub tools: Vec<ChatCompletionTool>,
    /// How many of the likeliest tokens are told in each place.
    pub top_logprobs: u32,
    /// What share of the probability was sampled from.
    pub top_p: f32,
    /// What was to be done with a conversation that is too long.
    pub truncation: Truncation,
    /// The tokens used; null until the end.
    pub usage: Option<ResponseUsage>,
    /// As the request had it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

impl Response {
    /// The texts of all messages, joined.
    pub fn output_text(&self) -> String {
        self.output.iter().filter_map(OutputItem::text).collect()
    }
}

/// The fixed `object` of a [`Response`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResponseObject {
    /// `response`
    #[default]
    #[serde(rename = "response")]
    Response,
}

/// How far a response is (RE3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ResponseStatus {
    /// It is whole.
    Completed,
    /// Something went wrong.
    Failed,
    /// More is to come.
    InProgress,
    /// Its caller cancelled it.
    Cancelled,
    /// It has not been begun.
    Queued,
    /// A limit has cut it.
    Incomplete,
}

/// What went wrong with a response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ResponseError {
    /// `server_error`, `rate_limit_exceeded` or `invalid_prompt`.
    pub code: String,
    /// What happened and what to do about it.
    pub message: String,
}

/// Why a response is not whole (RE3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct IncompleteDetails {
    /// What has cut it.
    pub reason: IncompleteReason,
}

/// What has cut a response (RE3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum IncompleteReason {
    /// The token limit, or the end of the context.
    MaxOutputTokens,
    /// A filter.
    ContentFilter,
}

/// The tokens that a response used (RE4).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ResponseUsage {
    /// Tokens of everything that was said before.
    pub input_tokens: u32,
    /// Of these, how many were which.
    pub input_tokens_details: InputTokensDetails,
    /// Tokens of the answer.
    pub output_tokens: u32,
    /// Of these, how many were which.
    pub output_tokens_details: OutputTokensDetails,
    /// The sum of the two.
    pub total_tokens: u32,
}

/// Of the input's tokens, how many were which (RE4).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InputTokensDetails {
    /// Tokens of a prefix that was reused instead of computed.
    pub cached_tokens: u32,
    /// Tokens that were written into a cache that is paid for; always 0.
    pub cache_write_tokens: u32,
}

/// Of the answer's tokens, how many were which (RE4).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OutputTokensDetails {
    /// Tokens of thoughts.
    pub reasoning_tokens: u32,
}

impl From<CompletionUsage> for ResponseUsage {
    fn from(usage: CompletionUsage) -> Self {
        let cached_tokens = usage.prompt_tokens_details.cached_tokens;
        let reasoning_tokens = usage.completion_tokens_details.reasoning_tokens;
        ResponseUsage {
            input_tokens: usage.prompt_tokens,
            input_tokens_details: InputTokensDetails { cached_tokens, cache_write_tokens: 0 },
            output_tokens: usage.completion_tokens,
            output_tokens_details: OutputTokensDetails { reasoning_tokens },
            total_tokens: usage.total_tokens,
        }
    }
}

/// What is left of a deleted response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DeletedResponse {
    /// Its id.
    pub id: String,
    /// Always `response`.
    pub object: ResponseObject,
    /// Always true.
    pub deleted: bool,
}

/// Items of a conversation, a page of them.
pub type ResponseItemList = Page<InputItem>;

/// How many tokens a request's input is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InputTokenCount {
    /// Always `response.input_tokens`.
    pub object: InputTokensObject,
    /// The tokens.
    pub input_tokens: u32,
}

/// The fixed `object` of an [`InputTokenCount`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum InputTokensObject {
    /// `response.input_tokens`
    #[default]
    #[serde(rename = "response.input_tokens")]
    InputTokens,
}
