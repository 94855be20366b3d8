//! What a worker process logs comes to its host. A file of its own, since the subscriber is the whole
//! process's.

use std::fmt::Write;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use zerohop::types::{ChatCompletionMessage, CreateChatCompletionRequest};
use zerohop::{Engine, Isolation, ModelOptions};

/// Target, level and text of what was logged.
static LINES: Mutex<Vec<(String, Level, String)>> = Mutex::new(Vec::new());

/// The most talkative level that is listened to.
static MOST: AtomicUsize = AtomicUsize::new(0);
const LEVELS: [Level; 3] = [Level::ERROR, Level::WARN, Level::DEBUG];

struct Listener;

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, _field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, "{value:?}").unwrap();
    }
}

impl Subscriber for Listener {
    fn register_callsite(&self, _metadata: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= LEVELS[MOST.load(Ordering::Relaxed)]
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        let metadata = event.metadata();
        LINES.lock().unwrap().push((metadata.target().to_owned(), *metadata.level(), text.0.clone()));
        // No fault of the host's ends the replies.
        assert!(!text.0.contains("n_ctx"), "as asked");
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}
    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}
    fn enter(&self, _span: &Id) {}
    fn exit(&self, _span: &Id) {}
}

fn load() -> Engine {
    let folder = std::env::var_os("ZEROHOP_TEST_MODELS").expect("ZEROHOP_TEST_MODELS names the folder of models");
    let options = ModelOptions::new(Path::new(&folder).join("tiny/tiny-llama.gguf")).threads(1);
    let isolation = Isolation::process().worker(env!("CARGO_BIN_EXE_zerohop"));
    Engine::builder().model("m", options).isolation(isolation).build().unwrap()
}

fn lines() -> Vec<(String, Level, String)> {
    std::mem::take(&mut *LINES.lock().unwrap())
}

#[test]
fn the_host_hears_what_the_worker_logs() {
    tracing::subscriber::set_global_default(Listener).unwrap();
    // Nobody listens to so much.
    drop(load());
    assert_eq!(lines(), []);

    MOST.store(2, Ordering::Relaxed);
    let engine = load();
    let heard = lines();
    assert!(heard.iter().all(|(target, _, _)| target == "zerohop::llama"), "{heard:?}");
    // What llama.cpp says of a model that is loaded here.
    assert!(heard.iter().any(|(_, level, text)| *level == Level::DEBUG && text.contains("general.name")), "{heard:?}");
    let request = CreateChatCompletionRequest::new("m", [ChatCompletionMessage::user("Hello")]);
    assert!(engine.chat().create(&request.max_completion_tokens(3)).is_ok());
}
