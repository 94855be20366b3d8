//! Engines whose models are in a worker process, which is the command.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use http::Request;
use serde_json::{Value, json};
use zerohop::types::responses::CreateResponse;
use zerohop::types::{
    BatchStatus, ChatCompletionMessage, CreateBatchRequest, CreateChatCompletionRequest, CreateCompletionRequest,
    CreateEmbeddingRequest, CreateFileRequest, FilePurpose, TokenizeRequest,
};
use zerohop::{BatchOptions, Body, Engine, EngineBuilder, ErrorKind, Isolation, ModelOptions};

fn model(name: &str) -> PathBuf {
    let folder = std::env::var_os("ZEROHOP_TEST_MODELS").expect("ZEROHOP_TEST_MODELS names the folder of models");
    let path = Path::new(&folder).join(name);
    assert!(path.exists(), "{} is missing: run `make models`", path.display());
    path
}

fn tiny() -> ModelOptions {
    ModelOptions::new(model("tiny/tiny-llama.gguf")).threads(1).context_length(100_000)
}

fn isolation() -> Isolation {
    Isolation::process().worker(env!("CARGO_BIN_EXE_zerohop"))
}

fn builder() -> EngineBuilder {
    Engine::builder().model("m", tiny())
}

fn isolated() -> Engine {
    builder().isolation(isolation()).build().unwrap()
}

fn chat(text: &str, tokens: u32) -> CreateChatCompletionRequest {
    CreateChatCompletionRequest::new("m", [ChatCompletionMessage::user(text)])
        .temperature(0.0)
        .max_completion_tokens(tokens)
}

/// An answer that goes on until something ends it.
fn endless() -> CreateChatCompletionRequest {
    chat("Hello", 50_000).ignore_eos(true)
}

/// The worker process of an engine, which must be the only one of this test.
fn worker(engine: &Engine) -> Worker {
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "a"}], "max_tokens": 1});
    let _: Value = engine.call("/v1/chat/completions", &body).unwrap();
    let me = std::process::id();
    let listed = Command::new("ps").args(["-o", "pid=,args=", "--ppid", &me.to_string()]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let workers = listed.lines().filter(|line| line.ends_with("zerohop worker"));
    Worker(workers.map(|line| line.split_whitespace().next().unwrap().parse().unwrap()).collect())
}

fn kill_workers() {
    Command::new("pkill").args(["-9", "-P", &std::process::id().to_string(), "zerohop"]).status().unwrap();
}

/// Waits until `is_so`, which on a slow and busy machine may take long.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(100);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Process ids.
#[derive(Debug, PartialEq, Eq)]
struct Worker(Vec<u32>);

impl Worker {
    fn kill(&self) {
        for pid in &self.0 {
            assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
        }
    }

    fn is_alive(&self) -> bool {
        self.0.iter().any(|pid| {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            !status.is_empty() && !status.contains("State:\tZ")
        })
    }
}

