//! The hostile corpus of tests/hostile/generate.py: model files, adapters, templates and requests, each of which
//! must end in an answer or a typed error, in this process and soon, and leave the engine working.

mod common;

use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use common::{greedy, model, models, tiny};
use http::Request;
use serde_json::Value;
use zerohop::{Body, Engine, ErrorKind, ModelOptions};

/// What one item may take. On a busy machine the clock runs on while nothing of ours does, so the
/// processor time of this process has to be over it as well.
const LIMIT: Duration = Duration::from_secs(2);
/// When a test gives up on an item: it hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// Requests over a limit, and the code of their refusal.
const LIMITED: [(&str, &str); 3] = [
    ("too-long", "request_too_large"),
    ("too-many-messages", "array_above_max_length"),
    ("too-long-a-text", "context_length_exceeded"),
];

/// One test at a time, so that the processor time is its own.
static TURN: Mutex<()> = Mutex::new(());

/// One item of the manifest.
struct Item {
    kind: String,
    name: String,
    path: std::path::PathBuf,
}

fn corpus(kind: &str) -> Vec<Item> {
    let folder = models().join("corpus");
    let manifest = fs::read(folder.join("manifest.json")).expect("the corpus is missing: run `make models`");
    let manifest: Vec<Value> = serde_json::from_slice(&manifest).unwrap();
    assert!(manifest.len() >= 300, "{}", manifest.len());
    let items = manifest.iter().map(|item| Item {
        kind: item["kind"].as_str().unwrap().to_owned(),
        name: item["name"].as_str().unwrap().to_owned(),
        path: folder.join(item["file"].as_str().unwrap()),
    });
    items.filter(|item| item.kind == kind).collect()
}

/// Runs `work` on every item, each within its time, and fails with all that went wrong.
fn run_all(items: Vec<Item>, work: impl Fn(&Item) -> Result<(), String> + Send + 'static) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let (sender, receiver) = mpsc::channel();
    let count = items.len();
    let worker = thread::spawn(move || {
        for item in items {
            let (start, used) = (Instant::now(), processor_time());
            let outcome = work(&item);
            let taken = start.elapsed().min(processor_time().saturating_sub(used));
            sender.send((item.name, taken, outcome)).unwrap();
        }
    });
    let mut faults = Vec::new();
    for done in 0..count {
        match receiver.recv_timeout(PATIENCE) {
            Ok((name, taken, _)) if taken > LIMIT => faults.push(format!("{name}: took {taken:?}")),
            Ok((_, _, Ok(()))) => {}
            Ok((name, _, Err(fault))) => faults.push(format!("{name}: {fault}")),
            Err(_) => {
                faults.push(format!("item {done} of {count} hangs, or the thread has died"));
                break;
            }
        }
    }
    assert!(faults.is_empty(), "{} of {count}:\n{}", faults.len(), faults.join("\n"));
    worker.join().unwrap();
}

/// What this process has used of processors.
fn processor_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the struct is live for the call.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) }, 0);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap())
}

/// Asks something that any engine over a sound model answers.
fn check_lives(engine: &Engine) -> Result<(), String> {
    let reply = engine.chat().create(&greedy("Hello", 2)).map_err(|error| format!("the next request: {error}"))?;
    if reply.usage.completion_tokens == 2 { Ok(()) } else { Err("the next request was answered short".to_owned()) }
}

fn is_refusal(kind: ErrorKind) -> bool {
    use ErrorKind::{InvalidArgument, InvalidModel, ModelFile, Unavailable};
    matches!(kind, ModelFile | InvalidModel | InvalidArgument | Unavailable)
}

#[test]
fn model_files_are_refused_or_work() {
    run_all(corpus("model"), |item| {
        let options = ModelOptions::new(&item.path).context_length(256).threads(1);
        match Engine::builder().model("m", options).build() {
            Err(error) if is_refusal(error.kind()) && names(&error, &item.path) => Ok(()),
            Err(error) => Err(format!("{:?}: {error}", error.kind())),
            // The weights are all zero, so that nothing is said about the answer.
            Ok(engine) => match engine.chat().create(&greedy("Hello", 2)) {
                Err(error) if error.status() != Some(400) => Err(format!("{:?}: {error}", error.kind())),
                _ => Ok(()),
            },
        }
    });
}

#[test]
fn adapters_are_refused_or_work() {
    run_all(corpus("adapter"), |item| {
        match Engine::builder().model("m", tiny().context_length(256).adapter(&item.path, 1.0)).build() {
            Err(error) if is_refusal(error.kind()) && names(&error, &item.path) => Ok(()),
            Err(error) => Err(format!("{:?}: {error}", error.kind())),
            Ok(engine) => check_lives(&engine),
        }
    });
}

/// Whether the error says which file is meant, or does not come from it.
fn names(error: &zerohop::Error, path: &Path) -> bool {
    let name = path.file_stem().unwrap().to_str().unwrap();
    matches!(error.kind(), ErrorKind::InvalidArgument) || error.message().contains(name)
}

#[test]
fn templates_are_refused_or_end() {
    run_all(corpus("template"), |item| {
        let source = fs::read_to_string(&item.path).unwrap();
        match Engine::builder().model("m", tiny().chat_template(source)).build() {
            Err(error) if is_refusal(error.kind()) => Ok(()),
            Err(error) => Err(format!("{:?}: {error}", error.kind())),
            Ok(engine) => match engine.chat().create(&greedy("Hello", 2)) {
                Ok(_) => Ok(()),
                Err(error) if error.status() == Some(400) => Ok(()),
                Err(error) => Err(format!("{:?}: {error}", error.kind())),
            },
        }
    });
}

#[test]
fn requests_are_refused_or_answered() {
    let spm = ModelOptions::new(model("tiny/tiny-spm.gguf")).threads(1);
    let engine = Engine::builder().model("m", tiny()).model("s", spm).build().unwrap();
    run_all(corpus("request"), move |item| {
        let request = Request::post("/v1/chat/completions").body(fs::read(&item.path).unwrap()).unwrap();
        let response = engine.request(&request).map_err(|error| format!("{:?}: {error}", error.kind()))?;
        let status = response.status().as_u16();
        let body = match response.into_body() {
            Body::Full(body) => body,
            Body::Events(events) => events.map(|event| event.unwrap()).collect::<Vec<_>>().concat(),
        };
        let text = String::from_utf8(body).map_err(|error| error.to_string())?;
        match status {
            200 if LIMITED.iter().all(|(name, _)| *name != item.name) => {}
            400 | 404 => {
                let error: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
                let limit = LIMITED.iter().find(|(name, _)| *name == item.name);
                if limit.is_some_and(|(_, code)| error["error"]["code"] != *code) {
                    return Err(text);
                }
                if !error["error"]["message"].is_string() || text.len() > 10_000 {
                    return Err(format!("{status} with {} bytes: {}", text.len(), &text[..text.len().min(200)]));
                }
            }
            _ => return Err(format!("{status}: {}", &text[..text.len().min(300)])),
        }
        check_lives(&engine)
    });
}
