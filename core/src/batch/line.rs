//! Lines of a batch: requests in, replies and failures out (BA2, BA5).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::BatchCounts;
use crate::api::batches::BatchError;
use crate::api::error::{Error, ErrorObject};

/// A request of the input file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RequestLine {
    pub(super) custom_id: String,
    pub(super) method: String,
    pub(super) url: String,
    pub(super) body: Box<RawValue>,
}

/// The part of a request's body that decides whether it can stand in a batch.
#[derive(Deserialize)]
struct Streaming {
    #[serde(default)]
    stream: Option<bool>,
}

/// A reply as the output and error files have it.
#[derive(Debug, Serialize)]
pub(super) struct ResultLine<'a> {
    id: String,
    custom_id: &'a str,
    response: Option<ReplyOfLine<'a>>,
    error: Option<ErrorObject>,
}

#[derive(Debug, Serialize)]
struct ReplyOfLine<'a> {
    status_code: u16,
    request_id: Cow<'a, str>,
    body: &'a RawValue,
}

/// What a finished line says that a resumed batch needs.
#[derive(Debug, Deserialize)]
pub(super) struct FinishedLine {
    pub(super) custom_id: String,
    #[serde(default)]
    response: Option<FinishedReply>,
}

#[derive(Debug, Deserialize)]
struct FinishedReply {
    #[serde(default)]
    body: FinishedBody,
}

#[derive(Debug, Default, Deserialize)]
struct FinishedBody {
    #[serde(default)]
    usage: Option<LineUsage>,
}

/// The tokens of one reply, in the words of any endpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(super) struct LineUsage {
    #[serde(default, alias = "prompt_tokens")]
    input_tokens: u64,
    #[serde(default, alias = "prompt_tokens_details")]
    input_tokens_details: Option<InputDetails>,
    #[serde(default, alias = "completion_tokens")]
    output_tokens: u64,
    #[serde(default, alias = "completion_tokens_details")]
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
struct InputDetails {
    #[serde(default)]
    cached_tokens: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
struct OutputDetails {
    #[serde(default)]
    reasoning_tokens: Option<u64>,
}

impl LineUsage {
    /// Adds these tokens to a batch's.
    pub(super) fn add_to(self, counts: &mut BatchCounts) {
        counts.input_tokens += self.input_tokens;
        counts.cached_tokens += self.input_tokens_details.and_then(|details| details.cached_tokens).unwrap_or(0);
        counts.output_tokens += self.output_tokens;
        counts.reasoning_tokens += self.output_tokens_details.and_then(|details| details.reasoning_tokens).unwrap_or(0);
    }
}

/// What is wrong with a batch.
pub(crate) fn fault(
    code: &str,
    line: Option<u64>,
    message: impl Into<String>,
    param: Option<&'static str>,
) -> BatchError {
    BatchError { code: code.to_owned(), line, message: message.into(), param: param.map(str::to_owned) }
}

impl RequestLine {
    /// Reads and checks line `number`. `endpoint` is the path that all requests must have; without it,
    /// each may have its own.
    pub(super) fn read(text: &[u8], number: u64, endpoint: Option<&str>) -> Result<Self, BatchError> {
        let refuse = |code, param, message| fault(code, Some(number), message, param);
        let line: RequestLine = serde_json::from_slice(text).map_err(|error| {
            refuse("invalid_json_line", None, format!("the line is no request of a batch: {error}"))
        })?;
        if line.custom_id.is_empty() {
            return Err(refuse("invalid_custom_id", Some("custom_id"), "custom_id must not be empty".to_owned()));
        }
        if line.method != "POST" {
            return Err(refuse("invalid_method", Some("method"), "method must be POST".to_owned()));
        }
        match endpoint {
            Some(endpoint) if line.url != endpoint => {
                let message = format!("url must be the batch's endpoint, {endpoint}");
                return Err(refuse("mismatched_url", Some("url"), message));
            }
            None if !line.url.starts_with("/v1/") => {
                let message = "url must be a path such as /v1/chat/completions".to_owned();
                return Err(refuse("invalid_url", Some("url"), message));
            }
            _ => {}
        }
        match serde_json::from_str::<Streaming>(line.body.get()) {
            Ok(Streaming { stream: Some(true) }) => {
                let message = "a request of a batch cannot be streamed: leave `stream` out".to_owned();
                Err(refuse("invalid_request", Some("body.stream"), message))
            }
            // Whatever else is wrong with the body, its own reply says.
            _ => Ok(line),
        }
    }
}

impl<'a> ResultLine<'a> {
    /// For a request that the API answered.
    pub(super) fn of_reply(custom_id: &'a str, status_code: u16, request_id: &'a str, body: &'a RawValue) -> Self {
        let response = ReplyOfLine { status_code, request_id: Cow::Borrowed(request_id), body };
        ResultLine { id: new_id(), custom_id, response: Some(response), error: None }
    }

    /// For a request that got no answer.
    pub(super) fn of_error(custom_id: &'a str, error: &Error) -> Self {
        ResultLine { id: new_id(), custom_id, response: None, error: Some(error.to_body().error) }
    }

    /// As it stands in a file.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        // Texts and numbers always serialise.
        let mut bytes = serde_json::to_vec(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }
}

impl FinishedLine {
    pub(super) fn usage(&self) -> LineUsage {
        self.response.as_ref().and_then(|response| response.body.usage).unwrap_or_default()
    }
}

/// The usage that a reply's body states.
pub(super) fn usage_of(body: &[u8]) -> LineUsage {
    serde_json::from_slice::<FinishedBody>(body).ok().and_then(|body| body.usage).unwrap_or_default()
}

fn new_id() -> String {
    format!("batch_req_{}", Uuid::new_v4().simple())
}
