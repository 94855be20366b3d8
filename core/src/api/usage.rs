//! The tokens that a request used (CR12 to CR14).

use serde::{Deserialize, Serialize};

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
