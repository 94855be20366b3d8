//! Offline batches.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use common::{ENDLESS, Loading, engine, roomy, tiny};
use serde_json::{Value, json};
use tempfile::TempDir;
use zerohop::{BatchOptions, Engine, ErrorKind, ModelOptions};

struct Files {
    _folder: TempDir,
    input: PathBuf,
    output: PathBuf,
    errors: PathBuf,
}

fn files(lines: impl IntoIterator<Item = String>) -> Files {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (input, output, errors) = (path("in.jsonl"), path("out.jsonl"), path("out.errors.jsonl"));
    let mut file = std::io::BufWriter::new(fs::File::create(&input).unwrap());
    for line in lines {
        writeln!(file, "{line}").unwrap();
    }
    Files { input, output, errors, _folder: folder }
}

fn chat_body(number: usize, max_tokens: u32) -> Value {
    json!({
        "model": "m",
        "messages": [{"role": "user", "content": format!("Request {number}")}],
        "temperature": 0,
        "max_tokens": max_tokens,
    })
}

fn line(id: &str, url: &str, body: &Value) -> String {
    json!({"custom_id": id, "method": "POST", "url": url, "body": body}).to_string()
}

fn chat_line(number: usize) -> String {
    line(&format!("chat-{number}"), "/v1/chat/completions", &chat_body(number, 3))
}

/// The lines of a file of results by their custom ids; none may be there twice.
fn results(path: &Path) -> BTreeMap<String, Value> {
    let mut results = BTreeMap::new();
    for line in fs::read_to_string(path).unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let id = line["custom_id"].as_str().unwrap().to_owned();
        assert!(results.insert(id, line).is_none());
    }
    results
}

fn run(engine: &Engine, files: &Files) -> zerohop::Result<zerohop::BatchCounts> {
    engine.batch(&files.input, &files.output, &BatchOptions::new())
}

/// A reply without what differs between equal requests.
fn comparable(mut reply: Value) -> Value {
    for key in ["id", "created"] {
        reply.as_object_mut().unwrap().remove(key);
    }
    reply
}

#[test]
fn answers_equal_those_of_single_calls() {
    // BA5
    let engine = engine(tiny().parallel(4));
    let files = files((0..40).map(chat_line));
    let counts = run(&engine, &files).unwrap();
    assert_eq!((counts.total, counts.completed, counts.failed, counts.resumed), (40, 40, 0, 0));
    assert!(counts.is_complete());
    let results = results(&files.output);
    assert_eq!(results.len(), 40);
    let (mut input_tokens, mut output_tokens) = (0, 0);
    for (number, id) in (0..40).map(|number| (number, format!("chat-{number}"))) {
        let line = &results[&id];
        assert!(line["id"].as_str().unwrap().starts_with("batch_req_"));
        assert!(line["response"]["request_id"].as_str().unwrap().starts_with("req_"));
        assert_eq!((&line["error"], &line["response"]["status_code"]), (&Value::Null, &json!(200)));
        let body = line["response"]["body"].clone();
        input_tokens += body["usage"]["prompt_tokens"].as_u64().unwrap();
        output_tokens += body["usage"]["completion_tokens"].as_u64().unwrap();
        let single: Value = engine.call("/v1/chat/completions", &chat_body(number, 3)).unwrap();
        assert_eq!(comparable(body), comparable(single));
    }
    assert_eq!((counts.input_tokens, counts.output_tokens), (input_tokens, output_tokens));
    assert_eq!(fs::read(&files.errors).unwrap(), b"");
}

#[test]
fn failures_go_to_their_own_file() {
    // BA5
    let engine = engine(tiny());
    let bad = [
        line(
            "model",
            "/v1/chat/completions",
            &json!({"model": "none", "messages": [{"role": "user", "content": "a"}]}),
        ),
        line("field", "/v1/chat/completions", &json!({"model": "m", "messages": []})),
        line("path", "/v1/nowhere", &json!({})),
        line("body", "/v1/chat/completions", &json!("text")),
    ];
    let files = files(bad.into_iter().chain([chat_line(1), String::new(), chat_line(2)]));
    let counts = run(&engine, &files).unwrap();
    assert_eq!((counts.total, counts.completed, counts.failed), (6, 2, 4));
    let failures = results(&files.errors);
    let status = |id: &str| failures[id]["response"]["status_code"].as_u64().unwrap();
    assert_eq!(["model", "field", "path", "body"].map(status), [404, 400, 404, 400]);
    assert_eq!(failures["model"]["response"]["body"]["error"]["code"], "model_not_found");
    assert_eq!(results(&files.output).into_keys().collect::<Vec<_>>(), ["chat-1", "chat-2"]);
}

