//! Speculation on repetition: fewer steps, and no other answer.

mod common;

use common::{count, engine, greedy, prompt, smollm2};
use zerohop::types::CreateChatCompletionRequest;
use zerohop::{Engine, ModelMetrics, Repack};

fn metrics(engine: &Engine) -> ModelMetrics {
    engine.metrics().models.remove(0)
}

/// Answers that repeat themselves or their prompts, greedy and sampled.
fn requests(number: usize) -> Vec<CreateChatCompletionRequest> {
    (0..number)
        .map(|index| {
            let text = format!("Repeat this three times: {}.", prompt(index, 12));
            let request = greedy(&text, 60);
            if index % 3 == 2 { request.temperature(0.7).seed(7) } else { request }
        })
        .collect()
}

fn answers(engine: &Engine, requests: &[CreateChatCompletionRequest]) -> Vec<String> {
    let answer = |request| engine.chat().create(request).unwrap().choices.remove(0).message.content.unwrap();
    requests.iter().map(answer).collect()
}

#[test]
fn drafts_change_no_answer() {
    let requests = requests(count(9, 100));
    let options = || smollm2().repack(Repack::On);
    let without = engine(options().speculation(false));
    let expected = answers(&without, &requests);
    assert_eq!(metrics(&without).drafted_tokens, 0);
    let with = engine(options());
    assert_eq!(answers(&with, &requests), expected);
    let metrics = metrics(&with);
    assert!(metrics.drafted_tokens > 0 && metrics.accepted_draft_tokens <= metrics.drafted_tokens, "{metrics:?}");
    assert_eq!(metrics.rejected_prediction_tokens, 0, "nobody has predicted anything");
}

#[test]
fn other_kernels_draft_nothing() {
    // There, logits depend on how many tokens are computed together.
    let engine = engine(smollm2().repack(Repack::Off));
    answers(&engine, &requests(2));
    assert_eq!(metrics(&engine).drafted_tokens, 0);
}
