//! The same answer alone and in a crowd, and what is said of models that cannot promise it.

mod common;

use std::thread;

use common::{engine, greedy, model, qwen, smollm2, tiny};
use zerohop::types::{ChatCompletion, ChatCompletionMessage, CreateChatCompletionRequest};
use zerohop::{Engine, FlashAttention, KvType, ModelOptions, Repack};

/// Prompts of many lengths that begin alike, so that the prefix cache and slices have their part.
fn prompt(index: usize) -> String {
    let words = ["river", "stone", "seven", "quick", "engine", "window", "paper", "cloud", "bridge", "token"];
    let length = [3, 40, 170, 9, 300, 25][index % 6] + index;
    let text: Vec<&str> = (0..length).map(|word| words[(word * 7 + word / 10 * (index % 3)) % words.len()]).collect();
    format!("Tell me about this: {}", text.join(" "))
}

fn requests(count: usize) -> Vec<CreateChatCompletionRequest> {
    let request = |index: usize| {
        let request = greedy(&prompt(index), 12 + u32::try_from(index % 5).unwrap());
        let request = if index.is_multiple_of(2) { request } else { request.temperature(1.0).seed(7) };
        request.logprobs(true).top_logprobs(4)
    };
    (0..count).map(request).collect()
}

/// What was chosen, and the bits of all log probabilities.
fn told(reply: &ChatCompletion) -> Vec<(String, Vec<u32>)> {
    let logprobs = reply.choices[0].logprobs.as_ref().unwrap();
    let tokens = logprobs.content.as_deref().unwrap();
    let bits = |numbers: &mut dyn Iterator<Item = f32>| numbers.map(f32::to_bits).collect();
    tokens
        .iter()
        .map(|token| (token.token.clone(), bits(&mut token.top_logprobs.iter().map(|top| top.logprob))))
        .collect()
}

fn variance(engine: &Engine) -> Option<String> {
    engine.model_info().remove(0).batch_variance
}

#[test]
fn answers_are_bit_for_bit_the_same_alone_and_in_a_crowd() {
    let full = std::env::var_os("ZEROHOP_TEST_FULL").is_some();
    let mixture = ModelOptions::new(model("tiny/tiny-mixture.gguf"));
    let mut all = vec![(mixture, 48), (smollm2(), if full { 200 } else { 32 })];
    if full {
        all.push((qwen(), 200));
    }
    for (options, count) in all {
        let options = options.repack(Repack::On).context_length(4096);
        let requests = requests(count);
        let expected: Vec<_> = {
            let plain = options.clone().prefix_cache(false).speculation(false).parallel(1);
            let plain = engine(plain.threads(1));
            assert_eq!(variance(&plain), None);
            requests.iter().map(|request| told(&plain.chat().create(request).unwrap())).collect()
        };
        let crowd = engine(options.parallel(16));
        assert_eq!(variance(&crowd), None);
        thread::scope(|scope| {
            let callers: Vec<_> = (0..16)
                .map(|caller| {
                    let (crowd, requests) = (&crowd, &requests);
                    scope.spawn(move || {
                        let own = requests.iter().skip(caller).step_by(16);
                        own.map(|request| told(&crowd.chat().create(request).unwrap())).collect::<Vec<_>>()
                    })
                })
                .collect();
            for (caller, answers) in callers.into_iter().enumerate() {
                let expected = expected.iter().skip(caller).step_by(16);
                for (index, (answer, expected)) in answers.join().unwrap().iter().zip(expected).enumerate() {
                    assert!(answer == expected, "request {}", caller + 16 * index);
                }
            }
        });
    }
}

#[test]
fn a_model_says_what_its_answers_depend_on() {
    let q8 = || ModelOptions::new(model("tiny/tiny-mixture.gguf")).threads(1).repack(Repack::On);
    let adapted = ModelOptions::new(model("tiny/tiny-q8.gguf")).repack(Repack::On);
    let vectors = ModelOptions::new(model("tiny/tiny-embedding-mean.gguf"));
    for (options, reason) in [
        (q8().repack(Repack::Off), "the weights are not repacked"),
        (q8().kv_type(KvType::F32), "llama.cpp computes attention"),
        (q8().flash_attention(FlashAttention::Off), "llama.cpp computes attention"),
        (adapted.adapter(model("tiny/tiny-lora.gguf"), 1.0), "LoRA adapters"),
        (tiny().repack(Repack::On), r#"llama.cpp's kernels compute with "output.weight" (f32, [64, "#),
        (vectors.repack(Repack::On), "llama.cpp"),
        (q8().lazy(true), "not in memory"),
    ] {
        let found = variance(&engine(options)).unwrap_or_default();
        assert!(found.contains(reason), "{found} for {reason}");
    }
    assert_eq!(variance(&engine(q8())), None);
    // It is known once the model is there.
    let lazy = engine(q8().lazy(true));
    lazy.chat()
        .create(&CreateChatCompletionRequest::new("m", [ChatCompletionMessage::user("Hi")]).max_completion_tokens(1))
        .unwrap();
    assert_eq!(variance(&lazy), None);
}
