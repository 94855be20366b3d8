//! Text to tokens and back.

mod common;

use common::{engine, greedy, model, qwen, tiny};
use http::Request;
use serde_json::{Value, json};
use zerohop::types::{
    ChatCompletionMessage, CreateCompletionRequest, CreateEmbeddingRequest, DetokenizeRequest, TokenizeRequest,
};
use zerohop::{Body, Engine, ErrorKind, ModelOptions};

fn tokens(engine: &Engine, request: &TokenizeRequest) -> Vec<u32> {
    let reply = engine.tokenize(request).unwrap();
    assert_eq!(reply.count as usize, reply.tokens.len());
    reply.tokens
}

fn text(engine: &Engine, tokens: &[u32]) -> String {
    engine.detokenize(&DetokenizeRequest::new("m", tokens)).unwrap().prompt
}

#[test]
fn text_becomes_tokens_and_text_again() {
    let engine = engine(qwen().context_length(512));
    let words = "Hello you, 東京 & naïve café 😀<|im_end|>";
    let reply = engine.tokenize(&TokenizeRequest::new("m", words).return_token_strs(true)).unwrap();
    assert_eq!(
        (reply.tokens[..2].to_vec(), reply.tokens.last(), reply.max_model_len),
        (vec![9707, 498], Some(&151_645), 512)
    );
    assert_eq!(text(&engine, &reply.tokens), words);
    let shown = reply.token_strs.unwrap();
    assert_eq!((shown[0].as_str(), shown[1].as_str(), shown.last().unwrap().as_str()), ("Hello", " you", "<|im_end|>"));
    assert_eq!(engine.tokenize(&TokenizeRequest::new("m", "a")).unwrap().token_strs, None);
    assert!(tokens(&engine, &TokenizeRequest::new("m", "")).is_empty());
    assert_eq!(text(&engine, &[]), "");
}

#[test]
fn counts_are_those_of_the_requests() {
    let engine = engine(qwen().context_length(512));
    let chat = greedy("How long is this? <|im_end|>", 1);
    let counted = tokens(&engine, &TokenizeRequest::chat("m", chat.messages.clone())).len();
    assert_eq!(engine.chat().create(&chat).unwrap().usage.prompt_tokens as usize, counted);
    let mut with_tools = TokenizeRequest::chat("m", [ChatCompletionMessage::user("Hi")]);
    let without = tokens(&engine, &with_tools).len();
    with_tools.tools = Some(serde_json::from_value(json!([{"type": "function", "function": {"name": "f"}}])).unwrap());
    assert!(tokens(&engine, &with_tools).len() > without + 10);

    for (file, start) in [("tiny/tiny-spm.gguf", 1), ("tiny/tiny-llama.gguf", 0)] {
        let engine = common::engine(ModelOptions::new(model(file)).threads(1));
        let request = TokenizeRequest::new("m", "the hen");
        let all = tokens(&engine, &request);
        let bare = tokens(&engine, &request.clone().add_special_tokens(false));
        assert_eq!(all[start..], bare);
        let completion = CreateCompletionRequest::new("m", "the hen").max_tokens(0);
        let used = engine.completions().create(&completion).unwrap();
        assert_eq!(used.usage().unwrap().prompt_tokens as usize, all.len());
    }
    let minilm = common::engine(ModelOptions::new(model("all-minilm-l6-v2-f16.gguf")));
    let request = TokenizeRequest::new("m", "hello world [SEP]");
    let all = tokens(&minilm, &request);
    assert_eq!((all[0], all.last()), (101, Some(&102)));
    let used = minilm.embeddings().create(&CreateEmbeddingRequest::new("m", "hello world [SEP]")).unwrap();
    assert_eq!(used.usage.prompt_tokens as usize, all.len());
    assert_eq!(tokens(&minilm, &request.add_special_tokens(false)), all[1..all.len() - 1]);
}

#[test]
fn what_is_wrong_is_named() {
    let engine = engine(tiny());
    let error = engine.detokenize(&DetokenizeRequest::new("m", [1, 5_000_000])).unwrap_err();
    assert_eq!((error.kind(), error.param()), (ErrorKind::InvalidRequest, Some("tokens[1]")));
    let error = engine.tokenize(&TokenizeRequest::new("m", "a".repeat((1 << 20) + 1))).unwrap_err();
    assert_eq!((error.kind(), error.param()), (ErrorKind::InvalidRequest, Some("prompt")));
    assert_eq!(engine.tokenize(&TokenizeRequest::new("none", "a")).unwrap_err().kind(), ErrorKind::NotFound);
    let post = |path: &str, body: &Value| {
        let response = engine.request(&Request::post(path).body(body.to_string()).unwrap()).unwrap();
        let status = response.status().as_u16();
        match response.into_body() {
            Body::Full(body) => (status, serde_json::from_slice::<Value>(&body).unwrap()),
            Body::Events(_) => panic!("no stream"),
        }
    };
    let bad = [
        ("/tokenize", json!({"model": "m"}), "prompt"),
        ("/tokenize", json!({"model": "m", "prompt": "a", "messages": []}), "messages"),
        ("/tokenize", json!({"model": "m", "messages": []}), "messages"),
        ("/tokenize", json!({"model": "m", "prompt": ["a"]}), "prompt"),
        ("/tokenize", json!({"model": "m", "prompt": "a", "tools": []}), "tools"),
        ("/tokenize", json!({"model": "m", "prompt": "a", "chat_template_kwargs": {}}), "chat_template_kwargs"),
        ("/tokenize", json!({"model": "m", "prompt": "a", "add_generation_prompt": true}), "add_generation_prompt"),
        ("/detokenize", json!({"model": "m"}), "tokens"),
        ("/detokenize", json!({"model": "m", "tokens": [-1]}), "tokens[0]"),
        ("/v1/detokenize", json!({"model": "m", "tokens": [1, 999_999]}), "tokens[1]"),
    ];
    for (path, body, param) in bad {
        let (status, reply) = post(path, &body);
        assert_eq!((status, &reply["error"]["param"]), (400, &json!(param)), "{body}: {reply}");
    }
    let (status, reply) = post("/tokenize", &json!({"model": "m", "prompt": "the", "return_token_strs": true}));
    assert_eq!((status, &reply["count"], &reply["token_strs"]), (200, &json!(1), &json!(["the"])));
    let (status, back) = post("/detokenize", &json!({"model": "m", "tokens": reply["tokens"]}));
    assert_eq!((status, back), (200, json!({"prompt": "the"})));
}
