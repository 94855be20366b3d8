//! A call's way through the engine's door and back.

use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyMapping, PyString};
use zerohop::Body;

use crate::door::{PendingReply, Reading};
use crate::handle::Handle;
use crate::json::{Fields, Json};
use crate::stream::{Head, Stream};
use crate::{convert, errors, logs, types, vectors, wait};

/// What every call takes beside the API's parameters.
const OPTIONS: &[&str] = &["extra_headers", "extra_query", "extra_body", "timeout"];

/// A call on its way to the engine.
pub(crate) struct Call {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Option<Fields>,
    /// A body that is no JSON.
    form: Option<Vec<u8>>,
    timeout: Option<Duration>,
}

impl Call {
    pub(crate) fn get(path: &str) -> Self {
        Self::without_body(Method::GET, path)
    }

    /// A call that says all in its path.
    pub(crate) fn without_body(method: Method, path: &str) -> Self {
        Call { method, path: path.to_owned(), headers: HeaderMap::new(), body: None, form: None, timeout: None }
    }

    pub(crate) fn post(path: &str) -> Self {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        Call {
            method: Method::POST,
            path: path.to_owned(),
            headers,
            body: Some(Fields::default()),
            form: None,
            timeout: None,
        }
    }

    /// A form with fields and a file.
    ///
    /// # Errors
    ///
    /// What keeps the form from being sent.
    pub(crate) fn post_form(
        path: &str,
        fields: &[(String, String)],
        (name, filename): (&str, &str),
        content: &[u8],
    ) -> Result<Self, http::Error> {
        // Between quotes, as browsers and httpx write it.
        let quoted = |text: &str| {
            let text = text.replace('\\', "\\\\").replace('"', "%22");
            text.replace('\r', "%0D").replace('\n', "%0A")
        };
        let mut boundary = "zerohop".to_owned();
        let holds = |boundary: &str| content.windows(boundary.len()).any(|window| window == boundary.as_bytes());
        while holds(&boundary) || fields.iter().any(|(_, value)| value.contains(&boundary)) {
            boundary.push('-');
        }
        let mut form = Vec::with_capacity(content.len() + 1024);
        let mut part = |head: &str, content: &[u8]| {
            form.extend_from_slice(
                format!("--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n").as_bytes(),
            );
            form.extend_from_slice(content);
            form.extend_from_slice(b"\r\n");
        };
        for (name, value) in fields {
            part(&format!("name=\"{}\"", quoted(name)), value.as_bytes());
        }
        part(&format!("name=\"{}\"; filename=\"{}\"", quoted(name), quoted(filename)), content);
        form.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        let content_type = HeaderValue::try_from(format!("multipart/form-data; boundary={boundary}"))?;
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, content_type)]);
        Ok(Call { headers, form: Some(form), ..Self::without_body(Method::POST, path) })
    }

    /// Sets a parameter of the body.
    pub(crate) fn set(&mut self, name: &str, value: Json) {
        self.body.get_or_insert_default().set(name, value);
    }

    /// A parameter of the body.
    pub(crate) fn parameter(&self, name: &str) -> Option<&Json> {
        self.body.as_ref()?.get(name)
    }

    /// Reads `timeout`, `extra_headers` and `extra_query`.
    pub(crate) fn read_options(&mut self, arguments: &Bound<'_, PyDict>) -> PyResult<()> {
        if let Some(seconds) = given(arguments, "timeout")? {
            self.timeout = read_timeout(&seconds)?;
        }
        if let Some(headers) = given(arguments, "extra_headers")? {
            for (name, value) in text_pairs("extra_headers", &headers)? {
                let (name, value) = read_header(arguments.py(), &name, &value)?;
                self.headers.insert(name, value);
            }
        }
        if let Some(query) = given(arguments, "extra_query")? {
            self.add_query(&text_pairs("extra_query", &query)?);
        }
        Ok(())
    }

    /// Puts a query behind the path.
    pub(crate) fn add_query(&mut self, pairs: &[(String, String)]) {
        for (index, (name, value)) in pairs.iter().enumerate() {
            let separator = if index == 0 { '?' } else { '&' };
            let encode = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
            // Writing to a string cannot fail.
            let _ = write!(self.path, "{separator}{}={}", encode(name), encode(value));
        }
    }

    /// Lays `extra_body` over the body's top level (T7).
    pub(crate) fn merge_extra_body(&mut self, arguments: &Bound<'_, PyDict>) -> PyResult<()> {
        let py = arguments.py();
        let Some(extra) = given(arguments, "extra_body")? else { return Ok(()) };
        let extra = convert::to_json(&extra).map_err(|refusal| {
            refusal.within_key("extra_body").into_error(|path, message| errors::bad_request(py, path, message))
        })?;
        let Json::Object(extra) = extra else {
            return Err(PyTypeError::new_err("extra_body must be a mapping"));
        };
        for (name, value) in extra.iter() {
            self.set(name, value.clone());
        }
        Ok(())
    }

    /// Sends the call and waits for the reply, or for the beginning of its events.
    ///
    /// # Errors
    ///
    /// The exception for a reply with status 400 or more, and for everything that prevents a reply.
    /// Whatever is still being computed then is cancelled.
    pub(crate) fn send(self, py: Python<'_>, handle: &Arc<Handle>) -> PyResult<Reply> {
        let engine = handle.engine(py)?;
        logs::refresh(py)?;
        let deadline = deadline(self.timeout);
        let timeout = self.timeout;
        let request = self.into_http(py)?;
        let submitted = py.detach(|| engine.submit(&request));
        let mut pending = submitted.map_err(|error| errors::from_engine(py, &error))?;
        let Some(response) = wait::until(py, deadline, |slice| pending.wait_until(slice))? else {
            return Err(errors::timeout(py));
        };
        Reply::read(py, response, handle, timeout)
    }

    /// Sends the call for an event loop to wait for.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), without the reply's.
    pub(crate) fn submit(self, py: Python<'_>, handle: &Arc<Handle>, schemas: Schemas) -> PyResult<PendingReply> {
        self.submit_as(py, handle, Reading::Objects(schemas))
    }

    /// Like [`submit`](Self::submit), for a reply that is read in another way.
    pub(crate) fn submit_as(self, py: Python<'_>, handle: &Arc<Handle>, reading: Reading) -> PyResult<PendingReply> {
        let timeout = self.timeout;
        PendingReply::new(py, handle, self.into_http(py)?, reading, timeout)
    }

    fn into_http(self, py: Python<'_>) -> PyResult<http::Request<Vec<u8>>> {
        let Call { method, path, headers, body, form, .. } = self;
        let invalid = |error: &dyn ToString| errors::invalid_argument(py, &error.to_string());
        let body = match body {
            Some(body) => py.detach(|| serde_json::to_vec(&Json::Object(Arc::new(body)))).map_err(|e| invalid(&e))?,
            None => form.unwrap_or_default(),
        };
        let mut request = http::Request::builder().method(method).uri(path).body(body).map_err(|e| invalid(&e))?;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

/// A reply of the engine with a status below 400.
pub(crate) struct Reply {
    head: Head,
    body: Body,
    handle: Arc<Handle>,
    timeout: Option<Duration>,
}

/// The classes of an endpoint's replies.
#[derive(Clone, Copy)]
pub(crate) struct Schemas {
    pub(crate) object: &'static types::Schema,
    /// Of each event, if the reply comes in events.
    pub(crate) event: types::Shape,
}

impl Reply {
    /// # Errors
    ///
    /// The exception for a reply with status 400 or more, and for what prevented one.
    pub(crate) fn read(
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

    /// The reply as an object.
    pub(crate) fn object<'py>(self, py: Python<'py>, schema: &'static types::Schema) -> PyResult<Bound<'py, PyAny>> {
        match self.body {
            Body::Full(body) => read_object(py, &self.head, &body, schema),
            Body::Events(_) => Err(errors::unexpected_reply(py, "the engine answered with events")),
        }
    }

    /// The reply's bytes.
    pub(crate) fn bytes(self, py: Python<'_>) -> PyResult<Bound<'_, PyBytes>> {
        match self.body {
            Body::Full(body) => Ok(PyBytes::new(py, &body)),
            Body::Events(_) => Err(errors::unexpected_reply(py, "the engine answered with events")),
        }
    }

    /// The reply as an object, or as a stream of them.
    pub(crate) fn read_as<'py>(self, py: Python<'py>, reading: &Reading) -> PyResult<Bound<'py, PyAny>> {
        match (reading, self.body) {
            (Reading::Vectors, Body::Full(body)) => {
                let json = py.detach(|| vectors::read_reply(&body));
                let json = json.map_err(|error| errors::unexpected_reply(py, &error))?;
                types::reply(py, &types::CREATE_EMBEDDING_RESPONSE, &json, self.head.request_id())
            }
            (Reading::Objects(schemas), body) => Reply { body, ..self }.object_or_stream(py, schemas),
            (Reading::Parts | Reading::Vectors, _) => {
                Err(errors::unexpected_reply(py, "the engine answered with events"))
            }
        }
    }

    /// The reply as an object, as a text if it is one, or as a stream of objects if it comes in events.
    pub(crate) fn object_or_stream<'py>(self, py: Python<'py>, schemas: &Schemas) -> PyResult<Bound<'py, PyAny>> {
        match self.body {
            Body::Full(body) if self.head.is_text() => {
                let text = String::from_utf8(body)
                    .map_err(|error| errors::unexpected_reply(py, &format!("the reply cannot be read: {error}")))?;
                Ok(PyString::new(py, &text).into_any())
            }
            Body::Full(body) => read_object(py, &self.head, &body, schemas.object),
            Body::Events(events) => {
                let stream = Stream::new(self.head, events, schemas.event, self.handle, self.timeout);
                Ok(Bound::new(py, stream)?.into_any())
            }
        }
    }
}