/// Tests that look for their worker among this process's children, one after the other.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> impl Drop {
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[test]
fn answers_are_those_of_this_process() {
    let _alone = alone();
    let (here, there) = (builder().build().unwrap(), isolated());
    assert_eq!(here.model_info(), there.model_info());
    assert_eq!(here.models().list(), there.models().list());
    let request = chat("Hello", 12);
    let text = |engine: &Engine| engine.chat().create(&request).unwrap().text().unwrap().to_owned();
    assert_eq!(text(&here), text(&there));
    let streamed: String = there
        .chat()
        .create_stream(&request)
        .unwrap()
        .map(|chunk| chunk.unwrap().text().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(streamed, text(&here));
    let plain = CreateCompletionRequest::new("m", "Once").temperature(0.0).max_tokens(8);
    let completion = |engine: &Engine| engine.completions().create(&plain).unwrap().text().unwrap().to_owned();
    assert_eq!(completion(&here), completion(&there));
    let pieces = there.completions().create_stream(&plain).unwrap();
    let joined: String = pieces.map(|chunk| chunk.unwrap().text().unwrap_or_default().to_owned()).collect();
    assert_eq!(joined, completion(&here));
    let tokens = TokenizeRequest::new("m", "Hello there");
    assert_eq!(here.tokenize(&tokens).unwrap(), there.tokenize(&tokens).unwrap());
    assert_eq!(
        there.chat().create(&chat("a", 0)).map_err(|error| error.kind()),
        here.chat().create(&chat("a", 0)).map_err(|error| error.kind())
    );
    let unknown = CreateChatCompletionRequest::new("none", [ChatCompletionMessage::user("a")]);
    let errors = [&here, &there].map(|engine| engine.chat().create(&unknown).unwrap_err());
    assert_eq!(errors[0].to_body(), errors[1].to_body());
}

#[test]
fn responses_and_kept_completions_live_in_the_worker() {
    let _alone = alone();
    let engine = isolated();
    let first = engine.responses().create(&CreateResponse::new("m", "Hi").max_output_tokens(4)).unwrap();
    let again = CreateResponse::new("m", "More").max_output_tokens(4).previous_response_id(first.id.as_str());
    let events: Vec<_> = engine.responses().create_stream(&again).unwrap().collect::<Result<_, _>>().unwrap();
    assert!(events.len() > 4);
    assert_eq!(engine.responses().retrieve(&first.id).unwrap().id, first.id);
    assert!(engine.responses().delete(&first.id).unwrap().deleted);
    assert_eq!(engine.responses().retrieve(&first.id).unwrap_err().kind(), ErrorKind::NotFound);
    let mut kept = chat("Hello", 2);
    kept.store = Some(true);
    let kept = engine.chat().create(&kept).unwrap();
    assert_eq!(engine.chat().retrieve(&kept.id).unwrap().id, kept.id);
    assert_eq!(
        engine.chat().list(&zerohop::types::ListChatCompletions::default().metadata("a b", "c&d")).unwrap().data.len(),
        0
    );
    assert_eq!(engine.chat().list(&zerohop::types::ListChatCompletions::default().model("m")).unwrap().data.len(), 1);
}

#[test]
fn vectors_come_through_the_pipe() {
    let _alone = alone();
    let builder = || Engine::builder().model("v", ModelOptions::new(model("tiny/tiny-embedding-mean.gguf")).threads(1));
    let request = CreateEmbeddingRequest::new("v", ["a", "b c"]);
    let here = builder().build().unwrap().embeddings().create(&request).unwrap();
    let engine = builder().isolation(isolation()).build().unwrap();
    let there = engine.embeddings().create(&request).unwrap();
    assert_eq!(here, there);
    let width = engine.embeddings().dimensions("v").unwrap();
    let mut out = vec![0.0; 2 * width + 1];
    engine.embeddings().create_into(&request, &mut out).unwrap();
    assert_eq!(out[..width], here.data[0].embedding.values);
    assert_eq!(out[width..2 * width], here.data[1].embedding.values);
    assert_eq!(
        engine.embeddings().create_into(&request, &mut out[..3]).unwrap_err().kind(),
        ErrorKind::InvalidArgument
    );
}

#[test]
fn a_killed_worker_fails_what_it_was_doing_and_nothing_else() {
    let _alone = alone();
    let engine = isolated();
    let before = worker(&engine);
    let streams: Vec<_> = (0..8)
        .map(|_| {
            let mut stream = engine.chat().create_stream(&endless()).unwrap();
            assert!(stream.next().unwrap().is_ok());
            stream
        })
        .collect();
    before.kill();
    for mut stream in streams {
        let error = stream.find_map(Result::err).unwrap();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, Some("worker_ended")), "{error}");
        assert!(stream.next().is_none());
    }
    let reply = engine.chat().create(&chat("Hello", 3)).unwrap();
    assert_eq!(reply.usage.completion_tokens, 3);
    assert_ne!(worker(&engine), before);
    // At the door it is a status that clients repeat the request on.
    let endless = serde_json::to_vec(&endless()).unwrap();
    let pending = engine.submit(&Request::post("/v1/chat/completions").body(endless).unwrap()).unwrap();
    worker(&engine).kill();
    let reply = pending.wait().unwrap();
    assert_eq!(reply.status(), 503);
    assert_eq!(reply.headers()["retry-after"], "1");
    let Body::Full(body) = reply.into_body() else { panic!("an error is one body") };
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["error"]["code"], "worker_ended");
    assert!(body["error"]["message"].as_str().unwrap().contains("signal: 9"), "{body}");
}

