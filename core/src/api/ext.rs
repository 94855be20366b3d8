//! What zerohop understands beyond the API.
//!
//! In JSON these keys stand at the top level of the body, where the SDK's `extra_body` puts them (T7);
//! in Rust they have a struct of their own, so that a request shows what would not move back to a
//! hosted provider. Two more extensions stand inside of the API's own objects: the response formats
//! `regex` and `lark`, and `reasoning_content` in messages and deltas.

use serde::Serialize;
use serde::de::MapAccess;
use serde_json::{Map, Value};

use super::chat_validate::check_range;
use super::error::{Error, Result};
use super::response_format::ResponseFormat;

/// Parameters that the API does not have.
///
/// ```
/// use zerohop::types::{ChatCompletionMessage, CreateChatCompletionRequest};
///
/// let request = CreateChatCompletionRequest::new("chat", [ChatCompletionMessage::user("Hi")])
///     .top_k(40)
///     .min_p(0.05)
///     .chat_template_kwarg("enable_thinking", false);
/// assert_eq!(request.ext.top_k, Some(40));
///
/// let json = serde_json::to_value(&request).unwrap();
/// assert_eq!(json["top_k"], 40);
/// assert_eq!(json["chat_template_kwargs"]["enable_thinking"], false);
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

    /// Makes tokens less likely that have come already: their positive logits are divided by it,
    /// their negative ones multiplied. From 0.01 to 2; below 1 makes them likelier. Default 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat_penalty: Option<f32>,

    /// A Lark grammar that the answer's text follows, in llguidance's dialect; the same as the
    /// response format `lark`, beside which it must not stand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grammar: Option<String>,

    /// Variables for the model's chat template. What they do depends on the model; many reasoning
    /// models have `enable_thinking`. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat_template_kwargs: Option<Map<String, Value>>,

    /// Whether to go on where the model would end its turn, up to the token limit. Default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore_eos: Option<bool>,
}

impl ChatExtensions {
    /// Reads the value of `key` if it is an extension; returns whether it is.
    pub(crate) fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error> {
        match key {
            "top_k" => self.top_k = map.next_value()?,
            "min_p" => self.min_p = map.next_value()?,
            "repeat_penalty" => self.repeat_penalty = map.next_value()?,
            "grammar" => self.grammar = map.next_value()?,
            "chat_template_kwargs" => self.chat_template_kwargs = map.next_value()?,
            "ignore_eos" => self.ignore_eos = map.next_value()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub(crate) fn validate(&self) -> Result<()> {
        check_values(self.min_p, self.repeat_penalty, self.grammar.as_deref())
    }
}

/// Parameters of a legacy completion that the API does not have.
///
/// ```
/// use zerohop::types::CreateCompletionRequest;
///
/// let request = CreateCompletionRequest::new("base", "1, 2, 3,").top_k(40).ignore_eos(true);
/// assert_eq!(request.ext.top_k, Some(40));
/// assert_eq!(serde_json::to_value(&request).unwrap()["ignore_eos"], true);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CompletionExtensions {
    /// As [`ChatExtensions::top_k`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u32>,

    /// As [`ChatExtensions::min_p`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_p: Option<f32>,

    /// As [`ChatExtensions::repeat_penalty`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat_penalty: Option<f32>,

    /// A Lark grammar that the text follows, as [`ChatExtensions::grammar`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grammar: Option<String>,

    /// The form of the text, as a chat completion's; not beside `grammar`. Default any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_format: Option<ResponseFormat>,

    /// Whether to go on where the model would end the text, up to the token limit. Default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore_eos: Option<bool>,
}

impl CompletionExtensions {
    /// Reads the value of `key` if it is an extension; returns whether it is.
    pub(crate) fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error> {
        match key {
            "top_k" => self.top_k = map.next_value()?,
            "min_p" => self.min_p = map.next_value()?,
            "repeat_penalty" => self.repeat_penalty = map.next_value()?,
            "grammar" => self.grammar = map.next_value()?,
            "response_format" => self.response_format = map.next_value()?,
            "ignore_eos" => self.ignore_eos = map.next_value()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub(crate) fn validate(&self) -> Result<()> {
        check_values(self.min_p, self.repeat_penalty, self.grammar.as_deref())?;
        check_form(self.response_format.as_ref(), self.grammar.as_deref())
    }
}

fn check_values(min_p: Option<f32>, repeat_penalty: Option<f32>, grammar: Option<&str>) -> Result<()> {
    check_range("min_p", min_p, 0.0..=1.0)?;
    check_range("repeat_penalty", repeat_penalty, 0.01..=2.0)?;
    match grammar {
        Some("") => Err(Error::invalid("grammar", "'grammar' must not be empty")),
        _ => Ok(()),
    }
}

/// SO1
pub(super) fn check_form(format: Option<&ResponseFormat>, grammar: Option<&str>) -> Result<()> {
    let Some(format) = format else { return Ok(()) };
    format.validate()?;
    if grammar.is_some() && *format != ResponseFormat::Text {
        return Err(Error::invalid("grammar", "'grammar' and 'response_format' both set a form: give only one"));
    }
    Ok(())
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

    #[test]
    fn repeat_penalty_is_a_divisor() {
        let with = |penalty| ChatExtensions { repeat_penalty: Some(penalty), ..Default::default() };
        assert!(with(0.5).validate().is_ok() && with(2.0).validate().is_ok());
        for bad in [0.0, 0.009, -1.0, 2.1, f32::NAN] {
            assert_eq!(with(bad).validate().unwrap_err().param(), Some("repeat_penalty"));
        }
    }
}
