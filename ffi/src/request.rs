//! Requests: HTTP's shape without HTTP.

use std::ptr;
use std::sync::Arc;

use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request, Uri};
use zerohop::Pending;

use crate::cancel::{Cancel, CancelToken, zerohop_cancel_token};
use crate::engine::zerohop_engine;
use crate::error::{Failure, ZEROHOP_CANCELLED, ZEROHOP_OK, zerohop_error, zerohop_status};
use crate::growing::{self, Growing};
use crate::guard::guard;
use crate::handle;
use crate::response::{Response, zerohop_response};
use crate::text::{Out, array, required, zerohop_str};

/// A header of a request.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct zerohop_header {
    /// The name, in any case.
    pub name: zerohop_str,
    /// The value.
    pub value: zerohop_str,
}

/// What a client would send to a hosted API. Fill it with `zerohop_request_init`,
/// then set `path` and `body`.
///
/// Only read, and only during the call it is passed to: it, its texts and arrays
/// may go afterwards.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct zerohop_request {
    /// The size of this struct as the caller knows it; set by the init function.
    pub struct_size: usize,
    /// The HTTP method. Default: `POST`.
    pub method: zerohop_str,
    /// The path, such as `/v1/chat/completions`, and a query if there is one.
    /// Required.
    pub path: zerohop_str,
    /// The type of the body. Default: `application/json`.
    pub content_type: zerohop_str,
    /// More headers.
    pub headers: *const zerohop_header,
    /// The number of `headers`.
    pub header_count: usize,
    /// The body: for JSON paths, the JSON text that a client would post.
    pub body: zerohop_str,
    /// Cancels this request from another thread; NULL for nothing. May be freed
    /// before the request has ended.
    pub cancel: *const zerohop_cancel_token,
}

// SAFETY: `repr(C)`, size first; integers and pointers.
unsafe impl Growing for zerohop_request {
    const DEFAULT: Self = zerohop_request {
        struct_size: size_of::<Self>(),
        method: zerohop_str::literal("POST"),
        path: zerohop_str::NONE,
        content_type: zerohop_str::literal("application/json"),
        headers: ptr::null(),
        header_count: 0,
        body: zerohop_str::NONE,
        cancel: ptr::null(),
    };
    const FIRST_SIZE: usize = size_of::<Self>();
}

/// Fills a request with its defaults. `struct_size` is `sizeof(zerohop_request)`.
/// Does nothing for NULL.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_request_init(request: *mut zerohop_request, struct_size: usize) {
    // SAFETY: the C caller passes NULL or `struct_size` writable bytes.
    unsafe { growing::init(request, struct_size) };
}

/// Sends a request to an engine. Blocks until the whole reply is there or, for a
/// request with `"stream": true`, until the stream has begun.
///
/// `*out` receives a response that `zerohop_response_free` frees. Whatever a hosted
/// API would answer is a response and `ZEROHOP_OK`, also a 400, a 404 or a 429:
/// look at `zerohop_response_status`.
///
/// Any thread, also while others use the engine.
///
/// Returns `ZEROHOP_CANCELLED` if the request's token was used. Fails with
/// `ZEROHOP_INVALID_ARGUMENT` (a NULL, a text that is no method, path or header)
/// or `ZEROHOP_CLOSED`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_send(
    engine: *const zerohop_engine,
    request: *const zerohop_request,
    out: *mut *mut zerohop_response,
    out_err: *mut *mut zerohop_error,
) -> zerohop_status {
    // SAFETY: the C caller passes NULLs, an engine that nobody frees during the
    // call, and places that are writable in it.
    let (engine, out, out_err) = unsafe { (handle::borrow(engine), Out::new(out), Out::new(out_err)) };
    guard(out_err, || {
        let engine = required(engine, "engine")?;
        let out = required(out, "out")?;
        // SAFETY: the C caller passes NULL or a request as the header describes
        // it, which stays as it is during the call; so does the token in it.
        let (request, token) = unsafe {
            let request = growing::read(request, "request")?;
            (request.to_http()?, handle::share(request.cancel))
        };
        answer(out, token.as_ref(), || engine.core().submit(&request))
    })
}

/// Sends a request and waits for its reply, until the token is used.
pub(crate) fn answer(
    out: Out<'_, *mut zerohop_response>,
    token: Option<&Arc<CancelToken>>,
    send: impl FnOnce() -> zerohop::Result<Pending>,
) -> Result<zerohop_status, Failure> {
    if token.is_some_and(|token| token.is_cancelled()) {
        return Ok(ZEROHOP_CANCELLED);
    }
    let pending = send()?;
    // Ends with the wait: from then on the response registers itself.
    let running = pending.cancel_handle().map(Cancel::Request);
    let registration = token.zip(running).map(|(token, running)| token.register(running));
    let reply = pending.wait()?;
    drop(registration);
    out.write(handle::give(Box::new(Response::new(reply, token))));
    Ok(ZEROHOP_OK)
}

