//! Requests of any path, as [`zerohop_fuzz::request`] reads them.
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use zerohop::{Engine, ModelOptions};
use zerohop_fuzz::{TIME_LIMIT, answer, gemma3, model, prepare, request, shared_engine, tiny};

fn build() -> Engine {
    let file = |name: &str| ModelOptions::new(model(&format!("tiny/{name}.gguf"))).threads(1);
    Engine::builder()
        .model("m", tiny().context_length(512).parallel(4))
        .model("s", file("tiny-spm").context_length(512).parallel(2))
        .model("e", file("tiny-embedding-mean"))
        .model("r", file("tiny-rank"))
        .model("v", gemma3().context_length(512).parallel(2))
        .timeout(TIME_LIMIT)
        .build()
        .unwrap()
}

fuzz_target!(init: prepare(), |input: &[u8]| -> Corpus {
    let Some(request) = request(input) else { return Corpus::Reject };
    answer(&shared_engine(build), &request);
    Corpus::Keep
});
