//! The base of all the API's classes.

use std::fmt::Write;
use std::sync::Arc;

use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyAttributeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyType};
use serde::Serialize;
use serde_json::ser::PrettyFormatter;

use super::classes::SCHEMAS;
use super::dump::{Exclude, dump};
use super::schema::{Field, Schema, Shape};
use crate::json::{Fields, Json};
use crate::{convert, errors};

/// The base of the API's objects, with the methods that openai's objects have.
///
/// Objects cannot be changed: `model_dump()` gives a dict that can. Two are equal if they are of the
/// same class and say the same.
#[pyclass(frozen, subclass, module = "zerohop.types")]
pub(crate) struct BaseModel {
    schema: &'static Schema,
    fields: Arc<Fields>,
    request_id: Option<Box<str>>,
}

/// JSON as an object of a class; what is no JSON object stays what it is.
pub(crate) fn object<'py>(py: Python<'py>, schema: &'static Schema, json: &Json) -> PyResult<Bound<'py, PyAny>> {
    reply(py, schema, json, None)
}

/// Like [`object`], for a reply with a request id.
pub(crate) fn reply<'py>(
    py: Python<'py>,
    schema: &'static Schema,
    json: &Json,
    request_id: Option<&str>,
) -> PyResult<Bound<'py, PyAny>> {
    match json {
        Json::Object(fields) => {
            let request_id = request_id.map(Into::into);
            (schema.instance)(py, BaseModel { schema, fields: fields.clone(), request_id })
        }
        other => convert::to_python(py, other),
    }
}

fn value<'py>(py: Python<'py>, shape: Shape, json: &Json) -> PyResult<Bound<'py, PyAny>> {
    match (shape, json) {
        (Shape::Object(schema), _) => object(py, schema, json),
        (Shape::List(_) | Shape::Union(_), Json::List(items)) => {
            let objects: Vec<_> =
                items.iter().map(|item| value(py, shape.entry(item), item)).collect::<PyResult<_>>()?;
            Ok(PyList::new(py, objects)?.into_any())
        }
        _ => convert::to_python(py, json),
    }
}

impl BaseModel {
    /// An object from keyword arguments.
    pub(super) fn from_keywords(
        py: Python<'_>,
        schema: &'static Schema,
        keywords: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let json = match keywords {
            Some(keywords) => read(keywords)?,
            None => Json::Object(Arc::default()),
        };
        Self::checked(py, schema, json)
    }

    fn checked(py: Python<'_>, schema: &'static Schema, json: Json) -> PyResult<Self> {
        schema.check(&json, schema.name).map_err(|message| errors::invalid_argument(py, &message))?;
        let Json::Object(fields) = json else {
            return Err(errors::invalid_argument(py, "an object is needed"));
        };
        Ok(BaseModel { schema, fields, request_id: None })
    }

    /// The object as it came: shared, not copied.
    pub(crate) fn to_json(&self) -> Json {
        Json::Object(self.fields.clone())
    }

    /// The value of a field that the class names.
    pub(super) fn field<'py>(&self, py: Python<'py>, field: &Field) -> PyResult<Bound<'py, PyAny>> {
        match self.fields.get(field.name) {
            Some(json) => value(py, field.spec.shape, json),
            None if field.spec.required => Err(self.no_attribute(field.name)),
            None => Ok(py.None().into_bound(py)),
        }
    }

    fn no_attribute(&self, name: &str) -> PyErr {
        PyAttributeError::new_err(format!("'{}' object has no attribute '{name}'", self.schema.name))
    }

    fn dump(&self, exclude: Exclude) -> Json {
        Json::Object(Arc::new(dump(self.schema, &self.fields, exclude)))
    }

    fn dump_text(&self, indent: Option<usize>, exclude: Exclude) -> PyResult<String> {
        let json = self.dump(exclude);
        let text = match indent {
            None => serde_json::to_string(&json),
            Some(spaces) => {
                let indent = " ".repeat(spaces.min(64));
                let mut bytes = Vec::new();
                let formatter = PrettyFormatter::with_indent(indent.as_bytes());
                json.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, formatter))
                    .map(|()| String::from_utf8_lossy(&bytes).into_owned())
            }
        };
        text.map_err(|error| PyValueError::new_err(error.to_string()))
    }
}

