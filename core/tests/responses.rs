//! The Responses API: whole, in events, and kept for later.

mod common;

use std::thread;

use common::responses::{body, comparable, get, post, templated, weather};
use common::{engine, prompt, tiny};
use futures_executor::block_on;
use futures_util::TryStreamExt;
use http::{Request, Response};
use serde_json::{Value, json};
use zerohop::types::responses::{
    CreateResponse, Includable, InputItem, InputMessage, ResponseStatus, ResponseStreamEvent, Truncation,
};
use zerohop::{Body, Engine, ErrorKind};

/// The events of a streamed request: each one's name and data.
fn stream(engine: &Engine, extra: &Value) -> Vec<(String, Value)> {
    let mut body = body(extra);
    body["stream"] = json!(true);
    let response: Response<Body> =
        engine.request(&Request::post("/v1/responses").body(body.to_string()).unwrap()).unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let Body::Events(events) = response.into_body() else { panic!("this is no stream") };
    let event = |frame: Vec<u8>| {
        let text = String::from_utf8(frame).unwrap();
        let (name, data) = text.strip_prefix("event: ").and_then(|text| text.split_once("\ndata: ")).unwrap();
        (name.to_owned(), serde_json::from_str(data.strip_suffix("\n\n").unwrap()).unwrap())
    };
    events.map(|frame| event(frame.unwrap())).collect()
}

/// Checks a stream's form (RE7 to RE10) and gives the whole response.
fn check_stream(events: &[(String, Value)]) -> Value {
    for (index, (name, event)) in events.iter().enumerate() {
        // RE7, RE10
        assert_eq!((event["sequence_number"].as_u64(), &event["type"]), (Some(index as u64), &json!(name)));
        assert!(serde_json::from_value::<ResponseStreamEvent>(event.clone()).is_ok(), "{event}");
    }
    assert_eq!((events[0].0.as_str(), events[1].0.as_str()), ("response.created", "response.in_progress"));
    let (last, response) = (&events[events.len() - 1].0, events[events.len() - 1].1["response"].clone());
    assert_eq!(*last, format!("response.{}", response["status"].as_str().unwrap()));
    // RE8, RE9
    let mut inner = events[2..events.len() - 1].iter().map(|(name, event)| (name.as_str(), event)).peekable();
    for (index, item) in response["output"].as_array().unwrap().iter().enumerate() {
        let mut next = || {
            let (name, event) = inner.next().unwrap();
            assert_eq!(event["output_index"], index);
            (name, event)
        };
        let (name, added) = next();
        assert_eq!((name, &added["item"]["status"]), ("response.output_item.added", &json!("in_progress")));
        let (kind, key, whole) = match item["type"].as_str().unwrap() {
            "message" => ("output_text", "text", item["content"][0]["text"].clone()),
            "reasoning" => ("reasoning_text", "text", item["content"][0]["text"].clone()),
            "function_call" => ("function_call_arguments", "arguments", item["arguments"].clone()),
            _ => ("custom_tool_call_input", "input", item["input"].clone()),
        };
        let has_part = key == "text";
        if has_part {
            let (name, event) = next();
            assert_eq!((name, &event["part"]["text"]), ("response.content_part.added", &json!("")));
        }
        let mut text = String::new();
        let done = loop {
            let (name, event) = next();
            assert_eq!(event["item_id"], item["id"]);
            if name != format!("response.{kind}.delta") {
                break (name, event);
            }
            text.push_str(event["delta"].as_str().unwrap());
            assert_eq!(event.get("logprobs").is_some_and(Value::is_array), kind == "output_text");
        };
        assert_eq!((done.0, &done.1[key]), (format!("response.{kind}.done").as_str(), &whole));
        assert_eq!(text, whole);
        if has_part {
            assert_eq!(next().0, "response.content_part.done");
        }
        let (name, event) = next();
        assert_eq!((name, &event["item"]), ("response.output_item.done", item));
    }
    assert!(inner.next().is_none());
    response
}

