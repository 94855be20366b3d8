//! The door: HTTP-shaped requests to handlers, as a hosted API would answer.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use http::{Method, Response, StatusCode, Uri};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use uuid::Uuid;

use crate::api::error::{Error, ErrorKind, Result};
use crate::api::parse::{parse_chat_request, parse_embedding_request, shorten};
use crate::chat::{ChatCompletionStream, PendingChatCompletion};
use crate::embed::PendingEmbeddings;
use crate::engine::Engine;
use crate::files;
use crate::generate::CancelHandle;
use crate::promise::Promised;
use crate::wait::{Wait, block};

/// The body of a reply.
#[derive(Debug)]
pub enum Body {
    /// A whole body: JSON, or a file's bytes, as the content type says.
    Full(Vec<u8>),
    /// A stream of server-sent events.
    Events(EventStream),
}

/// A reply on its way. Dropping it cancels the request.
#[derive(Debug)]
pub struct Pending(Option<State>);

#[derive(Debug)]
enum State {
    Preparing(Promised<Result<Pending>>),
    Ready(Response<Body>),
    Chat(PendingChatCompletion),
    Embeddings(PendingEmbeddings),
}

/// A reply's events, each one `data: {json}` and a blank line; the last is
/// `data: [DONE]` (CS1). A failure after the first is an event too, and the last
/// one (CS11). Dropping the stream stops the generation (CS12).
#[derive(Debug)]
pub struct EventStream {
    chunks: Option<ChatCompletionStream>,
}

/// Finds the handler for a method and path.
pub(crate) fn route(engine: &Engine, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Result<Pending> {
    let path: Vec<&str> = uri.path().split('/').filter(|segment| !segment.is_empty()).collect();
    let path = path.strip_prefix(&["v1"]).unwrap_or(&path);
    match (path, method) {
        (["chat", "completions"], &Method::POST) => chat_completion(engine, body),
        (["embeddings"], &Method::POST) => embeddings(engine, body),
        (["files", rest @ ..], _) => answer(files::answer(engine, method, uri, rest, headers, body)),
        (["models"], &Method::GET) => Ok(Pending::ready(json(&engine.models().list()))),
        (["models", name @ ..], &Method::GET) => answer(retrieve_model(engine, name)),
        (["chat", "completions"] | ["embeddings"] | ["models", ..], _) => answer(Err(method_not_allowed(method, uri))),
        _ => answer(Err(unknown_path(method, uri))),
    }
}

fn chat_completion(engine: &Engine, body: &[u8]) -> Result<Pending> {
    let request = match parse_chat_request(body) {
        Ok(request) => request,
        Err(error) => return answer(Err(error)),
    };
    if request.stream == Some(true) {
        let stream = engine.chat().submit_stream(&request);
        return answer(stream.map(|chunks| events(EventStream { chunks: Some(chunks) })));
    }
    match engine.chat().submit(&request) {
        Ok(pending) => Ok(Pending(Some(State::Chat(pending)))),
        Err(error) => answer(Err(error)),
    }
}

fn embeddings(engine: &Engine, body: &[u8]) -> Result<Pending> {
    match parse_embedding_request(body).and_then(|request| engine.embeddings().submit(&request)) {
        Ok(pending) => Ok(Pending(Some(State::Embeddings(pending)))),
        Err(error) => answer(Err(error)),
    }
}

fn retrieve_model(engine: &Engine, segments: &[&str]) -> Result<Response<Body>> {
    // The SDK sends a name with a slash as `%2F`; a plain slash works too (MO2).
    let name = segments.join("/");
    let name = percent_decode_str(&name).decode_utf8_lossy();
    engine.models().retrieve(&name).map(|model| json(&model))
}

fn unknown_path(method: &Method, uri: &Uri) -> Error {
    Error::new(ErrorKind::NotFound, format!("unknown path: {method} {}", shorten(uri.path()))).with_code("unknown_url")
}

pub(crate) fn method_not_allowed(method: &Method, uri: &Uri) -> Error {
    Error::new(ErrorKind::NotFound, format!("{} does not take {method} requests", shorten(uri.path())))
        .with_code("unknown_url")
}

/// A finished result as a reply, unless it is an error that HTTP cannot express.
fn answer(result: Result<Response<Body>>) -> Result<Pending> {
    match result {
        Ok(response) => Ok(Pending::ready(response)),
        Err(error) => error_response(&error).map(Pending::ready),
    }
}

pub(crate) fn json(value: &impl Serialize) -> Response<Body> {
    bytes(to_json(value), HeaderValue::from_static("application/json"))
}

pub(crate) fn bytes(body: Vec<u8>, content_type: HeaderValue) -> Response<Body> {
    with_request_id(Response::new(Body::Full(body)), content_type)
}

fn events(stream: EventStream) -> Response<Body> {
    with_request_id(Response::new(Body::Events(stream)), HeaderValue::from_static("text/event-stream"))
}

/// Every reply has a content type and a request id (T3, T4).
fn with_request_id(mut response: Response<Body>, content_type: HeaderValue) -> Response<Body> {
    let request_id = format!("req_{}", Uuid::new_v4().simple());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    if let Ok(request_id) = HeaderValue::from_str(&request_id) {
        headers.insert("x-request-id", request_id);
    }
    response
}

/// The reply for an error that the API itself could give (ER1 to ER7).
fn error_response(error: &Error) -> Result<Response<Body>> {
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
        }
        // Repeating it cannot help, whatever the status suggests (ER7).
        None => {
            headers.insert("x-should-retry", HeaderValue::from_static("false"));
        }
    }
    Ok(response)
}

