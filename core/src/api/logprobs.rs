//! How likely tokens were (CR8 to CR11).

use serde::{Deserialize, Serialize};

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
