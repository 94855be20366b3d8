//! Choosing what of an object is written out, as pydantic's `include` and `exclude` do.

use std::sync::Arc;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyEllipsis, PyFrozenSet, PySet};

use crate::json::{Fields, Json};

/// What `include` or `exclude` names.
#[derive(Clone)]
pub(crate) enum Selection {
    Whole,
    Parts(Vec<(Part, Selection)>),
}

#[derive(Clone)]
pub(crate) enum Part {
    Key(String),
    /// Of a list; negative ones count from its end.
    Index(i64),
    /// `"__all__"`: each entry of a list.
    Every,
}

/// Where in an object a part may be.
#[derive(Clone, Copy)]
enum Place<'a> {
    Key(&'a str),
    Index { index: usize, length: usize },
}

impl Selection {
    /// Reads a set of names, or a mapping of names to what of them is meant.
    pub(crate) fn read(name: &str, given: &Bound<'_, PyAny>) -> PyResult<Self> {
        let mut parts = Vec::new();
        if let Ok(mapping) = given.cast::<PyDict>() {
            for (part, rest) in mapping {
                let rest = match rest.cast::<PyBool>() {
                    Ok(whole) if !whole.is_true() => continue,
                    Ok(_) => Selection::Whole,
                    Err(_) if rest.is_instance_of::<PyEllipsis>() => Selection::Whole,
                    Err(_) => Selection::read(name, &rest)?,
                };
                parts.push((read_part(name, &part)?, rest));
            }
        } else if given.is_instance_of::<PySet>() || given.is_instance_of::<PyFrozenSet>() {
            for part in given.try_iter()? {
                parts.push((read_part(name, &part?)?, Selection::Whole));
            }
        } else {
            return Err(PyTypeError::new_err(format!("{name} must be a set or a dict")));
        }
        Ok(Selection::Parts(parts))
    }

    /// What is meant of the value at a place; `None` if nothing.
    fn at(&self, place: Place<'_>) -> Option<Selection> {
        let Selection::Parts(parts) = self else { return Some(Selection::Whole) };
        let mut merged = None;
        for (_, rest) in parts.iter().filter(|(part, _)| part.is_at(place)) {
            match (rest, &mut merged) {
                (Selection::Whole, _) => return Some(Selection::Whole),
                (Selection::Parts(more), Some(Selection::Parts(parts))) => parts.extend(more.iter().cloned()),
                (rest, merged) => *merged = Some(rest.clone()),
            }
        }
        merged
    }

    /// The value with nothing but what is meant.
    pub(crate) fn include(&self, json: Json) -> Json {
        if matches!(self, Selection::Whole) {
            return json;
        }
        map(json, |place, value| self.at(place).map(|rest| rest.include(value)))
    }

    /// The value without what is meant.
    pub(crate) fn exclude(&self, json: Json) -> Json {
        let without = |place: Place<'_>, value| match self.at(place) {
            None => Some(value),
            Some(Selection::Whole) => None,
            Some(rest) => Some(rest.exclude(value)),
        };
        map(json, without)
    }
}

impl Part {
    fn is_at(&self, place: Place<'_>) -> bool {
        match (self, place) {
            (Part::Key(name), Place::Key(key)) => name == key,
            (Part::Every, Place::Index { .. }) => true,
            (Part::Index(wanted), Place::Index { index, length }) => {
                let wanted =
                    if *wanted < 0 { i64::try_from(length).map(|length| length + wanted) } else { Ok(*wanted) };
                wanted.is_ok_and(|wanted| usize::try_from(wanted) == Ok(index))
            }
            _ => false,
        }
    }
}

fn read_part(name: &str, part: &Bound<'_, PyAny>) -> PyResult<Part> {
    if let Ok(index) = part.extract::<i64>() {
        return Ok(Part::Index(index));
    }
    match part.extract::<String>() {
        Ok(text) if text == "__all__" => Ok(Part::Every),
        Ok(text) => Ok(Part::Key(text)),
        Err(_) => Err(PyTypeError::new_err(format!("{name} must name fields by str and list entries by int"))),
    }
}

/// The entries of an object or list that `keep` gives; any other value as it is.
fn map(json: Json, keep: impl Fn(Place<'_>, Json) -> Option<Json>) -> Json {
    match json {
        Json::Object(fields) => {
            let mut kept = Fields::default();
            for (key, value) in fields.iter() {
                if let Some(value) = keep(Place::Key(key), value.clone()) {
                    kept.push(key, value);
                }
            }
            Json::Object(Arc::new(kept))
        }
        Json::List(items) => {
            let length = items.len();
            let keep = |(index, item)| keep(Place::Index { index, length }, item);
            Json::List(items.into_iter().enumerate().filter_map(keep).collect())
        }
        plain => plain,
    }
}
