//! Calls with anybody's types, and typed calls that a worker process answers.

use http::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Engine;
use crate::api::error::{Error, ErrorKind, Result};
use crate::door;
use crate::router::{Body, EventStream};

impl Engine {
    /// Posts any serialisable request to a path and reads the reply as any
    /// deserialisable type, so that other people's API types can be used.
    ///
    /// # Errors
    ///
    /// The API's error for a reply with status 400 or more; `Internal` when the
    /// reply does not fit `R`; `InvalidRequest` for a request with
    /// `"stream": true` (see [`call_stream`](Self::call_stream)).
    pub fn call<R: DeserializeOwned>(&self, path: &str, request: &impl Serialize) -> Result<R> {
        match self.post(path, request)?.into_body() {
            Body::Full(body) => read_reply(&body),
            Body::Events(_) => Err(Error::invalid("stream", "the reply is an event stream; use call_stream")),
        }
    }

    /// Like [`call`](Self::call) for requests with `"stream": true`: reads each
    /// event as any deserialisable type.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call), the other way round.
    pub fn call_stream<C: DeserializeOwned>(
        &self,
        path: &str,
        request: &impl Serialize,
    ) -> Result<Box<dyn Iterator<Item = Result<C>> + Send>> {
        match self.post(path, request)?.into_body() {
            Body::Events(events) => Ok(Box::new(events.data().map(|data| read_reply(&data?)))),
            Body::Full(_) => Err(Error::invalid("stream", "the reply is no event stream; set \"stream\": true")),
        }
    }

    /// The worker process's reply to a typed call, if there is a worker.
    pub(crate) fn remote<R: DeserializeOwned>(&self, path: &str, request: &impl Serialize) -> Option<Result<R>> {
        self.isolated()?;
        Some(request_body(request, false).and_then(|body| self.call(path, &body)))
    }

    /// The same for a call that is answered in events.
    pub(crate) fn remote_events(&self, path: &str, request: &impl Serialize) -> Option<Result<EventStream>> {
        self.isolated()?;
        let reply = request_body(request, true).and_then(|body| self.post(path, &body));
        Some(reply.and_then(|reply| match reply.into_body() {
            Body::Events(events) => Ok(events),
            Body::Full(_) => Err(Error::internal("the worker process does not stream")),
        }))
    }

    /// The same for a call without a body.
    pub(crate) fn remote_call<R: DeserializeOwned>(&self, method: &Method, path: &str) -> Option<Result<R>> {
        self.isolated()?;
        let send = || {
            let request = http::Request::builder()
                .method(method)
                .uri(path)
                .body("")
                .map_err(|error| Error::new(ErrorKind::InvalidArgument, "the path is no URI").with_source(error))?;
            match successful(door::submit(self, &request, false)?.wait()?)?.into_body() {
                Body::Full(body) => read_reply(&body),
                Body::Events(_) => Err(Error::internal("the worker process streams")),
            }
        };
        Some(send())
    }

    fn post(&self, path: &str, request: &impl Serialize) -> Result<http::Response<Body>> {
        let body = serde_json::to_vec(request)
            .map_err(|error| Error::new(ErrorKind::InvalidRequest, "the request is no JSON").with_source(error))?;
        let request = http::Request::post(path)
            .body(body)
            .map_err(|error| Error::new(ErrorKind::InvalidArgument, "the path is no URI").with_source(error))?;
        successful(door::submit(self, &request, false)?.wait()?)
    }
}

/// A reply that is no error.
pub(super) fn successful(reply: http::Response<Body>) -> Result<http::Response<Body>> {
    match (reply.status().as_u16(), reply.body()) {
        (status @ 400.., Body::Full(body)) => Err(Error::from_body(status, body)),
        _ => Ok(reply),
    }
}

/// The body of a typed call, which says by its name whether it streams.
fn request_body(request: &impl Serialize, stream: bool) -> Result<Value> {
    let body = serde_json::to_value(request);
    let mut body =
        body.map_err(|error| Error::new(ErrorKind::InvalidRequest, "the request is no JSON").with_source(error))?;
    if let Some(fields) = body.as_object_mut() {
        if stream {
            fields.insert("stream".to_owned(), Value::Bool(true));
        } else {
            fields.remove("stream");
            fields.remove("stream_options");
        }
    }
    Ok(body)
}

pub(super) fn read_reply<R: DeserializeOwned>(body: &[u8]) -> Result<R> {
    serde_json::from_slice(body).map_err(|error| {
        Error::internal(format!("the reply does not fit the type asked for: {error}")).with_source(error)
    })
}
