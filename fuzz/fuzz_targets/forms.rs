//! Forms with files, as [`zerohop_fuzz::request`] reads them: audio that is written down, at once or as
//! a stream, and uploads.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::{Corpus, fuzz_target};
use tempfile::TempDir;
use zerohop::{Engine, ModelOptions};
use zerohop_fuzz::{TIME_LIMIT, answer, prepare, request, shared_engine, tiny, tiny_speech, weights};

static FOLDER: OnceLock<TempDir> = OnceLock::new();

fn build() -> Engine {
    let speech = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("speech.bin"), tiny_speech(weights(1)).0).unwrap();
        folder
    });
    Engine::builder()
        .model("m", tiny())
        .model("w", ModelOptions::new(speech.path().join("speech.bin")).threads(1))
        .timeout(TIME_LIMIT)
        .build()
        .unwrap()
}

fuzz_target!(init: prepare(), |input: &[u8]| -> Corpus {
    let Some(request) = request(input) else { return Corpus::Reject };
    if !request.headers().contains_key("content-type") {
        return Corpus::Reject;
    }
    answer(&shared_engine(build), &request);
    Corpus::Keep
});
