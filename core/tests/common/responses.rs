//! Calls of the Responses API through the door.

use http::{Method, Request};
use serde_json::{Value, json};
use zerohop::{Body, Engine, ModelOptions};

use super::{model, tiny};

pub fn call(engine: &Engine, method: Method, path: &str, body: &Value) -> (u16, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let request = Request::builder().method(method).uri(path).body(body).unwrap();
    let response = engine.request(&request).unwrap();
    let status = response.status().as_u16();
    match response.into_body() {
        Body::Full(body) => (status, serde_json::from_slice(&body).unwrap()),
        Body::Events(_) => panic!("this is a stream"),
    }
}

pub fn post(engine: &Engine, path: &str, body: &Value) -> (u16, Value) {
    call(engine, Method::POST, path, body)
}

pub fn get(engine: &Engine, path: &str) -> (u16, Value) {
    call(engine, Method::GET, path, &Value::Null)
}

pub fn body(extra: &Value) -> Value {
    let mut body = json!({"model": "m", "temperature": 0, "max_output_tokens": 4, "input": "Hello"});
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    body
}

/// Noise, in the form of a family that knows tools, or one that may think.
pub fn templated(name: &str) -> ModelOptions {
    let template = std::fs::read_to_string(model(&format!("templates/{name}.jinja"))).unwrap();
    tiny().chat_template(template).context_length(16384)
}

pub fn weather() -> Value {
    json!({
        "type": "function", "name": "get_weather", "description": "Tells the weather of a city.", "strict": true,
        "parameters": {
            "type": "object", "properties": {"city": {"type": "string", "enum": ["Oslo", "Rome"]}},
            "required": ["city"], "additionalProperties": false,
        },
    })
}

/// A response without what two answers to one request differ in.
pub fn comparable(mut response: Value) -> Value {
    for key in ["id", "created_at", "completed_at"] {
        response[key] = Value::Null;
    }
    // What the request before may have changed.
    if let Some(details) = response.pointer_mut("/usage/input_tokens_details") {
        details["cached_tokens"] = Value::Null;
    }
    for item in response["output"].as_array_mut().unwrap() {
        item["id"] = Value::Null;
        if item.get("call_id").is_some() {
            item["call_id"] = Value::Null;
        }
    }
    response
}
