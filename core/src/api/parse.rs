//! From a request body to a validated request, with the parameter at fault named exactly (ER3).
//!
//! The body is read in two steps: into a JSON tree, so that malformed JSON is told apart from a wrong
//! request, and from the tree into types, under `serde_path_to_error`. Of a key given twice the last
//! one counts, at any depth, as in the usual readers of other languages. `serde_json`'s limit of 128
//! nested values holds, so that no body can exhaust the stack.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use serde_path_to_error::{Path, Segment};

use super::chat::CreateChatCompletionRequest;
use super::completions::CreateCompletionRequest;
use super::embeddings::CreateEmbeddingRequest;
use super::error::{Error, ErrorKind, Result};
use super::images::{CreateImageRequest, ImageOptions};
use super::rerank::RerankRequest;
use super::tokenize::{DetokenizeRequest, TokenizeRequest};

/// The longest request body: as a tree it takes some ten times as much.
const MAX_BODY: usize = 64 << 20;

/// Reads and validates the body of a chat completion request.
pub(crate) fn parse_chat_request(body: &[u8]) -> Result<CreateChatCompletionRequest> {
    let request: CreateChatCompletionRequest = from_body(body)?;
    // CQ14. The typed Rust calls say by their name whether they stream.
    if request.stream_options.is_some() && request.stream != Some(true) {
        return Err(stream_options_alone());
    }
    request.validate()?;
    Ok(request)
}

/// CQ14
pub(crate) fn stream_options_alone() -> Error {
    Error::invalid("stream_options", "'stream_options' is only allowed when 'stream' is true")
}

/// Reads and validates the body of a request for a legacy completion.
pub(crate) fn parse_completion_request(body: &[u8]) -> Result<CreateCompletionRequest> {
    let request: CreateCompletionRequest = from_body(body)?;
    let streams = request.stream == Some(true);
    if request.stream_options.is_some() && !streams {
        return Err(stream_options_alone());
    }
    request.validate(streams)?;
    Ok(request)
}

/// Reads and validates the body of a request for embeddings.
pub(crate) fn parse_embedding_request(body: &[u8]) -> Result<CreateEmbeddingRequest> {
    let Object(request) = from_json::<Object<CreateEmbeddingRequest>>(body)?;
    request.validate()?;
    Ok(request)
}

/// Reads and validates the body of a request to order documents.
pub(crate) fn parse_rerank_request(body: &[u8]) -> Result<RerankRequest> {
    let Object(request) = from_body::<Object<RerankRequest>>(body)?;
    request.validate()?;
    Ok(request)
}

/// Reads and validates the body of a request for tokens.
pub(crate) fn parse_tokenize_request(body: &[u8]) -> Result<TokenizeRequest> {
    let Object(request) = from_body::<Object<TokenizeRequest>>(body)?;
    request.validate()?;
    Ok(request)
}

/// Reads the body of a request for the text of tokens.
pub(crate) fn parse_detokenize_request(body: &[u8]) -> Result<DetokenizeRequest> {
    from_body::<Object<DetokenizeRequest>>(body).map(|Object(request)| request)
}

/// Reads and validates the body of a request for images.
pub(crate) fn parse_image_request(body: &[u8]) -> Result<CreateImageRequest> {
    let Object(Fields(mut fields)) = from_body::<Object<Fields>>(body)?;
    let head = |fields: &mut Map<String, Value>, name: &'static str| match fields.remove(name) {
        Some(Value::String(text)) => Ok(text),
        None | Some(Value::Null) => Err(explain(String::new(), &format!("missing field `{name}`"))),
        Some(_) => Err(explain(name.to_owned(), "invalid type: another, expected a string")),
    };
    let (model, prompt) = (head(&mut fields, "model")?, head(&mut fields, "prompt")?);
    let request =
        CreateImageRequest { options: parse_image_options(fields)?, ..CreateImageRequest::new(model, prompt) };
    request.validate(request.options.stream == Some(true))?;
    Ok(request)
}

