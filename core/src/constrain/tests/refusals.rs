//! What is refused, why, and how soon.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::smollm2;
use crate::api::error::Error;
use crate::constrain::{lark, schema};

const PARAM: &str = "response_format.json_schema.schema";

fn refused(schema: &Value, strict: bool) -> Error {
    let outcome = schema::schema_rule(&smollm2().env, schema, strict, PARAM);
    let error = outcome.err().unwrap_or_else(|| panic!("{schema} is accepted"));
    assert_eq!((error.status(), error.param()), (Some(400), Some(PARAM)), "{error}");
    error
}

fn accepted(schema: &Value, strict: bool) -> String {
    schema::schema_rule(&smollm2().env, schema, strict, PARAM).unwrap_or_else(|error| panic!("{schema:.300}: {error}"))
}

#[test]
fn the_strict_subset_is_demanded_with_the_path() {
    // SO3
    let object = |properties: Value| {
        let names: Vec<&String> = properties.as_object().unwrap().keys().collect();
        json!({"type": "object", "properties": properties, "required": names, "additionalProperties": false})
    };
    accepted(
        &object(json!({"a": {"type": ["integer", "null"]}, "b": {"anyOf": [{"type": "string"}, {"type": "null"}]}})),
        true,
    );
    let cases = [
        (json!({"type": "string"}), "`#`"),
        (json!({"type": "array", "items": {"type": "string"}}), "`#`"),
        (json!({"anyOf": [object(json!({}))]}), "`#`"),
        (
            json!({"type": "object", "properties": {}, "required": []}),
            "`#`, a strict schema must have `\"additionalProperties\"",
        ),
        (json!({"type": "object", "properties": {}, "additionalProperties": true}), "additionalProperties"),
        (
            json!({"type": "object", "properties": {"a": {"type": "null"}}, "additionalProperties": false}),
            "\"a\" is missing",
        ),
        (
            object(json!({"a": {"type": "object", "properties": {"b": {"type": "null"}}, "required": ["b"]}})),
            "`#/properties/a`",
        ),
        (
            object(json!({"a": {"type": "array", "items": {"type": "object", "properties": {}}}})),
            "`#/properties/a/items`",
        ),
        (object(json!({"a": {"anyOf": [{"type": "null"}, {"type": "object"}]}})), "`#/properties/a/anyOf/1`"),
        (object(json!({"a/b": {"description": "anything"}})), "`#/properties/a~1b`"),
        (object(json!({"a": {"type": "string", "format": "color"}})), "`#/properties/a`, the format"),
        (object(json!({"a": {"type": "string", "colour": 1}})), "`colour` is unknown"),
        (object(json!({"a": true})), "`#/properties/a`"),
    ];
    for (schema, message) in cases {
        let error = refused(&schema, true);
        assert!(error.message().contains(message), "{schema}: {error}");
    }
    let mut unused = object(json!({"a": {"type": "null"}}));
    unused["$defs"] = json!({"open": {"type": "object"}});
    assert!(refused(&unused, true).message().contains("`#/$defs/open`"));
}

