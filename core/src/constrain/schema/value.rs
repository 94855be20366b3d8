//! The values of `enum` and `const`.

use serde_json::Value;

use super::{Fault, MAX_NESTING};

/// The largest integer below which a 64-bit float knows every one.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// The bytes of text in a value, as far down as values may nest.
pub(super) fn text(value: &Value) -> usize {
    fn within(value: &Value, depth: usize) -> usize {
        match value {
            Value::String(text) => text.len(),
            Value::Array(items) if depth <= MAX_NESTING => items.iter().map(|item| within(item, depth + 1)).sum(),
            Value::Object(members) if depth <= MAX_NESTING => {
                members.iter().map(|(name, member)| name.len() + within(member, depth + 1)).sum()
            }
            _ => 1,
        }
    }
    within(value, 0)
}

/// Refuses values that could not be enforced exactly.
pub(super) fn check(value: &Value, path: &str) -> Result<(), Fault> {
    check_within(value, path, 0)
}

fn check_within(value: &Value, path: &str, depth: usize) -> Result<(), Fault> {
    if depth > MAX_NESTING {
        return Err(Fault::new(path, format!("a value nests deeper than {MAX_NESTING} levels")));
    }
    match value {
        Value::Null | Value::Bool(_) => Ok(()),
        Value::Number(number) => match number.as_f64() {
            Some(float) if !float.is_finite() || float.fract() == 0.0 && float.abs() >= MAX_EXACT => {
                Err(Fault::new(path, format!("the number {number} is too large to be exact")))
            }
            _ => Ok(()),
        },
        Value::String(text) => check_text(text, path),
        Value::Array(items) => items.iter().try_for_each(|item| check_within(item, path, depth + 1)),
        Value::Object(members) => members.iter().try_for_each(|(name, member)| {
            check_text(name, path)?;
            check_within(member, path, depth + 1)
        }),
    }
}

/// Control characters that have no short escape are never generated.
fn check_text(text: &str, path: &str) -> Result<(), Fault> {
    let never = |c: char| c.is_ascii_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{8}' | '\u{c}');
    match text.chars().find(|c| never(*c)) {
        Some(c) => Err(Fault::new(path, format!("a value has the control character {c:?}, which is not supported"))),
        None => Ok(()),
    }
}
