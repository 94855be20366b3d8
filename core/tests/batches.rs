//! Batches in the background: `/v1/batches` over `/v1/files`.

mod common;

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use common::{ENDLESS, PATIENCE, engine, roomy, tiny, wait_until};
use http::Request;
use serde_json::{Value, json};
use zerohop::types::{
    Batch, BatchStatus, CreateBatchRequest, CreateFileRequest, FilePurpose, ListFilesRequest, PageParams,
};
use zerohop::{Body, Engine, ErrorKind};

const CHAT: &str = "/v1/chat/completions";

fn body(number: usize, max_tokens: u32) -> Value {
    json!({
        "model": "m",
        "messages": [{"role": "user", "content": format!("Request {number}")}],
        "temperature": 0,
        "max_tokens": max_tokens,
    })
}

fn line(id: &str, body: &Value) -> String {
    json!({"custom_id": id, "method": "POST", "url": CHAT, "body": body}).to_string()
}

fn upload(engine: &Engine, lines: &[String]) -> String {
    let file = CreateFileRequest::new("requests.jsonl", lines.join("\n"), FilePurpose::Batch);
    engine.files().create(file).unwrap().id
}

fn create(engine: &Engine, lines: &[String]) -> Batch {
    engine.batches().create(&CreateBatchRequest::new(upload(engine, lines), CHAT)).unwrap()
}

