//! Checking a caller's JSON schema and writing it down as it is enforced.
//!
//! What comes out of [`prepare`] has no annotations, no references out of
//! itself, and no keyword that llguidance would not enforce to the letter. It may
//! ask for more than the caller did, never for less: every text it allows is
//! valid under the caller's schema.
//!
//! Enforced: `type`, `enum`, `const`, `anyOf`, `allOf`, `oneOf` of alternatives
//! that exclude each other, `$ref` into the schema, `properties`, `required`,
//! `additionalProperties`, `minProperties`, `maxProperties`, `items`,
//! `prefixItems`, `minItems`, `maxItems`, `pattern`, `format`, `minLength`,
//! `maxLength`, `minimum`, `maximum`, `exclusiveMinimum`, `exclusiveMaximum`,
//! `multipleOf`. Annotations are accepted (SO7); every other keyword of JSON
//! Schema is refused (SO5). Words that are no keywords are annotations too,
//! except with `strict`.
//!
//! Without `strict`, an object that declares properties and does not speak of
//! `additionalProperties` gets only those it declares, and a schema that only
//! constrains one type is of that type.

mod exclusive;
mod finite;
mod format;
mod number;
mod pattern;
mod reference;
mod strict;
mod value;
mod walk;

use std::fmt;

use serde_json::{Value, json};

use super::{TokenEnv, lark};
use crate::api::error::{Error, Result};

/// Ceilings (SO9). Schemas may nest this deep, from the root or from a `$ref`,
pub(crate) const MAX_NESTING: usize = 32;
/// have this many properties,
pub(crate) const MAX_PROPERTIES: usize = 5000;
/// of which one object may leave this many optional (llguidance takes time that
/// grows with the square; with `strict`, all are required),
pub(crate) const MAX_OPTIONAL: usize = 1000;
/// this many `enum` and `const` values,
pub(crate) const MAX_ENUM_VALUES: usize = 5000;
/// this many schemas inside them, with what `$ref`s repeat,
pub(crate) const MAX_SCHEMAS: usize = 20_000;
/// and this many bytes in names, values and patterns.
pub(crate) const MAX_TEXT: usize = 1 << 20;

/// Checks a caller's JSON schema and gives back what is to be enforced.
///
/// `param` is the schema's path in the request. The error is a 400 with that
/// param and a message that names the path inside the schema. `strict` demands
/// the strict subset (SO3).
pub(crate) fn prepare(schema: &Value, strict: bool, param: &str) -> Result<Value> {
    let refuse = |fault: Fault| Error::invalid(param.to_owned(), format!("Invalid schema: {fault}."));
    if strict {
        strict::check_root(schema).map_err(refuse)?;
    }
    let prepared = walk::Walk::new(schema, strict).run().map_err(refuse)?;
    if !finite::has_finite_value(&prepared) {
        return Err(refuse(Fault::new("#", "no finite value satisfies it")));
    }
    Ok(prepared)
}

/// An expression for values of a caller's schema, to stand in a Lark rule.
/// Checks all there is to check; see [`prepare`].
pub(crate) fn schema_rule(env: &TokenEnv, schema: &Value, strict: bool, param: &str) -> Result<String> {
    checked_rule(env, &prepare(schema, strict, param)?, param)
}

/// What a function's arguments must be, always an object (TL1), ready to be
/// enforced. Checks all there is to check; see [`prepare`].
pub(crate) fn arguments(env: &TokenEnv, parameters: Option<&Value>, strict: bool, param: &str) -> Result<Value> {
    let prepared = prepare_parameters(parameters, strict, param)?;
    checked_rule(env, &prepared, param)?;
    Ok(prepared)
}

/// [`prepare`] for a function's `parameters`. Omitted or without properties, they
/// mean that there are no arguments.
fn prepare_parameters(parameters: Option<&Value>, strict: bool, param: &str) -> Result<Value> {
    const SAYS_WHAT: [&str; 6] = ["enum", "const", "$ref", "anyOf", "oneOf", "allOf"];
    let Some(parameters) = parameters.filter(|parameters| !parameters.is_null() && **parameters != json!({})) else {
        return Ok(json!({ "type": "object", "properties": {}, "additionalProperties": false }));
    };
    let mut prepared = prepare(parameters, strict, param)?;
    let may_be_object = match &prepared["type"] {
        Value::Null => true,
        Value::String(name) => name == "object",
        names => names.as_array().is_some_and(|names| names.iter().any(|name| name == "object")),
    };
    if !may_be_object {
        return Err(Error::invalid(
            param.to_owned(),
            "Invalid schema: the parameters of a function must be an object.",
        ));
    }
    if SAYS_WHAT.iter().any(|keyword| prepared.get(*keyword).is_some()) {
        return Ok(prepared);
    }
    prepared["type"] = json!("object");
    let speaks_of = |keyword: &str| prepared.get(keyword).is_some_and(|value| *value != json!({}));
    if !["properties", "additionalProperties", "required", "minProperties"].into_iter().any(speaks_of) {
        prepared["additionalProperties"] = json!(false);
    }
    Ok(prepared)
}

fn checked_rule(env: &TokenEnv, prepared: &Value, param: &str) -> Result<String> {
    let rule = lark::json_rule(prepared);
    match env.compile(&format!("start: {rule}\n")) {
        Ok(_) => Ok(rule),
        Err(error) if error.status() == Some(400) => {
            // Without the place in our own Lark text.
            let message = error.message();
            let message = message.split_once("JSON schema: ").map_or(message, |(_, reason)| reason);
            let reason = message.lines().next().unwrap_or_default().trim_end_matches('.');
            let reason = if reason.starts_with("oneOf constraints are not supported") {
                // llguidance speaks of an option that no caller can reach.
                "the alternatives of a `oneOf` may overlap; `anyOf` is supported"
            } else {
                reason
            };
            Err(Error::invalid(param.to_owned(), format!("Invalid schema: {reason}.")))
        }
        Err(error) => Err(error),
    }
}

/// What is wrong with a schema, and where in it, as a JSON pointer.
#[derive(Debug)]
struct Fault {
    path: String,
    reason: String,
}

impl Fault {
    fn new(path: &str, reason: impl Into<String>) -> Self {
        Fault { path: path.to_owned(), reason: reason.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at `{}`, {}", self.path, self.reason)
    }
}

/// The path of a part of a schema.
fn join(path: &str, name: &str) -> String {
    format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"))
}