#[test]
fn a_response_has_exactly_the_documented_keys() {
    // RE1, RE3, RE4, RE5
    let engine = engine(tiny());
    let (status, reply) = post(&engine, "/v1/responses", &body(&json!({"instructions": "Be brief."})));
    assert_eq!(status, 200, "{reply}");
    let mut keys: Vec<&str> = reply.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    let expected = [
        "background",
        "completed_at",
        "created_at",
        "error",
        "id",
        "incomplete_details",
        "instructions",
        "max_output_tokens",
        "max_tool_calls",
        "metadata",
        "model",
        "object",
        "output",
        "parallel_tool_calls",
        "previous_response_id",
        "reasoning",
        "status",
        "store",
        "temperature",
        "text",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "truncation",
        "usage",
    ];
    assert_eq!(keys, expected);
    assert!(reply["id"].as_str().unwrap().starts_with("resp_"));
    assert_eq!(reply["status"], "incomplete");
    assert_eq!(reply["incomplete_details"], json!({"reason": "max_output_tokens"}));
    assert_eq!(reply["text"], json!({"format": {"type": "text"}, "verbosity": "medium"}));
    assert_eq!((&reply["tool_choice"], &reply["tools"]), (&json!("auto"), &json!([])));
    assert_eq!((&reply["instructions"], &reply["metadata"]), (&json!("Be brief."), &json!({})));
    let usage = &reply["usage"];
    let input = usage["input_tokens"].as_u64().unwrap();
    assert!(input > 4);
    let expected = json!({
        "input_tokens": input, "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 4, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": input + 4,
    });
    assert_eq!(*usage, expected);
    let [message] = &reply["output"].as_array().unwrap()[..] else { panic!("{reply}") };
    assert!(message["id"].as_str().unwrap().starts_with("msg_"));
    let text = &message["content"][0]["text"];
    let content = json!([{"type": "output_text", "text": text, "annotations": []}]);
    let expected = json!({
        "type": "message", "id": message["id"], "role": "assistant", "status": "incomplete", "content": content,
    });
    assert_eq!(*message, expected);
}

#[test]
fn a_stream_equals_the_whole() {
    // RE5, RE7, RE8, RE9, RE10
    let plain = engine(tiny());
    let tools = engine(templated("Qwen-Qwen2.5-7B-Instruct"));
    let thinking = engine(templated("Qwen3.5-4B"));
    let custom = json!({"type": "custom", "name": "dial", "format": {
        "type": "grammar", "syntax": "regex", "definition": "[0-9]{3}",
    }});
    let schema = json!({"type": "object", "properties": {"a": {"enum": [1, 2]}}, "required": ["a"],
        "additionalProperties": false});
    let format = json!({"format": {"type": "json_schema", "name": "s", "schema": schema, "strict": true}});
    let cases = [
        (&plain, json!({"max_output_tokens": 24}), "message"),
        (&plain, json!({"include": ["message.output_text.logprobs"], "top_logprobs": 2}), "message"),
        (&plain, json!({"text": format, "max_output_tokens": 200}), "message"),
        (&tools, json!({"tools": [weather()], "tool_choice": "required", "max_output_tokens": 300}), "function_call"),
        (
            &tools,
            json!({"tools": [weather(), custom], "tool_choice": {"type": "custom", "name": "dial"},
            "max_output_tokens": 300}),
            "custom_tool_call",
        ),
        (&thinking, json!({"max_output_tokens": 24, "chat_template_kwargs": {"enable_thinking": true}}), "reasoning"),
    ];
    for (engine, extra, kind) in cases {
        let response = check_stream(&stream(engine, &extra));
        let (status, whole) = post(engine, "/v1/responses", &body(&extra));
        assert_eq!(status, 200, "{whole}");
        assert_eq!(comparable(response.clone()), comparable(whole), "{extra}");
        assert_eq!(response["output"].as_array().unwrap().last().unwrap()["type"], kind, "{response}");
    }
}