/// Reads the fields that requests for images have in common.
pub(crate) fn parse_image_options(fields: Map<String, Value>) -> Result<ImageOptions> {
    if let Some(unknown) = fields.keys().find(|key| !ImageOptions::FIELDS.contains(&key.as_str())) {
        return Err(explain(String::new(), &format!("unknown field `{unknown}`, there are no fields")));
    }
    serde_path_to_error::deserialize(Value::Object(fields))
        .map_err(|error| explain(param_of(error.path()), &error.inner().to_string()))
}

/// An object's fields as they are.
#[derive(Deserialize)]
#[serde(transparent)]
struct Fields(Map<String, Value>);

/// Reads a request body as any type, unless it is too long.
pub(crate) fn from_body<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    if body.len() > MAX_BODY {
        let message = format!("The request body has {} bytes; at most {MAX_BODY} are read", body.len());
        return Err(Error::new(ErrorKind::InvalidRequest, message).with_code("request_too_large"));
    }
    from_json(body)
}

/// Reads a request body as any type.
fn from_json<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    let tree: Value = serde_json::from_slice(body).map_err(|error| {
        Error::new(ErrorKind::InvalidRequest, format!("The request body is not valid JSON: {error}")).with_source(error)
    })?;
    serde_path_to_error::deserialize(tree).map_err(|error| explain(param_of(error.path()), &error.inner().to_string()))
}

/// Parameters of a chat completion that this engine does not serve, each with the values that ask for
/// nothing and are therefore accepted; null is always one of them (T7).
pub(crate) const UNSERVED: &[UnservedKey] =
    &[("audio", |_| false), ("moderation", |_| false), ("web_search_options", |_| false)];

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
                let message = format!("This release does not serve '{param}'");
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

