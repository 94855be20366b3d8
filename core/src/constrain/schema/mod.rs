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

mod finite;
mod format;
mod number;
mod pattern;
mod reference;
mod strict;
mod value;
mod walk;

use std::fmt;

use serde_json::Value;

use super::{TokenEnv, lark};
use crate::api::error::{Error, Result};

/// Ceilings (SO9). Schemas may nest this deep, from the root or from a `$ref`,
pub(crate) const MAX_NESTING: usize = 32;
/// have this many properties,
pub(crate) const MAX_PROPERTIES: usize = 5000;
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
    let rule = lark::json_rule(&prepare(schema, strict, param)?);
    lark::check(env, &rule, param, "Invalid schema")?;
    Ok(rule)
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
