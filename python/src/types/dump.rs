//! Objects written out: with the fields that a reply left out, or without those that say nothing.

use std::sync::Arc;

use super::schema::{Schema, Shape};
use crate::json::{Fields, Json};

/// What to leave out, under pydantic's names.
#[derive(Clone, Copy, Default)]
pub(crate) struct Exclude {
    /// What was not in the reply.
    pub(crate) unset: bool,
    /// What has its default; of these fields, that is `None`.
    pub(crate) defaults: bool,
    pub(crate) none: bool,
}

/// An object's fields in the order of its class, then the fields that the class does not name.
pub(crate) fn dump(schema: &Schema, object: &Fields, exclude: Exclude) -> Fields {
    let mut dumped = Fields::default();
    for field in schema.fields {
        let value = match object.get(field.name) {
            None if exclude.unset || field.spec.required => continue,
            value => value.unwrap_or(&Json::Null),
        };
        if value.is_null() && (exclude.none || (exclude.defaults && !field.spec.required)) {
            continue;
        }
        dumped.push(field.name, dump_value(field.spec.shape, value, exclude));
    }
    for (key, value) in schema.extras(object) {
        if !(exclude.none && value.is_null()) {
            dumped.push(key, value.clone());
        }
    }
    dumped
}

fn dump_value(shape: Shape, value: &Json, exclude: Exclude) -> Json {
    match (shape, value) {
        (Shape::Object(schema), Json::Object(object)) => Json::Object(Arc::new(dump(schema, object, exclude))),
        (Shape::OneOf(_), _) => dump_value(shape.entry(value), value, exclude),
        (Shape::List(_) | Shape::Union(_) | Shape::TextOrUnion(_), Json::List(items)) => {
            Json::List(items.iter().map(|item| dump_value(shape.entry(item), item, exclude)).collect())
        }
        _ => value.clone(),
    }
}
