//! Responses: a whole body, or events one after the other.

use std::ffi::c_char;
use std::ptr;
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::{Duration, Instant};

use http::header::{HeaderName, HeaderValue};
use parking_lot::Mutex;
use serde::Deserialize;
use zerohop::{Body, CancelHandle, EventStream};

use crate::cancel::{Cancel, CancelToken, Registration};
use crate::error::{Failure, ZEROHOP_END, ZEROHOP_OK, ZEROHOP_TIMEOUT, zerohop_error, zerohop_status};
use crate::guard::{guard, guard_or};
use crate::handle;
use crate::request::zerohop_header;
use crate::text::{Out, Owned, required, zerohop_str};

/// A reply: status, headers, and either a whole body or a stream of events.
///
/// Functions that take it as `const` may be called by several threads at once, the
/// others by one thread at a time. It may outlive its engine.
#[derive(Debug)]
pub struct zerohop_response {
    _private: [u8; 0],
}

#[derive(Debug)]
pub(crate) struct Response {
    status: u16,
    headers: Vec<Header>,
    content: Content,
}

#[derive(Debug)]
struct Header {
    /// In lower case.
    name: Owned,
    value: Owned,
}

#[derive(Debug)]
enum Content {
    Whole(Document),
    Stream {
        /// Beside the lock, since it is for other threads than the reading one.
        cancel: Option<CancelHandle>,
        reader: Box<Mutex<Reader>>,
        _registration: Option<Registration>,
    },
}

/// A stream and the event that the caller is looking at.
#[derive(Debug)]
struct Reader {
    /// `None` if they go to a callback.
    events: Option<EventStream>,
    current: Option<Document>,
}

/// The JSON of a whole body or of one event.
#[derive(Debug)]
struct Document {
    json: Owned,
    /// Looked for when first asked for.
    text: OnceLock<Option<Owned>>,
}

impl Response {
    /// `token` cancels the stream, if it is one, for as long as the response lives.
    pub(crate) fn new(reply: http::Response<Body>, token: Option<&Arc<CancelToken>>) -> Self {
        let (response, events) = Response::split(reply);
        let Content::Stream { cancel, reader, .. } = response.content else { return response };
        reader.lock().events = events;
        let running = cancel.clone().map(Cancel::Request);
        let registration = token.zip(running).map(|(token, running)| token.register(running));
        Response { content: Content::Stream { cancel, reader, _registration: registration }, ..response }
    }

    /// A response without its events, which are another's to read.
    pub(crate) fn split(reply: http::Response<Body>) -> (Self, Option<EventStream>) {
        let (parts, body) = reply.into_parts();
        let header = |(name, value): (&HeaderName, &HeaderValue)| Header {
            name: Owned::text(name.as_str()),
            value: Owned::new(value.as_bytes().to_vec()),
        };
        let headers = parts.headers.iter().map(header).collect();
        let (content, events) = match body {
            Body::Full(body) => (Content::Whole(Document::new(body)), None),
            Body::Events(events) => {
                let reader = Box::new(Mutex::new(Reader { events: None, current: None }));
                (Content::Stream { cancel: events.cancel_handle(), reader, _registration: None }, Some(events))
            }
        };
        (Response { status: parts.status.as_u16(), headers, content }, events)
    }

    /// Makes an event the one that the caller is looking at; `None` after the last.
    pub(crate) fn show(&self, frame: &[u8]) -> Option<zerohop_str> {
        let Content::Stream { reader, .. } = &self.content else { return None };
        reader.lock().show(frame)
    }

    fn header(&self, name: &[u8]) -> Option<&Header> {
        self.headers.iter().find(|header| header.name.bytes().eq_ignore_ascii_case(name))
    }

    fn body(&self) -> zerohop_str {
        match &self.content {
            Content::Whole(document) => zerohop_str::of(&document.json),
            Content::Stream { .. } => zerohop_str::NONE,
        }
    }