impl Pending {
    fn ready(response: Response<Body>) -> Self {
        Pending(Some(State::Ready(response)))
    }

    /// A reply to a request that is being prepared, or cannot be.
    pub(crate) fn prepared(prepared: Result<Promised<Result<Pending>>>) -> Result<Self> {
        match prepared {
            Ok(prepared) => Ok(Pending(Some(State::Preparing(prepared)))),
            Err(error) => answer(Err(error)),
        }
    }

    /// Waits for the reply.
    ///
    /// # Errors
    ///
    /// `Closed` and `Cancelled`; everything else is a response.
    pub fn wait(mut self) -> Result<Response<Body>> {
        block(|wait| self.advance(wait))
    }

    /// Waits for the reply until `deadline`; [`Poll::Pending`] when it has passed.
    /// Must not be called again after it gave a reply.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    pub fn wait_until(&mut self, deadline: Instant) -> Poll<Result<Response<Body>>> {
        self.advance(&mut Wait::Until(deadline))
    }

    /// A handle that cancels the request from another thread; `None` when the
    /// reply is there already, while [`Engine::submit_async`] prepares the request,
    /// and for embeddings, which take little time. Dropping the value cancels all.
    pub fn cancel_handle(&self) -> Option<CancelHandle> {
        match &self.0 {
            Some(State::Chat(pending)) => Some(pending.cancel_handle()),
            _ => None,
        }
    }

    fn advance(&mut self, wait: &mut Wait<'_, '_>) -> Poll<Result<Response<Body>>> {
        match self.0.take() {
            Some(State::Preparing(prepared)) => match prepared.advance(wait) {
                Poll::Ready(Ok(Ok(pending))) => {
                    *self = pending;
                    self.advance(wait)
                }
                Poll::Ready(Ok(Err(error))) => Poll::Ready(Err(error)),
                Poll::Ready(Err(error)) => Poll::Ready(error_response(&error)),
                Poll::Pending => {
                    self.0 = Some(State::Preparing(prepared));
                    Poll::Pending
                }
            },
            Some(State::Ready(response)) => Poll::Ready(Ok(response)),
            Some(State::Chat(mut pending)) => {
                let reply = pending.advance(wait);
                self.settle(reply, State::Chat(pending))
            }
            Some(State::Embeddings(mut pending)) => {
                let reply = pending.advance(wait);
                self.settle(reply, State::Embeddings(pending))
            }
            None => Poll::Ready(Err(Error::new(ErrorKind::InvalidArgument, "the reply has been fetched already"))),
        }
    }

    /// The response for a reply that is there, or the state kept for later.
    fn settle<T: Serialize>(&mut self, reply: Poll<Result<T>>, state: State) -> Poll<Result<Response<Body>>> {
        match reply {
            Poll::Ready(Ok(value)) => Poll::Ready(Ok(json(&value))),
            Poll::Ready(Err(error)) => Poll::Ready(error_response(&error)),
            Poll::Pending => {
                self.0 = Some(state);
                Poll::Pending
            }
        }
    }
}

