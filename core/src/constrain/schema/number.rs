//! Bounds and divisors of numbers.
//!
//! llguidance turns them into regular expressions over decimal digits. It does so
//! exactly for inclusive bounds of moderate size, so all others are narrowed to
//! such ones (SO6).

use serde_json::{Map, Number, Value, json};

use super::Fault;

/// Bounds further out than this are moved in to it; every integer within is
/// exact in a 64-bit float.
const MAX_BOUND: f64 = 1e15;

/// How far an excluded bound of a float moves in.
const STEP: f64 = 1e-9;

/// Reads the bounds and the divisor of `schema` into `out`. `integer` says that
/// no other numbers are allowed.
pub(super) fn write(
    schema: &Map<String, Value>,
    integer: bool,
    path: &str,
    out: &mut Map<String, Value>,
) -> Result<(), Fault> {
    let low = lowest(bound(schema, "minimum", path)?, bound(schema, "exclusiveMinimum", path)?, integer);
    // An upper bound is a lower bound of the negated number.
    let negated = |bound: Option<f64>| bound.map(|bound| -bound);
    let maximum = negated(bound(schema, "maximum", path)?);
    let high = negated(lowest(maximum, negated(bound(schema, "exclusiveMaximum", path)?), integer));
    let too_large =
        |keyword: &str| Fault::new(path, format!("`{keyword}` is beyond {MAX_BOUND:e}, which is not supported"));
    if let (Some(low), Some(high)) = (low, high)
        && low > high
    {
        return Err(Fault::new(path, "no number satisfies the bounds"));
    }
    // A validator that computes with floats cannot divide larger numbers.
    let divided = schema.contains_key("multipleOf").then_some(MAX_BOUND);
    let (low, high) = (low.or(negated(divided)), high.or(divided));
    if let Some(low) = low {
        if low > MAX_BOUND {
            return Err(too_large("minimum"));
        }
        out.insert("minimum".to_owned(), number(low.max(-MAX_BOUND), integer));
    }
    if let Some(high) = high {
        if high < -MAX_BOUND {
            return Err(too_large("maximum"));
        }
        out.insert("maximum".to_owned(), number(high.min(MAX_BOUND), integer));
    }
    if let Some(divisor) = schema.get("multipleOf") {
        let positive = divisor.as_f64().is_some_and(|divisor| divisor > 0.0);
        if !positive || decimal(divisor).is_none() {
            return Err(Fault::new(path, "`multipleOf` must be a positive number of at most nine digits"));
        }
        out.insert("multipleOf".to_owned(), divisor.clone());
    }
    Ok(())
}

fn bound(schema: &Map<String, Value>, keyword: &str, path: &str) -> Result<Option<f64>, Fault> {
    let Some(value) = schema.get(keyword) else { return Ok(None) };
    let number = value.as_f64().filter(|number| number.is_finite());
    number.map(Some).ok_or_else(|| Fault::new(path, format!("`{keyword}` must be a number")))
}

/// The inclusive lower bound of numbers that are at least `inclusive` and above
/// `exclusive`.
fn lowest(inclusive: Option<f64>, exclusive: Option<f64>, integer: bool) -> Option<f64> {
    let (inclusive, exclusive) = if integer {
        (inclusive.map(f64::ceil), exclusive.map(|bound| bound.floor() + 1.0))
    } else {
        (inclusive, exclusive.map(above))
    };
    [inclusive, exclusive].into_iter().flatten().reduce(f64::max)
}

fn above(bound: f64) -> f64 {
    // For large numbers, a few units in the last place.
    bound + STEP.max(bound.abs() * 4.0 * f64::EPSILON)
}

#[expect(clippy::cast_possible_truncation, reason = "an integer within MAX_BOUND")]
fn number(bound: f64, integer: bool) -> Value {
    if integer || bound.fract() == 0.0 {
        return json!(bound as i64);
    }
    Number::from_f64(bound).map_or(Value::Null, Value::Number)
}

/// Digits and decimal places of a divisor; `None` for one that has too many.
pub(super) fn decimal(divisor: &Value) -> Option<(u64, u32)> {
    let text = divisor.to_string();
    let (digits, places) = match text.split_once('.') {
        Some((whole, fraction)) => {
            (format!("{whole}{}", fraction.trim_end_matches('0')), fraction.trim_end_matches('0').len())
        }
        None => (text, 0),
    };
    let digits: u64 = digits.parse().ok().filter(|digits| *digits < 1_000_000_000)?;
    Some((digits, u32::try_from(places).ok()?))
}

/// Whether llguidance can work out the least common multiple of divisors: it
/// counts in 32 bits.
pub(super) fn can_be_combined(divisors: &[(u64, u32)]) -> bool {
    let places = divisors.iter().map(|(_, places)| *places).max().unwrap_or(0);
    let product = divisors.iter().try_fold(1u64, |product, (digits, own)| {
        product.checked_mul(digits.checked_mul(10u64.checked_pow(places - own)?)?)
    });
    product.is_some_and(|product| u32::try_from(product).is_ok())
}
