//! The form that the answer's text has to have (SO1).

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::error::{Error, Result};
use super::parse::{Object, check_keys, required};
use super::tools::check_name;

/// The form that the answer's text has to have (SO1).
///
/// ```
/// use serde_json::json;
/// use zerohop::types::{JsonSchema, ResponseFormat};
///
/// let city = JsonSchema::new("city", json!({
///     "type": "object",
///     "properties": {"name": {"type": "string"}},
///     "required": ["name"],
///     "additionalProperties": false,
/// }));
/// let format = ResponseFormat::from(city.strict(true));
/// assert_eq!(serde_json::to_value(&format).unwrap()["json_schema"]["name"], "city");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ResponseFormat {
    /// Any text, the default.
    Text,
    /// A JSON object (SO10). The messages need not mention JSON.
    JsonObject,
    /// JSON that satisfies a schema.
    JsonSchema {
        /// The schema and its name.
        json_schema: JsonSchema,
    },
    /// A text that matches a regular expression as a whole (an extension).
    Regex {
        /// The expression, in the syntax of Rust's `regex` crate.
        regex: String,
    },
    /// A text that follows a grammar (an extension).
    Lark {
        /// A Lark grammar, in llguidance's dialect.
        lark: String,
    },
}

impl ResponseFormat {
    pub(crate) fn validate(&self) -> Result<()> {
        let empty = match self {
            ResponseFormat::JsonSchema { json_schema } => return json_schema.validate(),
            ResponseFormat::Regex { regex } if regex.is_empty() => "response_format.regex",
            ResponseFormat::Lark { lark } if lark.is_empty() => "response_format.lark",
            _ => return Ok(()),
        };
        Err(Error::invalid(empty, format!("'{empty}' must not be empty")))
    }
}

impl From<JsonSchema> for ResponseFormat {
    fn from(json_schema: JsonSchema) -> Self {
        ResponseFormat::JsonSchema { json_schema }
    }
}

/// A JSON schema and its name (SO1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "a schema does nothing until it is part of a request"]
#[non_exhaustive]
pub struct JsonSchema {
    /// A name: 1 to 64 characters of `A-Z a-z 0-9 _ -`.
    pub name: String,
    /// What the answer is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The schema, an object. By default any JSON will do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// Whether the schema must keep to the API's strict subset (SO3). Default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strict: Option<bool>,
}

impl JsonSchema {
    /// A schema that need not keep to the strict subset.
    pub fn new(name: impl Into<String>, schema: Value) -> Self {
        JsonSchema { name: name.into(), description: None, schema: Some(schema), strict: None }
    }

    /// What the answer is for.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Whether the schema must keep to the strict subset.
    pub fn strict(mut self, strict: bool) -> Self {
        self.strict = Some(strict);
        self
    }

    /// What a schema may say is checked where it is compiled.
    fn validate(&self) -> Result<()> {
        const SCHEMA: &str = "response_format.json_schema.schema";
        check_name(&self.name, || "response_format.json_schema.name".to_owned())?;
        match &self.schema {
            Some(schema) if !schema.is_object() => {
                Err(Error::invalid(SCHEMA, format!("'{SCHEMA}' must be a JSON schema, an object")))
            }
            None if self.strict == Some(true) => {
                Err(Error::invalid(SCHEMA, format!("Missing required parameter: '{SCHEMA}', since 'strict' is true")))
            }
            _ => Ok(()),
        }
    }
}

/// A format as it arrives: serde's own tagged enums read ahead and so lose the path to an error.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFormat {
    #[serde(rename = "type")]
    kind: FormatKind,
    json_schema: Option<Object<JsonSchema>>,
    regex: Option<String>,
    lark: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FormatKind {
    Text,
    JsonObject,
    JsonSchema,
    Regex,
    Lark,
}

impl<'de> Deserialize<'de> for ResponseFormat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Object(raw) = Object::<RawFormat>::deserialize(deserializer)?;
        check_keys(
            raw.kind,
            &[
                (FormatKind::JsonSchema, "json_schema", raw.json_schema.is_some()),
                (FormatKind::Regex, "regex", raw.regex.is_some()),
                (FormatKind::Lark, "lark", raw.lark.is_some()),
            ],
        )?;
        Ok(match raw.kind {
            FormatKind::Text => ResponseFormat::Text,
            FormatKind::JsonObject => ResponseFormat::JsonObject,
            FormatKind::JsonSchema => required("json_schema", raw.json_schema)?.0.into(),
            FormatKind::Regex => ResponseFormat::Regex { regex: required("regex", raw.regex)? },
            FormatKind::Lark => ResponseFormat::Lark { lark: required("lark", raw.lark)? },
        })
    }
}