impl Future for Pending {
    type Output = Result<Response<Body>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.advance(&mut Wait::Task(context))
    }
}

impl EventStream {
    /// The next event, waiting for it until `deadline`; [`Poll::Pending`] when
    /// that has passed, `Ready(None)` after the last.
    ///
    /// # Errors
    ///
    /// `Closed` and `Cancelled`; every other failure is an event.
    pub fn next_until(&mut self, deadline: Instant) -> Poll<Option<Result<Vec<u8>>>> {
        self.advance(&mut Wait::Until(deadline)).map(|data| data.map(|data| data.map(|data| frame(&data))))
    }

    /// Like [`next_until`](Self::next_until), for async tasks.
    ///
    /// # Errors
    ///
    /// As [`next_until`](Self::next_until).
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Vec<u8>>>> {
        self.advance(&mut Wait::Task(context)).map(|data| data.map(|data| data.map(|data| frame(&data))))
    }

    /// A handle that cancels the stream from another thread.
    pub fn cancel_handle(&self) -> Option<CancelHandle> {
        self.chunks.as_ref().map(ChatCompletionStream::cancel_handle)
    }

    /// The events' JSON texts, without framing and the `[DONE]` at the end; an
    /// error event becomes an error.
    pub(crate) fn data(self) -> impl Iterator<Item = Result<Vec<u8>>> {
        let chunks = self.chunks.into_iter().flatten();
        chunks.map(|chunk| chunk.map(|chunk| to_json(&chunk)))
    }

    fn advance(&mut self, wait: &mut Wait<'_, '_>) -> Poll<Option<Result<Vec<u8>>>> {
        let Some(chunks) = &mut self.chunks else { return Poll::Ready(None) };
        let Poll::Ready(chunk) = chunks.advance(wait) else { return Poll::Pending };
        Poll::Ready(Some(match chunk {
            Some(Ok(chunk)) => Ok(to_json(&chunk)),
            None => {
                self.chunks = None;
                Ok(b"[DONE]".to_vec())
            }
            Some(Err(error)) => {
                self.chunks = None;
                if error.status().is_some() { Ok(to_json(&error.to_body())) } else { Err(error) }
            }
        }))
    }
}

impl Iterator for EventStream {
    type Item = Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        block(|wait| self.advance(wait)).map(|data| data.map(|data| frame(&data)))
    }
}

/// One server-sent event.
fn frame(data: &[u8]) -> Vec<u8> {
    let mut event = Vec::with_capacity(data.len() + 8);
    event.extend_from_slice(b"data: ");
    event.extend_from_slice(data);
    event.extend_from_slice(b"\n\n");
    event
}

fn to_json(value: &impl Serialize) -> Vec<u8> {
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

    /// What the API shows of an error; null for one that it cannot express.
    fn reply(error: &Error) -> Value {
        let Ok(response) = error_response(error) else { return Value::Null };
        let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap());
        // T3, T4
        assert_eq!(header("content-type"), Some("application/json"));
        assert!(header("x-request-id").is_some());
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
        }
    }
}
