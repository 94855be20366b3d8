//! What zerohop understands beyond the API.
//!
//! In JSON these keys stand at the top level of the body, where the SDK's `extra_body` puts them (T7);
//! in Rust they have a struct of their own, so that a request shows what would not move back to a
//! hosted provider.

use serde::Serialize;
use serde::de::MapAccess;

use super::chat::check_range;
use super::error::Result;

/// Sampling parameters that the API does not have.
///
/// ```
/// use zerohop::types::{ChatCompletionMessage, CreateChatCompletionRequest};
///
/// let request = CreateChatCompletionRequest::new("chat", [ChatCompletionMessage::user("Hi")])
///     .top_k(40)
///     .min_p(0.05);
/// assert_eq!(request.ext.top_k, Some(40));
///
/// let json = serde_json::to_value(&request).unwrap();
/// assert_eq!(json["top_k"], 40);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ChatExtensions {
    /// Sample only among this many most likely tokens. 0, the default, sets no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u32>,

    /// Sample only among tokens at least this fraction as likely as the most likely one, from 0 to 1.
    /// The default, 0.05, keeps out the tail in which small models stumble; 0 sets no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_p: Option<f32>,
}

impl ChatExtensions {
    /// Reads the value of `key` if it is an extension; returns whether it is.
    pub(crate) fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error> {
        match key {
            "top_k" => self.top_k = map.next_value()?,
            "min_p" => self.min_p = map.next_value()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub(crate) fn validate(&self) -> Result<()> {
        check_range("min_p", self.min_p, 0.0..=1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn min_p_is_a_fraction() {
        let with = |min_p| ChatExtensions { min_p: Some(min_p), ..Default::default() };
        assert!(with(0.0).validate().is_ok() && with(1.0).validate().is_ok());
        for bad in [-0.1, 1.1, f32::NAN, f32::INFINITY] {
            assert_eq!(with(bad).validate().unwrap_err().param(), Some("min_p"));
        }
    }
}