#[test]
fn a_call_that_is_cut_is_incomplete() {
    // RE3, RE9, RE10
    let tools = engine(templated("Qwen-Qwen2.5-7B-Instruct"));
    let mut cut = 0;
    for limit in (20..100).step_by(8) {
        let extra = json!({"tools": [weather()], "tool_choice": "required", "max_output_tokens": limit});
        let response = check_stream(&stream(&tools, &extra));
        let last = response["output"].as_array().unwrap().last().unwrap();
        if response["status"] == "incomplete" && last["type"] == "function_call" {
            assert_eq!(last["status"], "incomplete");
            cut += 1;
        }
        assert_eq!(comparable(response), comparable(post(&tools, "/v1/responses", &body(&extra)).1));
    }
    assert!(cut > 0);
}

#[test]
fn probabilities_are_told_when_they_are_asked_for() {
    // RE1, RE8
    let engine = engine(tiny());
    let request =
        CreateResponse::new("m", "Hi").temperature(0.0).max_output_tokens(5).include([Includable::OutputTextLogprobs]);
    let reply = serde_json::to_value(engine.responses().create(&request).unwrap()).unwrap();
    let logprobs = reply["output"][0]["content"][0]["logprobs"].as_array().unwrap();
    assert_eq!(logprobs.len(), 5);
    assert!(logprobs.iter().all(|entry| entry["logprob"].is_number() && entry["top_logprobs"] == json!([])));
    let bytes: Vec<u8> = logprobs
        .iter()
        .flat_map(|e| e["bytes"].as_array().unwrap())
        .map(|b| b.as_u64().unwrap().try_into().unwrap())
        .collect();
    assert_eq!(String::from_utf8_lossy(&bytes), reply["output"][0]["content"][0]["text"].as_str().unwrap());
}

