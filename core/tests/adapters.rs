//! LoRA adapters as models of their own, over weights that are shared.

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use common::{count, engine, greedy, model, resident_kib, smollm2, tiny};
use zerohop::types::{CreateChatCompletionRequest, CreateEmbeddingRequest};
use zerohop::{Engine, ErrorKind, ModelOptions, Repack, inspect};

const ADAPTER: &str = "tiny/tiny-lora.gguf";
const OTHER: &str = "tiny/tiny-lora-other.gguf";

fn tiny_file(name: &str) -> ModelOptions {
    ModelOptions::new(model(&format!("tiny/{name}.gguf"))).threads(1)
}

fn to(name: &str, tokens: u32) -> CreateChatCompletionRequest {
    let mut request = greedy("Hello there", tokens).logprobs(true).top_logprobs(5);
    name.clone_into(&mut request.model);
    request
}

/// The tokens of a greedy answer, each with the likeliest and their logarithms.
fn answer(engine: &Engine, name: &str) -> Vec<(String, Vec<f32>)> {
    let reply = engine.chat().create(&to(name, 16)).unwrap();
    let tokens = reply.choices[0].logprobs.clone().unwrap().content.unwrap();
    tokens.into_iter().map(|token| (token.token, token.top_logprobs.iter().map(|top| top.logprob).collect())).collect()
}

fn alone(options: ModelOptions) -> Vec<(String, Vec<f32>)> {
    answer(&engine(options), "m")
}

#[track_caller]
fn assert_near(ours: &[(String, Vec<f32>)], theirs: &[(String, Vec<f32>)], most: f32) {
    for (ours, theirs) in ours.iter().zip(theirs) {
        assert_eq!(ours.0, theirs.0);
        let differences = ours.1.iter().zip(&theirs.1).map(|(ours, theirs)| (ours - theirs).abs());
        let largest = differences.fold(0.0, f32::max);
        assert!(largest < most, "{largest}: {ours:?} {theirs:?}");
    }
}

#[test]
fn an_adapter_computes_what_is_merged_into_weights() {
    let base = alone(tiny());
    let adapted = alone(tiny().adapter(model(ADAPTER), 1.0));
    assert_ne!(base, adapted);
    assert_near(&adapted, &alone(tiny_file("tiny-merged")), 0.005);
    let both = alone(tiny().adapter(model(ADAPTER), 0.5).adapter(model(OTHER), -2.0));
    assert_near(&both, &alone(tiny_file("tiny-merged-both")), 0.005);
    assert_eq!(alone(tiny().adapter(model(ADAPTER), 0.0)), base);
}

#[test]
fn an_adapter_goes_with_repacked_weights() {
    let expected = alone(tiny_file("tiny-q8-merged"));
    let [packed, plain] =
        [Repack::On, Repack::Off].map(|repack| alone(tiny_file("tiny-q8").repack(repack).adapter(model(ADAPTER), 1.0)));
    // Whose kernels compute shows in the last digits.
    assert_ne!(packed, plain);
    assert_near(&packed, &expected, 0.4);
    assert_near(&plain, &expected, 0.4);
    assert_ne!(packed[0], alone(tiny_file("tiny-q8").repack(Repack::On))[0]);
}

#[test]
fn an_adapter_changes_vectors() {
    let vector = |options| {
        let request = CreateEmbeddingRequest::new("m", "A text of some words.");
        engine(options).embeddings().create(&request).unwrap().data[0].embedding.values.clone()
    };
    let cosine = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let (base, merged) = (vector(tiny_file("tiny-embedding-mean")), vector(tiny_file("tiny-embedding-merged")));
    let adapted = vector(tiny_file("tiny-embedding-mean").adapter(model(ADAPTER), 1.0));
    assert!(cosine(&adapted, &merged) > 0.99999);
    assert!(cosine(&adapted, &base) < 0.99);
}

#[test]
fn an_adapted_model_has_a_name_and_a_description_of_its_own() {
    let engine = engine(tiny());
    let info = engine.load("tuned", tiny().adapter(model(ADAPTER), 0.5).alias("also")).unwrap();
    assert_eq!(info.adapters.len(), 1);
    assert_eq!((&info.adapters[0].path, info.adapters[0].scale), (&model(ADAPTER), 0.5));
    assert!(engine.model_info()[0].adapters.is_empty());
    engine.load("lazy", tiny().adapter(model(OTHER), 1.0).lazy(true)).unwrap();
    assert_eq!(engine.model_info()[2].adapters[0].path, model(OTHER));
    let listed: Vec<String> = engine.models().list().data.into_iter().map(|model| model.id).collect();
    assert_eq!(listed, ["m", "tuned", "also", "lazy"]);
    assert_ne!(answer(&engine, "lazy"), answer(&engine, "tuned"));
    assert_eq!(answer(&engine, "also"), answer(&engine, "tuned"));
}