#[test]
fn many_callers_while_workers_die() {
    let _alone = alone();
    let engine = isolated();
    let (done, failed, over) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
    let ask = |tokens| {
        while !over.load(Ordering::Relaxed) {
            match engine.chat().create(&chat("Hello", tokens)) {
                Ok(reply) => {
                    assert_eq!(reply.usage.completion_tokens, tokens);
                    done.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
                    failed.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    };
    thread::scope(|scope| {
        // Some are always in the middle of an answer.
        let callers = [[5; 15].as_slice(), &[50_000]].concat();
        let callers: Vec<_> = callers.into_iter().map(|tokens| scope.spawn(move || ask(tokens))).collect();
        for _ in 0..6 {
            // A worker that has answered somebody is killed while it answers others.
            let (answered, before) = (done.load(Ordering::Relaxed), failed.load(Ordering::Relaxed));
            wait_until("nothing is answered", || done.load(Ordering::Relaxed) > answered);
            kill_workers();
            wait_until("nothing has failed", || failed.load(Ordering::Relaxed) > before);
        }
        over.store(true, Ordering::Relaxed);
        wait_until("a caller goes on", || {
            kill_workers();
            callers.iter().all(thread::ScopedJoinHandle::is_finished)
        });
    });
    // The last to be killed may not have been missed yet.
    assert!((0..3).any(|_| engine.chat().create(&chat("Hello", 1)).is_ok()));
}

#[test]
fn cancelling_frees_the_place() {
    let _alone = alone();
    let engine = Engine::builder().model("m", tiny().parallel(1).queue(4)).isolation(isolation()).build().unwrap();
    for _ in 0..8 {
        let mut stream = engine.chat().create_stream(&endless()).unwrap();
        assert!(stream.next().unwrap().is_ok());
        stream.cancel_handle().cancel();
        assert_eq!(stream.find_map(Result::err).unwrap().kind(), ErrorKind::Cancelled);
        drop(engine.chat().create_stream(&endless()).unwrap());
        let body = serde_json::to_vec(&endless()).unwrap();
        let pending = engine.submit(&Request::post("/v1/chat/completions").body(body).unwrap()).unwrap();
        pending.cancel_handle().unwrap().cancel();
        assert_eq!(pending.wait().unwrap_err().kind(), ErrorKind::Cancelled);
        // A place is free one step after its request has ended.
        wait_until("a slot is still taken", || {
            let model = engine.metrics().models.remove(0);
            model.slots_busy + model.queue_length == 0
        });
    }
    assert!(engine.chat().create(&chat("Hello", 1)).is_ok());
}

#[test]
fn keys_and_limits_hold() {
    let _alone = alone();
    let engine = builder().api_key("sk-one").requests_per_minute(2).isolation(isolation()).build().unwrap();
    let send = |key: &str| {
        let request = Request::get("/v1/models").header("authorization", format!("Bearer {key}")).body("").unwrap();
        engine.request(&request).unwrap()
    };
    assert_eq!(send("sk-two").status(), 401);
    let reply = send("sk-one");
    assert_eq!(
        (reply.status().as_u16(), &reply.headers()["x-ratelimit-remaining-requests"]),
        (200, &"1".parse().unwrap())
    );
    assert!(reply.headers().contains_key("x-request-id"));
    assert_eq!(send("sk-one").status(), 200);
    assert_eq!(send("sk-one").status(), 429);
    // Typed calls are the host's own.
    assert!(engine.chat().create(&chat("Hello", 1)).is_ok());
    assert!(engine.metrics().models[0].completion_tokens >= 1);
}

#[test]
fn closing_ends_the_worker() {
    let _alone = alone();
    let engine = isolated();
    let running = worker(&engine);
    let mut stream = engine.chat().create_stream(&endless()).unwrap();
    assert!(stream.next().unwrap().is_ok() && running.is_alive());
    engine.close();
    assert!(!running.is_alive());
    assert_eq!(stream.find_map(Result::err).unwrap().kind(), ErrorKind::Closed);
    assert_eq!(engine.chat().create(&chat("Hello", 1)).unwrap_err().kind(), ErrorKind::Closed);
    engine.close();
    let engine = isolated();
    let running = worker(&engine);
    drop(engine);
    assert!(!running.is_alive());
}

#[test]
fn loading_is_reported_stopped_and_refused_as_here() {
    let _alone = alone();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let reports = seen.clone();
    let options = tiny().progress(move |fraction| {
        reports.lock().unwrap().push(fraction);
        true
    });
    Engine::builder().model("m", options).isolation(isolation()).build().unwrap();
    assert_eq!(seen.lock().unwrap().last(), Some(&1.0));
    let builder = |options: ModelOptions| Engine::builder().model("m", options);
    for options in [
        ModelOptions::new("/missing.gguf"),
        ModelOptions::new(env!("CARGO_BIN_EXE_zerohop")),
        tiny().parallel(1000),
        tiny().progress(|_| false),
    ] {
        let here = builder(options.clone()).build().unwrap_err();
        let there = builder(options).isolation(isolation()).build().unwrap_err();
        assert_eq!((here.kind(), here.message()), (there.kind(), there.message()));
    }
}

#[test]
fn programs_that_are_no_worker_are_refused() {
    let _alone = alone();
    for program in ["/missing", "/bin/true", "/bin/cat", "/bin/echo", "/etc/passwd"] {
        let began = Instant::now();
        let error = builder().isolation(Isolation::process().worker(program)).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{program}: {error}");
        assert!(error.message().contains(program), "{error}");
        assert!(began.elapsed() < Duration::from_secs(60), "{program}");
    }
}

#[test]
fn async_tasks_wait_for_a_worker_too() {
    let _alone = alone();
    let engine = isolated();
    let body = serde_json::to_vec(&chat("Hello", 3)).unwrap();
    let pending = engine.submit_async(Request::post("/v1/chat/completions").body(body).unwrap()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(pending).unwrap().status(), 200);
}

#[test]
fn adapters_are_applied_in_a_worker() {
    let _alone = alone();
    let adapted = || tiny().adapter(model("tiny/tiny-lora.gguf"), 1.0);
    let named = |name: &str| {
        let mut request = chat("Hello", 16);
        name.clone_into(&mut request.model);
        request
    };
    let engine = builder().model("tuned", adapted()).isolation(isolation()).build().unwrap();
    let here = builder().model("tuned", adapted()).build().unwrap();
    for name in ["m", "tuned"] {
        let answer = |engine: &Engine| engine.chat().create(&named(name)).unwrap().text().unwrap().to_owned();
        assert_eq!(answer(&engine), answer(&here), "{name}");
    }
    assert_eq!(engine.model_info()[1].adapters, here.model_info()[1].adapters);
    let wrong = builder().model("tuned", tiny().adapter("a.gguf", f32::NAN)).isolation(isolation()).build();
    assert_eq!(wrong.unwrap_err().kind(), ErrorKind::InvalidArgument);
}

/// Requests of a batch, a line each.
fn batch_lines(count: usize) -> String {
    let line = |number: usize| {
        let body = json!({
            "model": "m",
            "messages": [{"role": "user", "content": format!("Request {number}")}],
            "temperature": 0,
            "max_tokens": 20,
        });
        json!({"custom_id": format!("c{number}"), "method": "POST", "url": "/v1/chat/completions", "body": body})
    };
    (0..count).fold(String::new(), |lines, number| lines + &line(number).to_string() + "\n")
}

/// The answers of a file of results by their custom ids, each of which is there once.
fn batch_answers(lines: &str) -> BTreeMap<String, String> {
    let mut answers = BTreeMap::new();
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let answer = line["response"]["body"]["choices"][0]["message"]["content"].as_str().unwrap().to_owned();
        assert!(answers.insert(line["custom_id"].as_str().unwrap().to_owned(), answer).is_none());
    }
    answers
}

#[test]
fn a_batch_of_files_outlives_workers() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("in.jsonl"), batch_lines(60)).unwrap();
    let here = builder().build().unwrap();
    here.batch(path("in.jsonl"), path("here.jsonl"), &BatchOptions::new()).unwrap();

    let engine = isolated();
    let mut first = Some(worker(&engine));
    // What the worker was answering is asked of the next one.
    let options = BatchOptions::new().progress(move |counts| {
        if counts.completed > 0
            && counts.completed < 60
            && let Some(worker) = first.take()
        {
            worker.kill();
        }
        true
    });
    let counts = engine.batch(path("in.jsonl"), path("there.jsonl"), &options).unwrap();
    assert_eq!((counts.total, counts.completed, counts.failed), (60, 60, 0));
    let [here, there] = ["here.jsonl", "there.jsonl"].map(|name| std::fs::read_to_string(path(name)).unwrap());
    assert_eq!(batch_answers(&there), batch_answers(&here));
}

