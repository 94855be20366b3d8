//! The base of all the API's classes.

use std::fmt::Write;
use std::sync::Arc;

use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyAttributeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::{PyDict, PyIterator, PyList, PySet, PyType};
use serde::Serialize;
use serde_json::ser::PrettyFormatter;

use super::dump::{Exclude, dump};
use super::schema::{Schema, Shape, Spec};
use super::select::Selection;
use crate::json::{Fields, Json};
use crate::lists::List;
use crate::{convert, errors};

/// The base of the API's objects, with the methods that openai's objects have.
///
/// Objects cannot be changed: `model_dump()` gives a dict that can. Two are equal if they are of the
/// same class and say the same.
#[pyclass(frozen, subclass, module = "zerohop.types")]
pub(crate) struct BaseModel {
    schema: &'static Schema,
    fields: Arc<Fields>,
    /// Of replies alone, not of their parts.
    origin: Option<Arc<Origin>>,
}

/// Where a reply comes from.
pub(crate) struct Origin {
    pub(crate) request_id: Option<String>,
    /// What the reply is a page of.
    pub(crate) list: Option<List>,
}

/// JSON as an object of a class; what is no JSON object stays what it is.
pub(crate) fn object<'py>(py: Python<'py>, schema: &'static Schema, json: &Json) -> PyResult<Bound<'py, PyAny>> {
    made(py, schema, json, None)
}

/// Like [`object`], for a reply.
pub(crate) fn reply<'py>(
    py: Python<'py>,
    schema: &'static Schema,
    json: &Json,
    origin: Origin,
) -> PyResult<Bound<'py, PyAny>> {
    made(py, schema, json, Some(Arc::new(origin)))
}

fn made<'py>(
    py: Python<'py>,
    schema: &'static Schema,
    json: &Json,
    origin: Option<Arc<Origin>>,
) -> PyResult<Bound<'py, PyAny>> {
    match json {
        Json::Object(fields) => (schema.instance)(py, BaseModel { schema, fields: fields.clone(), origin }),
        other => convert::to_python(py, other),
    }
}

/// JSON as what it is by its shape.
pub(crate) fn value<'py>(py: Python<'py>, shape: Shape, json: &Json) -> PyResult<Bound<'py, PyAny>> {
    match (shape, json) {
        (Shape::Object(schema), _) => object(py, schema, json),
        (Shape::OneOf(_), _) => value(py, shape.entry(json), json),
        (Shape::List(_) | Shape::Union(_) | Shape::TextOrUnion(_), Json::List(items)) => {
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
        Ok(BaseModel { schema, fields, origin: None })
    }

    /// The object as it came: shared, not copied.
    pub(crate) fn to_json(&self) -> Json {
        Json::Object(self.fields.clone())
    }

    /// What a field holds, unconverted.
    pub(super) fn json(&self, name: &str) -> Option<&Json> {
        self.fields.get(name)
    }

    /// The value of a field that the class names.
    pub(super) fn field<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        match (self.fields.get(name), self.spec(name)) {
            (Some(json), Some(spec)) => value(py, spec.shape, json),
            (None, Some(spec)) if !spec.required => Ok(py.None().into_bound(py)),
            _ => Err(self.no_attribute(name)),
        }
    }

    /// What a field of this name may hold, if the class names it.
    pub(super) fn spec(&self, name: &str) -> Option<Spec> {
        self.schema.spec(name)
    }

    /// The list that this is a page of.
    pub(super) fn list(&self) -> Option<&List> {
        self.origin.as_ref()?.list.as_ref()
    }

    fn no_attribute(&self, name: &str) -> PyErr {
        PyAttributeError::new_err(format!("'{}' object has no attribute '{name}'", self.schema.name))
    }

    fn dump(&self, exclude: Exclude) -> Json {
        Json::Object(Arc::new(dump(self.schema, &self.fields, exclude)))
    }

    /// The names and values of all fields, those that the class does not name last.
    fn pairs<'py>(&self, py: Python<'py>) -> PyResult<Vec<(&str, Bound<'py, PyAny>)>> {
        let mut pairs = Vec::new();
        for (name, shape, json) in members(self.schema, &self.fields) {
            pairs.push((name, value(py, shape, json)?));
        }
        Ok(pairs)
    }
}

