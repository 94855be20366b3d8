//! Forms as regular expressions.

use std::fmt::Write as _;

use super::form::{CharacterClass, Form};

/// Matches any text.
pub(super) const ANYTHING: &str = "(?s:.*)";

/// Whitespace goes as far as templates write any: a blank line or two, an
/// indentation. Not more, so that a model cannot go on with it for ever.
const MAX_LINE_BREAKS: usize = 3;
const MAX_INDENTATION: usize = 4;

/// All that optional whitespace may be in what a model writes.
pub(super) fn spaces() -> impl Iterator<Item = String> {
    let space = |breaks: usize, spaces: usize| "\n".repeat(breaks) + &" ".repeat(spaces);
    (0..=MAX_LINE_BREAKS).flat_map(move |breaks| (0..=MAX_INDENTATION).map(move |spaces| space(breaks, spaces)))
}

/// The regular expression of a form, if it has one that a lexer can end without
/// looking ahead.
pub(super) fn regex_of(form: &Form) -> Option<String> {
    match form {
        Form::Empty | Form::Peek { .. } => Some(String::new()),
        Form::Literal(text) => Some(escape(text)),
        Form::Space => Some(format!("\\n{{0,{MAX_LINE_BREAKS}}} {{0,{MAX_INDENTATION}}}")),
        Form::Characters { class, min, max } => Some(format!("{}{}", class_regex(class), rounds(*min, *max))),
        Form::Quoted(quote) => Some(quoted(*quote)),
        Form::Sequence(children) => children.iter().map(regex_of).collect(),
        Form::Choice(children) => {
            let all: Option<Vec<String>> = children.iter().map(regex_of).collect();
            Some(format!("(?:{})", all?.join("|")))
        }
        Form::Repeat { child, min, max, .. } => Some(format!("(?:{}){}", regex_of(child)?, rounds(*min, *max))),
        Form::Until(_) | Form::Text(_) | Form::Lark(_) | Form::Rule(_) | Form::Marked(..) => None,
    }
}

/// Text that stands for itself in a regular expression between slashes.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            '\\' | '/' | '.' | '+' | '*' | '?' | '(' | ')' | '|' | '[' | ']' | '{' | '}' | '^' | '$' | '#' | '&'
            | '-' | '~' => {
                escaped.push('\\');
                escaped.push(character);
            }
            control if control.is_control() => {
                let _ = write!(escaped, "\\x{{{:x}}}", u32::from(control));
            }
            other => escaped.push(other),
        }
    }
    escaped
}

/// A repetition's bounds.
fn rounds(min: u32, max: Option<u32>) -> String {
    match (min, max) {
        (0, Some(1)) => "?".to_owned(),
        (0, None) => "*".to_owned(),
        (1, None) => "+".to_owned(),
        (min, None) => format!("{{{min},}}"),
        (min, Some(max)) => format!("{{{min},{max}}}"),
    }
}

fn class_regex(class: &CharacterClass) -> String {
    if class.ranges.is_empty() {
        return "(?s:.)".to_owned();
    }
    let mut regex = String::from(if class.negated { "[^" } else { "[" });
    for (first, last) in &class.ranges {
        let _ = write!(regex, "{}-{}", escape(&first.to_string()), escape(&last.to_string()));
    }
    regex.push(']');
    regex
}

/// A caller's regular expression between slashes.
pub(super) fn between_slashes(pattern: &str) -> String {
    let mut regex = String::from("/");
    let mut escaped = false;
    for character in pattern.chars() {
        if character == '/' && !escaped {
            regex.push('\\');
        }
        escaped = character == '\\' && !escaped;
        regex.push(character);
    }
    regex.push('/');
    regex
}

/// JSON's escapes, but for halves of surrogate pairs, which are no text alone.
fn quoted(quote: char) -> String {
    let quote = escape(&quote.to_string());
    format!(
        "(?:[^{quote}\\\\\\x00-\\x1f]|\\\\(?:[{quote}\\\\\\/bfnrt]|u(?:[0-9abcefABCEF][0-9a-fA-F]|[dD][0-7])[0-9a-fA-F]{{2}}))*"
    )
}
