//! From a request body to a validated request, with the parameter at fault named exactly (ER3).
//!
//! The body is read in two steps: into a JSON tree, so that malformed JSON is told apart from a wrong
//! request, and from the tree into types, under `serde_path_to_error`. Of a key given twice the last
//! one counts, at any depth, as in Python's and JavaScript's own readers. serde_json's limit of 128
//! nested values holds, so that no body can exhaust the stack.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use serde_path_to_error::{Path, Segment};

use super::chat::CreateChatCompletionRequest;
use super::error::{Error, ErrorKind, Result};

/// Reads and validates the body of a chat completion request.
pub(crate) fn parse_chat_request(body: &[u8]) -> Result<CreateChatCompletionRequest> {
    let request: CreateChatCompletionRequest = from_json(body)?;
    request.validate()?;
    Ok(request)
}

/// Reads a request body as any type.
fn from_json<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    let tree: Value = serde_json::from_slice(body).map_err(|error| {
        Error::new(
            ErrorKind::InvalidRequest,
            format!("the request body is not valid JSON: {error}"),
        )
        .with_source(error)
    })?;
    serde_path_to_error::deserialize(tree)
        .map_err(|error| explain(param_of(error.path()), &error.inner().to_string()))
}

/// Parameters of a chat completion that this release does not serve yet, each with the values that
/// ask for nothing and are therefore accepted; null is always one of them (T7).
pub(crate) const UNSERVED: &[UnservedKey] = &[
    ("audio", |_| false),
    ("frequency_penalty", is_zero),
    ("function_call", |v| *v == "none"),
    ("functions", |_| false),
    ("logit_bias", |v| *v == json!({})),
    ("logprobs", |v| *v == false),
    ("modalities", |v| *v == json!(["text"])),
    ("moderation", |_| false),
    ("n", |v| *v == 1),
    ("parallel_tool_calls", Value::is_boolean),
    ("prediction", |_| false),
    ("presence_penalty", is_zero),
    ("reasoning_effort", |_| false),
    ("response_format", |v| *v == json!({"type": "text"})),
    ("tool_choice", |v| *v == "none"),
    ("tools", |_| false),
    ("top_logprobs", |_| false),
    ("verbosity", |v| *v == "medium"),
    ("web_search_options", |_| false),
];

fn is_zero(value: &Value) -> bool {
    value.as_f64() == Some(0.0)
}

/// A key of the API that is not served, and which of its values ask for nothing.
pub(crate) type UnservedKey = (&'static str, fn(&Value) -> bool);

/// The first unserved key that asked for something.
///
/// It is remembered while reading and refused while validating, because serde's errors are only
/// text and cannot carry a code.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Unserved(Option<&'static str>);

impl Unserved {
    /// Reads the value of `key`, which has to be one of `keys`.
    pub(crate) fn read<'de, A: MapAccess<'de>>(
        &mut self,
        keys: &[UnservedKey],
        key: &str,
        map: &mut A,
    ) -> Result<(), A::Error> {
        let Some((name, is_neutral)) = keys.iter().find(|(name, _)| *name == key) else {
            return Err(A::Error::unknown_field(key, &[]));
        };
        let value: Value = map.next_value()?;
        if !value.is_null() && !is_neutral(&value) {
            self.0.get_or_insert(name);
        }
        Ok(())
    }

    /// Refuses the key, if there was one; `path` is where its object stands in the request.
    pub(crate) fn check(&self, path: &str) -> Result<()> {
        match self.0 {
            None => Ok(()),
            Some(key) => {
                let param = join(path, key);
                let message = format!("this release does not serve '{param}'");
                Err(Error::unsupported_parameter(param, message))
            }
        }
    }
}

/// A derived struct that is read from a JSON object only; serde would take a list as well.
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}

/// A path as the API writes it: `messages[0].content[1].text`.
fn param_of(path: &Path) -> String {
    path.iter()
        .fold(String::new(), |param, segment| match segment {
            Segment::Seq { index } => format!("{param}[{index}]"),
            Segment::Map { key } => join(&param, &shorten(key)),
            // The value itself, when it is a variant's name.
            Segment::Enum { .. } | Segment::Unknown => param,
        })
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// Caps text of the caller's before it is repeated in an error.
fn shorten(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(100) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

/// Translates what serde says into the API's terms.
///
/// serde gives its reasons as text alone; the texts below are those of `serde::de::Error`'s provided
/// methods, and the tests would notice a change.
fn explain(param: String, reason: &str) -> Error {
    if let Some(key) = reason
        .strip_prefix("missing field `")
        .and_then(|r| r.strip_suffix('`'))
    {
        let param = join(&param, key);
        let message = format!("missing required parameter: '{param}'");
        return Error::invalid(param, message);
    }
    if let Some(key) = quoted(reason, "unknown field `") {
        let key = shorten(key);
        // The path of a derived struct's error ends in the key already.
        let named = param == *key || param.ends_with(&format!(".{key}"));
        let param = if named { param } else { join(&param, &key) };
        let message = format!("Unrecognized request argument: {param}");
        return Error::unsupported_parameter(param, message);
    }
    let message = explain_value(reason);
    if param.is_empty() {
        return Error::new(
            ErrorKind::InvalidRequest,
            format!("invalid request body: {message}"),
        );
    }
    let message = format!("invalid '{param}': {message}");
    Error::invalid(param, message)
}

/// The text between `prefix` and the last quotation mark before what serde expected instead.
fn quoted<'a>(reason: &'a str, prefix: &str) -> Option<&'a str> {
    let rest = reason.strip_prefix(prefix)?;
    let end = rest
        .rfind("`, expected ")
        .or_else(|| rest.rfind("`, there are no "))?;
    Some(&rest[..end])
}

fn explain_value(reason: &str) -> String {
    if let Some(value) = quoted(reason, "unknown variant `") {
        let expected = reason
            .rsplit_once("`, expected ")
            .map_or("", |(_, expected)| expected);
        let expected = expected.replace('`', "'");
        return format!("expected {expected}, got '{}'", shorten(value));
    }
    let wrong = reason
        .strip_prefix("invalid type: ")
        .or_else(|| reason.strip_prefix("invalid value: "));
    match wrong.and_then(|wrong| wrong.rsplit_once(", expected ")) {
        Some((got, expected)) => format!("expected {}, got {}", wanted(expected), given(got)),
        None => shorten(reason).into_owned(),
    }
}

/// serde's name for what was expected, in JSON's terms.
fn wanted(expected: &str) -> &str {
    match expected {
        "f32" | "f64" => "a number",
        "u32" => "an integer from 0 to 4294967295",
        "i64" => "an integer",
        "a sequence" => "a list",
        "a map" => "an object",
        "string or map" | "map with a single key" => "a string",
        other => other,
    }
}

/// serde's name for what was found, in JSON's terms; numbers and truth values are short enough to
/// be repeated.
fn given(got: &str) -> Cow<'_, str> {
    let short = |value: &str| value.replace('`', "").into();
    match got.split_once(' ').unwrap_or((got, "")) {
        ("string", _) => "a string".into(),
        ("map", _) => "an object".into(),
        ("sequence", _) => "a list".into(),
        ("integer" | "boolean", value) => short(value),
        ("floating", value) => short(value.trim_start_matches("point ")),
        _ => got.into(),
    }
}
