//! What the API says an object contains.

use pyo3::prelude::*;
use pyo3::types::PyType;

use super::base::BaseModel;
use crate::json::{Fields, Json};

/// A class of the API: its fields in the order in which openai's SDK has them.
pub(crate) struct Schema {
    /// The name of the class.
    pub(crate) name: &'static str,
    pub(crate) fields: &'static [Field],
    /// The Python class.
    pub(crate) class: fn(Python<'_>) -> Bound<'_, PyType>,
    /// Makes an instance of the class.
    pub(crate) instance: fn(Python<'_>, BaseModel) -> PyResult<Bound<'_, PyAny>>,
}

/// A field of a class.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) spec: Spec,
}

/// What a field may hold. A field that is not required is `None` where the reply leaves it out.
#[derive(Clone, Copy)]
pub(crate) struct Spec {
    pub(crate) required: bool,
    pub(crate) shape: Shape,
}

#[derive(Clone, Copy)]
pub(crate) enum Shape {
    /// What Python's own `json` would make of it.
    Plain,
    Object(&'static Schema),
    List(&'static Schema),
    /// A list of objects of several classes.
    Union(Pick),
    /// A text, or such a list.
    TextOrUnion(Pick),
    /// One object, of one of several classes.
    OneOf(Pick),
}

/// The class of an object that may be of several; `None` if it is of none.
pub(crate) type Pick = fn(&Fields) -> Option<&'static Schema>;

/// What an object says it is: its `type`.
pub(super) fn kind(object: &Fields) -> Option<&str> {
    object.text("type")
}

impl Shape {
    /// The class of an entry in a list of this shape, or of the one object.
    pub(crate) fn class_of(self, entry: &Json) -> Option<&'static Schema> {
        match (self, entry) {
            (Shape::List(schema), _) => Some(schema),
            (Shape::Union(pick) | Shape::TextOrUnion(pick) | Shape::OneOf(pick), Json::Object(fields)) => pick(fields),
            _ => None,
        }
    }

    /// The shape of an entry in a list of this shape, or of the one object.
    pub(crate) fn entry(self, entry: &Json) -> Shape {
        self.class_of(entry).map_or(Shape::Plain, Shape::Object)
    }
}

pub(crate) const REQUIRED: Spec = Spec { required: true, shape: Shape::Plain };
pub(crate) const OPTIONAL: Spec = Spec { required: false, shape: Shape::Plain };

impl Spec {
    pub(crate) const fn object(self, schema: &'static Schema) -> Self {
        Spec { shape: Shape::Object(schema), ..self }
    }

    pub(crate) const fn list(self, schema: &'static Schema) -> Self {
        Spec { shape: Shape::List(schema), ..self }
    }

    pub(crate) const fn one_of(self, pick: Pick) -> Self {
        Spec { shape: Shape::OneOf(pick), ..self }
    }

    pub(crate) const fn union(self, pick: Pick) -> Self {
        Spec { shape: Shape::Union(pick), ..self }
    }

    pub(crate) const fn text_or_union(self, pick: Pick) -> Self {
        Spec { shape: Shape::TextOrUnion(pick), ..self }
    }
}

impl Schema {
    /// What a field of this name may hold, if the class names it.
    pub(crate) fn spec(&self, name: &str) -> Option<Spec> {
        self.fields.iter().find(|field| field.name == name).map(|field| field.spec)
    }

    /// The keys of an object that the class does not name.
    pub(crate) fn extras<'a>(&self, fields: &'a Fields) -> impl Iterator<Item = (&'a str, &'a Json)> {
        fields.iter().filter(|(key, _)| self.spec(key).is_none())
    }

    /// Says what keeps a value from being of this class, and where; `path` is where the value is.
    pub(crate) fn check(&self, json: &Json, path: &str) -> Result<(), String> {
        let Json::Object(object) = json else { return Err(format!("{path} is no object")) };
        for field in self.fields {
            let path = format!("{path}.{}", field.name);
            match (object.get(field.name), field.spec.shape) {
                (None, _) if field.spec.required => return Err(format!("{path} is missing")),
                (None | Some(Json::Null), _) | (_, Shape::Plain) | (Some(Json::Text(_)), Shape::TextOrUnion(_)) => {}
                (Some(value), Shape::Object(schema)) => schema.check(value, &path)?,
                (Some(value), shape @ Shape::OneOf(_)) => {
                    let schema = shape.class_of(value).ok_or_else(|| format!("{path} has no known type"))?;
                    schema.check(value, &path)?;
                }
                (Some(Json::List(items)), shape) => {
                    for (index, item) in items.iter().enumerate() {
                        let path = format!("{path}[{index}]");
                        let schema = shape.class_of(item).ok_or_else(|| format!("{path} has no known type"))?;
                        schema.check(item, &path)?;
                    }
                }
                (Some(_), Shape::List(_) | Shape::Union(_)) => return Err(format!("{path} is no list")),
                (Some(_), Shape::TextOrUnion(_)) => return Err(format!("{path} is neither text nor list")),
            }
        }
        Ok(())
    }
}
