//! The engine's errors as the package's exceptions.
//!
//! The exceptions are Python classes (`zerohop/_exceptions.py`): only those can have two bases. The
//! table from the engine's kinds of errors to them is there too.

use std::error::Error as _;
use std::io;
use std::path::Path;

use http::HeaderMap;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use zerohop::{Error, ErrorKind};

use crate::convert;
use crate::json::Json;

const MODULE: &str = "zerohop._exceptions";

/// An error of the engine itself, outside of any reply.
pub(crate) fn from_engine(py: Python<'_>, error: &Error) -> PyErr {
    static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    if let Some(status) = error.status() {
        let body = Json::of(&error.to_body()).unwrap_or(Json::Null);
        let headers = error.retry_after().map(|delay| ("retry-after", delay.as_secs().max(1).to_string()));
        return made(status_error(py, status, headers.into_iter().collect(), &body));
    }
    let errno = error.source().and_then(|source| source.downcast_ref::<io::Error>()).and_then(io::Error::raw_os_error);
    // As the operating system has it: a `Path` would become `pathlib.Path`, which no builtin sets.
    let filename = error.path().map(Path::as_os_str);
    made(
        MAKE.import(py, MODULE, "engine_error")
            .and_then(|make| make.call1((kind_name(error.kind()), error.message(), error.code(), errno, filename))),
    )
}

/// A reply with a status of 400 or more.
pub(crate) fn from_reply(py: Python<'_>, status: u16, headers: &HeaderMap, body: &[u8]) -> PyErr {
    let body = serde_json::from_slice(body).unwrap_or_else(|_| Json::Text(String::from_utf8_lossy(body).into_owned()));
    made(status_error(py, status, header_pairs(headers), &body))
}

/// A 400 for a request that could not even be written down.
pub(crate) fn bad_request(py: Python<'_>, param: &str, message: &str) -> PyErr {
    static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    made(MAKE.import(py, MODULE, "bad_request").and_then(|make| make.call1((param, message))))
}

/// A failure that a stream reports after it began (CS11).
pub(crate) fn from_event(py: Python<'_>, error: &Json) -> PyErr {
    static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    made(MAKE.import(py, MODULE, "stream_error").and_then(|make| make.call1((convert::to_python(py, error)?,))))
}

/// The reply's head, as exceptions and streams show it.
pub(crate) fn response<'py>(py: Python<'py>, status: u16, headers: &HeaderMap) -> PyResult<Bound<'py, PyAny>> {
    static RESPONSE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    RESPONSE.import(py, "zerohop._response", "Response")?.call1((status, header_pairs(headers)))
}

pub(crate) fn timeout(py: Python<'_>) -> PyErr {
    made(py.import(MODULE).and_then(|module| module.getattr("APITimeoutError")?.call0()))
}

pub(crate) fn invalid_argument(py: Python<'_>, message: &str) -> PyErr {
    named(py, "InvalidArgumentError", message)
}

pub(crate) fn closed(py: Python<'_>) -> PyErr {
    named(py, "EngineClosedError", "the engine has been closed")
}

/// A reply that is not what its request asks for.
pub(crate) fn unexpected_reply(py: Python<'_>, message: &str) -> PyErr {
    named(py, "APIError", message)
}

pub(crate) fn cancelled(py: Python<'_>, message: &str) -> PyErr {
    named(py, "RequestCancelledError", message)
}

pub(crate) fn forked(py: Python<'_>) -> PyErr {
    let message = "the engine belongs to the process that made it, and its threads do not exist in this one, which was \
                   forked from it: make the engine after the fork, or start processes with the 'spawn' method";
    named(py, "ForkError", message)
}

/// Every kind of the engine's errors with its HTTP status, for the test that no exception is missing.
#[pyfunction]
pub(crate) fn _error_kinds() -> Vec<(String, Option<u16>)> {
    ErrorKind::ALL.map(|kind| (kind_name(kind), kind.status())).into()
}

fn kind_name(kind: ErrorKind) -> String {
    format!("{kind:?}")
}

fn status_error<'py>(
    py: Python<'py>,
    status: u16,
    headers: Vec<(&str, String)>,
    body: &Json,
) -> PyResult<Bound<'py, PyAny>> {
    static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    MAKE.import(py, MODULE, "status_error")?.call1((status, headers, convert::to_python(py, body)?))
}

fn named(py: Python<'_>, class: &str, message: &str) -> PyErr {
    made(py.import(MODULE).and_then(|module| module.getattr(class)?.call1((message,))))
}

/// The exception, or why it could not be made.
fn made(exception: PyResult<Bound<'_, PyAny>>) -> PyErr {
    exception.map_or_else(|error| error, PyErr::from_value)
}

pub(crate) fn header_pairs(headers: &HeaderMap) -> Vec<(&str, String)> {
    headers
        .iter()
        .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect()
}
