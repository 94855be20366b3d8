//! The answers of `/v1/chat/completions`: whole (CR1 to CR14) and in chunks (CS2 to CS6).
//!
//! Which keys are always present, null or absent is part of the contract, so each optional field
//! says which of the two its `None` means. Reading ignores unknown keys, so that other providers'
//! answers can be read too.

use serde::{Deserialize, Deserializer, Serialize};

use super::chat::ServiceTier;
use super::content::{ChatCompletionMessage, MessageContent, Role};

/// A whole answer.
///
/// ```
/// use zerohop::types::{ChatCompletion, FinishReason};
///
/// let json = r#"{
///     "id": "chatcmpl-1", "object": "chat.completion", "created": 1700000000, "model": "chat",
///     "choices": [{
///         "index": 0,
///         "message": {"role": "assistant", "content": "Paris", "refusal": null},
///         "logprobs": null,
///         "finish_reason": "stop"
///     }],
///     "usage": {"prompt_tokens": 14, "completion_tokens": 2, "total_tokens": 16},
///     "system_fingerprint": null
/// }"#;
/// let reply: ChatCompletion = serde_json::from_str(json).unwrap();
/// assert_eq!(reply.text(), Some("Paris"));
/// assert_eq!(reply.choices[0].finish_reason, FinishReason::Stop);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ChatCompletion {
    /// A unique name of the answer, starting with `chatcmpl-`.
    pub id: String,
    /// Always `chat.completion`.
    pub object: ChatCompletionObject,
    /// When the answer was made, in seconds since 1970.
    pub created: u64,
    /// The model, as the request named it.
    pub model: String,
    /// The answers, one for each that was asked for (CR2).
    pub choices: Vec<Choice>,
    /// The tokens used.
    pub usage: CompletionUsage,
    /// The class of service; absent unless the request named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_tier: Option<ServiceTier>,
    /// Changes with whatever may change the text that a seed gives (CQ12); null if unknown.
    pub system_fingerprint: Option<String>,
}

impl ChatCompletion {
    /// The text of the first choice; `None` if it has none.
    pub fn text(&self) -> Option<&str> {
        self.choices.first()?.message.content.as_deref()
    }
}

/// The fixed `object` of a [`ChatCompletion`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChatCompletionObject {
    /// `chat.completion`
    #[default]
    #[serde(rename = "chat.completion")]
    ChatCompletion,
}

/// One of the answers to a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Choice {
    /// Which answer this is, from 0.
    pub index: u32,
    /// What the model says.
    pub message: ChatCompletionResponseMessage,
    /// How likely the tokens were; null unless asked for (CR8).
    pub logprobs: Option<ChoiceLogprobs>,
    /// Why the answer ended.
    pub finish_reason: FinishReason,
}

/// What the model says.
///
/// It becomes history with `into()`:
///
/// ```
/// # let json = r#"{"role": "assistant", "content": "Paris", "refusal": null}"#;
/// # let message: zerohop::types::ChatCompletionResponseMessage = serde_json::from_str(json).unwrap();
/// use zerohop::types::ChatCompletionMessage;
///
/// let mut messages = vec![ChatCompletionMessage::user("What is the capital of France?")];
/// messages.push(message.into());
/// messages.push(ChatCompletionMessage::user("And of Italy?"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ChatCompletionResponseMessage {
    /// Always [`Role::Assistant`].
    pub role: Role,
    /// The text; null if there is none (CR5).
    pub content: Option<String>,
    /// The words of refusal; null unless the model refused (CR5).
    pub refusal: Option<String>,
}

impl From<ChatCompletionResponseMessage> for ChatCompletionMessage {
    fn from(message: ChatCompletionResponseMessage) -> Self {
        let mut history = ChatCompletionMessage::empty(message.role);
        history.content = message.content.map(MessageContent::Text);
        history.refusal = message.refusal;
        history
    }
}

/// Why an answer ended (CR3, CR4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FinishReason {
    /// The model ended its turn, or a stop text came.
    Stop,
    /// The token limit or the end of the context cut the answer.
    Length,
    /// The model calls tools.
    ToolCalls,
    /// A filter withheld content.
    ContentFilter,
    /// The model calls a function (deprecated).
    FunctionCall,
}

/// How likely a choice's tokens were (CR8).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ChoiceLogprobs {
    /// One entry for each token of the content; null if there is none.
    pub content: Option<Vec<TokenLogprob>>,
    /// One entry for each token of the refusal; null if there is none.
    pub refusal: Option<Vec<TokenLogprob>>,
}

/// How likely a token was (CR9).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TokenLogprob {
    /// The token's text.
    pub token: String,
    /// The natural logarithm of its probability; -9999 for very unlikely tokens.
    pub logprob: f32,
    /// The token's bytes, which joined over the entries are the text (CR10).
    pub bytes: Option<Vec<u8>>,
    /// The likeliest tokens in its place, in descending order; empty if none were asked for.
    pub top_logprobs: Vec<TopLogprob>,
}

