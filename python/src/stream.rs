//! Replies that come in events.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::HeaderMap;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use zerohop::EventStream;

use crate::events::{self, Events};
use crate::handle::Handle;
use crate::json::Json;
use crate::{errors, request, types, wait};

/// The status and headers of a reply.
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
}

impl Head {
    pub(crate) fn request_id(&self) -> Option<&str> {
        self.headers.get("x-request-id").and_then(|id| id.to_str().ok())
    }

    /// Whether the body is a plain text.
    pub(crate) fn is_text(&self) -> bool {
        let kind = self.headers.get(http::header::CONTENT_TYPE);
        kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain"))
    }
}

/// The pieces of an answer, as they are generated.
///
/// Iterate over it. Closing it, leaving its `with` block or dropping it before its end stops the
/// generation.
#[pyclass(frozen, generic, module = "zerohop", weakref)]
pub(crate) struct Stream {
    head: Head,
    shape: types::Shape,
    events: Events,
    timeout: Option<Duration>,
}

/// What an event says.
enum Event {
    Data(Json),
    Error(Json),
    Done,
}

/// What comes next; `None` after the end.
type Next = Option<zerohop::Result<Event>>;

#[pymethods]
impl Stream {
    /// The status and headers of the reply.
    #[getter]
    fn response<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        errors::response(py, self.head.status, &self.head.headers)
    }

    fn __iter__<'py>(slf: &Bound<'py, Self>) -> Bound<'py, Self> {
        slf.clone()
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.events.check_process(py)?;
        let next = self.next(py);
        if !matches!(next, Ok(Some(_))) {
            self.close(py);
        }
        next
    }

    /// The next object in a tuple, `(None,)` after the last, or None: then `soon(wake)` is called from
    /// another thread when it is time to ask again.
    fn _poll<'py>(
        &self,
        py: Python<'py>,
        soon: Py<PyAny>,
        wake: Py<PyAny>,
    ) -> PyResult<Option<(Option<Bound<'py, PyAny>>,)>> {
        let polled = self.poll(py, soon, wake);
        if matches!(polled, Err(_) | Ok(Some((None,)))) {
            self.close(py);
        }
        polled
    }

    /// The seconds that each object may take.
    #[getter]
    fn _timeout(&self) -> Option<f64> {
        self.timeout.map(|timeout| timeout.as_secs_f64())
    }

    /// Stops the generation if it still runs. Closing twice is fine.
    fn close(&self, py: Python<'_>) {
        self.events.close(py);
    }

    fn __enter__<'py>(slf: &Bound<'py, Self>) -> Bound<'py, Self> {
        slf.clone()
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, PyAny>) {
        self.close(py);
    }

    fn __repr__(&self) -> String {
        let name = match self.shape {
            types::Shape::Object(schema) => schema.name,
            _ => "ResponseStreamEvent",
        };
        format!("<zerohop.Stream of {name}>")
    }

    fn __reduce__(_slf: &Bound<'_, Self>) -> PyResult<()> {
        Err(PyTypeError::new_err("a Stream cannot be pickled or copied: it is an answer that is being generated"))
    }
}

impl Stream {
    pub(crate) fn new(
        head: Head,
        events: EventStream,
        shape: types::Shape,
        handle: Arc<Handle>,
        timeout: Option<Duration>,
    ) -> Self {
        Stream { head, shape, events: Events::new(events, handle), timeout }
    }

    fn next<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let deadline = request::deadline(self.timeout);
        match wait::until(py, deadline, |slice| read_next(|| self.events.next_until(slice)))? {
            Some(event) => self.object(py, event),
            None => Err(errors::timeout(py)),
        }
    }

    fn poll<'py>(
        &self,
        py: Python<'py>,
        soon: Py<PyAny>,
        wake: Py<PyAny>,
    ) -> PyResult<Option<(Option<Bound<'py, PyAny>>,)>> {
        let handle = &self.events.handle;
        let waker = handle.waker(py, soon, wake)?;
        let mut context = Context::from_waker(&waker);
        match read_next(|| self.events.poll_next(&mut context)) {
            Poll::Ready(event) => Ok(Some((self.object(py, event)?,))),
            Poll::Pending => Ok(None),
        }
    }

    fn object<'py>(&self, py: Python<'py>, event: Next) -> PyResult<Option<Bound<'py, PyAny>>> {
        match event {
            None | Some(Ok(Event::Done)) => Ok(None),
            Some(Ok(Event::Data(json))) => types::value(py, self.shape, &json).map(Some),
            Some(Ok(Event::Error(error))) => Err(errors::from_event(py, &error)),
            Some(Err(error)) => Err(errors::from_engine(py, &error)),
        }
    }
}

/// The next event of those that `next` gives, or `None` after the last.
fn read_next(mut next: impl FnMut() -> events::Next) -> Poll<Next> {
    loop {
        match next() {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(event) = read_event(&frame) {
                    return Poll::Ready(Some(Ok(event)));
                }
            }
            Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Pending => return Poll::Pending,
        }
    }
}

/// Reads one server-sent event (CS1, RE10); a comment is none.
fn read_event(frame: &[u8]) -> Option<Event> {
    let data = frame.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"data:"))?.trim_ascii();
    if data == b"[DONE]" {
        return Some(Event::Done);
    }
    let json = serde_json::from_slice(data).unwrap_or_else(|_| Json::Text(String::from_utf8_lossy(data).into_owned()));
    match &json {
        Json::Object(fields) => match fields.get("error") {
            Some(error) if !error.is_null() => Some(Event::Error(error.clone())),
            _ => Some(Event::Data(json)),
        },
        _ => Some(Event::Error(json)),
    }
}
