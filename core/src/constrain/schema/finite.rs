//! Whether a schema has values that end.
//!
//! `{"$ref": "#"}`, or an object that requires another one of its own kind, is
//! satisfied by nothing that could ever be written to its end.

use std::collections::HashSet;

use serde_json::{Map, Value};

/// Whether the prepared schema `root` has a finite value, as far as references,
/// unions and required parts go.
pub(super) fn has_finite_value(root: &Value) -> bool {
    let empty = Map::new();
    let definitions = root.get("$defs").and_then(Value::as_object).unwrap_or(&empty);
    // References known to have one; grows until nothing new is found.
    let mut known: HashSet<String> = HashSet::new();
    loop {
        let mut found: Vec<String> = Vec::new();
        if !known.contains("#") && is_finite(root, &known) {
            found.push("#".to_owned());
        }
        for (name, definition) in definitions {
            let reference = format!("#/$defs/{name}");
            if !known.contains(&reference) && is_finite(definition, &known) {
                found.push(reference);
            }
        }
        if found.is_empty() {
            return known.contains("#");
        }
        known.extend(found);
    }
}

fn is_finite(schema: &Value, known: &HashSet<String>) -> bool {
    let Some(schema) = schema.as_object() else { return schema != &Value::Bool(false) };
    if schema.get("$ref").and_then(Value::as_str).is_some_and(|reference| !known.contains(reference)) {
        return false;
    }
    let list = |keyword: &str| schema.get(keyword).and_then(Value::as_array);
    for keyword in ["anyOf", "oneOf"] {
        if list(keyword).is_some_and(|options| !options.iter().any(|option| is_finite(option, known))) {
            return false;
        }
    }
    if list("allOf").is_some_and(|parts| !parts.iter().all(|part| is_finite(part, known))) {
        return false;
    }
    let requires_object = || {
        let properties = schema.get("properties");
        let required = list("required").into_iter().flatten().filter_map(Value::as_str);
        required.filter_map(|name| properties?.get(name)).all(|property| is_finite(property, known))
    };
    let requires_array = || {
        let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0);
        let least = usize::try_from(least).unwrap_or(usize::MAX);
        let prefix = list("prefixItems").map(Vec::as_slice).unwrap_or_default();
        prefix.iter().take(least).all(|item| is_finite(item, known))
            && (least <= prefix.len() || schema.get("items").is_none_or(|items| is_finite(items, known)))
    };
    let of_type = |name: &str| match name {
        "object" => requires_object(),
        "array" => requires_array(),
        _ => true,
    };
    match schema.get("type") {
        Some(Value::String(name)) => of_type(name),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).any(of_type),
        _ => true,
    }
}