/// One of the likeliest tokens in a place (CR9).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TopLogprob {
    /// The token's text.
    pub token: String,
    /// The natural logarithm of its probability.
    pub logprob: f32,
    /// The token's bytes.
    pub bytes: Option<Vec<u8>>,
}

/// The tokens that a request used (CR12).
///
/// ```
/// use zerohop::types::CompletionUsage;
///
/// let usage = CompletionUsage::new(14, 2);
/// assert_eq!(usage.total_tokens, 16);
/// assert_eq!(usage.prompt_tokens_details.cached_tokens, 0);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CompletionUsage {
    /// Tokens of the prompt; counted once, however many answers were asked for.
    pub prompt_tokens: u32,
    /// Tokens of all answers.
    pub completion_tokens: u32,
    /// The sum of the two.
    pub total_tokens: u32,
    /// Of the prompt's tokens, how many were which.
    #[serde(default)]
    pub prompt_tokens_details: PromptTokensDetails,
    /// Of the answers' tokens, how many were which.
    #[serde(default)]
    pub completion_tokens_details: CompletionTokensDetails,
}

impl CompletionUsage {
    /// The usage of so many tokens, with all details at 0.
    pub fn new(prompt_tokens: u32, completion_tokens: u32) -> Self {
        CompletionUsage {
            prompt_tokens,
            completion_tokens,
            total_tokens: prompt_tokens.saturating_add(completion_tokens),
            ..Self::default()
        }
    }
}

/// Of the prompt's tokens, how many were which (CR13).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct PromptTokensDetails {
    /// Tokens of a prefix that was reused instead of computed.
    pub cached_tokens: u32,
    /// Tokens of sound.
    pub audio_tokens: u32,
}

/// Of the answers' tokens, how many were which (CR14).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct CompletionTokensDetails {
    /// Tokens of reasoning, which are not in the content.
    pub reasoning_tokens: u32,
    /// Tokens of sound.
    pub audio_tokens: u32,
    /// Tokens of the prediction that are in the answer.
    pub accepted_prediction_tokens: u32,
    /// Tokens of the prediction that are not in the answer.
    pub rejected_prediction_tokens: u32,
}

/// A piece of a streamed answer (CS2).
///
/// ```
/// use zerohop::types::ChatCompletionChunk;
///
/// let json = r#"{
///     "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000,
///     "model": "chat", "system_fingerprint": null,
///     "choices": [{"index": 0, "delta": {"content": "Pa"}, "logprobs": null, "finish_reason": null}]
/// }"#;
/// let chunk: ChatCompletionChunk = serde_json::from_str(json).unwrap();
/// assert_eq!(chunk.text(), Some("Pa"));
/// assert_eq!(chunk.usage(), None);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ChatCompletionChunk {
    /// A unique name of the answer, the same in all its chunks.
    pub id: String,
    /// Always `chat.completion.chunk`.
    pub object: ChatCompletionChunkObject,
    /// When the answer was begun, in seconds since 1970; the same in all its chunks.
    pub created: u64,
    /// The model, as the request named it.
    pub model: String,
    /// What has come to the answers; empty in the chunk that reports the usage alone.
    pub choices: Vec<ChunkChoice>,
    /// The class of service; absent unless the request named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_tier: Option<ServiceTier>,
    /// As in [`ChatCompletion`]; null if unknown.
    pub system_fingerprint: Option<String>,
    /// The tokens used: absent (`None`) unless the request set `include_usage`, else null
    /// (`Some(None)`) in all chunks but the last (CS5, CS6). [`usage`](Self::usage) is easier to read.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub usage: Option<Option<CompletionUsage>>,
}

impl ChatCompletionChunk {
    /// What has come to the text of the first choice; `None` if nothing has.
    pub fn text(&self) -> Option<&str> {
        self.choices.first()?.delta.content.as_deref()
    }

    /// The tokens used; only ever in the last chunk.
    pub fn usage(&self) -> Option<&CompletionUsage> {
        self.usage.as_ref()?.as_ref()
    }
}

/// Reads a key that is present; serde alone would take null for absence.
fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// The fixed `object` of a [`ChatCompletionChunk`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChatCompletionChunkObject {
    /// `chat.completion.chunk`
    #[default]
    #[serde(rename = "chat.completion.chunk")]
    ChatCompletionChunk,
}

/// What has come to one of the answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ChunkChoice {
    /// Which answer, from 0.
    pub index: u32,
    /// What has come to it.
    pub delta: ChunkDelta,
    /// How likely this chunk's tokens were; null unless asked for (CR8).
    pub logprobs: Option<ChoiceLogprobs>,
    /// Why the answer ended; null until its last chunk (CS4).
    pub finish_reason: Option<FinishReason>,
}

