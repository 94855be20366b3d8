//! Many callers at once: batching, cancellation, a short KV cache, a full queue.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{ENDLESS, count, engine, greedy, one_of_a_mixture, prompt, roomy, smollm2, tiny, wait_until};
use zerohop::types::CreateChatCompletionRequest;
use zerohop::{Engine, ErrorKind};

fn answer(engine: &Engine, index: usize, words: usize, tokens: u32) -> String {
    let reply = engine.chat().create(&greedy(&prompt(index, words), tokens)).unwrap();
    assert!(reply.usage.completion_tokens <= tokens);
    reply.text().unwrap().to_owned()
}

#[test]
fn callers_share_one_engine_without_mixing_their_answers() {
    let engine = engine(common::qwen().context_length(4096));
    let capitals = [
        ("France", "Paris"),
        ("Italy", "Rome"),
        ("Japan", "Tokyo"),
        ("Germany", "Berlin"),
        ("Spain", "Madrid"),
        ("Russia", "Moscow"),
        ("Egypt", "Cairo"),
        ("Austria", "Vienna"),
    ];
    thread::scope(|scope| {
        for (country, capital) in capitals {
            let engine = &engine;
            scope.spawn(move || {
                let reply = engine.chat().create(&greedy(&format!("What is the capital of {country}?"), 16)).unwrap();
                assert!(reply.text().unwrap().contains(capital), "{country}: {:?}", reply.text());
            });
        }
    });
}

#[test]
fn a_short_cache_makes_callers_wait_and_fails_none() {
    // 12 callers want up to 200 cells each of 256: they wait, and push each
    // other out, but every answer is complete.
    let engine = engine(tiny().context_length(256).parallel(8));
    let expected: Vec<String> = (0..12).map(|index| answer(&engine, index, 20, 120)).collect();
    thread::scope(|scope| {
        for (index, expected) in expected.iter().enumerate() {
            let engine = &engine;
            scope.spawn(move || assert_eq!(&answer(engine, index, 20, 120), expected, "caller {index}"));
        }
    });
}

#[test]
fn contexts_of_any_size_serve_many_callers() {
    // Sizes at which llama.cpp's own rounding once met our batches.
    for (context_length, parallel) in [(64, 16), (64, 256), (257, 16), (300, 64), (511, 256)] {
        let engine = engine(tiny().context_length(context_length).parallel(parallel));
        thread::scope(|scope| {
            for index in 0..32 {
                let engine = &engine;
                scope.spawn(move || assert_eq!(answer_tokens(engine, index), 12));
            }
        });
    }
}

fn answer_tokens(engine: &Engine, index: usize) -> u32 {
    engine.chat().create(&greedy(&prompt(index, 1), 12)).unwrap().usage.completion_tokens
}

#[test]
fn a_mixture_of_callers_all_end_as_they_should() {
    let engine = engine(tiny().context_length(16_384).parallel(8));
    let rounds = count(8, 40);
    thread::scope(|scope| {
        for caller in 0..16 {
            let engine = &engine;
            scope.spawn(move || (0..rounds).for_each(|round| one_of_a_mixture(engine, caller, round)));
        }
    });
    // Nobody holds a place any more.
    assert_eq!(engine.chat().create(&greedy("Hello", 4)).unwrap().usage.completion_tokens, 4);
}

fn time_of(engine: &Engine, request: &CreateChatCompletionRequest) -> Duration {
    let started = Instant::now();
    engine.chat().create(request).unwrap();
    started.elapsed()
}

#[test]
fn an_abandoned_stream_frees_its_place() {
    // CS12
    let engine = engine(roomy().parallel(1));
    let mut stream = engine.chat().create_stream(&greedy("Hello", ENDLESS)).unwrap();
    assert!(stream.next().unwrap().is_ok());
    drop(stream);
    engine.chat().create(&greedy("Hello", 1)).unwrap();
    let computed = engine.metrics().models[0].completion_tokens;
    assert!(computed < u64::from(ENDLESS / 2), "{computed} tokens");
}

#[test]
fn cancelling_takes_effect_within_a_prompt_too() {
    // CS12: the prompt has several slices; dropping the stream ends it between two.
    let engine = engine(smollm2().context_length(4096).parallel(1));
    let long = greedy(&prompt(1, 2500), 1);
    let whole = time_of(&engine, &long);
    // A short request after an abandoned one takes less than half of the time that the abandoned one
    // would have taken. There are several attempts, since other processes may take the processors.
    let mut times = Vec::new();
    while times.last().is_none_or(|time| *time >= whole / 2) {
        assert!(times.len() < 10, "{times:?} after what takes {whole:?}");
        let stream = engine.chat().create_stream(&long).unwrap();
        wait_until("the prompt is never begun", || engine.metrics().models[0].slots_busy == 1);
        drop(stream);
        times.push(time_of(&engine, &greedy("Hello", 1)));
    }
}

#[test]
fn a_full_queue_refuses_with_429() {
    // ER5
    let engine = engine(roomy().parallel(1).queue(2));
    let endless = greedy("Hello", ENDLESS);
    let mut running = engine.chat().create_stream(&endless).unwrap();
    assert!(running.next().unwrap().is_ok(), "the first request has left the queue");
    let waiting: Vec<_> = (0..2).map(|_| engine.chat().create_stream(&endless).unwrap()).collect();
    let error = engine.chat().create(&endless).unwrap_err();
    assert_eq!((error.status(), error.code()), (Some(429), Some("rate_limit_exceeded")));
    assert!(error.retry_after().is_some());
    drop((running, waiting));
    // The places come free when the scheduler notices.
    wait_until("the queue did not empty", || engine.chat().create(&greedy("Hello", 1)).is_ok());
}

#[test]
fn closing_ends_every_request() {
    // Each of these requests would take minutes.
    let engine = engine(roomy().parallel(2));
    let stop = Arc::new(AtomicBool::new(false));
    thread::scope(|scope| {
        let callers: Vec<_> = (0..6)
            .map(|_| {
                let (engine, stop) = (&engine, stop.clone());
                scope.spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        if let Err(error) = engine.chat().create(&greedy("Hello", ENDLESS)) {
                            return error.kind();
                        }
                    }
                    panic!("the engine did not close");
                })
            })
            .collect();
        wait_until("the requests do not come", || engine.metrics().requests_in_flight == 6);
        engine.close();
        for caller in callers {
            assert_eq!(caller.join().unwrap(), ErrorKind::Closed);
        }
        stop.store(true, Ordering::Relaxed);
    });
    engine.close();
    assert!(engine.is_closed());
}