fn json_text(json: &Json, indent: Option<usize>) -> PyResult<String> {
    let text = match indent {
        None => serde_json::to_string(json),
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

#[pymethods]
impl BaseModel {
    /// An object of this class from a dict, or from an object that can be dumped to one.
    ///
    /// Raises `InvalidArgumentError`, a `ValueError`, if a required field is missing or an object or
    /// list is something else.
    #[classmethod]
    fn model_validate<'py>(class: &Bound<'py, PyType>, obj: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = class.py();
        let schema = schema_of(class)?;
        (schema.instance)(py, BaseModel::checked(py, schema, read(obj)?)?)
    }

    /// An object of this class from JSON text.
    ///
    /// Raises `InvalidArgumentError`, a `ValueError`, as `model_validate` does, and for what is no JSON.
    #[classmethod]
    fn model_validate_json<'py>(
        class: &Bound<'py, PyType>,
        json_data: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = class.py();
        let parsed = match json_data.extract::<PyBackedStr>() {
            Ok(text) => serde_json::from_str(&text),
            Err(_) => serde_json::from_slice(&json_data.extract::<PyBackedBytes>()?),
        };
        let json = parsed.map_err(|error| errors::invalid_argument(py, &format!("this is no JSON: {error}")))?;
        let schema = schema_of(class)?;
        (schema.instance)(py, BaseModel::checked(py, schema, json)?)
    }

    /// An object of this class from keywords, unchecked. A field that it needs and lacks is an
    /// `AttributeError` when it is asked for.
    #[classmethod]
    #[pyo3(signature = (**values))]
    fn model_construct<'py>(
        class: &Bound<'py, PyType>,
        values: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let schema = schema_of(class)?;
        let fields = match values.map(|values| read(values)).transpose()? {
            Some(Json::Object(fields)) => fields,
            _ => Arc::default(),
        };
        (schema.instance)(class.py(), BaseModel { schema, fields, origin: None })
    }

    /// The object with some fields changed. Nothing that it holds can be changed, so that `deep` makes
    /// no difference.
    #[pyo3(signature = (*, update = None, deep = false))]
    fn model_copy<'py>(
        slf: &Bound<'py, Self>,
        update: Option<&Bound<'py, PyAny>>,
        deep: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let _ = deep;
        let Some(update) = update else { return Ok(slf.clone().into_any()) };
        let this = slf.get();
        let Json::Object(changes) = read(update)? else {
            return Err(PyTypeError::new_err("update must be a mapping"));
        };
        let mut fields = Fields::clone(&this.fields);
        for (name, value) in changes.iter() {
            fields.set(name, value.clone());
        }
        let copy = BaseModel { schema: this.schema, fields: Arc::new(fields), origin: this.origin.clone() };
        (this.schema.instance)(slf.py(), copy)
    }

    /// For `copy.replace`.
    #[pyo3(signature = (**changes))]
    fn __replace__<'py>(slf: &Bound<'py, Self>, changes: Option<&Bound<'py, PyDict>>) -> PyResult<Bound<'py, PyAny>> {
        Self::model_copy(slf, changes.map(Bound::as_any), false)
    }

    /// The names of the fields that the reply had.
    #[getter]
    fn model_fields_set<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PySet>> {
        PySet::new(py, self.fields.iter().map(|(name, _)| name))
    }

    /// The fields that the class does not name.
    #[getter]
    fn model_extra<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let extra = PyDict::new(py);
        for (name, value) in self.schema.extras(&self.fields) {
            extra.set_item(name, convert::to_python(py, value)?)?;
        }
        Ok(extra)
    }

    /// The object as a dict, with the fields that the reply left out as `None`.
    ///
    /// `include` and `exclude` name fields, in a set, or in a dict that says what of each is meant; list
    /// entries go by index, or `"__all__"`. `mode`, `by_alias`, `round_trip` and `warnings` are pydantic's
    /// and make no difference: every value is one of JSON, under its own name.
    #[pyo3(signature = (
        *, mode = "python", include = None, exclude = None, by_alias = None, exclude_unset = false,
        exclude_defaults = false, exclude_none = false, round_trip = false, warnings = None
    ))]
    #[expect(clippy::too_many_arguments, clippy::fn_params_excessive_bools, reason = "they are pydantic's keywords")]
    fn model_dump<'py>(
        &self,
        py: Python<'py>,
        mode: &str,
        include: Option<&Bound<'py, PyAny>>,
        exclude: Option<&Bound<'py, PyAny>>,
        by_alias: Option<bool>,
        exclude_unset: bool,
        exclude_defaults: bool,
        exclude_none: bool,
        round_trip: bool,
        warnings: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let _ = (mode, by_alias, round_trip, warnings);
        let left_out = Exclude { unset: exclude_unset, defaults: exclude_defaults, none: exclude_none };
        convert::to_python(py, &select(self.dump(left_out), include, exclude)?)
    }

    /// The object as JSON text, with the fields that the reply left out as null. The other keywords are
    /// those of `model_dump`.
    #[pyo3(signature = (
        *, indent = None, include = None, exclude = None, by_alias = None, exclude_unset = false,
        exclude_defaults = false, exclude_none = false, round_trip = false, warnings = None
    ))]
    #[expect(clippy::too_many_arguments, clippy::fn_params_excessive_bools, reason = "they are pydantic's keywords")]
    fn model_dump_json(
        &self,
        indent: Option<usize>,
        include: Option<&Bound<'_, PyAny>>,
        exclude: Option<&Bound<'_, PyAny>>,
        by_alias: Option<bool>,
        exclude_unset: bool,
        exclude_defaults: bool,
        exclude_none: bool,
        round_trip: bool,
        warnings: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<String> {
        let _ = (by_alias, round_trip, warnings);
        let left_out = Exclude { unset: exclude_unset, defaults: exclude_defaults, none: exclude_none };
        json_text(&select(self.dump(left_out), include, exclude)?, indent)
    }

    /// The object as a dict, without the fields that the reply left out. `mode`, `use_api_names` and
    /// `warnings` are openai's and make no difference.
    #[pyo3(signature = (
        *, mode = "python", use_api_names = true, exclude_unset = true, exclude_defaults = false,
        exclude_none = false, warnings = true
    ))]
    #[expect(clippy::too_many_arguments, clippy::fn_params_excessive_bools, reason = "they are openai's keywords")]
    fn to_dict<'py>(
        &self,
        py: Python<'py>,
        mode: &str,
        use_api_names: bool,
        exclude_unset: bool,
        exclude_defaults: bool,
        exclude_none: bool,
        warnings: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let _ = (mode, use_api_names, warnings);
        let left_out = Exclude { unset: exclude_unset, defaults: exclude_defaults, none: exclude_none };
        convert::to_python(py, &self.dump(left_out))
    }

    /// The object as indented JSON text, without the fields that the reply left out. `use_api_names` and
    /// `warnings` are openai's and make no difference.
    #[pyo3(name = "to_json", signature = (
        *, indent = 2, use_api_names = true, exclude_unset = true, exclude_defaults = false, exclude_none = false,
        warnings = true
    ))]
    #[expect(clippy::fn_params_excessive_bools, reason = "they are openai's keywords")]
    fn to_json_text(
        &self,
        indent: Option<usize>,
        use_api_names: bool,
        exclude_unset: bool,
        exclude_defaults: bool,
        exclude_none: bool,
        warnings: bool,
    ) -> PyResult<String> {
        let _ = (use_api_names, warnings);
        let left_out = Exclude { unset: exclude_unset, defaults: exclude_defaults, none: exclude_none };
        json_text(&self.dump(left_out), indent)
    }

    /// The id of the request that this is the reply to (T4); None for parts of replies.
    #[getter]
    fn _request_id(&self) -> Option<&str> {
        self.origin.as_ref()?.request_id.as_deref()
    }

    /// Fields that the class does not name.
    fn __getattr__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        match self.fields.get(name) {
            Some(json) => convert::to_python(py, json),
            None => Err(self.no_attribute(name)),
        }
    }

    /// The names and values of the fields, in pairs, as in pydantic: `dict(reply)`.
    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        PyList::new(py, self.pairs(py)?)?.try_iter()
    }

    /// For rich's `print`.
    fn __rich_repr__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        self.__iter__(py)
    }

    /// For notebooks and the `IPython` shell: one line if it fits, or else a line for each field.
    fn _repr_pretty_(&self, py: Python<'_>, printer: &Bound<'_, PyAny>, cycle: bool) -> PyResult<()> {
        // Nothing that is JSON contains itself.
        let _ = cycle;
        printer.call_method1("begin_group", (4, format!("{}(", self.schema.name)))?;
        printer.call_method1("breakable", ("",))?;
        for (index, (name, value)) in self.pairs(py)?.into_iter().enumerate() {
            if index > 0 {
                printer.call_method1("text", (",",))?;
                printer.call_method0("breakable")?;
            }
            printer.call_method1("text", (format!("{name}="),))?;
            printer.call_method1("pretty", (value,))?;
        }
        printer.call_method1("end_group", (4, ")"))?;
        Ok(())
    }

    /// For pydantic: a field of a model may be of one of these classes.
    #[classmethod]
    fn __get_pydantic_core_schema__<'py>(
        class: &Bound<'py, PyType>,
        _source: &Bound<'py, PyAny>,
        _handler: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        class.py().import("zerohop._pydantic")?.call_method1("core_schema", (class,))
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

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Pickled<'py>)> {
        let restore = slf.py().import("zerohop._native")?.getattr("_restore")?;
        let this = slf.get();
        Ok((restore, (slf.get_type(), this.schema.name, convert::dict(slf.py(), &this.fields)?)))
    }
}

