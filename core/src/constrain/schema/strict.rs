//! The strict subset of JSON Schema (SO3).

use serde_json::{Map, Value};

use super::{Fault, reference};

/// The root is an object, and no union.
pub(super) fn check_root(schema: &Value) -> Result<(), Fault> {
    let mut target = schema;
    // A reference at the root stands for what it names; a chain longer than
    // this goes round in circles.
    for _ in 0..16 {
        let Some(name) = target.get("$ref").and_then(Value::as_str) else { break };
        target = reference::resolve(schema, name, "#")?.0;
    }
    if target.get("anyOf").is_some() {
        return Err(Fault::new("#", "the root of a strict schema cannot be `anyOf`"));
    }
    if target.get("type").and_then(Value::as_str) != Some("object") {
        return Err(Fault::new("#", "the root of a strict schema must have `\"type\": \"object\"`"));
    }
    Ok(())
}

/// Every object is closed and requires all of its properties; every schema says
/// what it is.
pub(super) fn check_schema(schema: &Map<String, Value>, path: &str) -> Result<(), Fault> {
    const SAYS_WHAT: [&str; 7] = ["type", "enum", "const", "$ref", "anyOf", "allOf", "oneOf"];
    if !SAYS_WHAT.iter().any(|keyword| schema.contains_key(*keyword)) {
        return Err(Fault::new(path, "a strict schema must have a `type`"));
    }
    let is_object = match schema.get("type") {
        Some(Value::String(name)) => name == "object",
        Some(Value::Array(names)) => names.iter().any(|name| name == "object"),
        _ => schema.contains_key("properties"),
    };
    if !is_object {
        return Ok(());
    }
    if schema.get("additionalProperties") != Some(&Value::Bool(false)) {
        return Err(Fault::new(path, "a strict schema must have `\"additionalProperties\": false`"));
    }
    let required: Vec<&str> = match schema.get("required") {
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let Some(Value::Object(properties)) = schema.get("properties") else { return Ok(()) };
    let required: std::collections::HashSet<&str> = required.into_iter().collect();
    if let Some(missing) = properties.keys().find(|name| !required.contains(name.as_str())) {
        return Err(Fault::new(
            path,
            format!("`required` must list every property of a strict schema, and {missing:?} is missing"),
        ));
    }
    Ok(())
}