#[test]
fn faulty_lines_are_refused_before_anything_is_computed() {
    // BA2
    let engine = engine(tiny());
    let chat = "/v1/chat/completions";
    let streamed = json!({"model": "m", "messages": [], "stream": true});
    for (faulty, code) in [
        ("{".to_owned(), "invalid_json_line"),
        ("[]".to_owned(), "invalid_json_line"),
        (json!({"custom_id": "a"}).to_string(), "invalid_json_line"),
        (
            json!({"custom_id": "a", "method": "POST", "url": chat, "body": {}, "more": 1}).to_string(),
            "invalid_json_line",
        ),
        (json!({"custom_id": "a", "method": "GET", "url": chat, "body": {}}).to_string(), "invalid_method"),
        (line("", chat, &json!({})), "invalid_custom_id"),
        (line("a", "https://example.com", &json!({})), "invalid_url"),
        (line("a", chat, &streamed), "invalid_request"),
        (chat_line(0), "duplicate_custom_id"),
    ] {
        let files = files([chat_line(0), chat_line(1), faulty.clone()]);
        let error = run(&engine, &files).unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::InvalidRequest, Some(code)), "{faulty}");
        assert!(error.message().starts_with("line 3: "), "{error}");
        assert!(!files.output.exists());
    }
    let one_endpoint = BatchOptions::new().endpoint("/v1/embeddings");
    let chats = files([chat_line(0), chat_line(1)]);
    let error = engine.batch(&chats.input, &chats.output, &one_endpoint).unwrap_err();
    assert_eq!(error.code(), Some("mismatched_url"));
    assert!(error.message().contains("1 more"), "{error}");
    assert_eq!(run(&engine, &files([])).unwrap_err().code(), Some("empty_file"));
}

#[test]
fn a_stopped_batch_goes_on_where_it_was() {
    // BA6
    let engine = engine(tiny().parallel(2));
    // The last lines wait for a model that is being loaded: the batch cannot be over before it is stopped.
    let loading = Loading::begin(&engine, "late");
    let late = |number: usize| {
        let mut body = chat_body(number, 3);
        body["model"] = json!("late");
        line(&format!("chat-{number}"), "/v1/chat/completions", &body)
    };
    let files = files((0..60).map(chat_line).chain((60..120).map(late)));
    let stop_after = |limit: u64| {
        let done = Arc::new(AtomicU64::new(0));
        let seen = done.clone();
        let options = BatchOptions::new().concurrency(2).progress(move |counts| {
            seen.store(counts.completed, Ordering::Relaxed);
            counts.completed < limit
        });
        engine.batch(&files.input, &files.output, &options).unwrap()
    };
    let first = stop_after(1);
    assert!(!first.is_complete() && first.completed > 0, "{first:?}");
    loading.finish().unwrap();
    // What a run that was killed may leave behind.
    let mut output = fs::OpenOptions::new().append(true).open(&files.output).unwrap();
    output.write_all(b"{\"id\": \"batch_req_1\", \"custom_id\": \"chat-").unwrap();
    drop(output);
    let last = run(&engine, &files).unwrap();
    assert_eq!((last.total, last.completed, last.resumed), (120, 120, first.completed));
    let results = results(&files.output);
    assert_eq!(results.len(), 120);
    let usage = |key: &str| results.values().map(|line| line["response"]["body"]["usage"][key].as_u64().unwrap()).sum();
    assert_eq!((last.input_tokens, last.output_tokens), (usage("prompt_tokens"), usage("completion_tokens")));
    // Once more is nothing more.
    let again = run(&engine, &files).unwrap();
    assert_eq!((again.completed, again.resumed), (120, 120));
    assert_eq!(again.output_tokens, last.output_tokens);
}