/// What has come to a message; keys without news are absent (CS3, CS4).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ChunkDelta {
    /// [`Role::Assistant`] in an answer's first chunk only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Text to append; empty in the first chunk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Words of refusal to append.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn chunk(choices: Vec<ChunkChoice>) -> ChatCompletionChunk {
        ChatCompletionChunk {
            id: "chatcmpl-1".to_owned(),
            object: ChatCompletionChunkObject::default(),
            created: 1,
            model: "m".to_owned(),
            choices,
            service_tier: None,
            system_fingerprint: Some("fp".to_owned()),
            usage: None,
        }
    }

    fn news(delta: ChunkDelta, finish_reason: Option<FinishReason>) -> ChunkChoice {
        ChunkChoice { index: 0, delta, logprobs: None, finish_reason }
    }

    fn round_trip(chunk: &ChatCompletionChunk) -> Value {
        let value = serde_json::to_value(chunk).unwrap();
        assert_eq!(&serde_json::from_value::<ChatCompletionChunk>(value.clone()).unwrap(), chunk);
        value
    }

    #[test]
    fn a_whole_answer_has_every_key() {
        // CR1, CR3, CR5, CR6, CR8, CR12, CR13, CR14
        let reply = ChatCompletion {
            id: "chatcmpl-1".to_owned(),
            object: ChatCompletionObject::default(),
            created: 1,
            model: "m".to_owned(),
            choices: vec![Choice {
                index: 0,
                message: ChatCompletionResponseMessage { role: Role::Assistant, content: None, refusal: None },
                logprobs: None,
                finish_reason: FinishReason::ContentFilter,
            }],
            usage: CompletionUsage::new(3, 4),
            service_tier: None,
            system_fingerprint: None,
        };
        let expected = json!({
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [{
                "index": 0,
                "message": {"role": "assistant", "content": null, "refusal": null},
                "logprobs": null,
                "finish_reason": "content_filter",
            }],
            "usage": {
                "prompt_tokens": 3,
                "completion_tokens": 4,
                "total_tokens": 7,
                "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
                "completion_tokens_details": {
                    "reasoning_tokens": 0,
                    "audio_tokens": 0,
                    "accepted_prediction_tokens": 0,
                    "rejected_prediction_tokens": 0,
                },
            },
            "system_fingerprint": null,
        });
        assert_eq!(serde_json::to_value(&reply).unwrap(), expected);
        assert_eq!(serde_json::from_value::<ChatCompletion>(expected).unwrap(), reply);
        assert_eq!(reply.text(), None);
    }

    #[test]
    fn first_and_last_deltas() {
        // CS2, CS3, CS4, CS6
        let first = ChunkDelta { role: Some(Role::Assistant), content: Some(String::new()), ..ChunkDelta::default() };
        let value = round_trip(&chunk(vec![news(first, None)]));
        assert_eq!(value["object"], "chat.completion.chunk");
        assert!(!value.as_object().unwrap().contains_key("usage"));
        let choice = json!({
            "index": 0,
            "delta": {"role": "assistant", "content": ""},
            "logprobs": null,
            "finish_reason": null,
        });
        assert_eq!(value["choices"][0], choice);

        let last = news(ChunkDelta::default(), Some(FinishReason::Length));
        let value = round_trip(&chunk(vec![last]));
        assert_eq!(value["choices"][0]["delta"], json!({}));
        assert_eq!(value["choices"][0]["finish_reason"], "length");
    }

    #[test]
    fn usage_is_absent_null_or_there() {
        // CS5
        let delta = ChunkDelta { content: Some("a".to_owned()), ..ChunkDelta::default() };
        let waiting = ChatCompletionChunk { usage: Some(None), ..chunk(vec![news(delta, None)]) };
        let value = round_trip(&waiting);
        assert!(value.as_object().unwrap()["usage"].is_null());
        assert_eq!((waiting.text(), waiting.usage()), (Some("a"), None));

        let usage = Some(Some(CompletionUsage::new(1, 2)));
        let last = ChatCompletionChunk { usage, ..chunk(vec![]) };
        let value = round_trip(&last);
        assert_eq!((&value["choices"], &value["usage"]["total_tokens"]), (&json!([]), &json!(3)));
        assert_eq!((last.text(), last.usage()), (None, Some(&CompletionUsage::new(1, 2))));
    }

    #[test]
    fn another_object_is_no_answer() {
        let mut value = serde_json::to_value(chunk(vec![])).unwrap();
        value["object"] = json!("chat.completion");
        assert!(serde_json::from_value::<ChatCompletionChunk>(value).is_err());
    }

    #[test]
    fn finish_reasons_are_the_apis() {
        // CR3
        for (reason, word) in [
            (FinishReason::Stop, "stop"),
            (FinishReason::Length, "length"),
            (FinishReason::ToolCalls, "tool_calls"),
            (FinishReason::ContentFilter, "content_filter"),
            (FinishReason::FunctionCall, "function_call"),
        ] {
            assert_eq!(serde_json::to_value(reason).unwrap(), word);
        }
    }

    #[test]
    fn an_answer_becomes_history() {
        // CR16
        let message =
            ChatCompletionResponseMessage { role: Role::Assistant, content: Some("hi".to_owned()), refusal: None };
        let json = serde_json::to_value(&message).unwrap();
        let history = ChatCompletionMessage::from(message);
        assert_eq!(history, ChatCompletionMessage::assistant("hi"));
        assert_eq!(serde_json::from_value::<ChatCompletionMessage>(json).unwrap(), history);
    }
}