#[test]
fn a_batch_in_the_background_is_computed_by_the_worker() {
    let _alone = alone();
    let engine = isolated();
    let file = CreateFileRequest::new("requests.jsonl", batch_lines(40), FilePurpose::Batch);
    let file = engine.files().create(file).unwrap();
    let created = engine.batches().create(&CreateBatchRequest::new(file.id, "/v1/chat/completions")).unwrap();
    let ended = |id: &str| {
        let begin = Instant::now();
        loop {
            let batch = engine.batches().retrieve(id).unwrap();
            if batch.status.is_final() {
                return batch;
            }
            assert!(begin.elapsed() < Duration::from_secs(100), "{batch:?}");
            thread::sleep(Duration::from_millis(5));
        }
    };
    let batch = ended(&created.id);
    assert_eq!(batch.status, BatchStatus::Completed, "{batch:?}");
    assert_eq!((batch.request_counts.total, batch.request_counts.completed), (40, 40));
    assert_eq!(engine.metrics().models[0].completion_tokens, 800);
    let content = engine.files().content(&batch.output_file_id.unwrap()).unwrap();
    let answers = batch_answers(std::str::from_utf8(&content).unwrap());
    assert_eq!(answers.len(), 40);
    let mut request = chat("Request 7", 20);
    request.model = "m".to_owned();
    assert_eq!(answers["c7"], engine.chat().create(&request).unwrap().text().unwrap());
    // Cancelling keeps what is finished, and frees the worker.
    let file = CreateFileRequest::new("more.jsonl", batch_lines(2000), FilePurpose::Batch);
    let file = engine.files().create(file).unwrap();
    let created = engine.batches().create(&CreateBatchRequest::new(file.id, "/v1/chat/completions")).unwrap();
    engine.batches().cancel(&created.id).unwrap();
    assert_eq!(ended(&created.id).status, BatchStatus::Cancelled);
    assert_eq!(engine.chat().create(&chat("Hello", 3)).unwrap().usage.completion_tokens, 3);
}