#[test]
#[expect(clippy::too_many_lines, reason = "a list of cases")]
fn a_bad_request_names_the_parameter_in_its_own_terms() {
    // RE1, RE2, RE6
    let engine = engine(templated("Qwen-Qwen2.5-7B-Instruct"));
    let call = json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"});
    let output = json!({"type": "function_call_output", "call_id": "c", "output": "1"});
    let tool = |extra: Value| {
        let mut tool = json!({"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}});
        tool.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        json!({"tools": [tool]})
    };
    let cases = [
        (json!({"input": null}), "input"),
        (json!({"input": []}), "input"),
        (json!({"input": 3}), "input"),
        (json!({"input": [output]}), "input[0].call_id"),
        (json!({"input": [call, output, output]}), "input[2].call_id"),
        (json!({"input": [call]}), "input[0]"),
        (json!({"input": ["a"]}), "input[0]"),
        (json!({"input": [{"role": "tool", "content": "a"}]}), "input[0].role"),
        (json!({"input": [{"role": "user"}]}), "input[0].content"),
        (json!({"input": [{"role": "user", "content": []}]}), "input[0].content"),
        (json!({"input": [{"role": "user", "content": "a", "call_id": "b"}]}), "input[0].call_id"),
        (
            json!({"input": [{"role": "user", "content": [{"type": "output_text", "text": "a"}]}]}),
            "input[0].content[0].type",
        ),
        (json!({"input": [{"role": "user", "content": [{"type": "text", "text": "a"}]}]}), "input[0].content[0].type"),
        (
            json!({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "a"}]}]}),
            "input[0].content[0]",
        ),
        (
            json!({"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "a"}]}]}),
            "input[0].content[0]",
        ),
        (json!({"input": [{"type": "web_search_call", "id": "a"}]}), "input[0].type"),
        (json!({"input": [{"type": "reasoning", "id": "a", "summary": [], "content": "b"}]}), "input[0]"),
        (
            json!({"input": [{"type": "function_call", "call_id": "", "name": "f", "arguments": ""}, {"type": "function_call_output", "call_id": "", "output": ""}]}),
            "input[0].call_id",
        ),
        (
            json!({"input": [{"type": "function_call", "call_id": "c", "name": "f g", "arguments": ""}, output]}),
            "input[0].name",
        ),
        (json!({"max_output_tokens": 0}), "max_output_tokens"),
        (json!({"max_tokens": 1}), "max_tokens"),
        (json!({"temperature": 3}), "temperature"),
        (json!({"top_logprobs": 21}), "top_logprobs"),
        (json!({"include": ["all"]}), "include[0]"),
        (json!({"messages": []}), "messages"),
        (json!({"background": true}), "background"),
        (json!({"conversation": "conv_1"}), "conversation"),
        (json!({"prompt": {"id": "p"}}), "prompt"),
        (json!({"reasoning": {"effort": "big"}}), "reasoning.effort"),
        (json!({"reasoning": {"summary": "detailed"}}), "reasoning.summary"),
        (json!({"text": {"verbosity": "low"}}), "text.verbosity"),
        (json!({"text": {"format": {"type": "xml"}}}), "text.format.type"),
        (json!({"text": {"format": {"type": "json_schema", "schema": {}}}}), "text.format.name"),
        (json!({"text": {"format": {"type": "json_schema", "name": "a"}}}), "text.format.schema"),
        (json!({"text": {"format": {"type": "json_schema", "name": "a b", "schema": {}}}}), "text.format.name"),
        (
            json!({"text": {"format": {"type": "json_schema", "name": "a", "schema": {"not": {}}}}}),
            "text.format.schema",
        ),
        (
            json!({"text": {"format": {"type": "json_schema", "name": "a", "schema": {"type": "object"}, "strict": true}}}),
            "text.format.schema",
        ),
        (json!({"tools": [{"type": "web_search"}]}), "tools[0].type"),
        (json!({"tools": [{"type": "function"}]}), "tools[0].name"),
        (json!({"tools": [{"type": "function", "function": {"name": "f"}}]}), "tools[0].function"),
        (tool(json!({"name": "f g"})), "tools[0].name"),
        (tool(json!({"defer_loading": true})), "tools[0].defer_loading"),
        (
            tool(json!({"strict": true, "parameters": {"type": "object", "properties": {"a": {"type": "string"}}}})),
            "tools[0].parameters",
        ),
        (
            json!({"tools": [{"type": "custom", "name": "a", "format": {"type": "grammar", "syntax": "regex", "definition": "("}}]}),
            "tools[0].format.definition",
        ),
        (json!({"tool_choice": "required"}), "tool_choice"),
        (json!({"tool_choice": {"type": "function", "name": "f"}}), "tool_choice"),
        (json!({"tool_choice": {"type": "web_search_preview"}}), "tool_choice.type"),
        (json!({"truncation": "maybe"}), "truncation"),
        (json!({"metadata": {"a": 1}}), "metadata.a"),
        (json!({"stream_options": {}}), "stream_options"),
        (json!({"max_output_tokens": 1_000_000}), "input"),
    ];
    for (extra, param) in cases {
        let (status, error) = post(&engine, "/v1/responses", &body(&extra));
        assert_eq!((status, &error["error"]["param"]), (400, &json!(param)), "{extra}: {error}");
        let message = error["error"]["message"].as_str().unwrap();
        assert!(!message.contains("'messages") && !message.contains("response_format"), "{message}");
    }
    let (status, error) = post(&engine, "/v1/responses", &body(&json!({"model": "other"})));
    assert_eq!((status, &error["error"]["code"]), (404, &json!("model_not_found")));
    // What says nothing is accepted.
    let neutral = json!({
        "background": false, "conversation": null, "tools": [], "tool_choice": "auto", "parallel_tool_calls": true,
        "include": ["reasoning.encrypted_content"], "reasoning": {"effort": null, "summary": "auto"}, "user": "u",
        "truncation": "disabled", "service_tier": "auto", "text": {}, "metadata": null, "store": null,
    });
    assert_eq!(post(&engine, "/v1/responses", &body(&neutral)).0, 200);
}

