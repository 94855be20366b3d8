//! The engine's door for the transports of HTTP clients (`zerohop/_transport.py`).

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use parking_lot::Mutex;
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use zerohop::{Body, Pending};

use crate::events::Events;
use crate::handle::Handle;
use crate::reply::{self, Reading};
use crate::request::deadline;
use crate::{errors, logs, wait};

/// As httpx has them.
pub(crate) type Headers = Vec<(PyBackedBytes, PyBackedBytes)>;

/// Status, headers, and the body as bytes or `_Events`.
pub(crate) type Reply<'py> = (u16, Vec<(String, String)>, Bound<'py, PyAny>);

/// An HTTP request from its parts.
pub(crate) fn read(
    py: Python<'_>,
    method: &str,
    target: &str,
    headers: Headers,
    body: &[u8],
) -> PyResult<Request<Vec<u8>>> {
    let mut request = Request::builder()
        .method(method)
        .uri(target)
        .body(body.to_vec())
        .map_err(|error| errors::invalid_argument(py, &error.to_string()))?;
    *request.headers_mut() = read_headers(headers)
        .ok_or_else(|| errors::invalid_argument(py, "a header's name or value has invalid characters"))?;
    Ok(request)
}

fn read_headers(headers: Headers) -> Option<HeaderMap> {
    let pair = |(name, value): (PyBackedBytes, PyBackedBytes)| {
        Some((HeaderName::from_bytes(&name).ok()?, HeaderValue::from_bytes(&value).ok()?))
    };
    headers.into_iter().map(pair).collect()
}

/// Sends a request and waits for the reply, or for the beginning of its events.
///
/// # Errors
///
/// The exception for what prevents a reply; whatever is still being computed then is cancelled.
pub(crate) fn request<'py>(
    py: Python<'py>,
    handle: &Arc<Handle>,
    request: &Request<Vec<u8>>,
    timeout: Option<f64>,
) -> PyResult<Reply<'py>> {
    let engine = handle.engine(py)?;
    logs::refresh(py)?;
    let deadline = deadline(duration(timeout));
    let submitted = py.detach(|| engine.submit(request));
    let mut pending = submitted.map_err(|error| errors::from_engine(py, &error))?;
    match wait::until(py, deadline, |slice| pending.wait_until(slice))? {
        Some(response) => read_parts(py, handle, response),
        None => Err(errors::timeout(py)),
    }
}

/// Has the engine's own threads take on a request.
pub(crate) fn submit(py: Python<'_>, handle: &Arc<Handle>, request: Request<Vec<u8>>) -> PyResult<PendingReply> {
    PendingReply::new(py, handle, request, None, None)
}

fn read_parts<'py>(
    py: Python<'py>,
    handle: &Arc<Handle>,
    response: zerohop::Result<Response<Body>>,
) -> PyResult<Reply<'py>> {
    let (parts, body) = response.map_err(|error| errors::from_engine(py, &error))?.into_parts();
    let body = match body {
        Body::Full(body) => PyBytes::new(py, &body).into_any(),
        Body::Events(events) => Bound::new(py, ReplyEvents(Events::new(events, handle.clone())))?.into_any(),
    };
    let headers = errors::header_pairs(&parts.headers);
    let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Ok((parts.status.as_u16(), headers, body))
}

/// Seconds; so many that no clock reaches them are no limit.
fn duration(seconds: Option<f64>) -> Option<Duration> {
    seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)).ok())
}

/// A reply on its way to an event loop. Dropping it cancels the request.
#[pyclass(frozen, generic, name = "_Pending", module = "zerohop._native")]
pub(crate) struct PendingReply {
    /// `None` once it has been given or closed.
    pending: Mutex<Option<Pending>>,
    handle: Arc<Handle>,
    /// `None` for the parts of a reply.
    reading: Option<Reading>,
    timeout: Option<Duration>,
}

impl PendingReply {
    pub(crate) fn new(
        py: Python<'_>,
        handle: &Arc<Handle>,
        request: Request<Vec<u8>>,
        reading: Option<Reading>,
        timeout: Option<Duration>,
    ) -> PyResult<Self> {
        let engine = handle.engine(py)?;
        logs::refresh(py)?;
        let pending = py.detach(|| engine.submit_async(request)).map_err(|error| errors::from_engine(py, &error))?;
        Ok(PendingReply { pending: Mutex::new(Some(pending)), handle: handle.clone(), reading, timeout })
    }
}

#[pymethods]
impl PendingReply {
    /// The reply in a tuple, or None: then `soon(wake)` is called from another thread when it is time to
    /// ask again.
    fn poll<'py>(&self, py: Python<'py>, soon: Py<PyAny>, wake: Py<PyAny>) -> PyResult<Option<(Bound<'py, PyAny>,)>> {
        let waker = self.handle.waker(py, soon, wake)?;
        let polled = {
            let mut slot = self.pending.lock();
            let Some(pending) = slot.as_mut() else {
                return Err(errors::cancelled(py, "the request has been closed"));
            };
            let polled = pin!(pending).poll(&mut Context::from_waker(&waker));
            if polled.is_ready() {
                *slot = None;
            }
            polled
        };
        let Poll::Ready(response) = polled else { return Ok(None) };
        let reply = match &self.reading {
            None => read_parts(py, &self.handle, response)?.into_bound_py_any(py)?,
            Some(reading) => reply::Reply::new(py, response, &self.handle, self.timeout)?.read(py, reading.clone())?,
        };
        Ok(Some((reply,)))
    }

    /// The seconds that the reply may take, as the call said.
    #[getter]
    fn timeout(&self) -> Option<f64> {
        self.timeout.map(|timeout| timeout.as_secs_f64())
    }

    /// Cancels the request if it still runs.
    fn close(&self, py: Python<'_>) {
        if !self.handle.is_forked() {
            py.detach(|| drop(self.pending.lock().take()));
        }
    }
}

/// The events of a reply, each as the bytes that would come over a wire.
#[pyclass(frozen, name = "_Events", module = "zerohop._native")]
pub(crate) struct ReplyEvents(Events);

#[pymethods]
impl ReplyEvents {
    /// The next event, waiting for it; None after the last.
    fn next<'py>(&self, py: Python<'py>, timeout: Option<f64>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        self.0.check_process(py)?;
        match wait::until(py, deadline(duration(timeout)), |slice| self.0.next_until(slice))? {
            Some(event) => read_event(py, event),
            None => Err(errors::timeout(py)),
        }
    }

    /// The next event in a tuple, `(None,)` after the last, or None: then `soon(wake)` is called from
    /// another thread when it is time to ask again.
    fn poll<'py>(
        &self,
        py: Python<'py>,
        soon: Py<PyAny>,
        wake: Py<PyAny>,
    ) -> PyResult<Option<(Option<Bound<'py, PyBytes>>,)>> {
        let waker = self.0.handle.waker(py, soon, wake)?;
        match self.0.poll_next(&mut Context::from_waker(&waker)) {
            Poll::Ready(event) => Ok(Some((read_event(py, event)?,))),
            Poll::Pending => Ok(None),
        }
    }

    /// Stops the generation if it still runs.
    fn close(&self, py: Python<'_>) {
        self.0.close(py);
    }
}

fn read_event(py: Python<'_>, event: Option<zerohop::Result<Vec<u8>>>) -> PyResult<Option<Bound<'_, PyBytes>>> {
    match event {
        Some(Ok(event)) => Ok(Some(PyBytes::new(py, &event))),
        Some(Err(error)) => Err(errors::from_engine(py, &error)),
        None => Ok(None),
    }
}
