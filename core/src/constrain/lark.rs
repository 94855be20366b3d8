//! Pieces of Lark text for llguidance: expressions that stand for a value
//! inside a rule.

use llguidance::regex_to_lark;
use serde_json::{Map, Value, json};

use super::TokenEnv;
use crate::api::error::{Error, Result};

/// The longest regular expression of a caller, in bytes.
const MAX_REGEX: usize = 16 << 10;

/// The longest Lark text of a caller, in bytes.
const MAX_LARK: usize = 64 << 10;

/// How deep a caller's Lark text and regular expressions may nest brackets.
const MAX_BRACKETS: usize = 100;

/// An expression for a value of a schema that [`prepare`](super::schema::prepare)
/// gave back.
///
/// The value is written as Python's `json.dumps` and the templates' `tojson`
/// filter write it, which is what models have seen most: one line, `", "` and
/// `": "`. No other whitespace is allowed, so none can go on forever, and most
/// of the punctuation is forced.
pub(crate) fn json_rule(schema: &Value) -> String {
    let mut schema = schema.as_object().cloned().unwrap_or_else(Map::new);
    let options = json!({
        "item_separator": ", ",
        "key_separator": ": ",
        "whitespace_flexible": false,
        // Without `\u`: a free key could otherwise spell a declared one in another way.
        "json_allowed_escapes": "nrbtf\\\"",
    });
    schema.insert("x-guidance".to_owned(), options);
    format!("%json {}", Value::Object(schema))
}

/// An expression for any JSON object (SO10).
pub(crate) fn json_object_rule() -> String {
    json_rule(&json!({ "type": "object" }))
}

/// An expression for text that a caller's regular expression matches as a whole.
/// The syntax is that of Rust's `regex` crate, without lookaround. `param` is
/// where the expression stands in the request.
pub(crate) fn regex_rule(env: &TokenEnv, pattern: &str, param: &str) -> Result<String> {
    let refuse = |reason: &str| Error::invalid(param.to_owned(), format!("Invalid regular expression: {reason}."));
    if pattern.len() > MAX_REGEX {
        return Err(refuse(&format!("it is longer than {MAX_REGEX} bytes")));
    }
    if pattern.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1 {
        return Err(refuse("it ends in the middle of an escape"));
    }
    // llguidance reads a group of this name as a lookahead.
    if pattern.contains("<stop>") {
        return Err(refuse("a group cannot be called `stop`"));
    }
    check_brackets(pattern).map_err(|reason| refuse(&reason))?;
    let rule = format!("/{}/", regex_to_lark(pattern, ""));
    compile(env, &format!("start: {rule}\n"), param, "Invalid regular expression")?;
    Ok(rule)
}

/// An expression for text of a caller's Lark grammar, in llguidance's dialect.
/// `param` is where the grammar stands in the request.
pub(crate) fn lark_rule(env: &TokenEnv, definition: &str, param: &str) -> Result<String> {
    let refuse = |reason: &str| Error::invalid(param.to_owned(), format!("Invalid Lark grammar: {reason}."));
    if definition.len() > MAX_LARK {
        return Err(refuse(&format!("it is longer than {MAX_LARK} bytes")));
    }
    check_brackets(definition).map_err(|reason| refuse(&reason))?;
    // Correct by itself, it cannot reach out of the braces below.
    compile(env, definition, param, "Invalid Lark grammar")?;
    Ok(format!("%lark {{\n{definition}\n}}"))
}

fn compile(env: &TokenEnv, lark: &str, param: &str, what: &str) -> Result<()> {
    match env.compile(lark) {
        Ok(_) => Ok(()),
        Err(error) if error.status() == Some(400) => {
            Err(Error::invalid(param.to_owned(), format!("{what}: {}", error.message())))
        }
        Err(error) => Err(error),
    }
}

/// Refuses deep nesting, which parsers walk recursively. Brackets in strings and
/// classes count too: only hostile text has so many.
fn check_brackets(text: &str) -> std::result::Result<(), String> {
    let mut depth = 0usize;
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_BRACKETS {
            return Err(format!("it nests more than {MAX_BRACKETS} brackets"));
        }
    }
    Ok(())
}
