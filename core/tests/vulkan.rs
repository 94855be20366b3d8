//! Layers on a GPU: the same answers, up to ties. `make test-vulkan` runs this on lavapipe, which is Vulkan on a CPU.

mod common;

use std::process::Command;
use std::sync::Arc;
use std::sync::Mutex;

use common::{engine, greedy, smollm2, tiny};
use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};
use zerohop::{DeviceKind, Engine, ErrorKind, FlashAttention, GpuLayers, KvType, ModelInfo, ModelOptions, Repack};

/// What the device is called.
const DEVICE: &str = "Vulkan0";
/// Logits that differ by less may come in another order.
const TIE: f64 = 0.2;
/// Layers of SmolLM2, and what is behind them.
const LAYERS: u32 = 31;

const QUESTIONS: [&str; 20] = [
    "What is the capital of France?",
    "Name three colours.",
    "Write a haiku about rain.",
    "What is 7 times 8?",
    "Explain gravity to a child.",
    "Who wrote Hamlet?",
    "List the planets.",
    "What is a prime number?",
    "Translate 'good morning' into Spanish.",
    "How do bees make honey?",
    "Give me a recipe for pancakes.",
    "What is the boiling point of water?",
    "Describe a sunset.",
    "Why is the sky blue?",
    "What does a CPU do?",
    "Tell me a short story about a fox.",
    "What is photosynthesis?",
    "Name a mammal that can fly.",
    "How long is a year on Mars?",
    "What should I wear in winter?",
];

/// Kept off our own kernels, so that weights are what they are on the GPU.
fn options(layers: GpuLayers) -> ModelOptions {
    smollm2().repack(Repack::Off).context_length(2048).parallel(4).gpu_layers(layers)
}

/// The same model with its weights in 16 bits. What quantised ones are multiplied with is quantised on CPUs, which
/// moves log probabilities by up to 0.4, and not in Vulkan.
fn half(layers: GpuLayers) -> ModelOptions {
    let model = ModelOptions::new(common::model("smollm2-135m-instruct-f16.gguf"));
    model.repack(Repack::Off).context_length(2048).parallel(4).gpu_layers(layers)
}

fn info(engine: &Engine) -> ModelInfo {
    engine.model_info().remove(0)
}

/// Layers by device.
fn layers(engine: &Engine) -> Vec<(String, u32)> {
    info(engine).placement.into_iter().map(|placed| (placed.device, placed.layers)).collect()
}

fn placed(host: u32, device: u32) -> Vec<(String, u32)> {
    vec![("CPU".to_owned(), host), (DEVICE.to_owned(), device)]
}

/// For each token that was chosen, the most likely ones and their log probabilities, the chosen one first.
fn answer(engine: &Engine, question: &str) -> Vec<Vec<(String, f64)>> {
    let id = info(engine).id;
    let request = json!({
        "model": id, "temperature": 0, "max_completion_tokens": 24, "logprobs": true, "top_logprobs": 5,
        "messages": [{"role": "user", "content": question}],
    });
    let reply: Value = engine.call("/v1/chat/completions", &request).unwrap();
    let likely = |token: &Value| (token["token"].as_str().unwrap().to_owned(), token["logprob"].as_f64().unwrap());
    let tokens = reply["choices"][0]["logprobs"]["content"].as_array().unwrap();
    tokens.iter().map(|token| token["top_logprobs"].as_array().unwrap().iter().map(likely).collect()).collect()
}

/// Compares answers as far as they go the same way; where they part, the two tokens must have been as likely.
fn assert_same(ours: &[Vec<(String, f64)>], theirs: &[Vec<(String, f64)>], question: &str) {
    for (at, (our, their)) in ours.iter().zip(theirs).enumerate() {
        for (token, logprob) in our.iter().take(2) {
            if let Some((_, other)) = their.iter().find(|(other, _)| other == token) {
                assert!((logprob - other).abs() < TIE, "{question}: token {at} {token:?}: {logprob} and {other}");
            }
        }
        if our[0].0 != their[0].0 {
            let second = our.iter().find(|(token, _)| *token == their[0].0);
            let gap = second.map_or(f64::INFINITY, |(_, logprob)| our[0].1 - logprob);
            assert!(gap < TIE, "{question}: token {at}: {our:?} and {their:?}");
            return;
        }
    }
}

#[test]
fn all_some_and_no_layers_answer_alike() {
    let device = zerohop::devices().unwrap().into_iter().find(|device| device.name == DEVICE);
    let device = device.expect("a Vulkan device: run `make test-vulkan`");
    assert_eq!(device.kind, DeviceKind::Gpu);
    assert!(zerohop::system_info().backends.contains(&"vulkan"));

    let host = engine(half(GpuLayers::Count(0)));
    assert_eq!(layers(&host), [("CPU".to_owned(), LAYERS)]);
    let expected: Vec<_> = QUESTIONS.iter().map(|question| answer(&host, question)).collect();
    drop(host);
    for (chosen, on_host, on_device) in
        [(GpuLayers::All, 0, LAYERS), (GpuLayers::Count(12), LAYERS - 12, 12), (GpuLayers::Auto, 0, LAYERS)]
    {
        let offloaded = engine(half(chosen));
        assert_eq!(layers(&offloaded), placed(on_host, on_device), "{chosen:?}");
        let info = info(&offloaded);
        let there = &info.placement[1];
        assert!(there.weights > 20 << 20 && there.kv_cache > 1 << 20 && there.compute > 0, "{info:?}");
        for (question, expected) in QUESTIONS.iter().zip(&expected) {
            assert_same(expected, &answer(&offloaded, question), question);
        }
    }
}

