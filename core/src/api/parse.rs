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
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

use super::chat::CreateChatCompletionRequest;
use super::error::{Error, ErrorKind, Result};

/// Reads and validates the body of a chat completion request.
pub(crate) fn parse_chat_request(body: &[u8]) -> Result<CreateChatCompletionRequest> {
    let request: CreateChatCompletionRequest = from_json(body)?;
    // CQ14. The typed Rust calls say by their name whether they stream.
    if request.stream_options.is_some() && request.stream != Some(true) {
        return Err(Error::invalid("stream_options", "'stream_options' is only allowed when 'stream' is true"));
    }
    request.validate()?;
    Ok(request)
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
    K: PartialEq,
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
    use crate::api::message::ChatCompletionMessage;

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

    /// A body with these messages.
    fn with_messages(messages: &str) -> String {
        format!(r#"{{"model": "m", "messages": [{messages}]}}"#)
    }

    /// A body with a message of two parts, of which this is the second.
    fn with_part(part: &str) -> String {
        let parts = format!(r#"{{"type": "text", "text": "a"}}, {part}"#);
        with_messages(&format!(r#"{{"role": "user", "content": [{parts}]}}"#))
    }

    /// Checks lines of `fragment => param code`; no code means null.
    fn assert_refused(body_of: fn(&str) -> String, table: &str) {
        for line in table.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (fragment, wanted) = line.rsplit_once(" => ").unwrap();
            let error = refusal(body_of(fragment).as_bytes());
            let found = format!("{} {}", error.param().unwrap(), error.code().unwrap_or(""));
            assert_eq!(found.trim_end(), wanted, "{fragment}: {error}");
        }
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
    fn bad_parameters_are_named() {
        // CQ1, CQ8, CQ9, CQ10, CQ14, CQ17
        let wrong = r#"
            "model": 3 => model
            "model": null => model
            "messages": "hi" => messages
            "messages": null => messages
            "messages": [] => messages
            "temperature": "hot" => temperature
            "temperature": 2.1 => temperature
            "temperature": 1e39 => temperature
            "top_p": -0.1 => top_p
            "top_p": [1] => top_p
            "seed": 1.5 => seed
            "seed": 9223372036854775808 => seed
            "stream": "yes" => stream
            "top_k": -1 => top_k
            "min_p": 1.5 => min_p
            "max_tokens": 0 => max_tokens
            "max_completion_tokens": 0 => max_completion_tokens
            "max_completion_tokens": -1 => max_completion_tokens
            "max_completion_tokens": 4294967296 => max_completion_tokens
            "max_tokens": 1, "max_completion_tokens": 1 => max_tokens
            "stop": "" => stop
            "stop": 5 => stop
            "stop": ["a", ""] => stop
            "stop": ["a", 5] => stop[1]
            "stop": ["a", "b", "c", "d", "e"] => stop
            "stream_options": {"include_usage": true} => stream_options
            "stream": false, "stream_options": {} => stream_options
            "stream": true, "stream_options": [true] => stream_options
            "stream": true, "stream_options": {"include_usage": 1} => stream_options.include_usage
            "stream": true, "stream_options": {"us": 1} => stream_options.us unsupported_parameter
            "metadata": ["a"] => metadata
            "metadata": {"a": 1} => metadata.a
            "user": 7 => user
            "service_tier": "cheap" => service_tier
            "service_tier": 1 => service_tier
            "prompt_cache_options": {"mode": "all"} => prompt_cache_options.mode
            "prompt_cache_options": {"ttl": "1h"} => prompt_cache_options.ttl
            "prompt_cache_retention": "1h" => prompt_cache_retention
            "store": true => store unsupported_value"#;
        // CQ19, and what is not served yet
        let unknown = r#"
            "temprature": 0 => temprature unsupported_parameter
            "temprature": null => temprature unsupported_parameter
            "ext": {"top_k": 1} => ext unsupported_parameter
            "n": 2 => n unsupported_parameter
            "logprobs": true => logprobs unsupported_parameter
            "top_logprobs": 0 => top_logprobs unsupported_parameter
            "presence_penalty": 0.5 => presence_penalty unsupported_parameter
            "frequency_penalty": -0.5 => frequency_penalty unsupported_parameter
            "logit_bias": {"5": 1} => logit_bias unsupported_parameter
            "tools": [] => tools unsupported_parameter
            "tool_choice": "auto" => tool_choice unsupported_parameter
            "parallel_tool_calls": 1 => parallel_tool_calls unsupported_parameter
            "functions": [] => functions unsupported_parameter
            "function_call": "auto" => function_call unsupported_parameter
            "response_format": {"type": "json_object"} => response_format unsupported_parameter
            "modalities": ["text", "audio"] => modalities unsupported_parameter
            "audio": {"voice": "alloy", "format": "wav"} => audio unsupported_parameter
            "prediction": {"type": "content", "content": ""} => prediction unsupported_parameter
            "reasoning_effort": "low" => reasoning_effort unsupported_parameter
            "verbosity": "low" => verbosity unsupported_parameter
            "web_search_options": {} => web_search_options unsupported_parameter
            "moderation": {"model": "m"} => moderation unsupported_parameter"#;
        assert_refused(with_keys, wrong);
        assert_refused(with_keys, unknown);
    }

    #[test]
    fn bad_messages_are_named() {
        // CQ2, CQ4
        let table = r#"
            "hi" => messages[0]
            ["user", "hi"] => messages[0]
            {"content": "hi"} => messages[0].role
            {"role": "robot", "content": "hi"} => messages[0].role
            {"role": 1, "content": "hi"} => messages[0].role
            {"role": {"user": 3}, "content": "hi"} => messages[0].role
            {"role": "user", "content": "a", "nam": "b"} => messages[0].nam unsupported_parameter
            {"role": "user", "content": "hi", "name": 1} => messages[0].name
            {"role": "tool", "tool_call_id": "a"} => messages[0].role unsupported_value
            {"role": "function", "name": "f"} => messages[0].role unsupported_value
            {"role": "assistant", "tool_calls": [1]} => messages[0].tool_calls unsupported_parameter
            {"role": "user", "function_call": {}} => messages[0].function_call unsupported_parameter
            {"role": "assistant", "audio": {"id": "a"}} => messages[0].audio unsupported_parameter
            {"role": "user", "content": "a", "refusal": ""} => messages[0].refusal unsupported_parameter
            {"role": "assistant"} => messages[0].content
            {"role": "assistant", "content": null} => messages[0].content
            {"role": "user", "content": "a"}, {"role": "system"} => messages[1].content
            {"role": "user", "content": 5} => messages[0].content
            {"role": "user", "content": {"type": "text"}} => messages[0].content
            {"role": "user", "content": []} => messages[0].content"#;
        assert_refused(with_messages, table);
    }

    #[test]
    fn bad_parts_are_named() {
        // CQ3, CQ5, CQ6
        let table = r#"
            "hi" => messages[0].content[1]
            ["text", "hi", null, null, null, null, null] => messages[0].content[1]
            {"text": "hi"} => messages[0].content[1].type
            {"type": "text"} => messages[0].content[1].text
            {"type": "text", "text": null} => messages[0].content[1].text
            {"type": "text", "text": 5} => messages[0].content[1].text
            {"type": "text", "text": "", "file": {}} => messages[0].content[1].file unsupported_parameter
            {"type": "text", "text": "", "more": 1} => messages[0].content[1].more unsupported_parameter
            {"type": "video", "video": "b"} => messages[0].content[1].type
            {"type": "refusal", "refusal": "b"} => messages[0].content[1]
            {"type": "image_url", "image_url": {"url": "a"}} => messages[0].content[1] unsupported_value
            {"type": "image_url", "image_url": "a"} => messages[0].content[1].image_url
            {"type": "image_url", "image_url": {}} => messages[0].content[1].image_url.url
            {"type": "input_audio", "input_audio": {"data": ""}} => messages[0].content[1].input_audio.format
            {"type": "file", "file": {"file_id": "f"}} => messages[0].content[1] unsupported_value"#;
        assert_refused(with_part, table);
    }

    #[test]
    fn missing_parameters_are_named() {
        // CQ1
        assert_eq!(refusal(br#"{"messages": []}"#).param(), Some("model"));
        let error = refusal(br#"{"model": "m"}"#);
        assert_eq!(error.param(), Some("messages"));
        assert_eq!(error.message(), "Missing required parameter: 'messages'");
    }

    #[test]
    fn neutral_values_of_unserved_parameters_are_accepted() {
        let plain = parse(&with_keys(r#""seed": null"#)).unwrap();
        for keys in [
            r#""n": 1, "logprobs": false, "presence_penalty": 0, "frequency_penalty": 0.0"#,
            r#""response_format": {"type": "text"}, "modalities": ["text"], "logit_bias": {}"#,
            r#""tool_choice": "none", "function_call": "none", "parallel_tool_calls": true"#,
            r#""verbosity": "medium""#,
        ] {
            assert_eq!(parse(&with_keys(keys)).unwrap(), plain, "{keys}");
        }
    }

    #[test]
    fn null_equals_absence() {
        // T7
        let absent = parse(&with_messages(r#"{"role": "user", "content": "hi"}"#)).unwrap();
        let served = "temperature top_p max_completion_tokens max_tokens stop seed stream \
                      stream_options store metadata user safety_identifier prompt_cache_key \
                      prompt_cache_options prompt_cache_retention service_tier top_k min_p";
        let unserved = UNSERVED.iter().map(|(name, _)| *name);
        for name in served.split_whitespace().chain(unserved) {
            let null = parse(&with_keys(&format!(r#""{name}": null"#)));
            assert_eq!(null.unwrap(), absent, "{name}");
        }
    }

    #[test]
    fn the_last_of_two_equal_keys_counts() {
        let body = with_keys(r#""seed": 1, "n": 2, "seed": 2, "n": 1"#);
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
            "tools": [1] => This release does not serve 'tools'
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

    #[test]
    fn a_dumped_reply_is_accepted_as_history() {
        // CR16
        let messages = r#"
            {"role": "user", "content": "hello"},
            {"content": "hi", "refusal": null, "role": "assistant", "annotations": [],
             "audio": null, "function_call": null, "tool_calls": null},
            {"content": "hi", "role": "assistant", "tool_calls": [], "reasoning_content": "hm"},
            {"content": null, "refusal": "no", "role": "assistant", "reasoning_content": null}"#;
        let request = parse(&with_messages(messages)).unwrap();
        assert_eq!(request.messages[1], ChatCompletionMessage::assistant("hi"));
        assert_eq!(request.messages[2], ChatCompletionMessage::assistant("hi"));
        assert_eq!(request.messages[3].refusal.as_deref(), Some("no"));
    }
}
