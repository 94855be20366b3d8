//! Speech models that are damaged, or that nobody has trained.

mod common;

use std::path::{Path, PathBuf};

use zerohop::types::{AudioFile, AudioResponseFormat, CreateTranscriptionRequest, TimestampGranularity};
use zerohop::{Engine, ErrorKind, ModelOptions};

const WIDTH: i32 = 4;
const LAYERS: i32 = 1;

/// Writes a model of the smallest shape with random weights; gives its bytes and where its tensors begin.
fn tiny(mut weight: impl FnMut() -> f32) -> (Vec<u8>, usize) {
    let mut file = 0x6767_6d6c_i32.to_le_bytes().to_vec();
    let put = |file: &mut Vec<u8>, number: i32| file.extend(number.to_le_bytes());
    for number in [51_864, 1500, WIDTH, 2, LAYERS, 448, WIDTH, 2, LAYERS, 80, 0, 80, 201] {
        put(&mut file, number);
    }
    (0..80 * 201).for_each(|_| file.extend(0.01_f32.to_le_bytes()));
    put(&mut file, 256);
    for byte in 0..=255_u8 {
        put(&mut file, 1);
        file.push(byte);
    }
    let tensors = file.len();
    let mut tensor = |name: &str, shape: &[i32]| {
        put(&mut file, i32::try_from(shape.len()).unwrap());
        put(&mut file, i32::try_from(name.len()).unwrap());
        put(&mut file, 0);
        for size in shape {
            put(&mut file, *size);
        }
        file.extend(name.as_bytes());
        (0..shape.iter().product::<i32>()).for_each(|_| file.extend(weight().to_le_bytes()));
    };
    for (side, attentions, context) in [("encoder", &["attn"][..], 1500), ("decoder", &["attn", "cross_attn"][..], 448)]
    {
        tensor(&format!("{side}.positional_embedding"), &[WIDTH, context]);
        let norm = if side == "encoder" { "encoder.ln_post" } else { "decoder.ln" };
        tensor(&format!("{norm}.weight"), &[WIDTH]);
        tensor(&format!("{norm}.bias"), &[WIDTH]);
        let block = format!("{side}.blocks.0");
        for attention in attentions {
            for part in ["query", "key", "value", "out"] {
                tensor(&format!("{block}.{attention}.{part}.weight"), &[WIDTH, WIDTH]);
                if part != "key" {
                    tensor(&format!("{block}.{attention}.{part}.bias"), &[WIDTH]);
                }
            }
            tensor(&format!("{block}.{attention}_ln.weight"), &[WIDTH]);
            tensor(&format!("{block}.{attention}_ln.bias"), &[WIDTH]);
        }
        for (part, shape) in [("mlp.0", [WIDTH, 4 * WIDTH]), ("mlp.2", [4 * WIDTH, WIDTH])] {
            tensor(&format!("{block}.{part}.weight"), &shape);
            tensor(&format!("{block}.{part}.bias"), &shape[1..]);
        }
        tensor(&format!("{block}.mlp_ln.weight"), &[WIDTH]);
        tensor(&format!("{block}.mlp_ln.bias"), &[WIDTH]);
    }
    tensor("encoder.conv1.weight", &[3, 80, WIDTH]);
    tensor("encoder.conv1.bias", &[1, WIDTH]);
    tensor("encoder.conv2.weight", &[3, WIDTH, WIDTH]);
    tensor("encoder.conv2.bias", &[1, WIDTH]);
    tensor("decoder.token_embedding.weight", &[WIDTH, 51_864]);
    (file, tensors)
}

/// Numbers that are the same in every run.
fn random(mut state: u32) -> impl FnMut() -> u32 {
    move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 8
    }
}

fn weights(seed: u32) -> impl FnMut() -> f32 {
    let mut next = random(seed);
    move || f32::from(u16::try_from(next() & 0xffff).unwrap()) / 32768.0 - 1.0
}

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
