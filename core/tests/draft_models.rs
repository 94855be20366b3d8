//! Draft models: fewer steps, and no other answer.

mod common;

use std::thread;

use common::{count, engine, greedy, model, prompt, smollm2, tiny};
use zerohop::types::{CreateChatCompletionRequest, ResponseFormat};
use zerohop::{Engine, ErrorKind, ModelOptions, Repack};

fn metrics(engine: &Engine) -> zerohop::ModelMetrics {
    common::wait_until_idle(engine);
    engine.metrics().models.remove(0)
}

/// Answers without repetition, greedy and sampled, some with a grammar.
fn requests(number: usize) -> Vec<CreateChatCompletionRequest> {
    let regex = ResponseFormat::Regex { regex: "[a-z]{3,12}( [a-z]{3,12}){4,9}\\.".to_owned() };
    (0..number)
        .map(|index| {
            let request = greedy(&prompt(index, 20 + 90 * (index % 4)), 40);
            match index % 3 {
                0 => request,
                1 => request.temperature(0.8).seed(7),
                _ => request.response_format(regex.clone()),
            }
        })
        .collect()
}

fn answer(engine: &Engine, request: &CreateChatCompletionRequest) -> String {
    engine.chat().create(request).unwrap().choices.remove(0).message.content.unwrap()
}

/// Repetition is not speculated on, so that all drafts are the draft model's.
fn drafted(options: ModelOptions, draft: &str) -> ModelOptions {
    options.repack(Repack::On).speculation(false).draft_model(model(draft))
}

const SMOLLM2: &str = "smollm2-135m-instruct-q4_1.gguf";

#[test]
fn drafts_change_no_answer() {
    let requests = requests(count(6, 60));
    let without = engine(smollm2().repack(Repack::On).speculation(false));
    let with = engine(drafted(smollm2(), SMOLLM2));
    for request in &requests {
        assert_eq!(answer(&with, request), answer(&without, request));
    }
    let metrics = metrics(&with);
    assert!(metrics.drafted_tokens > 0 && metrics.accepted_draft_tokens > 0, "{metrics:?}");
    assert_eq!(metrics.rejected_prediction_tokens, 0, "nobody has predicted anything");
}

#[test]
fn callers_at_once_get_the_same_answers() {
    let requests = requests(count(12, 60));
    let without = engine(tiny().repack(Repack::On).speculation(false));
    let expected: Vec<_> = requests.iter().map(|request| answer(&without, request)).collect();
    let with = engine(drafted(tiny(), "tiny/tiny-q8.gguf").parallel(2));
    thread::scope(|scope| {
        let callers: Vec<_> = requests.iter().map(|request| scope.spawn(|| answer(&with, request))).collect();
        for (caller, expected) in callers.into_iter().zip(expected) {
            assert_eq!(caller.join().unwrap(), expected);
        }
    });
    assert!(metrics(&with).drafted_tokens > 0);
}

#[test]
fn a_model_says_which_it_has() {
    let with = engine(drafted(tiny(), "tiny/tiny-q8.gguf"));
    assert_eq!(with.model_info()[0].draft_model, Some(model("tiny/tiny-q8.gguf")));
    assert_eq!(engine(tiny()).model_info()[0].draft_model, None);
}

#[test]
fn its_memory_counts() {
    let need = |options: ModelOptions| zerohop::inspect(options).unwrap().memory;
    let (with, without) = (need(drafted(tiny(), "tiny/tiny-q8.gguf")), need(tiny()));
    assert!(with.weights > without.weights && with.kv_cache > without.kv_cache);
}

#[test]
fn what_does_not_fit_is_refused() {
    let refused = |options: ModelOptions| {
        let error = Engine::builder().model("m", options).build().unwrap_err();
        (error.kind(), error.message().to_owned())
    };
    let (kind, message) = refused(drafted(smollm2(), "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"));
    assert_eq!(kind, ErrorKind::InvalidArgument);
    assert!(message.contains("its vocabulary is another"), "{message}");
    let (kind, message) = refused(drafted(tiny(), "tiny/tiny-mamba.gguf"));
    assert_eq!(kind, ErrorKind::InvalidArgument);
    assert!(message.contains("recurrent state"), "{message}");
    let (_, message) = refused(drafted(ModelOptions::new(model("tiny/tiny-gemma3.gguf")), "tiny/tiny-spm.gguf"));
    assert!(message.contains("the model has a recurrent state or a sliding window"), "{message}");
    let (_, message) = refused(drafted(tiny(), "tiny/tiny-embedding-mean.gguf"));
    assert!(message.contains("does not generate text"), "{message}");
    let embedding = ModelOptions::new(model("tiny/tiny-embedding-mean.gguf"));
    let (_, message) = refused(drafted(embedding, "tiny/tiny-q8.gguf"));
    assert!(message.contains("only models that generate text"), "{message}");
    let (kind, _) = refused(tiny().draft_model("no-such.gguf"));
    assert_eq!(kind, ErrorKind::ModelFile);
    let (kind, _) = refused(drafted(tiny(), "hostile/bad-version.gguf"));
    assert_eq!(kind, ErrorKind::InvalidModel);
}