#[test]
fn a_strict_root_may_be_a_reference_to_an_object() {
    // SO3, SO4
    let node = json!({
        "type": "object",
        "properties": {"next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}},
        "required": ["next"],
        "additionalProperties": false,
    });
    accepted(&json!({"$defs": {"node": node}, "$ref": "#/$defs/node"}), true);
    refused(&json!({"$defs": {"name": {"type": "string"}}, "$ref": "#/$defs/name"}), true);
}

#[test]
fn keywords_that_are_not_enforced_are_refused_with_the_path() {
    // SO5
    let keywords = [
        ("not", json!({"type": "string"})),
        ("if", json!({})),
        ("then", json!({})),
        ("else", json!({})),
        ("dependentRequired", json!({"a": ["b"]})),
        ("dependentSchemas", json!({})),
        ("dependencies", json!({})),
        ("patternProperties", json!({"^a": {}})),
        ("propertyNames", json!({"maxLength": 3})),
        ("contains", json!({})),
        ("uniqueItems", json!(true)),
        ("unevaluatedProperties", json!(false)),
        ("unevaluatedItems", json!(false)),
        ("additionalItems", json!(false)),
        ("nullable", json!(true)),
        ("$dynamicRef", json!("#")),
    ];
    for (keyword, value) in keywords {
        let mut inner = json!({"type": "string"});
        inner[keyword] = value;
        let error = refused(&json!({"type": "object", "properties": {"p": {"type": "array", "items": inner}}}), false);
        let message = error.message();
        assert!(message.contains("`#/properties/p/items`") && message.contains(&format!("`{keyword}`")), "{message}");
    }
    for reference in ["https://example.com/schema.json", "other.json#/a", "#anchor", "#/$defs/missing"] {
        let error = refused(&json!({"type": "array", "items": {"$ref": reference}}), false);
        assert!(error.message().contains("`#/items`") && error.message().contains("$ref"), "{error}");
    }
}

#[test]
fn malformed_and_unsatisfiable_schemas_are_refused() {
    // SO5
    let cases = [
        json!(false),
        json!(3),
        json!({"type": "text"}),
        json!({"type": []}),
        json!({"enum": []}),
        json!({"enum": "a"}),
        json!({"anyOf": []}),
        json!({"anyOf": [false]}),
        json!({"properties": []}),
        json!({"required": "a"}),
        json!({"required": [1]}),
        json!({"items": [{}]}),
        json!({"minItems": -1}),
        json!({"maxLength": 1.5}),
        json!({"minimum": "1"}),
        json!({"exclusiveMinimum": true, "minimum": 1}),
        json!({"multipleOf": 0}),
        json!({"multipleOf": 0.123_456_789_012}),
        json!({"$ref": 1}),
        json!({"$defs": []}),
        json!({"type": "integer", "minimum": 3, "maximum": 2}),
        json!({"type": "integer", "exclusiveMinimum": 1, "exclusiveMaximum": 2}),
        json!({"type": "number", "exclusiveMinimum": 1, "exclusiveMaximum": 1}),
        json!({"type": "integer", "minimum": 1, "maximum": 4, "multipleOf": 5}),
        json!({"type": "string", "minLength": 3, "maxLength": 2}),
        json!({"type": "array", "minItems": 3, "maxItems": 2}),
        json!({"type": "array", "items": false, "minItems": 1}),
        json!({"type": "string", "enum": [1]}),
        json!({"enum": ["a"], "pattern": "^b$"}),
        json!({"const": "a", "maxLength": 0}),
        json!({"allOf": [{"type": "string"}, {"type": "integer"}]}),
        json!({"type": "object", "required": ["a"], "additionalProperties": false}),
        json!({"type": "object", "minProperties": 3}),
        json!({"oneOf": [{"type": "integer"}, {"type": "number"}]}),
        json!({"$defs": {"a": {"type": "integer"}}, "oneOf": [{"$ref": "#/$defs/a"}, {"type": "number"}]}),
        json!({"const": 9_007_199_254_740_993_i64}),
        json!({"const": "\u{1}"}),
        json!({"$ref": "#"}),
        json!({"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}),
        json!({"type": "array", "items": {"$ref": "#"}, "minItems": 1}),
        json!({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}),
    ];
    for schema in cases {
        refused(&schema, false);
    }
}

#[test]
fn patterns_that_mean_something_else_are_refused() {
    // SO5, SO6
    for pattern in [
        "(",
        ")",
        "[",
        "[]",
        "[^]",
        "a{2",
        "*",
        "\\",
        "(?=a)b",
        "(?!a)b",
        "(?<=a)b",
        "(?<!a)b",
        "(?i)a",
        "\\bword\\b",
        "(a)\\1",
        "\\k<n>",
        "\\cA",
        "[a--b]",
        "\\uD83D",
        "\\x",
        "a^b",
        "a$b",
        "a{99999999999}",
        "\\p{Nonsense}",
    ] {
        refused(&json!({"type": "string", "pattern": pattern}), false);
    }
}

#[test]
fn a_refusal_says_where_and_why() {
    // SO5
    let inside = |schema: Value| json!({"type": "object", "properties": {"a": schema}, "required": ["a"]});
    let overlapping = json!({"oneOf": [{"$ref": "#"}, {"type": "object"}]});
    for (schema, reason) in [
        (json!({"type": "string", "pattern": "(a"}), "`pattern` is no regular expression: unclosed group"),
        (json!({"type": "string", "pattern": "*a"}), "`pattern` is no regular expression: repetition operator"),
        (json!({"type": "string", "pattern": "a$b"}), "`pattern` has an anchor that is not at its beginning or end"),
        (overlapping, "the alternatives of `oneOf` may overlap; `anyOf` is supported"),
    ] {
        let error = schema::prepare(&inside(schema), false, "p").unwrap_err();
        let expected = format!("at `#/properties/a`, {reason}");
        assert!(error.message().contains(&expected), "{error}");
    }
}

#[test]
fn hostile_schemas_end_soon() {
    // SO9
    // Without `json!`, which would copy the inner schema by recursion.
    let object = |members: Vec<(&str, Value)>| {
        Value::Object(members.into_iter().map(|(name, member)| (name.to_owned(), member)).collect())
    };
    let nested = |levels: usize| {
        (0..levels).fold(json!({"type": "integer"}), |inner, _| {
            let properties = object(vec![("a", inner)]);
            object(vec![("type", json!("object")), ("properties", properties), ("required", json!(["a"]))])
        })
    };
    let deep_value = (0..10_000).fold(json!(1), |inner, _| Value::Array(vec![inner]));
    let properties = |count: usize| -> Value {
        let properties: Map<String, Value> =
            (0..count).map(|index| (format!("property_{index}"), json!({"type": "string"}))).collect();
        json!({"type": "object", "properties": properties})
    };
    let required = |count: usize| {
        let mut schema = properties(count);
        schema["required"] = json!((0..count).map(|index| format!("property_{index}")).collect::<Vec<_>>());
        schema
    };
    let values = |count: usize| json!({"enum": (0..count).map(|index| format!("{index:032}")).collect::<Vec<_>>()});
    let unions = |count: usize| {
        let options: Vec<Value> = (0..count).map(|index| json!({"properties": {(format!("p{index}")): {}}})).collect();
        json!({"allOf": vec![json!({"anyOf": options}); count]})
    };
    let pattern = |pattern: &str| json!({"type": "string", "pattern": pattern});
    let accept = true;
    let refuse = false;
    let cases: Vec<(&str, Value, Option<bool>)> = vec![
        ("10 levels", nested(10), Some(accept)),
        ("30 levels", nested(30), Some(accept)),
        ("10,000 levels", nested(10_000), Some(refuse)),
        ("a value of 10,000 levels", object(vec![("const", deep_value)]), Some(refuse)),
        ("1000 optional properties", properties(1000), Some(accept)),
        ("1001 optional properties", properties(1001), Some(refuse)),
        ("5000 required properties", required(5000), Some(accept)),
        ("5001 required properties", required(5001), Some(refuse)),
        ("1000 values", values(1000), Some(accept)),
        ("5000 values", values(5000), Some(accept)),
        ("100,000 values", values(100_000), Some(refuse)),
        ("a long value", json!({"const": "x".repeat(100_000)}), Some(accept)),
        ("a very long value", json!({"const": "x".repeat(2_000_000)}), Some(refuse)),
        ("nested quantifiers", pattern("^(a{1,1000}){1,1000}$"), None),
        ("thrice nested quantifiers", pattern("((a{1,1000}b?){1,1000}c?){1,1000}"), None),
        ("alternatives under quantifiers", pattern("^((a|b|c|ab|bc|abc)*x?){20,30}(a|ab)*$"), None),
        ("a pattern that needs many states", pattern("^(a|b)*a(a|b){200}$"), None),
        ("many classes", pattern(&"[a-zA-Z0-9éü]{0,50}\\w+".repeat(50)), None),
        ("deep groups", pattern(&format!("{}a{}", "(".repeat(1000), ")".repeat(1000))), Some(refuse)),
        ("a long pattern", pattern(&"a?".repeat(5000)), Some(refuse)),
        ("a huge maximum length", json!({"type": "string", "maxLength": 4_000_000_000_u64}), None),
        ("a huge minimum length", json!({"type": "string", "minLength": 1_000_000_000}), None),
        ("a huge number of items", json!({"type": "array", "minItems": 1_000_000_000}), None),
        ("unions of unions", unions(12), None),
        (
            "many divisors",
            json!({"allOf": [{"multipleOf": 65537}, {"multipleOf": 65539}, {"multipleOf": 3}], "type": "integer"}),
            Some(refuse),
        ),
        ("a huge divisor", json!({"type": "integer", "multipleOf": 999_999_937}), None),
        ("a tiny divisor", json!({"type": "number", "multipleOf": 1e-300}), Some(refuse)),
    ];
    for (name, schema, expected) in cases {
        let started = Instant::now();
        let outcome = schema::schema_rule(&smollm2().env, &schema, false, PARAM);
        if let Ok(rule) = &outcome {
            let mut constraint = smollm2().env.compile(&format!("start: {rule}")).unwrap().start().unwrap();
            let mut logits = vec![0.0; smollm2().model.vocab().len()];
            // What cannot be followed is an error as well, and no hang.
            if let Err(error) = constraint.apply(&mut logits) {
                assert_eq!(error.status(), Some(400), "{name}: {error}");
            }
        }
        let took = started.elapsed();
        assert!(took < Duration::from_secs(10), "{name} took {took:?}");
        match (&outcome, expected) {
            (Ok(_), Some(false)) => panic!("{name} is accepted"),
            (Err(error), Some(true)) => panic!("{name}: {error}"),
            (Err(error), _) => assert_eq!((error.status(), error.param()), (Some(400), Some(PARAM)), "{name}: {error}"),
            (Ok(_), _) => {}
        }
        // A value that nests so deep overflows the stack when it is dropped.
        std::mem::forget(schema);
    }
}

#[test]
fn hostile_grammars_and_expressions_end_soon() {
    // SO9
    let env = &smollm2().env;
    let chain: Vec<String> = (0..4000).map(|index| format!("r{index}: r{}", index + 1)).collect();
    let chain = chain.join("\n");
    let doubling: Vec<String> = (0..60).map(|index| format!("r{index}: r{0} r{0}", index + 1)).collect();
    let doubling = doubling.join("\n");
    let larks = [
        ("a chain of rules", format!("start: r0\n{chain}\nr4000: \"b\"\n")),
        ("doubling rules", format!("start: r0\n{doubling}\nr60: \"b\"\n")),
        ("an endless rule", "start: start".to_owned()),
        ("an endless pair", "start: a\na: b\nb: a".to_owned()),
        ("an ambiguous rule", "start: start start | \"a\" | \"\"".to_owned()),
        ("deep brackets", format!("start: {}\"a\"{}", "(".repeat(50_000), ")".repeat(50_000))),
        ("a long text", "a".repeat(1 << 20)),
        ("nothing", String::new()),
        ("no start", "a: \"b\"".to_owned()),
        ("an unknown rule", "start: nowhere".to_owned()),
        ("an unknown token", "start: <|nowhere|>".to_owned()),
        ("a token out of range", "start: <[99999999]>".to_owned()),
        ("broken text", "start: \"\u{0}\\".to_owned()),
        ("a schema that is none", "start: %json {".to_owned()),
        ("an escape from the braces", "start: \"a\" }\nother: {".to_owned()),
        ("a terminal of itself", "start: A\nA: A \"x\"".to_owned()),
        ("repetition", "start: ((\"a\"{1,1000}){1,1000}){1,1000}".to_owned()),
        ("import", "%import common.INT\nstart: INT".to_owned()),
        ("import of nothing", "%import nowhere.AT_ALL\nstart: AT_ALL".to_owned()),
    ];
    for (name, text) in larks {
        let started = Instant::now();
        match lark::lark_rule(env, &text, "grammar") {
            Ok(rule) => {
                let grammar = env.compile(&format!("start: {rule}")).unwrap();
                let _ = grammar.start().unwrap().compute_mask();
            }
            Err(error) => assert_eq!((error.status(), error.param()), (Some(400), Some("grammar")), "{name}: {error}"),
        }
        assert!(started.elapsed() < Duration::from_secs(10), "{name} took {:?}", started.elapsed());
    }
    let deep = format!("{}a{}", "(".repeat(5000), ")".repeat(5000));
    for pattern in ["(", "a\\", "[z-a]", "(?=a)", "(?P<stop>a)", "\\b", &deep, &"a".repeat(1 << 20), "a/b\n["] {
        let error = lark::regex_rule(env, pattern, "p").unwrap_err();
        assert_eq!((error.status(), error.param()), (Some(400), Some("p")), "{pattern:.40}: {error}");
    }
}