/// What [`_restore`] makes an object from.
type Pickled<'py> = (Bound<'py, PyType>, &'static str, Bound<'py, PyDict>);

/// An object that was pickled: of this class, with the schema of this name.
#[pyfunction]
pub(crate) fn _restore<'py>(
    class: &Bound<'py, PyType>,
    name: &str,
    fields: &Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = class.py();
    let is_its = |schema: &&Schema| schema.name == name && (schema.class)(py).is(class);
    let schema = super::schemas().find(is_its).ok_or_else(|| errors::invalid_argument(py, "there is no such class"))?;
    object(py, schema, &read(fields)?)
}

/// The schema of a class that has fields.
fn schema_of(class: &Bound<'_, PyType>) -> PyResult<&'static Schema> {
    let found = super::schemas().find(|schema| (schema.class)(class.py()).is(class));
    found.ok_or_else(|| PyTypeError::new_err("this class has no fields; use one of its subclasses"))
}

fn select(json: Json, include: Option<&Bound<'_, PyAny>>, exclude: Option<&Bound<'_, PyAny>>) -> PyResult<Json> {
    let mut json = json;
    if let Some(include) = include {
        json = Selection::read("include", include)?.include(json);
    }
    if let Some(exclude) = exclude {
        json = Selection::read("exclude", exclude)?.exclude(json);
    }
    Ok(json)
}

fn read(object: &Bound<'_, PyAny>) -> PyResult<Json> {
    convert::to_json(object).map_err(|refusal| {
        refusal.into_error(|path, message| {
            let subject = if path.is_empty() { "the object" } else { path };
            errors::invalid_argument(object.py(), &format!("{subject} {message}"))
        })
    })
}

/// All fields of an object, those that the class does not name last.
fn members<'a>(schema: &'static Schema, object: &'a Fields) -> impl Iterator<Item = (&'a str, Shape, &'a Json)> {
    let named = schema.fields.iter().filter_map(|field| match object.get(field.name) {
        None if field.spec.required => None,
        value => Some((field.name, field.spec.shape, value.unwrap_or(&Json::Null))),
    });
    named.chain(schema.extras(object).map(|(key, value)| (key, Shape::Plain, value)))
}

/// As pydantic writes it.
fn write_repr(py: Python<'_>, schema: &'static Schema, object: &Fields, text: &mut String) -> PyResult<()> {
    text.push_str(schema.name);
    text.push('(');
    for (index, (name, shape, value)) in members(schema, object).enumerate() {
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
        (Shape::OneOf(_), _) => write_value_repr(py, shape.entry(value), value, text)?,
        (Shape::List(_) | Shape::Union(_) | Shape::TextOrUnion(_), Json::List(items)) => {
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