    fn text(&self) -> zerohop_str {
        match &self.content {
            Content::Whole(document) => document.text(),
            Content::Stream { reader, .. } => {
                let reader = reader.try_lock();
                reader.as_ref().and_then(|reader| reader.current.as_ref()).map_or(zerohop_str::NONE, Document::text)
            }
        }
    }

    /// The next event's JSON. `None` for `deadline` waits for it as long as it
    /// takes.
    fn next(&self, deadline: Option<Instant>) -> Result<Next, Failure> {
        let Content::Stream { reader, .. } = &self.content else {
            let problem = format!("is no stream; zerohop_response_body has the whole reply (status {})", self.status);
            return Err(Failure::argument("response", &problem));
        };
        // The caller broke the rule of one thread at a time, which would end in a
        // dangling event.
        let busy = || Failure::argument("response", "another thread is reading it");
        let mut reader = reader.try_lock().ok_or_else(busy)?;
        let Some(events) = &mut reader.events else {
            return Err(Failure::argument("response", "its events go to a callback"));
        };
        let frame = match deadline {
            Some(deadline) => match events.next_until(deadline) {
                Poll::Ready(frame) => frame,
                Poll::Pending => return Ok(Next::Pending),
            },
            None => events.next(),
        };
        // Whatever comes, the event before has gone.
        reader.current = None;
        let frame = frame.transpose()?.unwrap_or_default();
        Ok(reader.show(&frame).map_or(Next::End, Next::Event))
    }

    fn cancel(&self) {
        if let Content::Stream { cancel: Some(cancel), .. } = &self.content {
            cancel.cancel();
        }
    }
}

impl Reader {
    fn show(&mut self, frame: &[u8]) -> Option<zerohop_str> {
        self.current = data(frame).map(|json| Document::new(json.to_vec()));
        self.current.as_ref().map(|document| zerohop_str::of(&document.json))
    }
}

/// What a stream has to give.
enum Next {
    Event(zerohop_str),
    End,
    Pending,
}

/// The data of a server-sent event, which for JSON is one line; `None` at the end.
fn data(frame: &[u8]) -> Option<&[u8]> {
    let line = frame.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"data: "));
    line.filter(|&data| data != b"[DONE]")
}

impl Document {
    fn new(json: Vec<u8>) -> Self {
        Document { json: Owned::new(json), text: OnceLock::new() }
    }

    fn text(&self) -> zerohop_str {
        let text = self.text.get_or_init(|| answer_text(self.json.bytes()).map(|text| Owned::new(text.into_bytes())));
        text.as_ref().map_or(zerohop_str::NONE, zerohop_str::of)
    }
}

/// The first choice's text in a chat completion or in a chunk of one.
fn answer_text(json: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Reply {
        choices: Vec<Choice>,
    }
    #[derive(Deserialize)]
    struct Choice {
        index: u32,
        #[serde(alias = "delta")]
        message: Message,
    }
    #[derive(Deserialize)]
    struct Message {
        content: Option<String>,
    }
    let reply: Reply = serde_json::from_slice(json).ok()?;
    reply.choices.into_iter().find(|choice| choice.index == 0)?.message.content
}

/// The HTTP status, such as 200 or 404; 0 for NULL.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_response_status(response: *const zerohop_response) -> u16 {
    // SAFETY: the C caller passes NULL or a response that it has not freed.
    let response = unsafe { handle::borrow(response) };
    response.map_or(0, |response| response.status)
}

/// The value of a header, such as `x-request-id`, its name in any case; NULL if
/// there is none, and for NULL.
///
/// Any thread. The text is valid until the response is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_response_header(
    response: *const zerohop_response,
    name: *const c_char,
    name_len: usize,
) -> *const c_char {
    // SAFETY: the C caller passes NULL or a response that it has not freed.
    let response = unsafe { handle::borrow(response) };
    guard_or(ptr::null(), || {
        // SAFETY: the C caller passes NULL or `name_len` bytes.
        let name = unsafe { zerohop_str { data: name, len: name_len }.bytes("name") };
        let header = response.zip(name.ok()).and_then(|(response, name)| response.header(name));
        header.map_or(ptr::null(), |header| zerohop_str::of(&header.value).data)
    })
}

