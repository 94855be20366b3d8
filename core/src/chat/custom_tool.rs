//! Custom tools (TL6), whose input is free text or matches a grammar.
//!
//! No template knows them. They are shown to the model as functions with one
//! string, and the input is that string.

use serde_json::json;

use crate::api::error::{Error, Result};
use crate::backend::TemplateTool;

/// The function's one property.
const INPUT: &str = "input";

/// What the input of a custom tool must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CustomInput<'a> {
    Text,
    /// Text that a regular expression matches as a whole.
    Regex(&'a str),
    Lark(&'a str),
}

/// The function that stands for a custom tool. Its parameters are also what is
/// enforced. `param` is where the tool stands in the request.
///
/// # Errors
///
/// A Lark grammar is refused: inside a JSON string, with its escapes, text of a
/// context-free grammar cannot be enforced exactly.
pub(super) fn as_function(name: &str, description: &str, input: CustomInput<'_>, param: &str) -> Result<TemplateTool> {
    let schema = match input {
        CustomInput::Text => json!({ "type": "string" }),
        CustomInput::Regex(pattern) => json!({ "type": "string", "pattern": format!("^(?:{pattern})$") }),
        CustomInput::Lark(_) => {
            return Err(Error::unsupported_value(
                format!("{param}.custom.format.grammar.syntax"),
                "Lark grammars are not supported for custom tools: use a grammar with the syntax 'regex', or free text",
            ));
        }
    };
    Ok(TemplateTool {
        name: name.to_owned(),
        description: description.to_owned(),
        parameters: json!({
            "type": "object",
            "properties": { INPUT: schema },
            "required": [INPUT],
            "additionalProperties": false,
        }),
    })
}

/// The input in the arguments of a call, as far as they have been written. It
/// only ever grows while they do.
pub(super) fn input_of(arguments: &str) -> String {
    let Some((_, string)) = arguments.split_once(':').and_then(|(_, value)| value.split_once('"')) else {
        return String::new();
    };
    let whole = complete_part(string);
    serde_json::from_str(&format!("\"{whole}\"")).unwrap_or_default()
}

/// The part of a JSON string's inside that ends before its quote, and not in an escape.
fn complete_part(string: &str) -> &str {
    let mut done = 0;
    while let Some(rest) = string.get(done..)
        && let Some(first) = rest.chars().next()
        && first != '"'
    {
        let Some(length) = unit_length(rest, first) else { break };
        done += length;
    }
    &string[..done]
}

/// The length of the character or escape that a text begins with; `None` when it is cut.
fn unit_length(text: &str, first: char) -> Option<usize> {
    let escape = |text: &str| match text.as_bytes() {
        [b'\\', b'u', ..] => text.get(2..6).map(|hex| (6, u16::from_str_radix(hex, 16).unwrap_or(0))),
        [b'\\', _, ..] => Some((2, 0)),
        _ => None,
    };
    if first != '\\' {
        return Some(first.len_utf8());
    }
    let (length, unit) = escape(text)?;
    // The first half of a character outside the basic plane.
    if (0xD800..0xDC00).contains(&unit) {
        return escape(&text[length..]).map(|(second, _)| length + second);
    }
    Some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_grows_with_the_arguments() {
        // TL6
        let arguments = r#"{"input": "a\n\"\u00e9\ud83d\ude00 ü"}"#;
        let mut last = String::new();
        for end in (0..=arguments.len()).filter(|end| arguments.is_char_boundary(*end)) {
            let now = input_of(&arguments[..end]);
            assert!(now.starts_with(&last), "{last:?} became {now:?}");
            last = now;
        }
        assert_eq!(last, "a\n\"é😀 ü");
    }

    #[test]
    fn a_regex_becomes_a_pattern_and_lark_is_refused() {
        // TL6
        let tool = as_function("f", "", CustomInput::Regex("a|b"), "tools[0]").unwrap();
        assert_eq!(tool.parameters["properties"]["input"]["pattern"], "^(?:a|b)$");
        let error = as_function("f", "", CustomInput::Lark("start: \"a\""), "tools[0]").unwrap_err();
        assert_eq!(error.param(), Some("tools[0].custom.format.grammar.syntax"));
    }
}
