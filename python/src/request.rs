//! A call's way through the engine's door and back.

use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyMapping};
use zerohop::FormWriter;

use crate::door::PendingReply;
use crate::handle::Handle;
use crate::json::{Fields, Json};
use crate::reply::{Reading, Reply};
use crate::{convert, errors, logs, wait};

/// What calls with a JSON body take beside the API's parameters.
const BODY_OPTIONS: &[&str] = &["extra_headers", "extra_query", "extra_body", "timeout"];

/// What other calls take beside them.
const OPTIONS: &[&str] = &["extra_headers", "extra_query", "timeout"];

/// How a call is sent, in its caller's words.
#[derive(Clone, Default)]
pub(crate) struct Options {
    headers: HeaderMap,
    query: Vec<(String, String)>,
    timeout: Option<Duration>,
}

impl Options {
    /// The options of a method that takes no others.
    pub(crate) fn read(method: &str, arguments: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let Some(arguments) = arguments else { return Ok(Options::default()) };
        check_names(method, arguments, OPTIONS)?;
        Self::of(arguments)
    }

    /// The options among a method's arguments.
    fn of(arguments: &Bound<'_, PyDict>) -> PyResult<Self> {
        let mut options = Options::default();
        if let Some(seconds) = given(arguments, "timeout")? {
            options.timeout = read_timeout(&seconds)?;
        }
        if let Some(headers) = given(arguments, "extra_headers")? {
            for (name, value) in text_pairs("extra_headers", &headers)? {
                let (name, value) = read_header(arguments.py(), &name, &value)?;
                options.headers.insert(name, value);
            }
        }
        if let Some(query) = given(arguments, "extra_query")? {
            options.query = text_pairs("extra_query", &query)?;
        }
        Ok(options)
    }
}

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

    pub(crate) fn delete(path: &str) -> Self {
        Self::without_body(Method::DELETE, path)
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

    /// Posts a form with a file: what openai's SDK takes as one.
    ///
    /// # Errors
    ///
    /// What reading the file raises.
    pub(crate) fn post_form(path: &str, fields: &[(String, String)], file: &Bound<'_, PyAny>) -> PyResult<Self> {
        Self::post_files(file.py(), path, fields, &[("file", file.clone())])
    }

    /// The same with files under names of their own.
    pub(crate) fn post_files(
        py: Python<'_>,
        path: &str,
        fields: &[(String, String)],
        files: &[(&str, Bound<'_, PyAny>)],
    ) -> PyResult<Self> {
        static READ: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let read = READ.import(py, "zerohop._files", "read_file")?;
        let mut contents: Vec<(&str, String, Bound<'_, PyBytes>)> = Vec::with_capacity(files.len());
        for (field, file) in files {
            let (name, content) = read.call1((file,))?.extract()?;
            contents.push((field, name, content));
        }
        let contents: Vec<(&str, &str, &[u8])> =
            contents.iter().map(|(field, name, content)| (*field, name.as_str(), content.as_bytes())).collect();
        let write = || {
            let mut form = FormWriter::new();
            for (name, value) in fields {
                form.text(name, value);
            }
            for (field, name, content) in &contents {
                form.file(field, name, content);
            }
            form.into_request(path)
        };
        let (parts, form) = py.detach(write).map_err(|error| errors::from_engine(py, &error))?.into_parts();
        Ok(Call { headers: parts.headers, form: Some(form), ..Self::without_body(Method::POST, path) })
    }

    /// Sets a parameter of the body.
    pub(crate) fn set(&mut self, name: &str, value: Json) {
        self.body.get_or_insert_default().set(name, value);
    }

    /// A parameter of the body.
    pub(crate) fn parameter(&self, name: &str) -> Option<&Json> {
        self.body.as_ref()?.get(name)
    }

    /// Reads a method's `extra_headers`, `extra_query` and `timeout`, and refuses what else it is given.
    pub(crate) fn with_options(self, method: &str, options: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        Ok(self.with(Options::read(method, options)?))
    }

    /// The call as the options say.
    pub(crate) fn with(mut self, options: Options) -> Self {
        self.headers.extend(options.headers);
        self.add_query(&options.query);
        self.timeout = options.timeout;
        self
    }

    /// Puts a query behind the path, or behind the query that it has.
    pub(crate) fn add_query(&mut self, pairs: &[(String, String)]) {
        for (name, value) in pairs {
            let separator = if self.path.contains('?') { '&' } else { '?' };
            let encode = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
            // Writing to a string cannot fail.
            let _ = write!(self.path, "{separator}{}={}", encode(name), encode(value));
        }
    }

    /// Reads the options among a method's arguments.
    pub(crate) fn with_options_of(self, arguments: &Bound<'_, PyDict>) -> PyResult<Self> {
        Ok(self.with(Options::of(arguments)?))
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
        Reply::new(py, response, handle, timeout)
    }

    /// Sends the call for an event loop to wait for.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), without the reply's.
    pub(crate) fn submit(self, py: Python<'_>, handle: &Arc<Handle>, reading: Reading) -> PyResult<PendingReply> {
        let timeout = self.timeout;
        PendingReply::new(py, handle, self.into_http(py)?, Some(reading), timeout)
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

/// What an id in a path is written without: all but what ids are made of.
const NOT_IN_IDS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// The path of one of a collection, by the parameter that has its id, and of what belongs to it.
///
/// # Errors
///
/// `InvalidArgumentError` for an empty id, whose path would be the collection's.
pub(crate) fn path_of(py: Python<'_>, collection: &str, (parameter, id): (&str, &str), rest: &str) -> PyResult<String> {
    if id.is_empty() {
        return Err(errors::invalid_argument(py, &format!("{parameter} must not be empty")));
    }
    Ok(format!("{collection}/{}{rest}", utf8_percent_encode(id, NOT_IN_IDS)))
}

/// When a wait that begins now has to end.
pub(crate) fn deadline(timeout: Option<Duration>) -> Option<Instant> {
    timeout.and_then(|timeout| Instant::now().checked_add(timeout))
}

/// Refuses arguments that a method with a JSON body does not have, and insists on those it needs.
pub(crate) fn check_arguments(
    method: &str,
    arguments: &Bound<'_, PyDict>,
    parameters: &[&str],
    required: &[&str],
) -> PyResult<()> {
    check_names(method, arguments, &[parameters, BODY_OPTIONS].concat())?;
    for name in required {
        if !arguments.contains(name)? {
            return Err(missing_argument(method, name, ""));
        }
    }
    Ok(())
}

fn check_names(method: &str, arguments: &Bound<'_, PyDict>, names: &[&str]) -> PyResult<()> {
    for name in arguments.keys() {
        let name: String = name.extract()?;
        if !names.contains(&name.as_str()) {
            return Err(PyTypeError::new_err(format!("{method}() got an unexpected keyword argument '{name}'")));
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