/// The number of headers, for a caller that passes them all on; 0 for NULL.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_response_header_count(response: *const zerohop_response) -> usize {
    // SAFETY: the C caller passes NULL or a response that it has not freed.
    let response = unsafe { handle::borrow(response) };
    response.map_or(0, |response| response.headers.len())
}

/// A header by its index, its name in lower case; both texts `{NULL, 0}` if there is
/// none, and for NULL.
///
/// Any thread. The texts are valid until the response is freed, and a NUL follows
/// each.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_response_header_at(response: *const zerohop_response, index: usize) -> zerohop_header {
    // SAFETY: the C caller passes NULL or a response that it has not freed.
    let response = unsafe { handle::borrow(response) };
    let header = response.and_then(|response| response.headers.get(index));
    header.map_or(zerohop_header { name: zerohop_str::NONE, value: zerohop_str::NONE }, |header| zerohop_header {
        name: zerohop_str::of(&header.name),
        value: zerohop_str::of(&header.value),
    })
}

/// The whole body: JSON. `{NULL, 0}` for a stream and for NULL.
///
/// Any thread. The text is valid until the response is freed, and a NUL follows
/// it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_response_body(response: *const zerohop_response) -> zerohop_str {
    // SAFETY: the C caller passes NULL or a response that it has not freed.
    let response = unsafe { handle::borrow(response) };
    response.map_or(zerohop_str::NONE, Response::body)
}

/// Whether the body comes in events, for `zerohop_response_next`. A request with
/// `"stream": true` that fails is answered with a whole body all the same. False
/// for NULL.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_response_is_stream(response: *const zerohop_response) -> bool {
    // SAFETY: the C caller passes NULL or a response that it has not freed.
    let response = unsafe { handle::borrow(response) };
    response.is_some_and(|response| matches!(response.content, Content::Stream { .. }))
}

/// Waits for the next event of a stream from `zerohop_send`. `*out_event` receives
/// its JSON, without the framing of server-sent events. A fault while the answer is generated is an
/// event too, `{"error": {...}}`, and the last one.
///
/// One thread at a time. The JSON is valid until the next event is asked for or the
/// response is freed, and a NUL follows it.
///
/// Returns `ZEROHOP_END` after the last event (where HTTP has `[DONE]`), and again
/// whenever it is called after that, and `ZEROHOP_CANCELLED` when the request was
/// cancelled. Fails with `ZEROHOP_INVALID_ARGUMENT` (a NULL, no stream, one whose
/// events go to a callback, another thread is reading) or `ZEROHOP_CLOSED`; then the
/// stream has ended.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_response_next(
    response: *mut zerohop_response,
    out_event: *mut zerohop_str,
    out_err: *mut *mut zerohop_error,
) -> zerohop_status {
    // SAFETY: the C caller passes NULLs, a response that it does not free during
    // the call, and places that are writable in it.
    let (response, out, out_err) =
        unsafe { (handle::borrow(response.cast_const()), Out::new(out_event), Out::new(out_err)) };
    guard(out_err, || next(response, out, None))
}

/// Like `zerohop_response_next`, but returns `ZEROHOP_TIMEOUT` when there is no
/// event within `timeout_ms` milliseconds; 0 only looks. The stream goes on, and
/// the event before stays valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_response_next_timeout(
    response: *mut zerohop_response,
    timeout_ms: u64,
    out_event: *mut zerohop_str,
    out_err: *mut *mut zerohop_error,
) -> zerohop_status {
    // SAFETY: as for `zerohop_response_next`.
    let (response, out, out_err) =
        unsafe { (handle::borrow(response.cast_const()), Out::new(out_event), Out::new(out_err)) };
    // A deadline beyond what the clock can express is none.
    guard(out_err, || next(response, out, Instant::now().checked_add(Duration::from_millis(timeout_ms))))
}

