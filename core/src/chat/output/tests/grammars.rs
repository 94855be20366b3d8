//! What a request's choices make of a template's grammar.

use serde_json::{Value, json};

use super::families::source;
use super::{Vocabulary, json_rule};
use crate::api::message::Role;
use crate::backend::{CallMode, Rendered, TemplateMessage, TemplateRequest, TemplateTool, TemplateToolCall, Templates};
use crate::chat::output::{AnswerKind, GrammarSources, OutputChoice, output_grammar};

fn tool(name: &str, parameters: Value) -> TemplateTool {
    TemplateTool { name: name.to_owned(), description: String::new(), parameters }
}

fn one_string(property: &str, schema: impl Into<Value>) -> Value {
    let mut properties = serde_json::Map::new();
    properties.insert(property.to_owned(), schema.into());
    json!({ "type": "object", "properties": properties, "required": [property], "additionalProperties": false })
}

fn render(family: &str, request: TemplateRequest<'_>) -> Rendered {
    let messages = [TemplateMessage::new(Role::User, "Hi")];
    let templates = Templates::from_source(&source(family), "", "").unwrap();
    templates.apply(&TemplateRequest { messages: &messages, ..request }).unwrap()
}

fn with_tools(tools: &[TemplateTool], call_mode: CallMode) -> TemplateRequest<'_> {
    TemplateRequest { tools, callable: tools, call_mode, ..TemplateRequest::new(&[]) }
}

