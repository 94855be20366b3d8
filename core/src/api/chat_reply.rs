//! The whole answer of `/v1/chat/completions` (CR1 to CR8).
//!
//! Which keys are always present, null or absent is part of the contract, so each optional field
//! says which of the two its `None` means. Reading ignores unknown keys, so that other providers'
//! answers can be read too.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::chat_options::ServiceTier;
use super::content::MessageContent;
use super::logprobs::ChoiceLogprobs;
use super::message::{ChatCompletionMessage, Role};
use super::tool_calls::{ChatCompletionMessageToolCall, FunctionCall};
use super::usage::CompletionUsage;

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
    /// Labels of the caller's, in an answer that was kept and is fetched later (CQ17).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
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
    /// The thoughts that led to the content (an extension, CR15); absent if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_content: Option<String>,
    /// The tools that the model calls, in the order in which it does; absent if there are none, and
    /// never empty (CR6).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_calls: Option<Vec<ChatCompletionMessageToolCall>>,
    /// The function that the model calls; absent unless the request had the deprecated `functions`
    /// (CQ18).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function_call: Option<FunctionCall>,
}

impl ChatCompletionResponseMessage {
    /// A message of the model's that says this, and nothing else.
    pub fn new(content: Option<String>) -> Self {
        ChatCompletionResponseMessage {
            role: Role::Assistant,
            content,
            refusal: None,
            reasoning_content: None,
            tool_calls: None,
            function_call: None,
        }
    }
}

impl From<ChatCompletionResponseMessage> for ChatCompletionMessage {
    fn from(message: ChatCompletionResponseMessage) -> Self {
        let mut history = ChatCompletionMessage::empty(message.role);
        history.content = message.content.map(MessageContent::Text);
        history.refusal = message.refusal;
        history.reasoning_content = message.reasoning_content;
        history.tool_calls = message.tool_calls.filter(|calls| !calls.is_empty());
        history.function_call = message.function_call;
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
                message: ChatCompletionResponseMessage::new(None),
                logprobs: None,
                finish_reason: FinishReason::ContentFilter,
            }],
            usage: CompletionUsage::new(3, 4),
            service_tier: None,
            system_fingerprint: None,
            metadata: None,
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
    fn calls_and_thoughts_are_keys_of_their_own() {
        // CR6, CR7, CR15, CQ18, TL5, TL6
        let call = ChatCompletionMessageToolCall::function("call_1", "f", "{}");
        let custom = ChatCompletionMessageToolCall::custom("call_2", "g", "text");
        let message = ChatCompletionResponseMessage {
            reasoning_content: Some("hm".to_owned()),
            tool_calls: Some(vec![call, custom]),
            ..ChatCompletionResponseMessage::new(None)
        };
        let expected = json!({
            "role": "assistant",
            "content": null,
            "refusal": null,
            "reasoning_content": "hm",
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                {"id": "call_2", "type": "custom", "custom": {"name": "g", "input": "text"}},
            ],
        });
        assert_eq!(serde_json::to_value(&message).unwrap(), expected);
        assert_eq!(serde_json::from_value::<ChatCompletionResponseMessage>(expected).unwrap(), message);

        let function_call = Some(FunctionCall::new("f", "{}"));
        let message = ChatCompletionResponseMessage { function_call, ..ChatCompletionResponseMessage::new(None) };
        let expected = json!({
            "role": "assistant",
            "content": null,
            "refusal": null,
            "function_call": {"name": "f", "arguments": "{}"},
        });
        assert_eq!(serde_json::to_value(&message).unwrap(), expected);
    }

    #[test]
    fn an_answer_becomes_history() {
        // CR16
        let mut message = ChatCompletionResponseMessage::new(Some("hi".to_owned()));
        let same_as_json = |message: &ChatCompletionResponseMessage| {
            let json = serde_json::to_value(message).unwrap();
            let history = ChatCompletionMessage::from(message.clone());
            assert_eq!(serde_json::from_value::<ChatCompletionMessage>(json).unwrap(), history);
            history
        };
        assert_eq!(same_as_json(&message), ChatCompletionMessage::assistant("hi"));

        message.tool_calls = Some(vec![ChatCompletionMessageToolCall::function("a", "f", "{}")]);
        message.reasoning_content = Some("hm".to_owned());
        assert_eq!(same_as_json(&message).tool_calls, message.tool_calls);
        message.tool_calls = Some(Vec::new());
        message.function_call = Some(FunctionCall::new("f", "{}"));
        assert_eq!(same_as_json(&message).tool_calls, None);
    }
}