fn next(
    response: Option<&Response>,
    out: Option<Out<'_, zerohop_str>>,
    deadline: Option<Instant>,
) -> Result<zerohop_status, Failure> {
    let response = required(response, "response")?;
    let out = required(out, "out_event")?;
    Ok(match response.next(deadline)? {
        Next::Event(json) => {
            out.write(json);
            ZEROHOP_OK
        }
        Next::End => ZEROHOP_END,
        Next::Pending => ZEROHOP_TIMEOUT,
    })
}

/// The text of the answer, without a JSON parser: for a stream, the piece in the
/// current event; otherwise the whole of it. With several choices, that of the
/// first. `{NULL, 0}` where there is none: in an event that carries no text, in a
/// failed reply, before the first event, and for NULL.
///
/// One thread at a time. For a stream, the text is valid until the next event is
/// asked for, otherwise until the response is freed; a NUL follows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_response_text(response: *mut zerohop_response) -> zerohop_str {
    // SAFETY: the C caller passes NULL or a response that it has not freed.
    let response = unsafe { handle::borrow(response.cast_const()) };
    guard_or(zerohop_str::NONE, || response.map_or(zerohop_str::NONE, Response::text))
}

/// Stops a stream: `zerohop_response_next`, also one that is blocked in another
/// thread, returns `ZEROHOP_CANCELLED`, and the engine stops computing at its next
/// step. An answer that is complete already is still handed out. Does nothing for
/// a whole reply, a second time, and for NULL.
///
/// Any thread, also while another reads the stream. Takes a lock for a moment, so
/// do not call it from a signal handler.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_response_cancel(response: *const zerohop_response) {
    // SAFETY: the C caller passes NULL or a response that it has not freed.
    let response = unsafe { handle::borrow(response) };
    guard_or((), || {
        if let Some(response) = response {
            response.cancel();
        }
    });
}

/// Frees a response and all texts that came from it; stops a stream that is not
/// complete. NULL is ignored.
///
/// Any thread, once, when no other thread uses the response: to end a read that is
/// blocked in another thread, call `zerohop_response_cancel` and wait for it first.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_response_free(response: *mut zerohop_response) {
    // SAFETY: the C caller passes NULL or a response of ours, and does not use it
    // again.
    let response = unsafe { handle::take(response) };
    guard_or((), || drop(response));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_of_an_event_is_found() {
        assert_eq!(data(b"data: {\"a\":1}\n\n"), Some(b"{\"a\":1}".as_slice()));
        assert_eq!(data(b"event: x\ndata: {}\n\n"), Some(b"{}".as_slice()));
        assert_eq!(data(b"data: [DONE]\n\n"), None);
    }

    #[test]
    fn the_text_of_replies_and_chunks_is_found() {
        let text = |json: &str| answer_text(json.as_bytes());
        let reply = r#"{"id": "x", "choices": [{"index": 0, "message": {"content": "a\n\u00e9"}}], "usage": {}}"#;
        assert_eq!(text(reply).as_deref(), Some("a\né"));
        let chunk = r#"{"choices": [{"index": 0, "delta": {"content": "b"}, "finish_reason": null}]}"#;
        assert_eq!(text(chunk).as_deref(), Some("b"));
        assert_eq!(text(r#"{"choices": [{"index": 0, "delta": {}}]}"#), None);
        assert_eq!(text(r#"{"choices": [{"index": 1, "delta": {"content": "b"}}]}"#), None);
        assert_eq!(text(r#"{"choices": []}"#), None);
        assert_eq!(text(r#"{"error": {}}"#), None);
    }
}
