//! What the tests share: where the models are, and engines over them.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of this")]

pub mod caller;
pub mod media;
pub mod mutate;
pub mod responses;
pub mod speech;

use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use zerohop::types::{ChatCompletionMessage, CreateChatCompletionRequest};
use zerohop::{Engine, ErrorKind, ModelInfo, ModelOptions};

/// Tokens of an answer that takes far longer than any test, from a [`roomy`] model.
pub const ENDLESS: u32 = 90_000;

/// What nothing that is waited for takes, on a slow and busy machine either.
pub const PATIENCE: Duration = Duration::from_secs(100);

/// The folder that `make models` fills.
pub fn models() -> PathBuf {
    let cache = || {
        std::env::var_os("ZEROHOP_CACHE").map(PathBuf::from).or_else(|| {
            let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
            let base = base.or_else(|| std::env::home_dir().map(|home| home.join(".cache")));
            base.map(|base| base.join("zerohop"))
        })
    };
    let folder =
        std::env::var_os("ZEROHOP_TEST_MODELS").map(PathBuf::from).or_else(|| cache().map(|c| c.join("models")));
    folder.filter(|folder| folder.is_dir()).expect("the test models are missing: run `make models`")
}

/// A model file in that folder.
pub fn model(name: &str) -> PathBuf {
    let path = models().join(name);
    assert!(path.exists(), "{} is missing: run `make models`", path.display());
    path
}

/// A tiny llama with random weights: loads in milliseconds and never ends by
/// itself. On one thread, because it computes less than two would spend waiting
/// for each other on a busy machine.
pub fn tiny() -> ModelOptions {
    ModelOptions::new(model("tiny/tiny-llama.gguf")).threads(1)
}

/// The same with room for an [`ENDLESS`] answer: what has to be running still when a
/// test looks must not depend on how fast the machine is.
pub fn roomy() -> ModelOptions {
    tiny().context_length(100_000)
}

/// `SmolLM2`, which can hold a simple conversation.
pub fn smollm2() -> ModelOptions {
    ModelOptions::new(model("smollm2-135m-instruct-q4_1.gguf"))
}

/// Qwen2.5-Coder-0.5B, which knows things.
pub fn qwen() -> ModelOptions {
    ModelOptions::new(model("qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"))
}

/// An engine with one model called `m`.
pub fn engine(options: ModelOptions) -> Engine {
    Engine::builder().model("m", options).build().expect("the test model loads")
}

/// A greedy request to the model `m`.
pub fn greedy(text: &str, max_tokens: u32) -> CreateChatCompletionRequest {
    CreateChatCompletionRequest::new("m", [ChatCompletionMessage::user(text)])
        .temperature(0.0)
        .max_completion_tokens(max_tokens)
}

/// Waits until `is_so`.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Waits until the first model computes nothing, which is one step after its last
/// request has ended.
pub fn wait_until_idle(engine: &Engine) {
    wait_until("a slot is still taken", || {
        let model = engine.metrics().models.remove(0);
        model.slots_busy == 0 && model.queue_length == 0
    });
}

/// A model that is being loaded for as long as the test wants: requests for it wait,
/// however fast the machine is.
pub struct Loading {
    gate: mpsc::Sender<()>,
    loader: JoinHandle<zerohop::Result<ModelInfo>>,
}

impl Loading {
    /// Loads the tiny model under this name; returns once its loading has begun.
    pub fn begin(engine: &Engine, name: &str) -> Self {
        let (gate, closed) = mpsc::channel();
        let (begun, has_begun) = mpsc::channel();
        let options = tiny().progress(move |_| {
            let _ = begun.send(());
            let _: Result<(), _> = closed.recv();
            true
        });
        let (engine, name) = (engine.clone(), name.to_owned());
        let loader = thread::spawn(move || engine.load(&name, options));
        has_begun.recv_timeout(PATIENCE).expect("the loading begins");
        Loading { gate, loader }
    }

    /// Lets it go on to its end.
    pub fn finish(self) -> zerohop::Result<ModelInfo> {
        drop(self.gate);
        self.loader.join().unwrap()
    }
}

/// A number from the environment that says how thorough to be: `full` under
/// `make accept`, else `quick`.
pub fn count(quick: usize, full: usize) -> usize {
    if std::env::var_os("ZEROHOP_TEST_FULL").is_some() { full } else { quick }
}

/// The resident memory of this process in KiB, without what the allocator keeps
/// for later.
pub fn resident_kib() -> usize {
    // SAFETY: may be called at any time from any thread.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
    status_kib("VmRSS:")
}

/// Keeps the allocator from making an arena for every thread, and from keeping large
/// blocks, so that what a process holds depends less on when which thread ran.
pub fn use_one_arena() {
    // SAFETY: may be called at any time from any thread.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_MMAP_THRESHOLD, 128 << 10);
    }
}

/// One of the sizes that the system tells about this process.
pub fn status_kib(name: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has /proc");
    let line = status.lines().find(|line| line.starts_with(name)).expect("the size is there");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("it is a number")
}

/// Runs `round` until memory has stopped growing, and fails if it never does.
///
/// A leak grows in every round, while a process that settles (new arenas, fuller
/// caches, the stacks of its threads) grows in some. So there must be eight
/// rounds that on average grow by less than half of `leak_kib`, which is what the
/// smallest leak to be found adds in a round.
pub fn assert_memory_settles(leak_kib: usize, mut round: impl FnMut()) {
    const WINDOW: usize = 8;
    let mut sizes = Vec::new();
    while sizes.len() < 3 * WINDOW {
        round();
        let size = resident_kib();
        let before = sizes.len().checked_sub(WINDOW).map(|index| sizes[index]);
        if before.is_some_and(|before| size < before + WINDOW * leak_kib / 2) {
            return;
        }
        sizes.push(size);
    }
    panic!("memory keeps growing, in KiB: {sizes:?}");
}

/// A prompt of about `words` tokens that is different for each `index`.
pub fn prompt(index: usize, words: usize) -> String {
    let pool = ["red", "blue", "seven", "stone", "river", "cloud", "engine", "window", "seed", "paper"];
    (0..words).map(|word| pool[(index * 3 + word * (index + 1)) % pool.len()]).collect::<Vec<_>>().join(" ")
}

/// One of four things that callers do: ask, stream, give up, cancel. What is cancelled would go on to
/// the end of the context, which must be far.
pub fn one_of_a_mixture(engine: &Engine, caller: usize, round: usize) {
    let request = greedy(&prompt(caller * 100 + round, 3 + 20 * (caller % 6)), 24).temperature(0.8);
    match (caller + round) % 4 {
        0 => assert_eq!(engine.chat().create(&request).unwrap().usage.completion_tokens, 24),
        1 => assert!(engine.chat().create_stream(&request).unwrap().all(|chunk| chunk.is_ok())),
        2 => {
            let stream = engine.chat().create_stream(&request).unwrap();
            // The role, some text and the end: the text that nobody has fetched comes in one piece.
            let taken = stream.take(3).flatten().count();
            assert_eq!(taken, 3);
        }
        _ => {
            let mut request = request;
            request.max_completion_tokens = None;
            let mut stream = engine.chat().create_stream(&request).unwrap();
            assert!(stream.next().unwrap().is_ok());
            stream.cancel_handle().cancel();
            let error = stream.find_map(Result::err).expect("a cancelled stream ends with an error");
            assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
        }
    }
}
