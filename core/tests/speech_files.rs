//! Speech models that are damaged, or that nobody has trained.

mod common;

use std::path::{Path, PathBuf};

use common::speech::{random, tiny, weights};
use zerohop::types::{AudioFile, AudioResponseFormat, CreateTranscriptionRequest, TimestampGranularity};
use zerohop::{Engine, ErrorKind, ModelOptions};

fn written(folder: &Path, bytes: &[u8]) -> PathBuf {
    let path = folder.join("model.bin");
    std::fs::write(&path, bytes).unwrap();
    path
}

fn load(path: &Path) -> zerohop::Result<Engine> {
    Engine::builder().model("m", ModelOptions::new(path).threads(1)).build()
}

fn request() -> CreateTranscriptionRequest {
    let path = common::models().join("speech/garden.mp3");
    let file = AudioFile::new("garden.mp3", std::fs::read(path).expect("run `make models`"));
    CreateTranscriptionRequest::new("m", file)
        .response_format(AudioResponseFormat::VerboseJson)
        .timestamp_granularities([TimestampGranularity::Word, TimestampGranularity::Segment])
        .temperature(0.5)
}

#[test]
fn noise_is_text_too() {
    let folder = tempfile::tempdir().unwrap();
    for seed in 1..=3 {
        let engine = load(&written(folder.path(), &tiny(weights(seed)).0)).unwrap();
        assert_eq!(engine.model_info()[0].architecture, "whisper");
        engine.transcriptions().create(&request()).unwrap();
    }
}

#[test]
fn weights_that_are_no_numbers_end_in_text_or_in_an_error() {
    let folder = tempfile::tempdir().unwrap();
    for weight in [f32::NAN, f32::INFINITY, f32::MAX, 0.0] {
        let engine = load(&written(folder.path(), &tiny(|| weight).0)).unwrap();
        if let Err(error) = engine.transcriptions().create(&request()) {
            assert_eq!(error.kind(), ErrorKind::Internal, "{error}");
        }
    }
}

#[test]
fn damaged_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, tensors) = tiny(weights(1));
    let mut next = random(9);
    for round in 0..common::count(60, 2000) {
        let mut bytes = whole.clone();
        // Numbers: of the header, of the vocabulary, of the first tensors.
        let place = match round % 3 {
            0 => 4 * (next() as usize % 14),
            1 => tensors - 256 * 5 - 4 + next() as usize % 1280,
            _ => tensors + next() as usize % 40,
        };
        let number = [0, 1, 0xff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, next()][next() as usize % 7];
        bytes[place..place + 4].copy_from_slice(&number.to_le_bytes());
        match load(&written(folder.path(), &bytes)) {
            Ok(engine) => drop(engine.transcriptions().create(&request())),
            Err(error) => assert!(
                matches!(error.kind(), ErrorKind::InvalidModel | ErrorKind::Unavailable),
                "{place} {number}: {error}"
            ),
        }
    }
    for length in [4, 5, 40, 60, tensors - 1, tensors, tensors + 20, whole.len() - 1] {
        let error = load(&written(folder.path(), &whole[..length])).unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::InvalidModel, Some("truncated")), "{length}");
    }
}
