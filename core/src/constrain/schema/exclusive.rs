//! `oneOf`: whether its alternatives exclude each other, so that at most one can hold.

use serde_json::{Map, Value};

use super::reference;

/// How deep two schemas are compared.
const MAX_DEPTH: usize = 8;

type Schema = Map<String, Value>;

/// Whether no value can satisfy two of these schemas. `false` where that is not plain.
pub(super) fn are_exclusive(root: &Value, alternatives: &[Value]) -> bool {
    alternatives
        .iter()
        .enumerate()
        .all(|(index, one)| alternatives[..index].iter().all(|other| exclude(root, one, other, MAX_DEPTH)))
}

fn exclude(root: &Value, one: &Value, other: &Value, depth: usize) -> bool {
    let (Some(one), Some(other)) = (target(root, one), target(root, other)) else { return false };
    let values_exclude = match (values(one), values(other)) {
        (Some(one), Some(other)) => !one.iter().any(|value| other.contains(value)),
        _ => false,
    };
    values_exclude || types_exclude(one, other) || depth > 0 && properties_exclude(root, one, other, depth - 1)
}

/// The schema that is meant: behind its references, if it is nothing but one.
fn target<'a>(root: &'a Value, mut schema: &'a Value) -> Option<&'a Schema> {
    for _ in 0..MAX_DEPTH {
        let object = schema.as_object()?;
        let Some(reference) = object.get("$ref") else { return Some(object) };
        (schema, _) = reference::resolve(root, reference.as_str()?, "#").ok()?;
    }
    None
}

/// The only values that the schema allows, if it lists them.
fn values(schema: &Schema) -> Option<Vec<&Value>> {
    match (schema.get("const"), schema.get("enum")) {
        (Some(only), _) => Some(vec![only]),
        (None, Some(values)) => Some(values.as_array()?.iter().collect()),
        (None, None) => None,
    }
}

fn types_exclude(one: &Schema, other: &Schema) -> bool {
    match (types(one), types(other)) {
        (Some(one), Some(other)) => !one.iter().any(|name| other.contains(name)),
        _ => false,
    }
}

/// The types that the schema allows, if it says so; an integer is a number.
fn types(schema: &Schema) -> Option<Vec<&str>> {
    let name_of = |value: &Value| match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let general = |name| if name == "integer" { "number" } else { name };
    match schema.get("type") {
        Some(Value::String(name)) => Some(vec![general(name.as_str())]),
        Some(Value::Array(names)) => names.iter().map(|name| name.as_str().map(general)).collect(),
        _ => Some(values(schema)?.into_iter().map(name_of).collect()),
    }
}

/// Whether both are objects that must have a property whose schemas exclude each other, such as the
/// `kind` of a tagged union.
fn properties_exclude(root: &Value, one: &Schema, other: &Schema, depth: usize) -> bool {
    let is_object = |schema| types(schema).is_some_and(|types| types == ["object"]);
    let required = |schema: &Schema, name: &str| {
        schema.get("required").and_then(Value::as_array).is_some_and(|names| names.iter().any(|other| other == name))
    };
    let (Some(ones), Some(others)) = (properties(one), properties(other)) else { return false };
    is_object(one)
        && is_object(other)
        && ones.iter().any(|(name, property)| {
            let both = required(one, name) && required(other, name);
            both && others.get(name).is_some_and(|other| exclude(root, property, other, depth))
        })
}

fn properties(schema: &Schema) -> Option<&Schema> {
    schema.get("properties")?.as_object()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn alternatives_that_exclude_each_other_are_known() {
        let tagged = |kind: &Value| json!({"type": "object", "properties": {"kind": kind}, "required": ["kind"]});
        let root = json!({"$defs": {
            "cat": tagged(&json!({"const": "cat"})),
            "dog": tagged(&json!({"$ref": "#/$defs/name"})),
            "name": {"enum": ["dog", "wolf"], "type": "string"},
            "open": {"type": "object", "properties": {"kind": {"const": "fox"}}},
            "loop": {"$ref": "#/$defs/loop"},
        }});
        let of = |name: &str| json!({"$ref": format!("#/$defs/{name}")});
        let exclusive = [
            json!([of("cat"), of("dog"), {"type": "null"}, {"type": ["string", "integer"]}]),
            json!([{"const": 1}, {"enum": [2, "1"]}]),
            json!([{"enum": ["a"]}, {"type": "number"}]),
        ];
        for alternatives in exclusive {
            assert!(are_exclusive(&root, alternatives.as_array().unwrap()), "{alternatives}");
        }
        let overlapping = [
            json!([of("cat"), of("cat")]),
            json!([of("cat"), of("open")]),
            json!([of("cat"), of("loop")]),
            json!([of("cat"), of("none")]),
            json!([{"type": "integer"}, {"type": "number"}]),
            json!([{"enum": [1, 2]}, {"enum": [2, 3]}]),
            json!([{"type": "string", "minLength": 3}, {"type": "string", "maxLength": 4}]),
            json!([true, {"type": "string"}]),
        ];
        for alternatives in overlapping {
            assert!(!are_exclusive(&root, alternatives.as_array().unwrap()), "{alternatives}");
        }
    }
}