/// Refuses a key that belongs to an object of another `type`; each of `keys` is a type, its key, and
/// whether that is given.
pub(crate) fn check_keys<K, E>(kind: K, keys: &[(K, &'static str, bool)]) -> Result<(), E>
where
    K: Copy + PartialEq,
    E: serde::de::Error,
{
    match keys.iter().find(|(other, _, given)| *given && *other != kind) {
        Some((_, key, _)) => Err(E::unknown_field(key, &[])),
        None => Ok(()),
    }
}

/// The value of a key that an object of this `type` has to have.
pub(crate) fn required<T, E: serde::de::Error>(key: &'static str, value: Option<T>) -> Result<T, E> {
    value.ok_or_else(|| E::missing_field(key))
}

/// A path as the API writes it: `messages[0].content[1].text`.
fn param_of(path: &Path) -> String {
    path.iter().fold(String::new(), |param, segment| match segment {
        Segment::Seq { index } => format!("{param}[{index}]"),
        Segment::Map { key } => join(&param, &shorten(key)),
        // A word's own value, which is no key.
        Segment::Enum { .. } | Segment::Unknown => param,
    })
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Caps text of the caller's before it is repeated in an error.
pub(crate) fn shorten(text: &str) -> Cow<'_, str> {
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
    if let Some(key) = reason.strip_prefix("missing field `").and_then(|r| r.strip_suffix('`')) {
        let param = join(&param, key);
        let message = format!("Missing required parameter: '{param}'");
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
        return Error::new(ErrorKind::InvalidRequest, format!("Invalid request body: {message}"));
    }
    let message = format!("Invalid '{param}': {message}");
    Error::invalid(param, message)
}

/// The caller's text between `prefix` and what serde expected instead; it may itself hold anything.
fn quoted<'a>(reason: &'a str, prefix: &str) -> Option<&'a str> {
    let rest = reason.strip_prefix(prefix)?;
    rest.strip_suffix("`, there are no fields").or_else(|| rest.rsplit_once("`, expected ").map(|(text, _)| text))
}

fn explain_value(reason: &str) -> String {
    if let Some(value) = quoted(reason, "unknown variant `") {
        let expected = reason.rsplit_once("`, expected ").map_or("", |(_, expected)| expected);
        let expected = expected.replace('`', "'");
        return format!("expected {expected}, got '{}'", shorten(value));
    }
    let wrong = reason.strip_prefix("invalid type: ").or_else(|| reason.strip_prefix("invalid value: "));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Result<CreateChatCompletionRequest> {
        parse_chat_request(body.as_bytes())
    }

    fn refusal(body: &[u8]) -> Error {
        let error = parse_chat_request(body).expect_err(&String::from_utf8_lossy(body));
        // ER3
        assert_eq!((error.status(), error.error_type()), (Some(400), "invalid_request_error"));
        error
    }

    /// A body with one good message and more keys.
    fn with_keys(keys: &str) -> String {
        format!(r#"{{"model": "m", "messages": [{{"role": "user", "content": "hi"}}], {keys}}}"#)
    }

    #[test]
    fn bad_bodies_are_refused_without_a_parameter() {
        let bad: &[&[u8]] = &[
            b"",
            b"{",
            b"\xff",
            br#"{"model": NaN}"#,
            br#"{"model": "m", "messages": [], "temperature": 1e999}"#,
            br#"{"model": "\ud800"}"#,
            br#"{"model": "\ud800\u0041"}"#,
            b"{\"model\": \"a\xed\xa0\x80\"}",
            br#"{"model": "m"} {}"#,
            b"null",
            b"3",
            br#""text""#,
            br#"[{"model": "m"}]"#,
        ];
        for body in bad {
            let error = refusal(body);
            assert_eq!((error.param(), error.code()), (None, None), "{error}");
        }
        let deep = with_keys(&format!(r#""tools": {}"#, "[".repeat(100_000)));
        assert!(refusal(deep.as_bytes()).message().contains("recursion limit"));
    }

    #[test]
    fn malformed_json_says_where() {
        let error = refusal(b"{\n  \"model\": m}");
        assert!(error.message().starts_with("The request body is not valid JSON: "), "{error}");
        assert!(error.message().ends_with("at line 2 column 12"), "{error}");
    }

    #[test]
    fn the_last_of_two_equal_keys_counts() {
        let body = with_keys(r#""seed": 1, "n": 0, "seed": 2, "n": 1"#);
        assert_eq!(parse(&body).unwrap().seed, Some(2));
    }

    #[test]
    fn reasons_are_in_the_apis_terms() {
        let table = r#"
            "temperature": "hot" => Invalid 'temperature': expected a number, got a string
            "seed": {} => Invalid 'seed': expected an integer, got an object
            "seed": 1.5 => Invalid 'seed': expected an integer, got 1.5
            "stream": 1 => Invalid 'stream': expected a boolean, got 1
            "messages": true => Invalid 'messages': expected a list, got true
            "model": null => Invalid 'model': expected a string, got null
            "service_tier": [] => Invalid 'service_tier': expected a string, got a list
            "top_k": -1 => Invalid 'top_k': expected an integer from 0 to 4294967295, got -1
            "stop": 5 => Invalid 'stop': expected a string or a list of strings, got 5
            "temprature": 0 => Unrecognized request argument: temprature
            "audio": {} => This release does not serve 'audio'
            "n": 0 => 'n' must be from 1 to 128, but is 0
            "tool_choice": 1 => Invalid 'tool_choice': expected a string or an object, got 1
            "logit_bias": {"a": 1} => Invalid 'logit_bias.a': expected token ids as keys, got a string
            "verbosity": "some" => Invalid 'verbosity': expected one of 'low', 'medium', 'high', got 'some'
            "top_p": 3 => 'top_p' must be from 0 to 1, but is 3"#;
        for line in table.lines().filter(|line| !line.is_empty()) {
            let (keys, message) = line.split_once(" => ").unwrap();
            assert_eq!(refusal(with_keys(keys).as_bytes()).message(), message);
        }
    }

    #[test]
    fn the_bodys_own_text_cannot_spoil_an_error() {
        let odd = refusal(with_keys(r#""a`, expected b": 0"#).as_bytes());
        assert_eq!(odd.param(), Some("a`, expected b"));
        let long = "`, expected ".repeat(100_000);
        let mode = format!(r#""prompt_cache_options": {{"mode": "{long}"}}"#);
        for keys in [format!(r#""{long}": 0"#), format!(r#""seed": "{long}""#), mode] {
            let error = refusal(with_keys(&keys).as_bytes());
            assert!(error.message().len() + error.param().unwrap().len() < 500, "{error}");
        }
    }
}
