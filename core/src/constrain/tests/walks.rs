//! Texts that grammars allow, drawn at random, against an independent validator.

use std::collections::HashMap;

use rand_core::{RngCore, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::{Map, Value, json};

use super::{Loaded, qwen, smollm2};
use crate::backend::Token;
use crate::constrain::schema;

const SCHEMAS: &str = include_str!("schemas.jsonl");

/// Texts that go on for longer are given up.
const LONGEST: usize = 10_000;

/// Words that patterns look for anywhere in a text.
const WANTED: [&[u8]; 3] = [b"cat", b"foo", b"bar"];

fn schemas() -> Vec<Value> {
    let mut schemas: Vec<Value> = SCHEMAS.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let properties: Map<String, Value> = (0..200)
        .map(|index| {
            let kinds = [json!({"type": "integer"}), json!({"type": "boolean"}), json!({"enum": ["a", "b"]})];
            (format!("property_{index}"), kinds[index % 3].clone())
        })
        .collect();
    let names: Vec<String> = properties.keys().cloned().collect();
    schemas.push(json!({
        "type": "object", "properties": properties, "required": names, "additionalProperties": false
    }));
    schemas.push(json!({ "type": "object", "properties": properties }));
    schemas.push(json!({ "enum": (0..1000).map(|index| format!("value {index}")).collect::<Vec<_>>() }));
    schemas
}

/// A text that the grammar allows: tokens drawn evenly from those allowed, those
/// that close something preferred once the text is long.
fn walk(loaded: &Loaded, lark: &str, rng: &mut Xoshiro256PlusPlus) -> Option<String> {
    let vocab = loaded.model.vocab();
    let mut constraint = loaded.env.compile(lark).unwrap().start().unwrap();
    let mut logits = vec![0.0; vocab.len()];
    let mut tokens = Vec::new();
    let patience = usize::try_from(rng.next_u32() % 60).unwrap();
    while !constraint.is_finished() {
        if tokens.len() > LONGEST {
            return None;
        }
        let forced = constraint.forced().unwrap();
        if !forced.is_empty() {
            for token in forced {
                constraint.accept(token).unwrap();
                tokens.push(token);
            }
            continue;
        }
        logits.fill(0.0);
        constraint.apply(&mut logits).unwrap();
        let allowed = logits.iter().enumerate().filter(|(_, logit)| **logit == 0.0);
        let allowed: Vec<Token> = allowed.map(|(token, _)| Token::try_from(token).unwrap()).collect();
        let late = tokens.len() > patience;
        let closes = |token: &&Token| {
            let piece = vocab.piece(**token);
            let wanted = WANTED.contains(&piece) || piece.iter().all(|byte| br#""]}"#.contains(byte));
            vocab.is_end_of_generation(**token) || wanted
        };
        let closing: Vec<Token> = if late { allowed.iter().filter(closes).copied().collect() } else { Vec::new() };
        let ends = closing.iter().find(|token| vocab.is_end_of_generation(**token));
        let choice = if closing.is_empty() { &allowed } else { &closing };
        let drawn = choice[usize::try_from(rng.next_u64() % choice.len() as u64).unwrap()];
        let token = *ends.unwrap_or(&drawn);
        constraint.accept(token).unwrap();
        if !vocab.is_end_of_generation(token) {
            tokens.push(token);
        }
    }
    Some(loaded.text(&tokens))
}

fn check_keys(schema: &Value, value: &Value) {
    let (Some(properties), Some(members)) = (schema["properties"].as_object(), value.as_object()) else { return };
    let order: HashMap<&String, usize> = properties.keys().zip(0..).collect();
    let places: Vec<usize> = members.keys().filter_map(|name| order.get(name).copied()).collect();
    assert!(places.is_sorted(), "the keys of {value} are out of order");
}

/// SO2, SO4, SO6, SO7, SO8, SO11
#[test]
fn every_text_that_a_schema_allows_is_valid() {
    let walks = if std::env::var_os("ZEROHOP_TEST_FULL").is_some() { 60 } else { 6 };
    let mut failures = Vec::new();
    for (index, schema) in schemas().iter().enumerate() {
        let validator = jsonschema::options().should_validate_formats(true).build(schema).unwrap();
        let loaded = if index % 4 == 0 { qwen() } else { smollm2() };
        let rule = match schema::schema_rule(&loaded.env, schema, false, "schema") {
            Ok(rule) => rule,
            Err(error) => {
                failures.push(format!("{schema}: {}", error.message()));
                continue;
            }
        };
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(index as u64);
        let mut finished = 0;
        for _ in 0..walks {
            let Some(text) = walk(loaded, &format!("start: {rule}"), &mut rng) else { continue };
            finished += 1;
            match serde_json::from_str::<Value>(&text) {
                Ok(value) if validator.is_valid(&value) => check_keys(schema, &value),
                Ok(_) => failures.push(format!("{schema} allows {text}")),
                // JSON's numbers have no largest one; serde_json's do.
                Err(error) if error.to_string().starts_with("number out of range") => {}
                Err(error) => failures.push(format!("{schema} allows {text}: {error}")),
            }
        }
        if finished == 0 {
            failures.push(format!("{schema}: no text came to its end"));
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), shortened(&failures));
}

fn shortened(failures: &[String]) -> String {
    let ends = failures.iter().map(|failure| {
        let end: String = failure.chars().skip(300).collect();
        format!("{failure:.300} ... {}", &end[end.len().saturating_sub(200)..])
    });
    ends.collect::<Vec<_>>().join("\n")
}

/// SO6
#[test]
fn bounds_hold_wherever_they_lie() {
    let loaded = smollm2();
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let mut draw = |n: u64| rng.next_u64() % n;
    let mut failures = Vec::new();
    for round in 0..60 {
        let places = 10f64.powi(i32::try_from(draw(4)).unwrap());
        let mut bound = || f64::from(i32::try_from(draw(4001)).unwrap() - 2000) / places;
        let (a, b) = (bound(), bound());
        let (low, high) = (a.min(b), a.max(b));
        if low >= high {
            continue;
        }
        let low_keyword = ["minimum", "exclusiveMinimum"][usize::try_from(draw(2)).unwrap()];
        let high_keyword = ["maximum", "exclusiveMaximum"][usize::try_from(draw(2)).unwrap()];
        let mut schema = json!({ "type": "number" });
        if round % 5 != 0 {
            schema[low_keyword] = json!(low);
        }
        if round % 5 != 1 {
            schema[high_keyword] = json!(high);
        }
        let validator = jsonschema::validator_for(&schema).unwrap();
        let rule = schema::schema_rule(&loaded.env, &schema, false, "schema").unwrap();
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(round);
        for _ in 0..8 {
            let Some(text) = walk(loaded, &format!("start: {rule}"), &mut rng) else { continue };
            if !validator.is_valid(&serde_json::from_str(&text).unwrap()) {
                failures.push(format!("{schema} allows {text}"));
            }
        }
        // The bounds themselves, and what is near them.
        for value in [low, high, f64::midpoint(low, high)] {
            let text = json!(value).to_string();
            let text = text.strip_suffix(".0").unwrap_or(&text);
            if loaded.follows(&rule, text) != validator.is_valid(&json!(value)) {
                failures.push(format!("{schema}: wrong about {text}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// SO4, SO6: what a schema allows is not narrowed more than it must be.
#[test]
fn ordinary_values_are_allowed() {
    let cases = [
        (json!({"type": "string", "format": "date"}), "\"2024-02-29\""),
        (json!({"type": "string", "format": "date-time"}), "\"2023-11-05T23:59:59.123Z\""),
        (json!({"type": "string", "format": "date-time"}), "\"1999-12-31T00:00:00+05:30\""),
        (json!({"type": "string", "format": "time"}), "\"08:15:00Z\""),
        (json!({"type": "string", "format": "duration"}), "\"P1Y2M3DT4H5M6S\""),
        (json!({"type": "string", "format": "email"}), "\"jane.doe+news@mail.example.co.uk\""),
        (json!({"type": "string", "format": "hostname"}), "\"my-host.example.com\""),
        (json!({"type": "string", "format": "ipv4"}), "\"192.168.0.1\""),
        (json!({"type": "string", "format": "ipv6"}), "\"2001:db8::8a2e:370:7334\""),
        (json!({"type": "string", "format": "uuid"}), "\"123e4567-e89b-12d3-a456-426614174000\""),
        (json!({"type": "string", "pattern": "cat"}), "\"a cat, here\""),
        (json!({"type": "string", "pattern": "\\d"}), "\"room 5\""),
        (json!({"type": "string"}), "\"Zürich \\\"quoted\\\" \\n 😀\""),
        (json!({"type": "number"}), "-6.02e23"),
        (json!({"type": "integer", "minimum": -3}), "1234567890123"),
        (json!({"type": "object"}), "{\"a\": [1, {\"b\": null}], \"c\": \"d\"}"),
        (json!({"type": "array"}), "[]"),
        (json!({"type": "object", "properties": {"a": {"type": "null"}}}), "{}"),
    ];
    for (schema, text) in cases {
        let rule = schema::schema_rule(&smollm2().env, &schema, false, "schema").unwrap();
        assert!(smollm2().follows(&rule, text), "{schema} does not allow {text}");
    }
}
