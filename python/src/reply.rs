//! Replies of the engine, and what they become.

use std::sync::Arc;
use std::time::Duration;

use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyBytes;
use zerohop::Body;

use crate::handle::Handle;
use crate::json::Json;
use crate::lists::List;
use crate::stream::{Head, Stream};
use crate::types::{self, Origin, Schema, Shape};
use crate::{errors, vectors};

/// What a reply becomes.
#[derive(Clone)]
pub(crate) enum Reading {
    /// An object of this class.
    Object(&'static Schema),
    /// Such an object; a text if the reply is one; a stream of what has this shape if it comes in events.
    ObjectOrStream(&'static Schema, Shape),
    /// An object with vectors.
    Vectors,
    /// A page of a list.
    Page(List),
    /// The content of a file.
    Content,
    /// None: that it has come says all.
    Nothing,
}

/// A reply of the engine with a status below 400.
pub(crate) struct Reply {
    head: Head,
    body: Body,
    handle: Arc<Handle>,
    timeout: Option<Duration>,
}

impl Reply {
    /// # Errors
    ///
    /// The exception for a reply with status 400 or more, and for what prevented one.
    pub(crate) fn new(
        py: Python<'_>,
        response: zerohop::Result<http::Response<Body>>,
        handle: &Arc<Handle>,
        timeout: Option<Duration>,
    ) -> PyResult<Self> {
        let (parts, body) = response.map_err(|error| errors::from_engine(py, &error))?.into_parts();
        let status = parts.status.as_u16();
        match body {
            Body::Full(body) if status >= 400 => Err(errors::from_reply(py, status, &parts.headers, &body)),
            body => Ok(Reply { head: Head { status, headers: parts.headers }, body, handle: handle.clone(), timeout }),
        }
    }

    /// What the reply becomes.
    pub(crate) fn read(self, py: Python<'_>, reading: Reading) -> PyResult<Bound<'_, PyAny>> {
        let body = match (self.body, &reading) {
            (Body::Full(body), _) => body,
            (Body::Events(events), Reading::ObjectOrStream(_, shape)) => {
                return Stream::new(self.head, events, *shape, self.handle, self.timeout).into_bound_py_any(py);
            }
            (Body::Events(_), _) => return Err(errors::unexpected_reply(py, "the engine answered with events")),
        };
        if self.head.is_text() && matches!(reading, Reading::ObjectOrStream(..)) {
            let text = String::from_utf8(body)
                .map_err(|error| errors::unexpected_reply(py, &format!("the reply cannot be read: {error}")))?;
            return text.into_bound_py_any(py);
        }
        let request_id = self.head.request_id().map(str::to_owned);
        match reading {
            Reading::Object(schema) | Reading::ObjectOrStream(schema, _) => {
                types::reply(py, schema, &parsed(py, &body)?, Origin { request_id, list: None })
            }
            Reading::Vectors => {
                let json = py.detach(|| vectors::read_reply(&body));
                let json = json.map_err(|error| errors::unexpected_reply(py, &error))?;
                types::reply(py, &types::CREATE_EMBEDDING_RESPONSE, &json, Origin { request_id, list: None })
            }
            Reading::Page(list) => {
                let schema = list.schema();
                types::reply(py, schema, &parsed(py, &body)?, Origin { request_id, list: Some(list) })
            }
            Reading::Content => {
                static CONTENT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
                let content = CONTENT.import(py, "zerohop._files", "BinaryResponseContent")?;
                content.call1((PyBytes::new(py, &body),))
            }
            Reading::Nothing => Ok(py.None().into_bound(py)),
        }
    }
}

fn parsed(py: Python<'_>, body: &[u8]) -> PyResult<Json> {
    py.detach(|| serde_json::from_slice(body))
        .map_err(|error| errors::unexpected_reply(py, &format!("the reply cannot be read: {error}")))
}
