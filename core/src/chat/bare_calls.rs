//! Calls that a model wrote as plain JSON objects instead of its template's markup.
//!
//! Small models forget the markup, and some templates have none. An answer that
//! begins as a call is held to the tool's schema by the grammar, so that it can be
//! read as it comes; one inside of a Markdown fence is read when it is complete.

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};
use serde_json::{Map, Value};

use crate::backend::ParsedToolCall;

/// How a call begins.
pub(super) fn opening(name: &str) -> String {
    format!("{{\"name\": \"{name}\", \"arguments\": ")
}

/// How a call begins whose input is written as it is, with no JSON around it: that
/// of a custom tool with a grammar, which goes on to the answer's end.
pub(super) fn raw_opening(name: &str) -> String {
    format!("{name}: ")
}

/// The call of a tool with raw input that a text is, or begins.
pub(super) fn read_raw(text: &str, names: &[String]) -> Bare {
    for name in names {
        let opening = raw_opening(name);
        if let Some(input) = text.strip_prefix(opening.as_str()) {
            let arguments = serde_json::json!({ "input": input }).to_string();
            return Bare::Calls(vec![ParsedToolCall { name: name.clone(), arguments, id: String::new() }]);
        }
        if opening.starts_with(text) {
            return Bare::Undecided;
        }
    }
    Bare::Text
}

/// What a text is, as far as it goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Bare {
    Text,
    /// It may still become calls.
    Undecided,
    /// Calls, the last of them possibly unfinished.
    Calls(Vec<ParsedToolCall>),
}

/// Reads a text that may be calls of these tools, one after another.
pub(super) fn read(text: &str, names: &[String]) -> Bare {
    let mut calls = Vec::new();
    let mut rest = text;
    loop {
        let Some((name, arguments)) =
            names.iter().find_map(|name| Some((name, rest.strip_prefix(opening(name).as_str())?)))
        else {
            let undecided = names.iter().any(|name| opening(name).starts_with(rest));
            return match (calls.is_empty(), undecided) {
                (true, true) => Bare::Undecided,
                (true, false) => Bare::Text,
                (false, _) => Bare::Calls(calls),
            };
        };
        let length = value_length(arguments);
        let (arguments, after) = arguments.split_at(length.unwrap_or(arguments.len()));
        calls.push(ParsedToolCall { name: name.clone(), arguments: arguments.to_owned(), id: String::new() });
        rest = after.strip_prefix('}').unwrap_or_default().trim_start();
        if rest.is_empty() {
            return Bare::Calls(calls);
        }
    }
}

/// Whether a text may become, or is, a Markdown fence around calls: then it must
/// not be given out yet.
pub(super) fn may_be_fenced(text: &str, names: &[String]) -> bool {
    const FENCES: [&str; 2] = ["```json", "```"];
    let text = text.trim_start();
    FENCES.iter().any(|fence| {
        let Some(inside) = text.strip_prefix(fence) else { return fence.starts_with(text) };
        let compact: String = inside.chars().filter(|character| !character.is_whitespace()).take(100).collect();
        names.iter().any(|name| {
            let expected = format!("{{\"name\":\"{name}\",");
            expected.starts_with(&compact) || compact.starts_with(&expected)
        })
    })
}

/// The calls inside of a Markdown fence that is the whole text. `fits` tells
/// whether a tool takes these arguments.
pub(super) fn fenced(
    text: &str,
    names: &[String],
    fits: impl Fn(&str, &Map<String, Value>) -> bool,
) -> Option<Vec<ParsedToolCall>> {
    let inside = text.trim().strip_prefix("```")?.strip_suffix("```")?;
    let inside = inside.strip_prefix("json").unwrap_or(inside);
    let values: Vec<Value> = serde_json::Deserializer::from_str(inside).into_iter().collect::<Result<_, _>>().ok()?;
    let calls = values.iter().map(|value| {
        let (name, arguments) = (value.get("name")?.as_str()?, value.get("arguments")?.as_object()?);
        let known = names.iter().any(|known| known == name) && fits(name, arguments);
        known.then(|| ParsedToolCall { name: name.to_owned(), arguments: spaced(arguments), id: String::new() })
    });
    calls.collect::<Option<Vec<_>>>().filter(|calls| !calls.is_empty())
}

/// The length of the JSON value that a text begins with, if it is complete.
fn value_length(text: &str) -> Option<usize> {
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return Some(index + 1);
        }
    }
    None
}

/// An object as grammars and templates write it: on one line, with spaces after
/// commas and colons.
pub(super) fn spaced(object: &Map<String, Value>) -> String {
    let mut text = Vec::new();
    let written = object.serialize(&mut Serializer::with_formatter(&mut text, Spaced));
    written.ok().and_then(|()| String::from_utf8(text).ok()).unwrap_or_default()
}

struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + std::io::Write>(&mut self, writer: &mut W, first: bool) -> std::io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(&mut self, writer: &mut W, first: bool) -> std::io::Result<()> {
        self.begin_array_value(writer, first)
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
        writer.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        vec!["f".to_owned(), "get".to_owned()]
    }

    fn call(name: &str, arguments: &str) -> ParsedToolCall {
        ParsedToolCall { name: name.to_owned(), arguments: arguments.to_owned(), id: String::new() }
    }

    #[test]
    fn calls_are_read_as_they_come() {
        // CS15, TL12
        let text = "{\"name\": \"get\", \"arguments\": {\"a\": \"}\\\"\"}}\n{\"name\": \"f\", \"arguments\": {}}";
        assert_eq!(read(text, &names()), Bare::Calls(vec![call("get", r#"{"a": "}\""}"#), call("f", "{}")]));
        let mut before: Vec<ParsedToolCall> = Vec::new();
        for end in 0..text.len() {
            let Bare::Calls(now) = read(&text[..end], &names()) else {
                assert!(before.is_empty() && read(&text[..end], &names()) == Bare::Undecided);
                continue;
            };
            assert!(now.len() >= before.len());
            for (old, new) in before.iter().zip(&now) {
                assert!(new.name == old.name && new.arguments.starts_with(&old.arguments));
            }
            before = now;
        }
    }

    #[test]
    fn raw_input_goes_on_to_the_end() {
        // TL6
        let names = ["math".to_owned()];
        assert_eq!(read_raw("mat", &names), Bare::Undecided);
        assert_eq!(
            read_raw("math: 1 + \"a\"\n", &names),
            Bare::Calls(vec![call("math", r#"{"input":"1 + \"a\"\n"}"#)])
        );
        assert_eq!(read_raw("maths", &names), Bare::Text);
    }

    #[test]
    fn other_text_is_text() {
        for text in ["Hello", "{\"name\": \"Ada\"}", "{\"name\": \"other\", \"arguments\": {}}", "[1]"] {
            assert_eq!(read(text, &names()), Bare::Text, "{text}");
        }
    }

    #[test]
    fn a_fence_around_calls_is_opened() {
        let text = "```json\n{\n  \"name\": \"get\",\n  \"arguments\": {\"b\": 1, \"a\": [1, 2]}\n}\n```";
        let fits = |name: &str, _: &Map<String, Value>| name == "get";
        assert_eq!(fenced(text, &names(), fits), Some(vec![call("get", r#"{"b": 1, "a": [1, 2]}"#)]));
        assert!((0..text.len()).all(|end| may_be_fenced(&text[..end], &names())));
        assert_eq!(fenced(text, &names(), |_, _| false), None);
        assert!(!may_be_fenced("```json\n{\"a\"", &names()) && !may_be_fenced("```python", &names()));
    }
}