fn grammar(choices: &[OutputChoice<'_>], tools: &[TemplateTool]) -> String {
    let parameters: Vec<Value> = tools.iter().map(|tool| tool.parameters.clone()).collect();
    let sources = GrammarSources { parameters: &parameters, json_rule: &json_rule, controls: &[], bare: None };
    output_grammar(choices, &sources).unwrap()
}

fn required(family: &str, tools: &[TemplateTool]) -> (Rendered, String) {
    let rendered = render(family, with_tools(tools, CallMode::Required));
    let lark = grammar(&[OutputChoice { rendered: &rendered, answer: AnswerKind::Calls }], tools);
    (rendered, lark)
}

#[test]
fn parallel_calls_are_allowed_or_not() {
    // TL8
    let tools = [tool("f", one_string("a", json!({ "type": "string" })))];
    let call = "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": \"x\"}}\n</tool_call>";
    for parallel_tool_calls in [true, false] {
        let request = TemplateRequest { parallel_tool_calls, ..with_tools(&tools, CallMode::Required) };
        let rendered = render("Qwen-Qwen2.5-7B-Instruct", request);
        let lark = grammar(&[OutputChoice { rendered: &rendered, answer: AnswerKind::Calls }], &tools);
        let vocabulary = Vocabulary::new(&[]);
        assert!(vocabulary.accepts(&lark, call), "{lark}");
        assert_eq!(vocabulary.accepts(&lark, &format!("{call}\n{call}")), parallel_tool_calls, "{lark}");
        assert!(!vocabulary.accepts(&lark, "Hello"));
    }
}

#[test]
fn only_callable_tools_are_called() {
    // TL5, TL6
    let tools = ["f", "g"].map(|name| tool(name, one_string("a", json!({ "type": "string" }))));
    let request = TemplateRequest { callable: &tools[1..], ..with_tools(&tools, CallMode::Required) };
    let rendered = render("Qwen-Qwen2.5-7B-Instruct", request);
    assert!(rendered.prompt.contains("\"name\": \"f\""), "{}", rendered.prompt);
    let lark = grammar(&[OutputChoice { rendered: &rendered, answer: AnswerKind::Calls }], &tools[1..]);
    let call =
        |name: &str| format!("<tool_call>\n{{\"name\": \"{name}\", \"arguments\": {{\"a\": \"x\"}}}}\n</tool_call>");
    assert!(Vocabulary::new(&[]).accepts(&lark, &call("g")), "{lark}");
    assert!(!Vocabulary::new(&[]).accepts(&lark, &call("f")));
}

#[test]
fn names_that_differ_in_punctuation_alone_are_told_apart() {
    // TL2, TL3
    let tools = [
        tool("get_it", one_string("城市", json!({ "type": "string" }))),
        tool("get-it", one_string("日期", json!({ "type": "string" }))),
    ];
    let (rendered, lark) = required("Qwen3-Coder", &tools);
    for (name, property) in [("get_it", "城市"), ("get-it", "日期")] {
        let call = format!(
            "<tool_call>\n<function={name}>\n<parameter={property}>\n北京\n</parameter>\n</function>\n</tool_call>"
        );
        assert!(Vocabulary::new(&[]).accepts(&lark, &call), "{call}\n{lark}");
        let parsed = rendered.output.as_ref().unwrap().parser.parse(&call, false).unwrap();
        assert_eq!(parsed.tool_calls[0].name, name);
        let arguments: Value = serde_json::from_str(&parsed.tool_calls[0].arguments).unwrap();
        assert_eq!(arguments, json!({ property: "北京" }));
    }
    assert!(!Vocabulary::new(&[]).accepts(
        &lark,
        "<tool_call>\n<function=get-it>\n<parameter=城市>\nx\n</parameter>\n</function>\n</tool_call>"
    ));
}

#[test]
fn texts_without_quotes_obey_their_schemas() {
    // TL9
    let cases = [
        (json!({ "type": "string", "pattern": "^a/[0-9]+$" }), "a/12", "a/x"),
        (json!({ "type": "string", "minLength": 2, "maxLength": 3 }), "äöü", "ä"),
        (json!({ "type": "string", "const": "yes" }), "yes", "no"),
        (json!({ "type": ["string", "null"], "enum": ["on", null] }), "null", "off"),
        (json!({ "type": "integer" }), "5", "five"),
    ];
    for (schema, good, bad) in cases {
        let tools = [tool("f", one_string("a", schema))];
        let (_, lark) = required("Qwen3-Coder", &tools);
        let call = |value: &str| {
            format!("<tool_call>\n<function=f>\n<parameter=a>\n{value}\n</parameter>\n</function>\n</tool_call>")
        };
        assert!(Vocabulary::new(&[]).accepts(&lark, &call(good)), "{good}\n{lark}");
        assert!(!Vocabulary::new(&[]).accepts(&lark, &call(bad)), "{bad}\n{lark}");
    }
}

#[test]
fn a_value_follows_the_thoughts() {
    // SO11
    let rendered = render("Qwen-Qwen3-0.6B", TemplateRequest::new(&[]));
    let value = json_rule(&one_string("a", json!({ "type": "integer" })));
    let lark = grammar(&[OutputChoice { rendered: &rendered, answer: AnswerKind::Value(&value) }], &[]);
    for vocabulary in [Vocabulary::new(&[]), Vocabulary::new(&["<think>".to_owned(), "</think>".to_owned()])] {
        let sources =
            GrammarSources { parameters: &[], json_rule: &json_rule, controls: vocabulary.controls(), bare: None };
        let choice = OutputChoice { rendered: &rendered, answer: AnswerKind::Value(&value) };
        let lark = output_grammar(&[choice], &sources).unwrap();
        assert!(vocabulary.accepts(&lark, "<think>\nSo {\"a\": x}\n</think>\n\n{\"a\": 1}"), "{lark}");
        assert!(vocabulary.accepts(&lark, "{\"a\": 1}"), "{lark}");
        assert!(!vocabulary.accepts(&lark, "<think>\nSo\n</think>\n\n{\"a\": true}"));
    }
    assert!(!Vocabulary::new(&[]).accepts(&lark, "Hello"));
}

#[test]
fn calls_or_a_value() {
    // SO12, TL7
    let tools = [tool("f", one_string("a", json!({ "type": "string" })))];
    let calls = render("Qwen-Qwen2.5-7B-Instruct", with_tools(&tools, CallMode::Required));
    let plain = render("Qwen-Qwen2.5-7B-Instruct", with_tools(&tools, CallMode::None));
    let value = json_rule(&one_string("b", json!({ "type": "integer" })));
    let choices = [
        OutputChoice { rendered: &calls, answer: AnswerKind::Calls },
        OutputChoice { rendered: &plain, answer: AnswerKind::Value(&value) },
    ];
    let lark = grammar(&choices, &tools);
    let vocabulary = Vocabulary::new(&[]);
    assert!(vocabulary.accepts(&lark, "{\"b\": 1}"), "{lark}");
    let call = "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": \"x\"}}\n</tool_call>";
    assert!(vocabulary.accepts(&lark, call), "{lark}");
    assert!(!vocabulary.accepts(&lark, "Hello"));
}

#[test]
fn thoughts_are_kept_apart() {
    // CR10, CS9
    let rendered = render("Qwen-Qwen3-0.6B", TemplateRequest::new(&[]));
    let parsed = rendered.output.unwrap().parser.parse("<think>\nHm.\n</think>\n\nYes.", false).unwrap();
    assert_eq!((parsed.reasoning_content.trim(), parsed.content.as_str()), ("Hm.", "Yes."));
}

#[test]
fn a_template_without_thoughts_or_tools_needs_no_parser() {
    assert!(render("google-gemma-2-2b-it", TemplateRequest::new(&[])).output.is_none());
    let templates = Templates::from_source(&source("google-gemma-2-2b-it"), "", "").unwrap();
    assert!(!templates.abilities(true).unwrap().supports_tools);
}

#[test]
fn deep_nesting_is_refused_before_it_is_parsed() {
    let tools = [tool("f", json!({ "type": "object" }))];
    let rendered = render("Qwen-Qwen2.5-7B-Instruct", with_tools(&tools, CallMode::Auto));
    let text = format!("<tool_call>\n{{\"name\": \"f\", \"arguments\": {{\"a\": {}", "[".repeat(100_000));
    let error = rendered.output.unwrap().parser.parse(&text, true).unwrap_err();
    assert!(error.message().contains("nests too deeply"), "{error}");
}

#[test]
fn a_broken_template_says_where() {
    let error = Templates::from_source("{{ x", "", "").unwrap_err();
    assert!(!error.message().contains("std::exception") && error.message().len() > 50, "{error}");
}

#[test]
fn ids_are_spelled_as_a_template_demands() {
    // CQ6, TL14
    let templates = Templates::from_source(&source("mistralai-Mistral-Nemo-Instruct-2407"), "<s>", "</s>").unwrap();
    let id = "call_0123456789abcdef";
    let mut call = TemplateMessage::new(Role::Assistant, "");
    call.tool_calls.push(TemplateToolCall { id: id.to_owned(), name: "f".to_owned(), arguments: "{}".to_owned() });
    let mut answer = TemplateMessage::new(Role::Tool, "42");
    answer.tool_call_id = Some(id.to_owned());
    let messages = [TemplateMessage::new(Role::User, "Hi"), call, answer];
    let tools = [tool("f", json!({ "type": "object" }))];
    let request = TemplateRequest { messages: &messages, ..with_tools(&tools, CallMode::Auto) };
    let prompt = templates.apply(&request).unwrap().prompt;
    let (_, called) = prompt.split_once("\"id\": \"").unwrap();
    assert_eq!(prompt.matches(&called[..9]).count(), 2, "{prompt}");
}
