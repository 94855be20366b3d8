//! The HTTP-shaped door: what the API answers, byte for byte.

mod common;

use std::task::Poll;
use std::time::{Duration, Instant};

use common::{ENDLESS, engine, greedy, roomy, tiny, wait_until};
use futures_executor::block_on;
use http::{Request, Response};
use serde_json::{Value, json};
use zerohop::{Body, Engine, ErrorKind};

fn post(engine: &Engine, path: &str, body: &Value) -> Response<Body> {
    engine.request(&Request::post(path).body(body.to_string()).unwrap()).unwrap()
}

fn get(engine: &Engine, path: &str) -> Response<Body> {
    engine.request(&Request::get(path).body("").unwrap()).unwrap()
}

fn full(response: Response<Body>) -> Value {
    match response.into_body() {
        Body::Full(body) => serde_json::from_slice(&body).unwrap(),
        Body::Events(_) => panic!("this is a stream"),
    }
}

fn events(response: Response<Body>) -> Vec<String> {
    match response.into_body() {
        Body::Events(events) => events.map(|event| String::from_utf8(event.unwrap()).unwrap()).collect(),
        Body::Full(body) => panic!("this is no stream: {}", String::from_utf8_lossy(&body)),
    }
}

fn chat_body(extra: &Value) -> Value {
    let mut body = json!({
        "model": "m", "temperature": 0, "max_completion_tokens": 4,
        "messages": [{"role": "user", "content": "Hello"}],
    });
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    body
}

#[test]
fn replies_carry_their_headers() {
    // T3, T4
    let engine = engine(tiny());
    let ok = post(&engine, "/v1/chat/completions", &chat_body(&json!({})));
    assert_eq!((ok.status().as_u16(), &ok.headers()["content-type"]), (200, &"application/json".parse().unwrap()));
    let failed = post(&engine, "/v1/chat/completions", &json!({}));
    let stream = post(&engine, "/v1/chat/completions", &chat_body(&json!({"stream": true})));
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let id = |response: &Response<Body>| response.headers()["x-request-id"].to_str().unwrap().to_owned();
    assert!([&ok, &failed, &stream].iter().all(|response| id(response).starts_with("req_")));
    assert_ne!(id(&ok), id(&failed));
    assert_eq!(failed.headers()["x-should-retry"], "false");
}

#[test]
fn events_are_framed_and_end_with_done() {
    // CS1
    let engine = engine(tiny());
    let events = events(post(&engine, "/v1/chat/completions", &chat_body(&json!({"stream": true}))));
    let (last, chunks) = events.split_last().unwrap();
    assert_eq!(last, "data: [DONE]\n\n");
    for chunk in chunks {
        let text = chunk.strip_prefix("data: ").and_then(|chunk| chunk.strip_suffix("\n\n")).unwrap();
        assert!(!text.contains('\n'));
        let chunk: Value = serde_json::from_str(text).unwrap();
        assert_eq!(chunk["object"], "chat.completion.chunk");
        assert!(chunk["choices"][0].as_object().unwrap().contains_key("finish_reason"));
        assert!(chunk.get("usage").is_none());
    }
}

#[test]
fn a_reply_has_exactly_the_documented_keys() {
    // CR1, CR5, CR8, CR13, CR14
    let reply = full(post(&engine(tiny()), "/v1/chat/completions", &chat_body(&json!({}))));
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&reply), ["id", "object", "created", "model", "choices", "usage", "system_fingerprint"]);
    assert_eq!(keys(&reply["choices"][0]), ["index", "message", "logprobs", "finish_reason"]);
    assert_eq!(keys(&reply["choices"][0]["message"]), ["role", "content", "refusal"]);
    assert!(reply["choices"][0]["message"]["refusal"].is_null());
    assert!(reply["choices"][0]["logprobs"].is_null());
    assert_eq!(reply["usage"]["prompt_tokens_details"]["cached_tokens"], 0);
    assert_eq!(reply["usage"]["completion_tokens_details"]["reasoning_tokens"], 0);
}

