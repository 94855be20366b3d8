//! The shared cases of tests/cases/cases.json, through the Rust door. The C and
//! Python surfaces run the same file (`python/tests/test_cases.py`).

mod common;

use common::model;
use http::Request;
use serde_json::{Value, json};
use zerohop::{Body, Engine, ModelOptions};

const CASES: &str = include_str!("../../tests/cases/cases.json");

fn send(engine: &Engine, path: &Value, request: &Value) -> (u16, Vec<Value>) {
    let request = Request::post(path.as_str().unwrap_or("/v1/chat/completions")).body(request.to_string()).unwrap();
    let response = engine.request(&request).unwrap();
    let status = response.status().as_u16();
    let values = match response.into_body() {
        Body::Full(body) => vec![serde_json::from_slice(&body).unwrap()],
        Body::Events(events) => events
            .map(|event| String::from_utf8(event.unwrap()).unwrap())
            .map(|event| event.trim_end().strip_prefix("data: ").unwrap().to_owned())
            .filter(|data| data != "[DONE]")
            .map(|data| serde_json::from_str(&data).unwrap())
            .collect(),
    };
    (status, values)
}

/// What a whole reply and a stream have in common.
#[derive(Debug, PartialEq)]
struct Answer {
    content: String,
    finish_reason: Value,
    usage: Value,
}

/// Without what the request before may have changed.
fn usage(reply: &Value) -> Value {
    let mut usage = reply["usage"].clone();
    usage["prompt_tokens_details"]["cached_tokens"] = Value::Null;
    usage
}

fn answer(reply: &Value) -> Answer {
    let choice = &reply["choices"][0];
    Answer {
        content: choice["message"]["content"].as_str().or(choice["text"].as_str()).unwrap().to_owned(),
        finish_reason: choice["finish_reason"].clone(),
        usage: usage(reply),
    }
}

fn joined(chunks: &[Value]) -> Answer {
    let choices = || chunks.iter().filter_map(|chunk| chunk["choices"].get(0));
    Answer {
        content: choices()
            .filter_map(|choice| choice["delta"]["content"].as_str().or(choice["text"].as_str()))
            .collect(),
        finish_reason: choices().next_back().unwrap()["finish_reason"].clone(),
        usage: usage(chunks.last().unwrap()),
    }
}

fn check_answer(name: &str, answer: &Answer, expect: &Value) {
    if let Some(content) = expect["content"].as_str() {
        assert_eq!(answer.content, content, "{name}");
    }
    if let Some(part) = expect["contains"].as_str() {
        assert!(answer.content.contains(part), "{name}: {}", answer.content);
    }
    if let Some(reason) = expect.get("finish_reason") {
        assert_eq!(&answer.finish_reason, reason, "{name}");
    }
    for key in ["prompt_tokens", "completion_tokens"] {
        if let Some(tokens) = expect.get(key) {
            assert_eq!(&answer.usage[key], tokens, "{name}: {key}");
        }
    }
}

#[test]
fn the_shared_cases_pass() {
    let file: Value = serde_json::from_str(CASES).unwrap();
    let builder = file["models"].as_object().unwrap().iter().fold(Engine::builder(), |builder, (name, path)| {
        builder.model(name, ModelOptions::new(model(path.as_str().unwrap())).context_length(2048))
    });
    let engine = builder.build().unwrap();
    let cases = file["cases"].as_array().unwrap();
    assert!(cases.len() > 20);
    for case in cases {
        let (name, expect) = (case["name"].as_str().unwrap(), &case["expect"]);
        let (status, values) = send(&engine, &case["path"], &case["request"]);
        assert_eq!(u64::from(status), expect["status"], "{name}: {values:?}");
        if let Some(error) = expect.get("error") {
            for (key, value) in error.as_object().unwrap() {
                assert_eq!(&values[0]["error"][key], value, "{name}: {key}");
            }
            continue;
        }
        let whole = answer(&values[0]);
        check_answer(name, &whole, expect);
        let mut streamed = case["request"].clone();
        streamed["stream"] = json!(true);
        streamed["stream_options"] = json!({"include_usage": true});
        let (_, chunks) = send(&engine, &case["path"], &streamed);
        assert_eq!(joined(&chunks), whole, "{name}, streamed");
    }
}
