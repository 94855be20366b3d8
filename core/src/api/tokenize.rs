//! The requests and replies of `/tokenize` and `/detokenize`, in the shapes that vLLM gave them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::error::{Error, Result};
use super::message::ChatCompletionMessage;
use super::tools::ChatCompletionTool;

/// Which text to turn into tokens: a prompt, or a conversation in the model's chat template.
///
/// ```
/// use zerohop::types::TokenizeRequest;
///
/// let request = TokenizeRequest::new("chat", "Hello you").return_token_strs(true);
/// assert_eq!(request.prompt.as_deref(), Some("Hello you"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "a request does nothing until it is sent"]
#[non_exhaustive]
pub struct TokenizeRequest {
    /// The name of the model.
    pub model: String,
    /// A text; this or `messages`. The spellings of control tokens in it are these tokens, as in the
    /// prompt of a completion; with a model that makes vectors or ranks texts they stay text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// A conversation, as a chat completion gets it; this or `prompt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<Vec<ChatCompletionMessage>>,
    /// The tools that the conversation's model may call; only with `messages`. Default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<ChatCompletionTool>>,
    /// Variables for the chat template; only with `messages`. Default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat_template_kwargs: Option<Map<String, Value>>,
    /// Whether a text gets the tokens that the model wants around it; only with `prompt`, since a
    /// template has them itself. Default true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub add_special_tokens: Option<bool>,
    /// Whether the reply has the tokens' texts too. Default false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_token_strs: Option<bool>,
}

impl TokenizeRequest {
    /// A request for the tokens of a text.
    pub fn new(model: impl Into<String>, prompt: impl Into<String>) -> Self {
        TokenizeRequest { model: model.into(), prompt: Some(prompt.into()), ..Self::default() }
    }

    /// A request for the tokens of a conversation.
    pub fn chat(model: impl Into<String>, messages: impl IntoIterator<Item = ChatCompletionMessage>) -> Self {
        let messages = Some(messages.into_iter().collect());
        TokenizeRequest { model: model.into(), messages, ..Self::default() }
    }

    /// Sets [`add_special_tokens`](Self::add_special_tokens).
    pub fn add_special_tokens(mut self, add: bool) -> Self {
        self.add_special_tokens = Some(add);
        self
    }

    /// Sets [`return_token_strs`](Self::return_token_strs).
    pub fn return_token_strs(mut self, wanted: bool) -> Self {
        self.return_token_strs = Some(wanted);
        self
    }

    /// Checks everything that does not depend on the model.
    pub(crate) fn validate(&self) -> Result<()> {
        let only_with = |param: &'static str, other: &str| {
            Error::invalid(param, format!("'{param}' is only allowed when '{other}' is given"))
        };
        match (&self.prompt, &self.messages) {
            (None, None) => Err(Error::invalid("prompt", "Missing required parameter: 'prompt' or 'messages'")),
            (Some(_), Some(_)) => Err(Error::invalid("messages", "give 'prompt' or 'messages', not both")),
            (Some(_), None) if self.tools.is_some() => Err(only_with("tools", "messages")),
            (Some(_), None) if self.chat_template_kwargs.is_some() => {
                Err(only_with("chat_template_kwargs", "messages"))
            }
            (None, Some(_)) if self.add_special_tokens.is_some() => Err(only_with("add_special_tokens", "prompt")),
            _ => Ok(()),
        }
    }
}

/// The tokens of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TokenizeResponse {
    /// How many tokens there are.
    pub count: u32,
    /// How many tokens the model takes at most, in tokens: its `context_length`.
    pub max_model_len: u32,
    /// The tokens.
    pub tokens: Vec<u32>,
    /// Their texts, the spellings of control tokens included; parts of characters are shown as U+FFFD.
    /// Null unless asked for.
    pub token_strs: Option<Vec<String>>,
}

/// Which tokens to turn into text.
///
/// ```
/// use zerohop::types::DetokenizeRequest;
///
/// let request = DetokenizeRequest::new("chat", [9707, 498]);
/// assert_eq!(request.tokens.len(), 2);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "a request does nothing until it is sent"]
#[non_exhaustive]
pub struct DetokenizeRequest {
    /// The name of the model.
    pub model: String,
    /// The tokens, each of which the model must have.
    pub tokens: Vec<u32>,
}

impl DetokenizeRequest {
    /// A request for the text of tokens.
    pub fn new(model: impl Into<String>, tokens: impl Into<Vec<u32>>) -> Self {
        DetokenizeRequest { model: model.into(), tokens: tokens.into() }
    }
}

/// The text of tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DetokenizeResponse {
    /// The text, the spellings of control tokens included; bytes that are no text are shown as U+FFFD.
    pub prompt: String,
}