#[test]
fn the_fingerprint_tells_adapters_and_scales_apart() {
    let folder = std::env::temp_dir().join(format!("zerohop-adapters-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    // As large as the other, with another last weight.
    let mut bytes = std::fs::read(model(ADAPTER)).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    let retrained = folder.join("retrained.gguf");
    std::fs::write(&retrained, bytes).unwrap();
    let options = [
        tiny(),
        tiny().adapter(model(ADAPTER), 1.0),
        tiny().adapter(model(ADAPTER), 0.5),
        tiny().adapter(retrained, 1.0),
        tiny().adapter(model(OTHER), 1.0),
    ];
    let fingerprint = |options| engine(options).chat().create(&greedy("Hello", 1)).unwrap().system_fingerprint.unwrap();
    let mut fingerprints: Vec<String> = options.map(fingerprint).to_vec();
    fingerprints.sort();
    fingerprints.dedup();
    assert_eq!(fingerprints.len(), 5);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn base_and_adapted_models_answer_at_once_while_others_come_and_go() {
    let engine = engine(tiny());
    engine.load("tuned", tiny().adapter(model(ADAPTER), 1.0)).unwrap();
    let expected = ["m", "tuned"].map(|name| engine.chat().create(&to(name, 24)).unwrap().text().unwrap().to_owned());
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let callers: Vec<_> = (0..6)
            .map(|caller| {
                let (engine, expected) = (&engine, &expected[caller % 2]);
                scope.spawn(move || {
                    for _ in 0..count(6, 60) {
                        let reply = engine.chat().create(&to(["m", "tuned"][caller % 2], 24)).unwrap();
                        assert_eq!(reply.text().unwrap(), expected);
                    }
                })
            })
            .collect();
        let (engine, is_over) = (&engine, &is_over);
        scope.spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                engine.load("new", tiny().adapter(model(OTHER), 1.0).adapter(model(ADAPTER), 0.1)).unwrap();
                engine.chat().create(&to("new", 2)).unwrap();
                engine.unload("new").unwrap();
            }
        });
        for caller in callers {
            caller.join().unwrap();
        }
        is_over.store(true, Ordering::Relaxed);
    });
    // What is left has the weights to itself.
    engine.load("last", tiny().adapter(model(ADAPTER), 1.0)).unwrap();
    engine.unload("tuned").unwrap();
    drop(engine.chat().create_stream(&to("m", 200)).unwrap());
    assert_eq!(engine.chat().create(&to("last", 24)).unwrap().text().unwrap(), expected[1]);
}

#[test]
fn a_running_adapted_model_outlives_its_base() {
    let engine = Engine::builder().model("other", tiny()).build().unwrap();
    let whole = engine.chat().create(&to("other", 200)).unwrap();
    engine.load("base", tiny()).unwrap();
    engine.load("tuned", tiny().adapter(model(ADAPTER), 0.0)).unwrap();
    let mut stream = engine.chat().create_stream(&to("tuned", 200)).unwrap();
    assert!(stream.next().unwrap().is_ok());
    engine.unload("base").unwrap();
    let rest: String = stream.map(|chunk| chunk.unwrap().text().unwrap_or_default().to_owned()).collect();
    assert!(whole.text().unwrap().ends_with(&rest) && rest.len() > 100);
}

#[test]
fn weights_are_in_memory_and_in_the_budget_once() {
    let options = || smollm2().repack(Repack::On).context_length(256);
    let memory = inspect(options()).unwrap().memory;
    let budget = memory.weights + 3 * memory.kv_cache + memory.kv_cache / 2;
    let engine = Engine::builder().model("base", options()).memory_budget(budget).build().unwrap();
    let before = resident_kib();
    engine.load("second", options()).unwrap();
    engine.load("third", options()).unwrap();
    let grown = resident_kib().saturating_sub(before) as u64;
    assert!(grown < memory.weights / 1024 / 2, "{grown} KiB, and the weights are {} KiB", memory.weights / 1024);
    let error = engine.load("fourth", options()).unwrap_err();
    assert_eq!(error.code(), Some("memory_budget_exceeded"));
    // Whoever had the weights first, they stay as long as anybody does.
    engine.unload("second").unwrap();
    engine.load("fourth", options()).unwrap();
    engine.unload("third").unwrap();
    engine.unload("fourth").unwrap();
    assert_eq!(engine.load("other", options().repack(Repack::Off)).unwrap_err().code(), Some("memory_budget_exceeded"));
}

#[test]
fn adapters_count_as_memory() {
    let (plain, adapted) = (inspect(tiny()).unwrap(), inspect(tiny().adapter(model(ADAPTER), 1.0)).unwrap());
    let bytes = adapted.memory.weights - plain.memory.weights;
    assert!((10_000..20_000).contains(&bytes), "{bytes}");
}

#[test]
fn what_is_no_adapter_for_the_model_is_refused() {
    let engine = engine(tiny());
    let refused = |options: ModelOptions| engine.load("x", options).unwrap_err();
    for (file, kind, part) in [
        ("tiny/tiny-llama.gguf", ErrorKind::InvalidModel, "general.type"),
        ("hostile/not-gguf.gguf", ErrorKind::InvalidModel, "not-gguf"),
        ("tiny", ErrorKind::ModelFile, "several models"),
    ] {
        let error = refused(tiny().adapter(model(file), 1.0));
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.message().contains(part), "{error}");
    }
    let error = refused(tiny().adapter("/no/such.gguf", 1.0));
    assert_eq!((error.kind(), error.path()), (ErrorKind::ModelFile, Some("/no/such.gguf".as_ref())));
    let error = refused(tiny_file("tiny-gemma3").adapter(model(ADAPTER), 1.0));
    assert!(error.kind() == ErrorKind::InvalidModel && error.message().contains("gemma3"), "{error}");
    let error = refused(smollm2().adapter(model(ADAPTER), 1.0));
    assert!(error.kind() == ErrorKind::InvalidModel && error.message().contains("does not fit"), "{error}");
    for scale in [f32::NAN, f32::INFINITY] {
        assert_eq!(refused(tiny().adapter(model(ADAPTER), scale)).kind(), ErrorKind::InvalidArgument);
    }
    assert_eq!(engine.model_info().len(), 1);
    assert!(engine.load("x", tiny().adapter(model(ADAPTER), 1.0)).is_ok());
}
