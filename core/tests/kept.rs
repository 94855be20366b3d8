//! Responses and chat completions that are kept for later, and conversations that go on from them.

mod common;

use std::collections::BTreeMap;
use std::thread;

use common::responses::{body, call, comparable, get, post};
use common::{engine, greedy, qwen, tiny};
use http::Method;
use serde_json::{Value, json};
use zerohop::ErrorKind;
use zerohop::types::responses::{CreateResponse, InputItem, InputMessage, OutputItem, ResponseStatus};
use zerohop::types::{
    FunctionDefinition, JsonSchema, ListChatCompletions, ListOrder, PageParams, ResponseFormat, ToolChoice, ToolName,
};

#[test]
fn a_conversation_goes_on_from_a_stored_response() {
    // RE11: as if all items were given again, but without the instructions
    let engine = engine(tiny());
    let (_, first) = post(&engine, "/v1/responses", &body(&json!({"instructions": "Rhyme."})));
    let id = first["id"].as_str().unwrap();
    let (_, second) = post(&engine, "/v1/responses", &body(&json!({"input": "More", "previous_response_id": id})));
    let mut items = vec![json!({"role": "user", "content": "Hello"})];
    items.extend(first["output"].as_array().unwrap().clone());
    items.push(json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": "More"}]}));
    let (_, again) = post(&engine, "/v1/responses", &body(&json!({"input": items})));
    assert_eq!(second["usage"], again["usage"]);
    assert_eq!(comparable(second.clone())["output"], comparable(again)["output"]);
    assert_eq!((&second["previous_response_id"], &second["instructions"]), (&json!(id), &Value::Null));

    // The items by reference are the same again.
    let message = first["output"][0]["id"].as_str().unwrap();
    let referring = json!([items[0], {"type": "item_reference", "id": message}, items[2]]);
    let (_, referring) = post(&engine, "/v1/responses", &body(&json!({"input": referring})));
    assert_eq!(referring["usage"], second["usage"]);

    // Deleting the first leaves the second whole.
    let (status, deleted) = call(&engine, Method::DELETE, &format!("/v1/responses/{id}"), &Value::Null);
    assert_eq!((status, deleted), (200, json!({"id": id, "object": "response", "deleted": true})));
    assert_eq!(get(&engine, &format!("/v1/responses/{id}")).0, 404);
    let second_id = second["id"].as_str().unwrap();
    assert_eq!(get(&engine, &format!("/v1/responses/{second_id}")), (200, second.clone()));
    let (_, third) = post(&engine, "/v1/responses", &body(&json!({"input": "!", "previous_response_id": second_id})));
    assert!(third["usage"]["input_tokens"].as_u64() > second["usage"]["input_tokens"].as_u64());

    let (_, list) = get(&engine, &format!("/v1/responses/{second_id}/input_items?order=asc"));
    let data = list["data"].as_array().unwrap();
    let texts: Vec<&Value> = data.iter().map(|item| &item["content"][0]["text"]).collect();
    assert_eq!(texts, [&json!("Hello"), &first["output"][0]["content"][0]["text"], &json!("More")]);
    assert!(data.iter().all(|item| item["id"].as_str().unwrap().starts_with("msg_") && item["type"] == "message"));
    assert_eq!((&list["first_id"], &list["has_more"]), (&data[0]["id"], &json!(false)));
    let after = data[0]["id"].as_str().unwrap();
    let (_, page) = get(
        &engine,
        &format!(
            "/v1/responses/{second_id}/input_items?order=asc&limit=1&after={after}&include[]=reasoning.encrypted_content"
        ),
    );
    assert_eq!((&page["data"], &page["has_more"]), (&json!([data[1]]), &json!(true)));
    // The newest come first by default.
    let (_, list) = get(&engine, &format!("/v1/responses/{second_id}/input_items?limit=1"));
    assert_eq!(list["data"][0], data[2]);
}

#[test]
fn what_is_not_kept_cannot_be_found() {
    // RE11
    let engine = engine(tiny());
    let (_, reply) = post(&engine, "/v1/responses", &body(&json!({"store": false})));
    assert_eq!(reply["store"], false);
    let id = reply["id"].as_str().unwrap();
    for id in [id, "resp_unknown", "%00", "chatcmpl-1"] {
        for (method, path) in [
            (Method::GET, String::new()),
            (Method::DELETE, String::new()),
            (Method::POST, "/cancel".to_owned()),
            (Method::GET, "/input_items".to_owned()),
        ] {
            let (status, error) = call(&engine, method, &format!("/v1/responses/{id}{path}"), &Value::Null);
            assert_eq!((status, &error["error"]["type"]), (404, &json!("invalid_request_error")), "{error}");
        }
        let (status, error) = post(&engine, "/v1/responses", &body(&json!({"previous_response_id": id})));
        assert_eq!((status, &error["error"]["param"]), (404, &json!("previous_response_id")));
        assert_eq!(error["error"]["code"], "previous_response_not_found");
        let (status, error) = post(&engine, "/v1/responses", &body(&json!({"input": [{"id": id}]})));
        assert_eq!((status, &error["error"]["param"]), (404, &json!("input[0].id")));
    }
    let (_, kept) = post(&engine, "/v1/responses", &body(&json!({})));
    let path = format!("/v1/responses/{}/cancel", kept["id"].as_str().unwrap());
    let (status, error) = post(&engine, &path, &Value::Null);
    assert_eq!((status, &error["error"]["message"]), (400, &json!("Cannot cancel a synchronous response.")));
    // A stored completion is no response.
    let request = greedy("Hi", 2).store(true);
    let completion = engine.chat().create(&request).unwrap().id;
    assert_eq!(get(&engine, &format!("/v1/responses/{completion}")).0, 404);
}

#[test]
fn many_conversations_at_once_stay_apart() {
    // RE11
    let engine = engine(tiny().context_length(16384));
    thread::scope(|scope| {
        for caller in 0..8 {
            let engine = &engine;
            scope.spawn(move || {
                let mut previous: Option<zerohop::types::responses::Response> = None;
                for round in 0..4 {
                    let text = format!("{caller} {round}");
                    let mut request = CreateResponse::new("m", text).max_output_tokens(3);
                    if let Some(previous) = &previous {
                        request = request.previous_response_id(previous.id.as_str());
                    }
                    let response = engine.responses().create(&request).unwrap();
                    let page = PageParams::default().order(ListOrder::Asc);
                    let items = engine.responses().input_items(&response.id, &page).unwrap().data;
                    assert_eq!(items.len(), 2 * round + 1);
                    let items = serde_json::to_value(items).unwrap();
                    for (index, item) in items.as_array().unwrap().iter().step_by(2).enumerate() {
                        assert_eq!(item["content"][0]["text"], format!("{caller} {index}"));
                    }
                    previous = Some(response);
                }
            });
        }
    });
}

#[test]
fn stored_chat_completions_are_kept_and_found() {
    // CQ17
    let engine = engine(tiny());
    let chat = |extra: Value| {
        let mut body = json!({
            "model": "m", "max_completion_tokens": 3, "temperature": 0, "n": 2,
            "messages": [{"role": "system", "content": "Rhyme."},
                {"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
        });
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        body
    };
    let (_, first) = post(&engine, "/v1/chat/completions", &chat(json!({"store": true, "metadata": {"k": "1"}})));
    assert!(first.get("metadata").is_none());
    let id = first["id"].as_str().unwrap();
    let path = format!("/v1/chat/completions/{id}");
    let mut kept = first.clone();
    kept["metadata"] = json!({"k": "1"});
    assert_eq!(get(&engine, &path), (200, kept.clone()));

    // Streamed, it is the same.
    let streamed = chat(json!({"store": true, "stream": true, "metadata": {"k": "2"}}));
    let chunk: Value = engine.call_stream("/v1/chat/completions", &streamed).unwrap().last().unwrap().unwrap();
    let (_, second) = get(&engine, &format!("/v1/chat/completions/{}", chunk["id"].as_str().unwrap()));
    assert_eq!((&second["choices"], &second["usage"]), (&first["choices"], &first["usage"]));
    let (_, unkept) = post(&engine, "/v1/chat/completions", &chat(json!({})));
    assert_eq!(get(&engine, &format!("/v1/chat/completions/{}", unkept["id"].as_str().unwrap())).0, 404);

    let ids = |query: &str| {
        let (status, list) = get(&engine, &format!("/v1/chat/completions{query}"));
        assert_eq!((status, &list["object"]), (200, &json!("list")), "{list}");
        let data = list["data"].as_array().unwrap();
        (data.iter().map(|entry| entry["id"].clone()).collect::<Vec<_>>(), list["has_more"].clone())
    };
    let both = [&first["id"], &second["id"]].map(Clone::clone);
    assert_eq!(ids(""), (both.to_vec(), json!(false)));
    assert_eq!(ids("?limit=1"), (vec![both[0].clone()], json!(true)));
    assert_eq!(ids("?limit=1&order=desc"), (vec![both[1].clone()], json!(true)));
    assert_eq!(ids(&format!("?after={id}")), (vec![both[1].clone()], json!(false)));
    assert_eq!(ids("?metadata%5Bk%5D=2&model=m").0, vec![both[1].clone()]);
    assert_eq!(ids("?model=other").0, Vec::<Value>::new());
    for (query, param) in
        [("limit=0", "limit"), ("limit=x", "limit"), ("order=up", "order"), ("after=x", "after"), ("a=b", "a")]
    {
        let (status, error) = get(&engine, &format!("/v1/chat/completions?{query}"));
        assert_eq!((status, &error["error"]["param"]), (400, &json!(param)), "{error}");
    }

    let (_, messages) = get(&engine, &format!("{path}/messages"));
    assert_eq!(messages["data"][0]["content"], "Rhyme.");
    assert_eq!(messages["data"][1]["content_parts"], json!([{"type": "text", "text": "Hi"}]));
    assert_eq!(
        (&messages["data"][1]["id"], &messages["data"][1]["content"]),
        (&json!(format!("{id}-1")), &Value::Null)
    );

    let (status, updated) = post(&engine, &path, &json!({"metadata": {"k": "3"}}));
    assert_eq!((status, &updated["metadata"], &updated["choices"]), (200, &json!({"k": "3"}), &first["choices"]));
    assert_eq!(get(&engine, &path).1, updated);
    assert_eq!(ids("").0, both.to_vec());
    let (status, error) = post(&engine, &path, &json!({"metadata": {"k": "x".repeat(513)}}));
    assert_eq!((status, &error["error"]["param"]), (400, &json!("metadata.k")));

    let deleted = call(&engine, Method::DELETE, &path, &Value::Null);
    assert_eq!(deleted, (200, json!({"id": id, "object": "chat.completion.deleted", "deleted": true})));
    for (method, path) in [
        (Method::GET, &path),
        (Method::DELETE, &path),
        (Method::POST, &path),
        (Method::GET, &format!("{path}/messages")),
    ] {
        assert_eq!(call(&engine, method, path, &json!({})).0, 404);
    }
    // The same in Rust.
    let filter = ListChatCompletions::default().metadata("k", "2").page(PageParams::default().limit(5));
    let list = engine.chat().list(&filter).unwrap();
    assert_eq!(json!(list.data[0].id), both[1]);
    let labels = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
    assert_eq!(engine.chat().update(&list.data[0].id, labels.clone()).unwrap().metadata, Some(labels));
    assert!(engine.chat().delete(&list.data[0].id).unwrap().deleted);
    assert_eq!(engine.chat().retrieve(&list.data[0].id).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_real_model_calls_a_tool_and_reads_its_answer() {
    // RE2, RE5, RE6, RE11
    let engine = engine(qwen().context_length(4096));
    let weather =
        FunctionDefinition::new("get_weather").description("Tells the weather of a city.").parameters(json!({
            "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
            "additionalProperties": false,
        }));
    let request = CreateResponse::new("m", "What is the weather in Oslo?").temperature(0.0).max_output_tokens(100);
    let request = request.tools([weather.clone().strict(true)]);
    let named = ToolChoice::Named(ToolName::function("get_weather"));
    let first = engine.responses().create(&request.tool_choice(named)).unwrap();
    assert_eq!(first.status, ResponseStatus::Completed);
    let [OutputItem::FunctionCall(call)] = &first.output[..] else { panic!("{:?}", first.output) };
    let arguments: Value = serde_json::from_str(&call.arguments).unwrap();
    assert_eq!(arguments["city"], "Oslo");
    let output = InputItem::function_call_output(call.call_id.as_str(), "It is snowing, and -7 degrees.");
    let question = InputMessage::user("So how is the weather in Oslo? Answer in one sentence.").into();
    let second = CreateResponse::new("m", [output, question]).previous_response_id(first.id.as_str());
    let second = engine.responses().create(&second.temperature(0.0).max_output_tokens(100)).unwrap();
    assert!(second.output_text().to_lowercase().contains("snow"), "{:?}", second.output);

    let city = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
        "additionalProperties": false});
    let format = ResponseFormat::from(JsonSchema::new("city", city).strict(true));
    let third = CreateResponse::new("m", "Which city was it? Answer in JSON.").previous_response_id(second.id.as_str());
    let third = engine.responses().create(&third.text_format(format).temperature(0.0).max_output_tokens(60)).unwrap();
    let answer: Value = serde_json::from_str(&third.output_text()).unwrap();
    assert!(answer["city"].is_string(), "{answer}");
}
