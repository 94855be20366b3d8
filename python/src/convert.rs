//! Python objects to JSON trees and back.

use std::fmt::Write;
use std::sync::Arc;

use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyMapping, PyString, PyTuple, PyType};

use crate::json::{Fields, Json};
use crate::types::BaseModel;

/// Values within each other; the engine's own JSON reader has the same limit. It also ends the walk
/// through an object that contains itself.
const MAX_DEPTH: usize = 128;

/// Values in all. Lists that are shared between lists can stand for more than any memory holds.
const MAX_VALUES: usize = 4 << 20;

/// Why an object cannot become JSON, and where in it.
pub(crate) struct Refusal {
    /// From the inside out.
    path: Vec<Segment>,
    reason: Reason,
}

enum Segment {
    Key(String),
    Index(usize),
}

enum Reason {
    /// It has no counterpart in JSON.
    Type(String),
    /// It is of a fitting type, and yet JSON cannot say it.
    Value(String),
    /// Python code that was asked for its value failed.
    Raised(PyErr),
}

impl Refusal {
    fn new(reason: Reason) -> Self {
        Refusal { path: Vec::new(), reason }
    }

    fn value(message: impl Into<String>) -> Self {
        Refusal::new(Reason::Value(message.into()))
    }

    pub(crate) fn within_key(mut self, key: impl Into<String>) -> Self {
        self.path.push(Segment::Key(key.into()));
        self
    }

    fn within_index(mut self, index: usize) -> Self {
        self.path.push(Segment::Index(index));
        self
    }

    /// As an exception: a `TypeError` for a wrong type, for a wrong value what `value_error` makes of
    /// the path and the message.
    pub(crate) fn into_error(self, value_error: impl FnOnce(&str, &str) -> PyErr) -> PyErr {
        let path = path_text(&self.path);
        match self.reason {
            Reason::Type(message) if path.is_empty() => PyTypeError::new_err(message),
            Reason::Type(message) => PyTypeError::new_err(format!("{path}: {message}")),
            Reason::Value(message) => value_error(&path, &message),
            Reason::Raised(error) => error,
        }
    }
}

impl From<PyErr> for Refusal {
    fn from(error: PyErr) -> Self {
        Refusal::new(Reason::Raised(error))
    }
}

/// How much of a path an error shows: the start of it. What is nested deeper is most often an object
/// that contains itself, whose path says nothing more.
const MAX_PATH: usize = 8;

/// A path as the engine's errors write it, such as `messages[0].content`.
fn path_text(path: &[Segment]) -> String {
    let mut text = String::new();
    for segment in path.iter().rev().take(MAX_PATH) {
        // Writing to a string cannot fail.
        let _ = match segment {
            Segment::Key(key) if text.is_empty() => write!(text, "{key}"),
            Segment::Key(key) => write!(text, ".{key}"),
            Segment::Index(index) => write!(text, "[{index}]"),
        };
    }
    if path.len() > MAX_PATH {
        text.push_str("...");
    }
    text
}

/// A Python object as JSON.
///
/// What Python's own `json` takes is taken, and as in openai's SDK mappings, this package's objects
/// and pydantic's.
pub(crate) fn to_json(object: &Bound<'_, PyAny>) -> Result<Json, Refusal> {
    Walk { values: 0 }.value(object, 0)
}

struct Walk {
    values: usize,
}

impl Walk {
    fn value(&mut self, object: &Bound<'_, PyAny>, depth: usize) -> Result<Json, Refusal> {
        self.values += 1;
        if depth >= MAX_DEPTH {
            return Err(Refusal::value(format!("is nested deeper than {MAX_DEPTH} levels, or contains itself")));
        }
        if self.values > MAX_VALUES {
            return Err(Refusal::value(format!("makes the request larger than {MAX_VALUES} values")));
        }
        if let Ok(text) = object.cast::<PyString>() {
            return string(text).map(Json::Text);
        }
        if let Ok(dict) = object.cast::<PyDict>() {
            return self.pairs(&dict.items(), depth);
        }
        if let Ok(list) = object.cast::<PyList>() {
            return self.items(list.iter(), depth);
        }
        if let Ok(tuple) = object.cast::<PyTuple>() {
            return self.items(tuple.iter(), depth);
        }
        if let Some(scalar) = scalar(object)? {
            return Ok(scalar);
        }
        self.other(object, depth)
    }