#[test]
fn earlier_items_are_named_by_the_response_they_come_from() {
    // RE6, RE11
    let engine = engine(templated("Qwen-Qwen2.5-7B-Instruct"));
    let tools = json!({
        "tools": [weather()], "tool_choice": "required", "max_output_tokens": 300, "parallel_tool_calls": false,
    });
    let (_, first) = post(&engine, "/v1/responses", &body(&tools));
    let id = first["id"].as_str().unwrap();
    // Its call has no answer.
    let (status, error) = post(&engine, "/v1/responses", &body(&json!({"previous_response_id": id})));
    assert_eq!((status, &error["error"]["param"]), (400, &json!("previous_response_id")), "{error}");
    let output = json!([{
        "type": "function_call_output", "call_id": first["output"][0]["call_id"],
        "output": [{"type": "input_text", "text": "sunny"}],
    }]);
    let (status, second) = post(&engine, "/v1/responses", &body(&json!({"previous_response_id": id, "input": output})));
    assert_eq!(status, 200, "{second}");
    let path = format!("/v1/responses/{}/input_items?order=asc", second["id"].as_str().unwrap());
    let kinds: Vec<Value> =
        get(&engine, &path).1["data"].as_array().unwrap().iter().map(|i| i["type"].clone()).collect();
    assert_eq!(kinds, ["message", "function_call", "function_call_output"]);
}

#[test]
fn input_is_counted_as_it_is_read() {
    // RE1, RE4
    let engine = engine(templated("Qwen-Qwen2.5-7B-Instruct"));
    for extra in [json!({}), json!({"instructions": "Rhyme.", "tools": [weather()]})] {
        let (_, reply) = post(&engine, "/v1/responses", &body(&extra));
        let (status, count) = post(&engine, "/v1/responses/input_tokens", &body(&extra));
        assert_eq!(status, 200);
        let expected = json!({"object": "response.input_tokens", "input_tokens": reply["usage"]["input_tokens"]});
        assert_eq!(count, expected);
    }
    let (status, count) = post(&engine, "/v1/responses/input_tokens", &json!({"input": "Hello"}));
    assert_eq!((status, &count["object"]), (200, &json!("response.input_tokens")));
    assert_eq!(post(&engine, "/v1/responses/input_tokens", &json!({})).0, 400);
}

#[test]
fn old_turns_make_room_if_they_may() {
    // RE1
    let engine = engine(tiny().context_length(512));
    let turn = |index| InputItem::from(InputMessage::user(prompt(index, 60)));
    let request =
        CreateResponse::new("m", (0..12).map(turn).collect::<Vec<_>>()).instructions("Rhyme.").temperature(0.0);
    let request = request.max_output_tokens(20);
    let error = engine.responses().create(&request).unwrap_err();
    assert_eq!((error.param(), error.code()), (Some("input"), Some("context_length_exceeded")));
    let shortened = engine.responses().create(&request.clone().truncation(Truncation::Auto)).unwrap();
    let used = shortened.usage.unwrap();
    // No more than needed is left out.
    assert!(used.input_tokens + 20 <= 512 && used.input_tokens > 300, "{used:?}");
    // One turn that is too long stays too long.
    let long = CreateResponse::new("m", prompt(1, 2000)).truncation(Truncation::Auto);
    assert_eq!(engine.responses().create(&long).unwrap_err().code(), Some("context_length_exceeded"));
}