impl zerohop_request {
    /// # Safety
    ///
    /// What the struct points to is as the header says, and stays so during `'a`.
    pub(crate) unsafe fn to_http<'a>(self) -> Result<Request<&'a [u8]>, Failure> {
        // SAFETY: the caller's promise.
        let (method, path, content_type, headers, body) = unsafe {
            (
                self.method.bytes("method")?,
                self.path.text("path")?,
                self.content_type.bytes("content_type")?,
                array(self.headers, self.header_count, "headers")?,
                self.body.bytes("body")?,
            )
        };
        let mut request = Request::new(body);
        *request.method_mut() =
            Method::from_bytes(method).map_err(|_| Failure::argument("method", "is no HTTP method"))?;
        *request.uri_mut() = uri(path)?;
        if !content_type.is_empty() {
            let value = HeaderValue::from_bytes(content_type)
                .map_err(|_| Failure::argument("content_type", "is no header value"))?;
            request.headers_mut().insert(CONTENT_TYPE, value);
        }
        for (index, header) in headers.iter().enumerate() {
            let field = |part: &str| format!("headers[{index}].{part}");
            // SAFETY: the caller's promise.
            let (name, value) = unsafe { (header.name.bytes(&field("name"))?, header.value.bytes(&field("value"))?) };
            let name =
                HeaderName::from_bytes(name).map_err(|_| Failure::argument(&field("name"), "is no header name"))?;
            let value =
                HeaderValue::from_bytes(value).map_err(|_| Failure::argument(&field("value"), "is no header value"))?;
            request.headers_mut().append(name, value);
        }
        Ok(request)
    }
}

fn uri(path: &str) -> Result<Uri, Failure> {
    // Without the slash it would be read as a host's name.
    if !path.starts_with('/') {
        return Err(Failure::argument("path", "must begin with '/'"));
    }
    path.parse().map_err(|error| Failure::argument("path", &format!("is no path of a URL: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to_http(change: impl FnOnce(&mut zerohop_request)) -> Result<Request<&'static [u8]>, Failure> {
        let mut request = zerohop_request { path: zerohop_str::literal("/v1/models"), ..zerohop_request::DEFAULT };
        change(&mut request);
        // SAFETY: the tests use literals only.
        unsafe { request.to_http() }
    }

    fn fault(change: impl FnOnce(&mut zerohop_request)) -> String {
        let failure = to_http(change).unwrap_err();
        failure.param.unwrap().into_string().unwrap()
    }

    #[test]
    fn the_defaults_are_a_post_of_json() {
        let request = to_http(|_| ()).unwrap();
        assert_eq!((request.method(), request.uri().path()), (&Method::POST, "/v1/models"));
        assert_eq!(request.headers()[CONTENT_TYPE], "application/json");
    }

    #[test]
    fn headers_and_query_pass_through() {
        const HEADERS: [zerohop_header; 2] = [
            zerohop_header { name: zerohop_str::literal("X-A"), value: zerohop_str::literal("1") },
            zerohop_header { name: zerohop_str::literal("x-a"), value: zerohop_str::literal("2") },
        ];
        let request = to_http(|request| {
            request.path = zerohop_str::literal("/v1/models?limit=2");
            (request.headers, request.header_count) = (HEADERS.as_ptr(), HEADERS.len());
        });
        let request = request.unwrap();
        assert_eq!(request.uri().query(), Some("limit=2"));
        assert_eq!(request.headers().get_all("x-a").iter().count(), 2);
    }

    #[test]
    fn what_is_not_http_names_the_field() {
        assert_eq!(fault(|request| request.method = zerohop_str::literal("GE T")), "method");
        assert_eq!(fault(|request| request.method = zerohop_str::NONE), "method");
        assert_eq!(fault(|request| request.path = zerohop_str::NONE), "path");
        assert_eq!(fault(|request| request.path = zerohop_str::literal("v1/models")), "path");
        assert_eq!(fault(|request| request.path = zerohop_str::literal("/a b")), "path");
        assert_eq!(fault(|request| request.content_type = zerohop_str::literal("a\nb")), "content_type");
        assert_eq!(fault(|request| request.header_count = 1), "headers");
    }
}