fn read_object<'py>(
    py: Python<'py>,
    head: &Head,
    body: &[u8],
    schema: &'static types::Schema,
) -> PyResult<Bound<'py, PyAny>> {
    let json: Json = py
        .detach(|| serde_json::from_slice(body))
        .map_err(|error| errors::unexpected_reply(py, &format!("the reply cannot be read: {error}")))?;
    types::reply(py, schema, &json, head.request_id())
}

/// When a wait that begins now has to end.
pub(crate) fn deadline(timeout: Option<Duration>) -> Option<Instant> {
    timeout.and_then(|timeout| Instant::now().checked_add(timeout))
}

/// Refuses arguments that a method does not have, and insists on those it needs.
pub(crate) fn check_names(
    method: &str,
    arguments: &Bound<'_, PyDict>,
    parameters: &[&str],
    required: &[&str],
) -> PyResult<()> {
    for name in arguments.keys() {
        let name: String = name.extract()?;
        if !parameters.contains(&name.as_str()) && !OPTIONS.contains(&name.as_str()) {
            return Err(PyTypeError::new_err(format!("{method}() got an unexpected keyword argument '{name}'")));
        }
    }
    for name in required {
        if !arguments.contains(name)? {
            return Err(missing_argument(method, name, ""));
        }
    }
    Ok(())
}

