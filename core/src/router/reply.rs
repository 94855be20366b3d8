//! Replies: bodies with what stands before them.

use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use serde::Serialize;

use super::events::{EventStream, Events};
use super::pending::Pending;
use crate::api::error::{Error, Result};

/// The body of a reply.
#[derive(Debug)]
pub enum Body {
    /// A whole body: JSON, text or a file's bytes, as the content type says.
    Full(Vec<u8>),
    /// A stream of server-sent events.
    Events(EventStream),
}

/// An error as a reply too, unless HTTP cannot express it.
pub(crate) fn answer(result: Result<Pending>) -> Result<Pending> {
    result.or_else(|error| error_response(&error).map(Pending::ready))
}

/// A value as a reply.
pub(crate) fn json(value: &impl Serialize) -> Response<Body> {
    bytes(to_json(value), "application/json")
}

/// Bytes as a reply.
pub(crate) fn bytes(body: Vec<u8>, content_type: &'static str) -> Response<Body> {
    with_content_type(Response::new(Body::Full(body)), content_type)
}

/// Events as a reply.
pub(super) fn events(events: Events) -> Response<Body> {
    with_content_type(Response::new(Body::Events(EventStream::new(events))), "text/event-stream")
}

/// Every reply has a content type (T3).
fn with_content_type(mut response: Response<Body>, content_type: &'static str) -> Response<Body> {
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// The reply for an error that the API itself could give (ER1 to ER7).
pub(super) fn error_response(error: &Error) -> Result<Response<Body>> {
    let Some(status) = error.status().and_then(|status| StatusCode::from_u16(status).ok()) else {
        return Err(error.clone());
    };
    let mut response = json(&error.to_body());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    match error.retry_after() {
        Some(delay) => {
            let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
            let milliseconds = delay.as_nanos().div_ceil(1_000_000).max(1);
            headers.insert("retry-after-ms", HeaderValue::from(u64::try_from(milliseconds).unwrap_or(u64::MAX)));
        }
        // Repeating it cannot help, whatever the status suggests (ER7).
        None => {
            headers.insert("x-should-retry", HeaderValue::from_static("false"));
        }
    }
    Ok(response)
}

pub(super) fn to_json(value: &impl Serialize) -> Vec<u8> {
    match serde_json::to_vec(value) {
        Ok(text) => text,
        // Our own types with string keys always serialise.
        Err(error) => unreachable!("a reply cannot be written as JSON: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;
    use crate::api::error::ErrorKind;

    /// What the API shows of an error; null for one that it cannot express.
    fn reply(error: &Error) -> Value {
        let Ok(response) = error_response(error) else { return Value::Null };
        let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap());
        // T3
        assert_eq!(header("content-type"), Some("application/json"));
        assert_eq!(header("retry-after").is_some(), header("retry-after-ms").is_some());
        let Body::Full(body) = response.body() else { panic!("an error is one body") };
        let body: Value = serde_json::from_slice(body).unwrap();
        // ER1
        assert_eq!(body["error"].as_object().unwrap().len(), 4);
        json!({
            "status": response.status().as_u16(),
            "type": body["error"]["type"],
            "code": body["error"]["code"],
            "retry-after": header("retry-after"),
            "x-should-retry": header("x-should-retry"),
        })
    }

    #[test]
    fn every_kind_of_error_has_its_reply() {
        // ER1 to ER7
        for kind in ErrorKind::ALL {
            let (status, error_type, code, retries) = match kind {
                ErrorKind::InvalidRequest => (400, "invalid_request_error", Value::Null, false),
                ErrorKind::Authentication => (401, "invalid_request_error", json!("invalid_api_key"), false),
                ErrorKind::PermissionDenied => (403, "permission_error", Value::Null, false),
                ErrorKind::NotFound => (404, "invalid_request_error", Value::Null, false),
                ErrorKind::Timeout => (408, "server_error", json!("request_timeout"), true),
                ErrorKind::Conflict => (409, "invalid_request_error", Value::Null, false),
                ErrorKind::RateLimit => (429, "rate_limit_error", json!("rate_limit_exceeded"), true),
                ErrorKind::Internal => (500, "server_error", Value::Null, false),
                ErrorKind::Unavailable => (503, "server_error", Value::Null, true),
                ErrorKind::ModelFile
                | ErrorKind::InvalidModel
                | ErrorKind::InvalidArgument
                | ErrorKind::Closed
                | ErrorKind::Cancelled => {
                    assert_eq!(reply(&Error::new(kind, "m")), Value::Null, "{kind:?}");
                    continue;
                }
            };
            let expected = json!({
                "status": status,
                "type": error_type,
                "code": code,
                "retry-after": retries.then_some("1"),
                "x-should-retry": (!retries).then_some("false"),
            });
            assert_eq!(reply(&Error::new(kind, "m")), expected, "{kind:?}");
        }
    }

    #[test]
    fn an_error_may_say_more_than_its_kind() {
        // ER4, ER5
        let unknown = reply(&Error::new(ErrorKind::NotFound, "m").with_code("model_not_found"));
        assert_eq!((&unknown["status"], &unknown["code"]), (&json!(404), &json!("model_not_found")));
        for (milliseconds, header) in [(7000, "7"), (1500, "2"), (20, "1"), (0, "1")] {
            let delay = Duration::from_millis(milliseconds);
            let full = reply(&Error::new(ErrorKind::RateLimit, "m").with_retry_after(delay));
            assert_eq!(full["retry-after"], header);
            let Ok(response) = error_response(&Error::new(ErrorKind::RateLimit, "m").with_retry_after(delay)) else {
                panic!("it is a response")
            };
            assert_eq!(response.headers()["retry-after-ms"], milliseconds.max(1).to_string());
        }
    }
}
