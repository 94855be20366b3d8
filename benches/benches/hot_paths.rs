//! What single steps on a request's way cost, measured from outside: `make bench-paths`.
//!
//! The model has as many tokens as Qwen's and next to no layers, so that what is done for each token beside the
//! forward pass shows: against `greedy`, a row tells what its option adds for 64 tokens.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::{Value, json};
use zerohop::types::{ChatCompletionMessage, CreateChatCompletionRequest, JsonSchema, ResponseFormat};
use zerohop::{Engine, ModelOptions, Repack};

/// Tokens of an answer.
const TOKENS: u32 = 64;

fn engine() -> Engine {
    let models = std::env::var("ZEROHOP_TEST_MODELS").expect("ZEROHOP_TEST_MODELS is set: run `make bench-paths`");
    let options = ModelOptions::new(format!("{models}/tiny/tiny-words.gguf"));
    Engine::builder().model("m", options.repack(Repack::On).threads(1).speculation(false)).build().expect("it loads")
}

fn chat() -> CreateChatCompletionRequest {
    CreateChatCompletionRequest::new("m", [ChatCompletionMessage::user("Tell me a story.")])
        .max_completion_tokens(TOKENS)
        .temperature(0.0)
        .ignore_eos(true)
}

/// Choosing tokens: the sampler, penalties, log probabilities, grammars' masks, texts that stop an answer.
fn tokens(criterion: &mut Criterion) {
    let engine = engine();
    let schema = json!({
        "type": "object",
        "properties": {"words": {"type": "array", "items": {"type": "string"}, "minItems": 40}},
        "required": ["words"],
        "additionalProperties": false
    });
    let stops: Vec<String> = (0..4).map(|number| format!("what is never said {number}")).collect();
    let rows = [
        ("greedy", chat()),
        ("temperature", chat().temperature(1.0).seed(1)),
        ("top_p", chat().temperature(1.0).seed(1).top_p(0.9)),
        ("top_k", chat().temperature(1.0).seed(1).top_k(40)),
        ("penalties", chat().frequency_penalty(0.5).presence_penalty(0.5)),
        ("top_logprobs 20", chat().logprobs(true).top_logprobs(20)),
        ("stop, 4 texts", chat().stop(stops)),
        ("json_schema", chat().ignore_eos(false).response_format(JsonSchema::new("words", schema))),
        ("regex", chat().response_format(ResponseFormat::Regex { regex: "( [a-z]{4})+".to_owned() })),
    ];
    let mut group = criterion.benchmark_group("64 tokens");
    group.throughput(Throughput::Elements(u64::from(TOKENS)));
    for (name, request) in rows {
        group.bench_function(name, |bencher| {
            bencher.iter(|| black_box(engine.chat().create(&request).expect("an answer")));
        });
    }
    group.finish();
    engine.close();
}

/// Sends a request through the door, as every surface does.
fn send(engine: &Engine, method: &str, path: &str, body: &[u8], expected: u16) {
    let request = http::Request::builder().method(method).uri(path).header("content-type", "application/json");
    let response = engine.request(&request.body(body).expect("a request")).expect("a response");
    assert_eq!(response.status().as_u16(), expected, "{path}");
    black_box(response.into_body());
}

/// The door alone, and what goes before generating: parsing, validating, the template, tokens.
fn texts(criterion: &mut Criterion) {
    let engine = engine();
    let messages: Vec<Value> = (0..20)
        .map(|turn| json!({"role": if turn % 2 == 0 { "user" } else { "assistant" }, "content": "word ".repeat(40)}))
        .collect();
    let tool = |number: usize| {
        let parameters = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
        json!({"type": "function", "name": format!("tool_{number}"), "parameters": parameters, "strict": false})
    };
    let tools: Vec<Value> = (0..8).map(tool).collect();
    let rows = [
        ("list of models", "GET", "/v1/models", Value::Null, 200),
        ("refusal", "POST", "/v1/chat/completions", json!({"model": "m", "messages": messages, "n": 0}), 400),
        ("template and tokens", "POST", "/v1/responses/input_tokens", json!({"model": "m", "input": messages}), 200),
        (
            "the same with 8 tools",
            "POST",
            "/v1/responses/input_tokens",
            json!({"model": "m", "input": messages, "tools": tools}),
            200,
        ),
        ("tokenize 4 KB", "POST", "/tokenize", json!({"model": "m", "prompt": "some words ".repeat(370)}), 200),
        ("detokenize 1,000", "POST", "/detokenize", json!({"model": "m", "tokens": vec![1000; 1000]}), 200),
    ];
    let mut group = criterion.benchmark_group("door");
    for (name, method, path, body, status) in rows {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        group.bench_function(name, |bencher| bencher.iter(|| send(&engine, method, path, &body, status)));
    }
    group.finish();
    engine.close();
}

criterion_group!(paths, tokens, texts);
criterion_main!(paths);