#[test]
fn failures_are_error_objects() {
    // ER1, ER3, ER4, CQ1, CQ19
    let engine = engine(tiny());
    for (body, status, param, code) in [
        (json!({"model": "m"}), 400, Some("messages"), None),
        (chat_body(&json!({"model": "gpt-5"})), 404, Some("model"), Some("model_not_found")),
        (chat_body(&json!({"temprature": 1})), 400, Some("temprature"), Some("unsupported_parameter")),
        (chat_body(&json!({"tools": [{"type": "function"}]})), 400, Some("tools[0].function"), None),
        (chat_body(&json!({"web_search_options": {}})), 400, Some("web_search_options"), Some("unsupported_parameter")),
        (chat_body(&json!({"max_completion_tokens": 5000})), 400, Some("messages"), Some("context_length_exceeded")),
        // CS11: a failure before the first byte is an ordinary reply.
        (chat_body(&json!({"stream": true, "top_p": 2})), 400, Some("top_p"), None),
    ] {
        let response = post(&engine, "/v1/chat/completions", &body);
        assert_eq!(response.status().as_u16(), status, "{body}");
        let reply = full(response);
        let error = reply["error"].as_object().unwrap();
        assert_eq!(error.keys().collect::<Vec<_>>(), ["message", "type", "param", "code"]);
        assert_eq!(error["type"], "invalid_request_error");
        assert_eq!((error["param"].as_str(), error["code"].as_str()), (param, code), "{body}");
    }
    let request = Request::post("/v1/chat/completions").body("{\"model\": ").unwrap();
    assert_eq!(engine.request(&request).unwrap().status(), 400);
}

