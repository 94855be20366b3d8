//! Requests and templates that are damaged byte by byte, from a seed: `make fuzz` tries others.

mod common;

use std::fs;
use std::path::PathBuf;

use common::mutate::Random;
use common::{count, greedy, models, tiny};
use http::Request;
use zerohop::{Body, Engine, ErrorKind, ModelOptions};

fn first_seed() -> u64 {
    std::env::var("ZEROHOP_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1)
}

/// The files of a folder that end so, none longer than `most` bytes.
fn seeds(folder: &str, ending: &str, most: usize) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(models().join(folder)).expect("run `make models`").map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let files =
        paths.into_iter().filter(|path| path.to_str().unwrap().ends_with(ending)).map(|path| fs::read(path).unwrap());
    files.filter(|bytes| (1..=most).contains(&bytes.len())).collect()
}

/// A file with a few bytes changed, cut out, doubled or taken from another file.
fn damaged(files: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = files[random.below(files.len())].clone();
    let other = &files[random.below(files.len())];
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        let len = 1 + random.below(32.min(bytes.len() - at));
        match random.below(6) {
            0 => bytes[at] = (random.bits() & 0xff) as u8,
            1 => bytes[at] ^= 1 << random.below(8),
            2 => drop(bytes.drain(at..at + len)),
            3 => {
                let part = bytes[at..at + len].to_vec();
                let repeats = 1 + random.below(200);
                bytes.splice(at..at, part.repeat(repeats));
            }
            4 => {
                let from = random.below(other.len());
                let part = other[from..other.len().min(from + 64)].to_vec();
                bytes.splice(at..at, part);
            }
            _ => bytes[at] = b"{}[]\"'%\\0-,:|~.()#"[random.below(18)],
        }
        if bytes.is_empty() {
            bytes.push(b' ');
        }
    }
    bytes
}

#[test]
fn damaged_requests_are_refused_or_answered() {
    let files = seeds("corpus", ".json", 4000);
    assert!(files.len() > 50);
    let engine = Engine::builder().model("m", tiny()).model("s", tiny()).build().unwrap();
    for round in 0..count(300, 20_000) {
        let seed = first_seed() + round as u64;
        let mut random = Random::new(seed);
        let body = damaged(&files, &mut random);
        let path = ["/v1/chat/completions", "/v1/chat/completions", "/v1/embeddings"][random.below(3)];
        let request = Request::post(path).body(body).unwrap();
        let response = engine.request(&request).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let status = response.status().as_u16();
        assert!(matches!(status, 200 | 400 | 404), "seed {seed}: {status}");
        if let Body::Events(events) = response.into_body() {
            assert!(events.count() > 0, "seed {seed}");
        }
    }
    assert_eq!(engine.chat().create(&greedy("Hello", 2)).unwrap().usage.completion_tokens, 2);
}

#[test]
fn damaged_requests_for_plain_texts_are_refused_or_answered() {
    const BODIES: [(&str, &str); 6] = [
        (
            "/v1/completions",
            r#"{"model": "m", "prompt": ["a", ""], "max_tokens": 3, "echo": true, "logprobs": 2, "n": 2}"#,
        ),
        (
            "/v1/completions",
            r#"{"model": "m", "prompt": [[1, 2], [3]], "best_of": 3, "stop": "a", "temperature": 0.7}"#,
        ),
        ("/v1/completions", r#"{"model": "m", "prompt": "\u00e9<|im_end|>", "stream": true, "suffix": "", "seed": 1}"#),
        ("/v1/rerank", r#"{"model": "r", "query": "a cat", "documents": ["a dog", {"text": "red"}], "top_n": 1}"#),
        ("/tokenize", r#"{"model": "m", "messages": [{"role": "user", "content": "a"}], "return_token_strs": true}"#),
        ("/detokenize", r#"{"model": "r", "tokens": [1, 2, 3]}"#),
    ];
    let rank = ModelOptions::new(common::model("tiny/tiny-rank.gguf")).threads(1);
    let engine = Engine::builder().model("m", tiny()).model("r", rank).build().unwrap();
    let files: Vec<Vec<u8>> = BODIES.iter().map(|(_, body)| body.as_bytes().to_vec()).collect();
    for round in 0..count(300, 20_000) {
        let seed = first_seed() + round as u64;
        let mut random = Random::new(seed);
        let path = BODIES[random.below(BODIES.len())].0;
        let body = damaged(&files, &mut random);
        let response = engine.request(&Request::post(path).body(body).unwrap());
        let response = response.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let status = response.status().as_u16();
        assert!(matches!(status, 200 | 400 | 404), "seed {seed}: {status}");
        if let Body::Events(events) = response.into_body() {
            assert!(events.count() > 0, "seed {seed}");
        }
    }
    assert_eq!(engine.chat().create(&greedy("Hello", 2)).unwrap().usage.completion_tokens, 2);
}

#[test]
fn damaged_templates_are_refused_or_end() {
    let files = seeds("templates", ".jinja", 20_000);
    assert!(files.len() > 20);
    for round in 0..count(15, 2_000) {
        let seed = first_seed() + round as u64;
        let source = String::from_utf8_lossy(&damaged(&files, &mut Random::new(seed))).into_owned();
        let error = match Engine::builder().model("m", tiny().chat_template(source)).build() {
            Ok(engine) => engine.chat().create(&greedy("Hello", 2)).err(),
            Err(error) => Some(error),
        };
        let kind = error.as_ref().map(zerohop::Error::kind);
        let is_typed = matches!(
            kind,
            None | Some(ErrorKind::InvalidModel | ErrorKind::InvalidArgument | ErrorKind::InvalidRequest)
        );
        assert!(is_typed, "seed {seed}: {error:?}");
    }
}
