//! Drains streamed answers in Rust: what `benches/python_stream.py` compares Python with.
//!
//! `drain MODEL STREAMS TOKENS` asks for so many answers at once, each of so many tokens, and prints
//! one line of JSON:
//!
//! - `seconds`: from the first request to the end of the last answer,
//! - `tokens`: of all answers,
//! - `pieces`: chunks of all answers,
//! - `cpu`: processor seconds of the threads that drain, one a stream, without the engine's own.
#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use zerohop::Engine;
use zerohop::types::{ChatCompletionMessage, CreateChatCompletionRequest};
use zerohop_bench::Error;

/// Requests computed together; as in the Python program.
const PARALLEL: u32 = 16;

struct Drained {
    pieces: u32,
    cpu: Duration,
}

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, streams, tokens] = &arguments[..] else {
        return Err("usage: drain MODEL STREAMS TOKENS".into());
    };
    let (streams, tokens): (u32, u32) = (streams.parse()?, tokens.parse()?);
    let options = zerohop::ModelOptions::new(model).parallel(PARALLEL).context_length(PARALLEL * (tokens + 256));
    let engine = Engine::builder().model("bench", options).build()?;
    drain(&engine, 0, tokens.min(16))?;
    let started = Instant::now();
    let drained = std::thread::scope(|scope| {
        let engine = &engine;
        let threads: Vec<_> = (0..streams).map(|index| scope.spawn(move || drain(engine, index, tokens))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no thread panics")).collect::<Result<Vec<_>, _>>()
    })?;
    let figures = serde_json::json!({
        "seconds": started.elapsed().as_secs_f64(),
        "tokens": streams * tokens,
        "pieces": drained.iter().map(|drained| drained.pieces).sum::<u32>(),
        "cpu": drained.iter().map(|drained| drained.cpu).sum::<Duration>().as_secs_f64(),
    });
    println!("{figures}");
    Ok(())
}

fn drain(engine: &Engine, index: u32, tokens: u32) -> zerohop::Result<Drained> {
    let question = format!("Write a very long story about the number {index}.");
    let request = CreateChatCompletionRequest::new("bench", [ChatCompletionMessage::user(question)])
        .temperature(0.0)
        .max_completion_tokens(tokens)
        .ignore_eos(true);
    let chunks = engine.chat().create_stream(&request)?;
    let begun = thread_time();
    let mut pieces = 0;
    for chunk in chunks {
        chunk?;
        pieces += 1;
    }
    Ok(Drained { pieces, cpu: thread_time().saturating_sub(begun) })
}

fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}