#[test]
fn models_are_listed_and_retrieved() {
    // MO1, MO2, MO3
    let engine = Engine::builder().model("org/tiny:latest", tiny().alias("gpt-4o")).build().unwrap();
    let list = full(get(&engine, "/v1/models"));
    assert_eq!(list["object"], "list");
    let ids: Vec<_> = list["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["org/tiny:latest", "gpt-4o"]);
    assert!(list["data"][0]["created"].as_u64().unwrap() > 0);
    for path in ["/v1/models/org%2Ftiny:latest", "/v1/models/org/tiny:latest", "/models/org%2Ftiny%3Alatest"] {
        assert_eq!(full(get(&engine, path))["id"], "org/tiny:latest", "{path}");
    }
    let reply = full(post(&engine, "/v1/chat/completions", &chat_body(&json!({"model": "gpt-4o"}))));
    assert_eq!(reply["model"], "gpt-4o");
    let missing = get(&engine, "/v1/models/none");
    assert_eq!(missing.status(), 404);
    assert_eq!(full(missing)["error"]["code"], "model_not_found");
}

#[test]
fn paths_may_lack_the_version_or_have_slashes_to_spare() {
    // T1
    let engine = engine(tiny());
    for path in
        ["/v1/chat/completions", "/chat/completions", "/v1//chat/completions/", "http://host/v1/chat/completions"]
    {
        assert_eq!(post(&engine, path, &chat_body(&json!({}))).status(), 200, "{path}");
    }
    for response in [get(&engine, "/v1/embeddings"), get(&engine, "/v2/models"), get(&engine, "/")] {
        assert_eq!(response.status(), 404);
        assert_eq!(full(response)["error"]["code"], "unknown_url");
    }
}

#[test]
fn a_reply_can_be_waited_for_in_pieces() {
    let engine = engine(roomy().parallel(1));
    let running = engine.chat().create_stream(&greedy("Hello", ENDLESS)).unwrap();
    let body = chat_body(&json!({"max_completion_tokens": 1500})).to_string();
    let request = Request::post("/v1/chat/completions").body(body).unwrap();
    let mut pending = engine.submit(&request).unwrap();
    assert!(pending.wait_until(Instant::now()).is_pending());
    assert!(pending.wait_until(Instant::now() + Duration::from_millis(20)).is_pending());
    drop(running);
    let response = loop {
        if let Poll::Ready(response) = pending.wait_until(Instant::now() + Duration::from_millis(20)) {
            break response.unwrap();
        }
    };
    assert_eq!(full(response)["usage"]["completion_tokens"], 1500);
    assert_eq!(block_on(engine.submit(&request).unwrap()).unwrap().status(), 200);
}

#[test]
fn a_pending_reply_can_be_cancelled() {
    let engine = engine(roomy());
    let body = chat_body(&json!({"max_completion_tokens": ENDLESS})).to_string();
    let pending = engine.submit(&Request::post("/v1/chat/completions").body(body).unwrap()).unwrap();
    pending.cancel_handle().unwrap().cancel();
    assert_eq!(pending.wait().unwrap_err().kind(), ErrorKind::Cancelled);
}

#[test]
fn event_loops_leave_the_prompt_to_the_engine() {
    let engine = engine(tiny());
    let request = |body: String| Request::post("/v1/chat/completions").body(body).unwrap();
    let body = chat_body(&json!({})).to_string();
    let pending = engine.submit_async(request(body.clone())).unwrap();
    let reply = full(block_on(pending).unwrap());
    assert_eq!(reply["usage"], full(engine.request(&request(body.clone())).unwrap())["usage"]);
    assert_eq!(full(engine.submit_async(request(body.clone())).unwrap().wait().unwrap())["usage"], reply["usage"]);
    let refused = engine.submit_async(request("{}".to_owned())).unwrap();
    assert_eq!(block_on(refused).unwrap().status(), 400);
    let streamed = engine.submit_async(request(chat_body(&json!({"stream": true})).to_string())).unwrap();
    assert_eq!(events(block_on(streamed).unwrap()).last().unwrap(), "data: [DONE]\n\n");
    engine.close();
    assert_eq!(engine.submit_async(request(body)).unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn a_dropped_reply_frees_its_place_while_its_prompt_is_prepared() {
    // CS12
    let engine = engine(roomy().parallel(1).queue(1));
    let endless = chat_body(&json!({"max_completion_tokens": ENDLESS})).to_string();
    for _ in 0..50 {
        drop(engine.submit_async(Request::post("/v1/chat/completions").body(endless.clone()).unwrap()).unwrap());
    }
    wait_until("the dropped requests still hold their places", || {
        post(&engine, "/v1/chat/completions", &chat_body(&json!({}))).status() == 200
    });
}

#[test]
fn a_stream_that_loses_its_engine_ends_with_an_error() {
    let engine = engine(roomy());
    let body = chat_body(&json!({"stream": true, "max_completion_tokens": ENDLESS}));
    let Body::Events(mut events) = post(&engine, "/v1/chat/completions", &body).into_body() else { panic!() };
    assert!(events.next().unwrap().is_ok());
    engine.close();
    let error = events.find_map(Result::err).expect("the stream ends with an error");
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert!(events.next().is_none());
    let request = Request::get("/v1/models").body("").unwrap();
    assert_eq!(engine.request(&request).unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn other_peoples_types_work() {
    use async_openai::types::chat::{
        ChatCompletionRequestUserMessageArgs, CreateChatCompletionRequestArgs, CreateChatCompletionResponse,
        CreateChatCompletionStreamResponse,
    };

    let engine = engine(tiny());
    let message = ChatCompletionRequestUserMessageArgs::default().content("Hello").build().unwrap();
    let mut request = CreateChatCompletionRequestArgs::default();
    request.model("m").messages([message.into()]).temperature(0.0).max_completion_tokens(6u32);
    let ours = engine.chat().create(&greedy("Hello", 6)).unwrap();

    let reply: CreateChatCompletionResponse = engine.call("/v1/chat/completions", &request.build().unwrap()).unwrap();
    assert_eq!(reply.choices[0].message.content.as_deref(), ours.text());

    let streamed = request.stream(true).build().unwrap();
    let chunks = engine.call_stream::<CreateChatCompletionStreamResponse>("/v1/chat/completions", &streamed).unwrap();
    let text: String = chunks.filter_map(|chunk| chunk.unwrap().choices[0].delta.content.clone()).collect();
    assert_eq!(Some(text.as_str()), ours.text());

    let error = engine.call::<Value>("/v1/chat/completions", &json!({"model": "m"})).unwrap_err();
    assert_eq!((error.status(), error.param()), (Some(400), Some("messages")));
    assert!(engine.call::<Value>("/v1/chat/completions", &streamed).is_err());
}