#[pymethods]
impl BaseModel {
    /// An object of this class from a dict, or from an object that can be dumped to one.
    ///
    /// Raises `InvalidArgumentError`, a `ValueError`, if a required field is missing or an object or
    /// list is something else.
    #[classmethod]
    fn model_validate<'py>(class: &Bound<'py, PyType>, obj: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = class.py();
        let schema = SCHEMAS
            .iter()
            .find(|schema| (schema.class)(py).is(class))
            .ok_or_else(|| PyTypeError::new_err("this class has no fields; use one of its subclasses"))?;
        (schema.instance)(py, BaseModel::checked(py, schema, read(obj)?)?)
    }

    /// The object as a dict, with the fields that the reply left out as `None`.
    #[pyo3(signature = (*, mode = "python", exclude_unset = false, exclude_defaults = false, exclude_none = false))]
    fn model_dump<'py>(
        &self,
        py: Python<'py>,
        mode: &str,
        exclude_unset: bool,
        exclude_defaults: bool,
        exclude_none: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        // Everything is a value of JSON already, so the modes do not differ.
        let _ = mode;
        let exclude = Exclude { unset: exclude_unset, defaults: exclude_defaults, none: exclude_none };
        convert::to_python(py, &self.dump(exclude))
    }

    /// The object as JSON text, with the fields that the reply left out as null.
    #[pyo3(signature = (*, indent = None, exclude_unset = false, exclude_defaults = false, exclude_none = false))]
    fn model_dump_json(
        &self,
        indent: Option<usize>,
        exclude_unset: bool,
        exclude_defaults: bool,
        exclude_none: bool,
    ) -> PyResult<String> {
        self.dump_text(indent, Exclude { unset: exclude_unset, defaults: exclude_defaults, none: exclude_none })
    }

    /// The object as a dict, without the fields that the reply left out.
    #[pyo3(signature = (*, mode = "python", exclude_unset = true, exclude_defaults = false, exclude_none = false))]
    fn to_dict<'py>(
        &self,
        py: Python<'py>,
        mode: &str,
        exclude_unset: bool,
        exclude_defaults: bool,
        exclude_none: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.model_dump(py, mode, exclude_unset, exclude_defaults, exclude_none)
    }

    /// The object as indented JSON text, without the fields that the reply left out.
    #[pyo3(name = "to_json", signature = (
        *, indent = 2, exclude_unset = true, exclude_defaults = false, exclude_none = false
    ))]
    fn to_json_text(
        &self,
        indent: Option<usize>,
        exclude_unset: bool,
        exclude_defaults: bool,
        exclude_none: bool,
    ) -> PyResult<String> {
        self.model_dump_json(indent, exclude_unset, exclude_defaults, exclude_none)
    }

    /// The id of the request that this is the reply to (T4); None for parts of replies.
    #[getter]
    fn _request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// Fields that the class does not name.
    fn __getattr__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        match self.fields.get(name) {
            Some(json) => convert::to_python(py, json),
            None => Err(self.no_attribute(name)),
        }
    }

    fn __dir__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let names = py.get_type::<PyAny>().call_method1("__dir__", (slf,))?;
        for (key, _) in slf.get().schema.extras(&slf.get().fields) {
            names.call_method1("append", (key,))?;
        }
        Ok(names)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let mut text = String::new();
        write_repr(py, self.schema, &self.fields, &mut text)?;
        Ok(text)
    }

    fn __eq__<'py>(slf: &Bound<'py, Self>, other: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let Ok(other) = other.cast::<BaseModel>() else {
            return Ok(py.NotImplemented().into_bound(py));
        };
        let (a, b) = (slf.get(), other.get());
        let equal = std::ptr::eq(a.schema, b.schema)
            && (Arc::ptr_eq(&a.fields, &b.fields) || a.dump(Exclude::default()) == b.dump(Exclude::default()));
        equal.into_bound_py_any(py)
    }

    fn __copy__<'py>(slf: &Bound<'py, Self>) -> Bound<'py, Self> {
        slf.clone()
    }

    fn __deepcopy__<'py>(slf: &Bound<'py, Self>, _memo: &Bound<'py, PyAny>) -> Bound<'py, Self> {
        slf.clone()
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyDict>,))> {
        let make = slf.get_type().getattr("model_validate")?;
        Ok((make, (convert::dict(slf.py(), &slf.get().fields)?,)))
    }
}

fn read(object: &Bound<'_, PyAny>) -> PyResult<Json> {
    convert::to_json(object).map_err(|refusal| {
        refusal.into_error(|path, message| {
            let subject = if path.is_empty() { "the object" } else { path };
            errors::invalid_argument(object.py(), &format!("{subject} {message}"))
        })
    })
}

/// As pydantic writes it.
fn write_repr(py: Python<'_>, schema: &Schema, object: &Fields, text: &mut String) -> PyResult<()> {
    let named = schema.fields.iter().filter_map(|field| match object.get(field.name) {
        None if field.spec.required => None,
        value => Some((field.name, field.spec.shape, value.unwrap_or(&Json::Null))),
    });
    let extras = schema.extras(object).map(|(key, value)| (key, Shape::Plain, value));
    text.push_str(schema.name);
    text.push('(');
    for (index, (name, shape, value)) in named.chain(extras).enumerate() {
        // Writing to a string cannot fail.
        let _ = write!(text, "{}{name}=", if index == 0 { "" } else { ", " });
        write_value_repr(py, shape, value, text)?;
    }
    text.push(')');
    Ok(())
}

fn write_value_repr(py: Python<'_>, shape: Shape, value: &Json, text: &mut String) -> PyResult<()> {
    match (shape, value) {
        (Shape::Object(schema), Json::Object(object)) => write_repr(py, schema, object, text)?,
        (Shape::List(_) | Shape::Union(_), Json::List(items)) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                text.push_str(if index == 0 { "" } else { ", " });
                write_value_repr(py, shape.entry(item), item, text)?;
            }
            text.push(']');
        }
        _ => text.push_str(&convert::to_python(py, value)?.repr()?.to_cow()?),
    }
    Ok(())
}
