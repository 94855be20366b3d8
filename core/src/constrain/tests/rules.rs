//! The expressions that grammars are put together from.

use serde_json::json;

use super::smollm2;
use crate::constrain::{lark, schema};

#[test]
fn json_object_is_one_object() {
    // SO10
    let rule = lark::json_object_rule();
    for text in ["{}", r#"{"a": [1, {"b": "c"}]}"#] {
        assert!(smollm2().follows(&rule, text), "{text}");
    }
    for text in ["[]", "1", "\"a\"", "null", "{} {}", "{}\n", "```{}```", " {}", "{ }", r#"{"a":1}"#] {
        assert!(!smollm2().follows(&rule, text), "{text}");
    }
}

#[test]
fn a_regular_expression_matches_the_whole_text() {
    for (pattern, good, bad) in [
        ("[a-c]+", "abc", "abcd"),
        ("^[a-c]+$", "abc", " abc"),
        ("a/b", "a/b", "a"),
        ("(yes|no)", "no", "nope"),
        (r"\d{3}", "123", "12"),
        ("a\nb", "a\nb", "ab"),
    ] {
        let rule = lark::regex_rule(&smollm2().env, pattern, "p").unwrap();
        assert!(smollm2().follows(&rule, good), "{pattern} {good}");
        assert!(!smollm2().follows(&rule, bad), "{pattern} {bad}");
    }
}

#[test]
fn a_callers_lark_keeps_to_itself() {
    let definition = "start: greeting \" \" NAME # comment\ngreeting: \"hi\" | \"ho\"\nNAME: /[a-z]+/";
    let rule = lark::lark_rule(&smollm2().env, definition, "p").unwrap();
    let rule = format!("{rule} \"!\"");
    assert!(smollm2().follows(&rule, "ho bob!"));
    assert!(!smollm2().follows(&rule, "ho bob"));
}

#[test]
fn a_value_may_follow_free_text() {
    // SO13
    let schema = json!({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]});
    let rule = schema::schema_rule(&smollm2().env, &schema, false, "p").unwrap();
    let grammar = format!("thought value\nthought[lazy]: /(?s:.*)<\\/think>/\nvalue: {rule}\n");
    assert!(smollm2().follows(&grammar, "Let me see. {\"a\": </think>{\"a\": 12}"));
    assert!(!smollm2().follows(&grammar, "Let me see. {\"a\": </think>{\"a\": \"12\"}"));
    assert!(!smollm2().follows(&grammar, "{\"a\": 12}"));
}

#[test]
fn arguments_are_an_object() {
    // TL1, TL7
    let env = &smollm2().env;
    for none in [None, Some(json!({})), Some(json!({"type": "object", "properties": {}}))] {
        let rule = lark::json_rule(&schema::arguments(env, none.as_ref(), false, "p").unwrap());
        assert!(smollm2().follows(&rule, "{}"));
        assert!(!smollm2().follows(&rule, r#"{"a": 1}"#), "{none:?}");
    }
    let one = json!({"properties": {"a": {"type": "integer"}}, "required": ["a"]});
    let rule = lark::json_rule(&schema::arguments(env, Some(&one), false, "p").unwrap());
    assert!(smollm2().follows(&rule, r#"{"a": 1}"#));
    assert!(!smollm2().follows(&rule, "{}") && !smollm2().follows(&rule, "3"));
    let free = json!({"type": "object", "additionalProperties": true});
    let rule = lark::json_rule(&schema::arguments(env, Some(&free), false, "p").unwrap());
    assert!(smollm2().follows(&rule, r#"{"a": 1}"#));
    assert!(schema::arguments(env, Some(&json!({"type": "string"})), false, "p").is_err());
}

#[test]
fn a_free_key_cannot_spell_a_declared_one_in_another_way() {
    // SO4
    let schema = json!({"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": true});
    let rule = schema::schema_rule(&smollm2().env, &schema, false, "p").unwrap();
    assert!(smollm2().follows(&rule, r#"{"a": 1, "b": "x"}"#));
    assert!(!smollm2().follows(&rule, r#"{"a": 1, "a": "x"}"#));
    assert!(!smollm2().follows(&rule, r#"{"\u0061": "x"}"#));
}