#[test]
fn typed_calls_and_async_streams_give_the_same() {
    // RE3, RE7
    let engine = engine(tiny());
    let request = CreateResponse::new("m", [InputMessage::system("Rhyme."), InputMessage::user("Hi")]);
    let request = request.temperature(0.0).max_output_tokens(6);
    let whole = engine.responses().create(&request).unwrap();
    assert_eq!(whole.status, ResponseStatus::Incomplete);
    let text: String = engine
        .responses()
        .create_stream(&request)
        .unwrap()
        .map(|e| e.unwrap().text().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(text, whole.output_text());
    let stream = engine.responses().create_stream(&request).unwrap().into_stream();
    let events: Vec<ResponseStreamEvent> = block_on(stream.try_collect()).unwrap();
    let last = events.last().unwrap().response().unwrap();
    assert_eq!(last.output_text(), text);
    assert_eq!(engine.responses().retrieve(&last.id).unwrap(), *last);
    // Anybody's types, and the engine's own threads.
    let event: Value =
        engine.call_stream("/v1/responses", &body(&json!({"stream": true}))).unwrap().last().unwrap().unwrap();
    assert_eq!(event["type"], "response.incomplete");
    let request = Request::post("/v1/responses").body(body(&json!({})).to_string()).unwrap();
    let response = block_on(engine.submit_async(request).unwrap()).unwrap();
    assert_eq!(response.status(), 200);
    engine.close();
    assert_eq!(engine.responses().retrieve(&last.id).unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(engine.responses().create(&CreateResponse::new("m", "a")).unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn other_crates_types_fit() {
    // RE3, RE7
    use async_openai::types::responses as theirs;
    let engine = engine(tiny());
    let request = theirs::CreateResponseArgs::default().model("m").input("Hi").max_output_tokens(4u32).build().unwrap();
    let reply: theirs::Response = engine.call("/v1/responses", &request).unwrap();
    assert_eq!(reply.status, theirs::Status::Incomplete);
    let request = theirs::CreateResponseArgs::default()
        .model("m")
        .input("Hi")
        .max_output_tokens(4u32)
        .stream(true)
        .build()
        .unwrap();
    let events: Vec<theirs::ResponseStreamEvent> =
        engine.call_stream("/v1/responses", &request).unwrap().collect::<zerohop::Result<_>>().unwrap();
    assert!(matches!(events.first(), Some(theirs::ResponseStreamEvent::ResponseCreated(_))));
    assert!(matches!(events.last(), Some(theirs::ResponseStreamEvent::ResponseIncomplete(_))));
}

#[test]
fn a_dropped_or_cancelled_response_frees_its_place() {
    // RE10
    let engine = engine(tiny().queue(8).parallel(1).context_length(200_000));
    let endless = CreateResponse::new("m", "Hi").temperature(0.0);
    for _ in 0..10 {
        let mut stream = engine.responses().create_stream(&endless).unwrap();
        let id = match stream.next().unwrap().unwrap() {
            ResponseStreamEvent::Created(event) => event.response.id,
            other => panic!("{other:?}"),
        };
        assert!(stream.any(|event| event.unwrap().text().is_some()));
        stream.cancel_handle().cancel();
        let error = stream.find_map(Result::err).unwrap();
        assert_eq!(error.kind(), ErrorKind::Cancelled);
        // Nothing of it is kept.
        assert_eq!(engine.responses().retrieve(&id).unwrap_err().kind(), ErrorKind::NotFound);
        drop(engine.responses().create_stream(&endless).unwrap());
        let body = body(&json!({"max_output_tokens": null})).to_string();
        let pending = engine.submit(&Request::post("/v1/responses").body(body).unwrap()).unwrap();
        pending.cancel_handle().unwrap().cancel();
        assert_eq!(pending.wait().unwrap_err().kind(), ErrorKind::Cancelled);
    }
    // A place is free as soon as the scheduler has seen it.
    let small = CreateResponse::new("m", "Hi").max_output_tokens(1);
    let mut tries = 0;
    while let Err(error) = engine.responses().create(&small) {
        assert_eq!(error.kind(), ErrorKind::RateLimit);
        tries += 1;
        assert!(tries < 1000);
        thread::sleep(std::time::Duration::from_millis(10));
    }
}
