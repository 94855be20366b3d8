//! How long a stream may wait while others keep the model busy. A file of its
//! own, so that no other test computes at the same time.

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{count, engine, greedy, prompt, smollm2};
use zerohop::{ChatCompletionStream, Engine};

/// The promise: while a long prompt is computed, no stream waits for a token
/// longer than two slices of 256 prompt tokens take.
const SLICES: f64 = 2.0;

#[test]
fn a_long_prompt_does_not_hold_up_streams() {
    // Each prompt is to be computed.
    let engine = engine(smollm2().context_length(8192).prefix_cache(false));
    // Another process may take the processors at any moment, which no engine can
    // help: one attempt that keeps the promise shows that this one can, and the
    // thorough test demands it of most.
    let (attempts, demanded, tokens) = (count(20, 5), count(1, 3), count(700, 1500));
    let mut waits = Vec::new();
    while waits.iter().filter(|wait| **wait <= SLICES).count() < demanded {
        assert!(waits.len() < attempts, "the longest waits of {attempts} attempts, in slices: {waits:.2?}");
        waits.push(longest_wait(&engine, tokens).div_duration_f64(time_of_a_slice(&engine, tokens)));
    }
}

fn time_of_a_slice(engine: &Engine, tokens: usize) -> Duration {
    let started = Instant::now();
    let reply = engine.chat().create(&greedy(&prompt(2, tokens), 1)).unwrap();
    started.elapsed() * 256 / reply.usage.prompt_tokens
}

/// A stream's longest wait while a long prompt is computed.
fn longest_wait(engine: &Engine, tokens: usize) -> Duration {
    let streams: Vec<_> = (0..8)
        .map(|index| {
            let mut stream = engine.chat().create_stream(&greedy(&prompt(index, 20), 600)).unwrap();
            assert!(stream.next().unwrap().is_ok());
            stream
        })
        .collect();
    let computed = AtomicBool::new(false);
    let waits: Vec<Duration> = thread::scope(|scope| {
        let computed = &computed;
        let readers: Vec<_> = streams.into_iter().map(|stream| scope.spawn(|| waits(stream, computed))).collect();
        engine.chat().create(&greedy(&prompt(3, tokens), 1)).unwrap();
        computed.store(true, Ordering::Relaxed);
        readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect()
    });
    assert!(waits.len() > 8, "the streams had ended before");
    waits.into_iter().max().unwrap()
}

/// The times between a stream's chunks, until `computed`.
fn waits(stream: ChatCompletionStream, computed: &AtomicBool) -> Vec<Duration> {
    let mut waits = Vec::new();
    let mut last = Instant::now();
    for chunk in stream {
        chunk.unwrap();
        waits.push(last.elapsed());
        last = Instant::now();
        if computed.load(Ordering::Relaxed) {
            break;
        }
    }
    waits
}