/// The batch once `ready` says so.
fn wait(engine: &Engine, id: &str, ready: impl Fn(&Batch) -> bool) -> Batch {
    let until = Instant::now() + PATIENCE;
    loop {
        let batch = engine.batches().retrieve(id).unwrap();
        if ready(&batch) {
            return batch;
        }
        assert!(Instant::now() < until, "{batch:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn ended(engine: &Engine, id: &str) -> Batch {
    wait(engine, id, |batch| batch.status.is_final())
}

/// The lines of a file of results by their custom ids.
fn results(engine: &Engine, id: Option<&str>) -> BTreeMap<String, Value> {
    let Some(id) = id else { return BTreeMap::new() };
    let content = engine.files().content(id).unwrap();
    let lines = std::str::from_utf8(&content).unwrap().lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .map(|line: Value| (line["custom_id"].as_str().unwrap().to_owned(), line))
        .collect()
}

fn call(engine: &Engine, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let response = engine.request(&Request::builder().method(method).uri(path).body(body).unwrap()).unwrap();
    let status = response.status().as_u16();
    let Body::Full(body) = response.into_body() else { panic!("this is a stream") };
    (status, serde_json::from_slice(&body).unwrap())
}

/// The threads of this process that compute batches, those of other tests among them.
fn batch_threads() -> usize {
    let names = std::fs::read_dir("/proc/self/task").unwrap();
    let names = names.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.trim() == "zerohop-batches").count()
}

#[test]
fn answers_and_failures_have_files_of_their_own() {
    // BA3, BA4, BA5
    let engine = engine(tiny().parallel(4));
    let mut lines: Vec<String> = (0..20).map(|number| line(&format!("c{number}"), &body(number, 3))).collect();
    lines.push(line("bad", &json!({"model": "none", "messages": [{"role": "user", "content": "a"}]})));
    let request = CreateBatchRequest::new(upload(&engine, &lines), CHAT).metadata("job", "nightly");
    let created = engine.batches().create(&request.output_expires_after(3600)).unwrap();
    assert_eq!((created.status, created.request_counts.total), (BatchStatus::Validating, 0));
    assert_eq!(created.expires_at, Some(created.created_at + 86400));
    assert_eq!(created.metadata.as_ref().unwrap()["job"], "nightly");

    let batch = ended(&engine, &created.id);
    assert_eq!((batch.status, &batch.errors), (BatchStatus::Completed, &None));
    let counts = batch.request_counts;
    assert_eq!((counts.total, counts.completed, counts.failed), (21, 20, 1));
    let times = [batch.in_progress_at, batch.finalizing_at, batch.completed_at].map(Option::unwrap);
    assert!(times.is_sorted() && times[0] >= batch.created_at);
    let others = [batch.failed_at, batch.expired_at, batch.cancelling_at, batch.cancelled_at];
    assert_eq!(others, [None; 4]);

    let answers = results(&engine, batch.output_file_id.as_deref());
    assert_eq!(answers.len(), 20);
    let mut tokens = (0, 0);
    for (id, line) in &answers {
        let number = id[1..].parse().unwrap();
        let mut single: Value = engine.call(CHAT, &body(number, 3)).unwrap();
        let mut reply = line["response"]["body"].clone();
        tokens.0 += reply["usage"]["prompt_tokens"].as_u64().unwrap();
        tokens.1 += reply["usage"]["completion_tokens"].as_u64().unwrap();
        for reply in [&mut single, &mut reply] {
            // What differs between equal requests.
            for key in ["id", "created", "usage"] {
                reply.as_object_mut().unwrap().remove(key);
            }
        }
        assert_eq!(reply, single);
        assert_eq!(line["response"]["status_code"], 200);
    }
    let usage = batch.usage.unwrap();
    assert_eq!(
        (usage.input_tokens, usage.output_tokens, usage.total_tokens),
        (tokens.0, tokens.1, tokens.0 + tokens.1)
    );
    let failures = results(&engine, batch.error_file_id.as_deref());
    assert_eq!(failures["bad"]["response"]["status_code"], 404);

    let files = engine.files().list(&ListFilesRequest::new().purpose(FilePurpose::BatchOutput)).unwrap().data;
    assert_eq!(files.len(), 2);
    assert!(files.iter().all(|file| file.expires_at == Some(file.created_at + 3600)));
    assert!(files.iter().any(|file| file.filename == format!("{}_output.jsonl", batch.id)));
}

#[test]
fn faulty_lines_fail_the_batch() {
    // BA2
    let engine = engine(roomy());
    let good = line("a", &body(0, 1));
    let other = json!({"custom_id": "b", "method": "POST", "url": "/v1/embeddings", "body": {}}).to_string();
    let batch = create(&engine, &[good.clone(), "{".to_owned(), good, other]);
    let batch = ended(&engine, &batch.id);
    assert_eq!(batch.status, BatchStatus::Failed);
    assert!(batch.failed_at.is_some() && batch.in_progress_at.is_none() && batch.output_file_id.is_none());
    let faults = batch.errors.unwrap().data;
    let faults: Vec<_> = faults.iter().map(|fault| (fault.code.as_str(), fault.line, fault.param.as_deref())).collect();
    assert_eq!(
        faults,
        [
            ("invalid_json_line", Some(2), None),
            ("duplicate_custom_id", Some(3), Some("custom_id")),
            ("mismatched_url", Some(4), Some("url")),
        ]
    );

    let empty = ended(&engine, &create(&engine, &[String::new()]).id);
    assert_eq!(empty.errors.unwrap().data[0].code, "empty_file");
    // Deleted before its turn came.
    let long = create(&engine, &[line("long", &body(0, ENDLESS))]);
    let file = upload(&engine, &[line("a", &body(0, 1))]);
    let batch = engine.batches().create(&CreateBatchRequest::new(&file, CHAT)).unwrap();
    engine.files().delete(&file).unwrap();
    engine.batches().cancel(&long.id).unwrap();
    let batch = ended(&engine, &batch.id);
    assert_eq!(batch.status, BatchStatus::Failed);
    assert!(batch.errors.unwrap().data[0].message.contains(&file));
    ended(&engine, &long.id);
}

#[test]
fn a_cancelled_batch_keeps_what_is_finished() {
    // BA4, BA6
    let engine = engine(roomy().parallel(2));
    let mut lines: Vec<String> = (0..4).map(|number| line(&format!("c{number}"), &body(number, 1))).collect();
    // One only: the other slot is for those before it, in whatever order their threads come.
    lines.push(line("endless", &body(4, ENDLESS)));
    let running = create(&engine, &lines);
    let waiting = create(&engine, &lines);
    let batch = wait(&engine, &running.id, |batch| batch.request_counts.completed == 4);
    assert_eq!((batch.status, batch.request_counts.total), (BatchStatus::InProgress, 5));
    assert_eq!(batch.output_file_id, None);

    let batch = engine.batches().cancel(&waiting.id).unwrap();
    assert_eq!(batch.status, BatchStatus::Cancelled);
    let batch = engine.batches().cancel(&running.id).unwrap();
    assert_eq!(batch.status, BatchStatus::Cancelling);
    let batch = ended(&engine, &running.id);
    assert_eq!(batch.status, BatchStatus::Cancelled);
    assert!(batch.cancelling_at.unwrap() <= batch.cancelled_at.unwrap());
    let ids: Vec<String> = results(&engine, batch.output_file_id.as_deref()).into_keys().collect();
    assert_eq!(ids, ["c0", "c1", "c2", "c3"]);
    assert_eq!(batch.error_file_id, None);

    // Again is no error; one that has ended otherwise is.
    assert_eq!(engine.batches().cancel(&running.id).unwrap(), batch);
    let done = ended(&engine, &create(&engine, &lines[..2]).id);
    assert_eq!(done.status, BatchStatus::Completed);
    assert_eq!(engine.batches().cancel(&done.id).unwrap_err().kind(), ErrorKind::Conflict);
}

#[test]
fn a_busy_engine_is_asked_again() {
    // BA5
    let engine = engine(roomy().parallel(1).queue(1));
    let others: Vec<_> = (0..2)
        .map(|number| engine.submit(&Request::post(CHAT).body(body(number, ENDLESS).to_string()).unwrap()).unwrap())
        .collect();
    let lines: Vec<String> = (0..6).map(|number| line(&format!("c{number}"), &body(number, 1))).collect();
    let batch = create(&engine, &lines);
    wait_until("no line was refused", || engine.metrics().requests.contains_key(&429));
    drop(others);
    let batch = ended(&engine, &batch.id);
    assert_eq!((batch.request_counts.completed, batch.request_counts.failed), (6, 0));
}

#[test]
fn the_door_creates_lists_and_cancels() {
    // BA3, BA4
    let engine = engine(tiny());
    let file = upload(&engine, &[line("a", &body(0, 1))]);
    let request = json!({"input_file_id": file, "endpoint": CHAT, "completion_window": "24h"});
    let ids: Vec<String> = (0..3)
        .map(|_| {
            let (status, batch) = call(&engine, "POST", "/v1/batches", &request);
            assert_eq!((status, &batch["object"], &batch["status"]), (200, &json!("batch"), &json!("validating")));
            assert_eq!((&batch["errors"], &batch["completed_at"]), (&Value::Null, &Value::Null));
            batch["id"].as_str().unwrap().to_owned()
        })
        .collect();
    let (_, list) = call(&engine, "GET", "/v1/batches?limit=2", &Value::Null);
    assert_eq!(
        (&list["data"][0]["id"], &list["last_id"], &list["has_more"]),
        (&json!(ids[2]), &json!(ids[1]), &json!(true))
    );
    let (_, list) = call(&engine, "GET", &format!("/v1/batches?after={}", ids[1]), &Value::Null);
    assert_eq!((&list["data"][0]["id"], &list["has_more"]), (&json!(ids[0]), &json!(false)));
    for id in &ids {
        ended(&engine, id);
        // As a client may encode it.
        let (_, batch) = call(&engine, "GET", &format!("/v1/batches/{}", id.replace('_', "%5F")), &Value::Null);
        assert_eq!(batch["status"], "completed");
        assert_eq!(call(&engine, "POST", &format!("/v1/batches/{id}/cancel"), &Value::Null).0, 409);
    }
    let list = engine.batches().list(&PageParams::default()).unwrap();
    assert_eq!(list.data.len(), 3);

    let vision = CreateFileRequest::new("a", "", FilePurpose::Vision);
    let vision = engine.files().create(vision).unwrap().id;
    for (change, param) in [
        (json!({"endpoint": "/v1/files"}), "endpoint"),
        (json!({"completion_window": "1h"}), "completion_window"),
        (json!({"input_file_id": vision}), "input_file_id"),
        (json!({"metadata": {"a": "b".repeat(513)}}), "metadata.a"),
        (json!({"output_expires_after": {"anchor": "created_at", "seconds": 1}}), "output_expires_after.seconds"),
        (json!({"more": 1}), "more"),
    ] {
        let mut request = request.clone();
        request.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let (status, reply) = call(&engine, "POST", "/v1/batches", &request);
        assert_eq!((status, &reply["error"]["param"]), (400, &json!(param)), "{reply}");
    }
    let none = json!({"input_file_id": "file-none", "endpoint": CHAT, "completion_window": "24h"});
    let (status, reply) = call(&engine, "POST", "/v1/batches", &none);
    assert_eq!((status, &reply["error"]["param"]), (404, &json!("input_file_id")));
    for (method, path, expected) in [
        ("GET", "/v1/batches/none", 404),
        ("POST", "/v1/batches/none/cancel", 404),
        ("DELETE", "/v1/batches", 404),
        ("GET", "/v1/batches?limit=0", 400),
        ("GET", "/v1/batches?after=none", 400),
        ("GET", "/v1/batches?more=1", 400),
    ] {
        assert_eq!(call(&engine, method, path, &Value::Null).0, expected, "{method} {path}");
    }
    let results = CreateFileRequest::new("a", "", FilePurpose::BatchOutput);
    assert_eq!(engine.files().create(results).unwrap_err().param(), Some("purpose"));
}

#[test]
fn lines_need_no_key() {
    let engine = Engine::builder().model("m", tiny()).api_key("secret").build().unwrap();
    let batch = ended(&engine, &create(&engine, &[line("a", &body(0, 1))]).id);
    assert_eq!((batch.request_counts.completed, batch.request_counts.failed), (1, 0));
}

#[test]
fn an_engine_that_goes_ends_its_batches() {
    // BA6
    let endless: Vec<String> = (0..8).map(|number| line(&number.to_string(), &body(number, ENDLESS))).collect();
    let engine = engine(roomy());
    let batch = create(&engine, &endless);
    wait(&engine, &batch.id, |batch| batch.status == BatchStatus::InProgress);
    engine.close();
    assert_eq!(engine.batches().retrieve(&batch.id).unwrap_err().kind(), ErrorKind::Closed);
    let request = CreateBatchRequest::new(batch.input_file_id, CHAT);
    assert_eq!(engine.batches().create(&request).unwrap_err().kind(), ErrorKind::Closed);

    // Dropped alone, it takes the thread that computes the batch with it.
    let dropped = common::engine(roomy());
    let batch = create(&dropped, &endless);
    wait(&dropped, &batch.id, |batch| batch.status == BatchStatus::InProgress);
    drop(dropped);
    wait_until("the batch goes on", || batch_threads() == 0);
}
