//! Vectors of many texts: zerohop's and those of the same passes in a bare llama-cpp-2 loop.
//!
//! `benches/embeddings.py` runs both beside other libraries, on the same texts.

use std::fs;
use std::time::Instant;

use zerohop::Engine;
use zerohop::types::CreateEmbeddingRequest;

use crate::{Bare, Error};

/// How often the texts are computed; the first time is not timed.
const ROUNDS: u32 = 4;

/// Texts per second. `texts` is a file with a JSON list of texts; the vectors go to the file `out`, as
/// 32-bit floats one after another.
pub fn measure(is_bare: bool, model: &str, texts: &str, out: &str) -> Result<f64, Error> {
    let texts: Vec<String> = serde_json::from_slice(&fs::read(texts)?)?;
    let (vectors, seconds) = if is_bare { bare(model, &texts)? } else { ours(model, &texts)? };
    fs::write(out, vectors.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>())?;
    let texts = u32::try_from(texts.len())?;
    Ok(f64::from(texts) * f64::from(ROUNDS - 1) / seconds)
}

fn ours(model: &str, texts: &[String]) -> Result<(Vec<f32>, f64), Error> {
    let engine = Engine::builder().model("bench", model).build()?;
    timed(|| {
        let reply = engine.embeddings().create(&CreateEmbeddingRequest::new("bench", texts.to_vec()))?;
        Ok(reply.data.into_iter().flat_map(|embedding| embedding.embedding.values).collect())
    })
}

fn bare(model: &str, texts: &[String]) -> Result<(Vec<f32>, f64), Error> {
    let bare = Bare::load(model)?;
    let threads = i32::try_from(std::thread::available_parallelism()?.get())?;
    let mut context = bare.embedding_context(threads)?;
    timed(|| bare.embed(&mut context, texts))
}

fn timed(mut embed: impl FnMut() -> Result<Vec<f32>, Error>) -> Result<(Vec<f32>, f64), Error> {
    embed()?;
    let started = Instant::now();
    let mut vectors = Vec::new();
    for _ in 1..ROUNDS {
        vectors = embed()?;
    }
    Ok((vectors, started.elapsed().as_secs_f64()))
}