#[test]
fn files_that_are_something_else_stay_untouched() {
    let engine = engine(tiny());
    let files = files([chat_line(0)]);
    fs::write(&files.output, "my diary\n").unwrap();
    let error = run(&engine, &files).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.message().contains("out.jsonl"), "{error}");
    assert_eq!(fs::read_to_string(&files.output).unwrap(), "my diary\n");
    for (input, output) in [("missing.jsonl", "a"), ("in.jsonl", "missing/a"), (".", "a"), ("in.jsonl", ".")] {
        let path = |name: &str| files.input.with_file_name(name);
        let error = engine.batch(path(input), path(output), &BatchOptions::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{input} {output}");
        assert!(error.path().is_some());
    }
}

#[test]
fn two_batches_cannot_write_one_file() {
    let engine = engine(tiny().parallel(1));
    let files = Arc::new(files((0..200).map(chat_line)));
    let second = Arc::new(Mutex::new(None));
    let (theirs, other, of_other) = (files.clone(), engine.clone(), second.clone());
    let options = BatchOptions::new().progress(move |_| {
        of_other.lock().unwrap().get_or_insert_with(|| run(&other, &theirs));
        false
    });
    engine.batch(&files.input, &files.output, &options).unwrap();
    let error = second.lock().unwrap().take().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.message().contains("another batch"), "{error}");
}

#[test]
fn a_full_disk_ends_the_batch() {
    let engine = engine(tiny());
    let files = files([chat_line(0), chat_line(1)]);
    let error = engine.batch(&files.input, "/dev/full", &BatchOptions::new().errors(&files.errors)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.message().contains("start the batch again"), "{error}");
}

#[test]
fn closing_the_engine_ends_the_batch() {
    let engine = engine(roomy().parallel(1));
    let files =
        files((0..5).map(|number| line(&format!("{number}"), "/v1/chat/completions", &chat_body(number, ENDLESS))));
    let closing = engine.clone();
    let options = BatchOptions::new().progress(move |_| {
        closing.close();
        true
    });
    assert_eq!(engine.batch(&files.input, &files.output, &options).unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn a_panic_of_the_callback_stops_the_batch() {
    let engine = engine(roomy().parallel(1));
    // It has the only slot, so that no line is answered and the batch does not end by itself.
    let mut running = engine.chat().create_stream(&common::greedy("Hello", ENDLESS)).unwrap();
    assert!(running.next().unwrap().is_ok());
    let files = files((0..20).map(chat_line));
    let options = BatchOptions::new().progress(|_| std::panic::resume_unwind(Box::new("no")));
    let batch = || engine.batch(&files.input, &files.output, &options);
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(batch)).is_err());
    drop(running);
    assert_eq!(results(&files.output).len(), 0);
    assert!(run(&engine, &files).unwrap().is_complete());
}

#[test]
fn a_batch_shares_the_engine() {
    // A short queue, which others fill: what is refused for that is sent again.
    let engine = engine(tiny().parallel(1).queue(1));
    let files = files((0..30).map(chat_line));
    thread::scope(|scope| {
        let other =
            scope.spawn(|| (0..10).filter(|_| engine.chat().create(&common::greedy("Hello", 5)).is_ok()).count());
        let options = BatchOptions::new().concurrency(8);
        let counts = engine.batch(&files.input, &files.output, &options).unwrap();
        assert_eq!((counts.completed, counts.failed), (30, 0));
        other.join().unwrap();
    });
}

#[test]
fn several_models_and_endpoints_in_one_file() {
    let engine = Engine::builder()
        .model("m", tiny())
        .model("vectors", ModelOptions::new(common::model("tiny/tiny-embedding-mean.gguf")).threads(1))
        .build()
        .unwrap();
    let embedding = |number: usize| {
        line(&format!("vector-{number}"), "/v1/embeddings", &json!({"model": "vectors", "input": format!("{number}")}))
    };
    let files = files((0..20).map(embedding).chain((0..20).map(chat_line)));
    assert_eq!(run(&engine, &files).unwrap().completed, 40);
    let ids: BTreeSet<String> = results(&files.output).into_keys().collect();
    assert_eq!(ids.len(), 40);
}