#[test]
fn too_little_memory_gives_fewer_layers() {
    let device = zerohop::devices().unwrap().into_iter().find(|device| device.name == DEVICE).unwrap();
    // The system's memory is the device's, and others take and give of it.
    let mut seen = Vec::new();
    for left in [40_u64, 90, 140, 190] {
        let margin = device.memory_free.saturating_sub(left << 20);
        let engine = engine(options(GpuLayers::Auto).gpu_margin(margin));
        let on_device: u32 =
            layers(&engine).iter().filter(|(device, _)| device == DEVICE).map(|(_, layers)| layers).sum();
        assert!(engine.chat().create(&greedy("Hello", 4)).is_ok());
        seen.push(on_device);
    }
    assert!(seen.iter().any(|layers| *layers < LAYERS), "{seen:?}");
    let none = engine(options(GpuLayers::Auto).gpu_margin(u64::MAX));
    assert_eq!(layers(&none), [("CPU".to_owned(), LAYERS)]);
    let error = Engine::builder().model("m", options(GpuLayers::All).context_length(1 << 30)).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.message().contains("auto"), "{error}");
}

#[test]
fn options_do_what_they_say() {
    for options in [
        options(GpuLayers::All).devices([DEVICE]).tensor_split([1.0]),
        options(GpuLayers::All).kv_type(KvType::Q8_0),
        options(GpuLayers::All).flash_attention(FlashAttention::Off),
        options(GpuLayers::All).flash_attention(FlashAttention::On),
    ] {
        let what = format!("{options:?}");
        let engine = engine(options);
        assert_eq!(layers(&engine), placed(0, LAYERS), "{what}");
        assert_eq!(engine.chat().create(&greedy("Hello", 4)).unwrap().usage.completion_tokens, 4, "{what}");
    }
    for (options, named) in [
        (options(GpuLayers::All).devices(["Vulkan9"]), "Vulkan9"),
        (options(GpuLayers::All).devices([DEVICE, DEVICE]), "twice"),
        (options(GpuLayers::All).tensor_split([1.0, 1.0]), "tensor_split"),
        (options(GpuLayers::All).cpu_moe_layers(2), "experts"),
    ] {
        let error = Engine::builder().model("m", options).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
        assert!(error.message().contains(named), "{error}");
    }
}

#[test]
fn drafts_prefixes_and_callers_go_on() {
    let draft = common::model("smollm2-135m-instruct-q4_1.gguf");
    let engine = Arc::new(engine(options(GpuLayers::All).draft_model(draft)));
    let long = common::prompt(3, 700);
    let first = engine.chat().create(&greedy(&long, 8)).unwrap();
    let again = engine.chat().create(&greedy(&long, 8)).unwrap();
    let cached = again.usage.prompt_tokens_details.cached_tokens;
    assert!(cached >= 512, "{cached} of {}", first.usage.prompt_tokens);
    std::thread::scope(|scope| {
        for index in 0..6 {
            let engine = engine.clone();
            scope.spawn(move || engine.chat().create(&greedy(QUESTIONS[index], 12)).unwrap());
        }
    });
}

/// Counts what is said about devices.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Subscriber for Heard {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "zerohop" && *metadata.level() <= Level::INFO
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn event(&self, event: &Event<'_>) {
        struct Text(String);
        impl Visit for Text {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                if field.name() == "message" {
                    self.0 = format!("{value:?}");
                }
            }
        }
        let mut text = Text(String::new());
        event.record(&mut text);
        self.0.lock().unwrap().push(text.0);
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[test]
fn without_a_driver_the_cpu_computes() {
    const INSIDE: &str = "ZEROHOP_TEST_WITHOUT_DRIVER";
    if std::env::var_os(INSIDE).is_none() {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["without_a_driver_the_cpu_computes", "--exact", "--nocapture"])
            .env(INSIDE, "1")
            .env("VK_DRIVER_FILES", "/nowhere.json")
            .env("VK_ICD_FILENAMES", "/nowhere.json")
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    let heard = Heard::default();
    let engine = tracing::subscriber::with_default(heard.clone(), || engine(tiny()));
    assert_eq!(info(&engine).placement.len(), 1);
    assert_eq!(engine.chat().create(&greedy("Hello", 4)).unwrap().usage.completion_tokens, 4);
    let said = heard.0.lock().unwrap();
    let about: Vec<_> = said.iter().filter(|line| line.contains("computed on the CPU")).collect();
    assert_eq!(about.len(), 1, "{said:?}");
    let error = Engine::builder().model("m", tiny().gpu_layers(GpuLayers::All)).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
}