    fn items<'py>(&mut self, items: impl Iterator<Item = Bound<'py, PyAny>>, depth: usize) -> Result<Json, Refusal> {
        items
            .enumerate()
            .map(|(index, item)| self.value(&item, depth + 1).map_err(|refusal| refusal.within_index(index)))
            .collect::<Result<_, _>>()
            .map(Json::List)
    }

    /// The items of a dict, as a list of their own: walking may run Python code, which may change
    /// the dict.
    fn pairs(&mut self, pairs: &Bound<'_, PyList>, depth: usize) -> Result<Json, Refusal> {
        let mut fields = Fields::default();
        for pair in pairs {
            let (key, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = pair.extract()?;
            let key = key_text(&key)?;
            let value = self.value(&value, depth + 1).map_err(|refusal| refusal.within_key(key.clone()))?;
            fields.push(key, value);
        }
        Ok(Json::Object(Arc::new(fields)))
    }

    fn other(&mut self, object: &Bound<'_, PyAny>, depth: usize) -> Result<Json, Refusal> {
        let py = object.py();
        if let Ok(model) = object.cast::<BaseModel>() {
            return Ok(model.get().to_json());
        }
        if !object.is_instance_of::<PyType>() {
            if let Some(dump) = object.getattr_opt(intern!(py, "model_dump"))? {
                // As openai's SDK dumps pydantic's objects.
                let options = PyDict::new(py);
                options.set_item(intern!(py, "mode"), intern!(py, "json"))?;
                options.set_item(intern!(py, "exclude_unset"), true)?;
                return self.value(&dump.call((), Some(&options))?, depth + 1);
            }
            if let Ok(mapping) = object.cast::<PyMapping>() {
                return self.pairs(&mapping.items()?, depth);
            }
        }
        Err(Refusal::new(Reason::Type(format!("{} has no counterpart in JSON", described(object)))))
    }
}

/// `None` for what is no scalar.
fn scalar(object: &Bound<'_, PyAny>) -> Result<Option<Json>, Refusal> {
    if object.is_none() {
        return Ok(Some(Json::Null));
    }
    if let Ok(value) = object.cast::<PyBool>() {
        return Ok(Some(Json::Bool(value.is_true())));
    }
    if object.is_instance_of::<PyInt>() {
        return integer(object).map(Some);
    }
    if let Ok(value) = object.cast::<PyFloat>() {
        let value = value.value();
        if !value.is_finite() {
            return Err(Refusal::value(format!("is {value}, which JSON cannot say")));
        }
        return Ok(Some(Json::Float(value)));
    }
    Ok(None)
}

fn integer(object: &Bound<'_, PyAny>) -> Result<Json, Refusal> {
    if let Ok(value) = object.extract::<i64>() {
        return Ok(Json::Int(value));
    }
    match object.extract::<u64>() {
        Ok(value) => Ok(Json::Unsigned(value)),
        Err(_) => Err(Refusal::value("is an integer of more than 64 bits")),
    }
}

fn string(text: &Bound<'_, PyString>) -> Result<String, Refusal> {
    match text.to_str() {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(Refusal::value("contains a lone surrogate, so it is no Unicode text")),
    }
}

/// A key of an object. Integers become text, as in Python's `json`: `logit_bias` is often written so.
fn key_text(key: &Bound<'_, PyAny>) -> Result<String, Refusal> {
    if let Ok(text) = key.cast::<PyString>() {
        return string(text).map_err(|_| Refusal::value("has a key with a lone surrogate, so it is no Unicode text"));
    }
    if key.is_instance_of::<PyInt>() && !key.is_instance_of::<PyBool>() {
        return Ok(key.str()?.to_str()?.to_owned());
    }
    Err(Refusal::new(Reason::Type(format!("keys must be str or int, and {} is neither", described(key)))))
}

/// An object by its type, or a class by its name: enough to find it, and never long.
fn described(object: &Bound<'_, PyAny>) -> String {
    let name = |class: &Bound<'_, PyType>| {
        class.fully_qualified_name().map_or_else(|_| "?".to_owned(), |name| name.to_string_lossy().into_owned())
    };
    match object.cast::<PyType>() {
        Ok(class) => format!("the class {}", name(class)),
        Err(_) => format!("an object of type {}", name(&object.get_type())),
    }
}

/// JSON as Python's own `json` reads it.
pub(crate) fn to_python<'py>(py: Python<'py>, json: &Json) -> PyResult<Bound<'py, PyAny>> {
    Ok(match json {
        Json::Null => py.None().into_bound(py),
        Json::Bool(value) => PyBool::new(py, *value).to_owned().into_any(),
        Json::Int(value) => value.into_pyobject(py)?.into_any(),
        Json::Unsigned(value) => value.into_pyobject(py)?.into_any(),
        Json::Float(value) => PyFloat::new(py, *value).into_any(),
        Json::Text(text) => PyString::new(py, text).into_any(),
        Json::List(items) => {
            let list = PyList::empty(py);
            for item in items {
                list.append(to_python(py, item)?)?;
            }
            list.into_any()
        }
        Json::Row(row) => PyList::new(py, row.values().iter().map(|value| f64::from(*value)))?.into_any(),
        Json::Object(fields) => dict(py, fields)?.into_any(),
    })
}

/// An object as a dict of plain values.
pub(crate) fn dict<'py>(py: Python<'py>, fields: &Fields) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (key, value) in fields.iter() {
        dict.set_item(key, to_python(py, value)?)?;
    }
    Ok(dict)
}