pub(crate) fn missing_argument(method: &str, name: &str, hint: &str) -> PyErr {
    PyTypeError::new_err(format!("{method}() missing a required keyword-only argument: '{name}'{hint}"))
}

/// An argument that is there and not None.
fn given<'py>(arguments: &Bound<'py, PyDict>, name: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
    Ok(arguments.get_item(name)?.filter(|value| !value.is_none()))
}

/// Seconds; so many that no clock reaches them are no limit.
fn read_timeout(seconds: &Bound<'_, PyAny>) -> PyResult<Option<Duration>> {
    let value: f64 =
        seconds.extract().map_err(|_| PyTypeError::new_err("timeout must be a number of seconds or None"))?;
    if value.is_nan() || value < 0.0 {
        return Err(errors::invalid_argument(seconds.py(), &format!("timeout must not be negative, but is {value}")));
    }
    Ok(Duration::try_from_secs_f64(value).ok())
}

fn text_pairs(name: &str, mapping: &Bound<'_, PyAny>) -> PyResult<Vec<(String, String)>> {
    let wrong = |_| PyTypeError::new_err(format!("{name} must be a mapping of str to str"));
    let mapping = mapping.cast::<PyMapping>().map_err(|error| wrong(error.into()))?;
    mapping.items()?.extract().map_err(wrong)
}

fn read_header(py: Python<'_>, name: &str, value: &str) -> PyResult<(HeaderName, HeaderValue)> {
    match (name.parse(), value.parse()) {
        (Ok(name), Ok(value)) => Ok((name, value)),
        _ => Err(errors::invalid_argument(py, &format!("extra_headers: '{name}' is no valid header"))),
    }
}
