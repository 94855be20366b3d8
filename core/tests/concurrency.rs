//! Many callers at once: batching, cancellation, a short KV cache, a full queue.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{count, engine, greedy, resident_kib, smollm2, tiny};
use zerohop::{Engine, ErrorKind};

/// A prompt of about `words` tokens that is different for each `index`.
fn prompt(index: usize, words: usize) -> String {
    let pool = ["red", "blue", "seven", "stone", "river", "cloud", "engine", "window", "seed", "paper"];
    (0..words).map(|word| pool[(index * 3 + word * (index + 1)) % pool.len()]).collect::<Vec<_>>().join(" ")
}

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
fn a_mixture_of_callers_all_end_as_they_should() {
    let engine = engine(tiny().parallel(8));
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

fn one_of_a_mixture(engine: &Engine, caller: usize, round: usize) {
    let request = greedy(&prompt(caller * 100 + round, 3 + 20 * (caller % 6)), 24).temperature(0.8);
    match (caller + round) % 4 {
        0 => assert_eq!(engine.chat().create(&request).unwrap().usage.completion_tokens, 24),
        1 => assert!(engine.chat().create_stream(&request).unwrap().all(|chunk| chunk.is_ok())),
        2 => {
            let stream = engine.chat().create_stream(&request).unwrap();
            let taken = stream.take(3).flatten().count();
            assert_eq!(taken, 3);
        }
        _ => {
            let mut stream = engine.chat().create_stream(&request.max_completion_tokens(1000)).unwrap();
            assert!(stream.next().unwrap().is_ok());
            stream.cancel_handle().cancel();
            let error = stream.find_map(Result::err).expect("a cancelled stream ends with an error");
            assert_eq!(error.kind(), ErrorKind::Cancelled);
        }
    }
}

#[test]
fn an_abandoned_stream_frees_its_place() {
    // CS12
    let engine = engine(tiny().parallel(1));
    let endless = greedy("Hello", 1900);
    let mut stream = engine.chat().create_stream(&endless).unwrap();
    assert!(stream.next().unwrap().is_ok());
    drop(stream);
    let started = Instant::now();
    engine.chat().create(&greedy("Hello", 1)).unwrap();
    assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
}

#[test]
fn cancelling_takes_effect_within_a_prompt_too() {
    // CS12: the prompt has several slices; dropping the stream ends it between two.
    let engine = engine(smollm2().context_length(4096).parallel(1));
    let long = greedy(&prompt(1, 2500), 1);
    let whole = Instant::now();
    engine.chat().create(&long).unwrap();
    let whole = whole.elapsed();

    let stream = engine.chat().create_stream(&long).unwrap();
    thread::sleep(whole / 20);
    drop(stream);
    let freed = Instant::now();
    engine.chat().create(&greedy("Hello", 1)).unwrap();
    assert!(freed.elapsed() < whole / 2, "{:?} of {whole:?}", freed.elapsed());
}

#[test]
fn a_full_queue_refuses_with_429() {
    // ER5
    let engine = engine(tiny().parallel(1).queue(2));
    let endless = greedy("Hello", 1900);
    let mut running = engine.chat().create_stream(&endless).unwrap();
    assert!(running.next().unwrap().is_ok(), "the first request has left the queue");
    let waiting: Vec<_> = (0..2).map(|_| engine.chat().create_stream(&endless).unwrap()).collect();
    let error = engine.chat().create(&endless).unwrap_err();
    assert_eq!((error.status(), error.code()), (Some(429), Some("rate_limit_exceeded")));
    assert!(error.retry_after().is_some());
    drop((running, waiting));
    // The places come free when the scheduler notices.
    let deadline = Instant::now() + Duration::from_secs(5);
    while engine.chat().create(&greedy("Hello", 1)).is_err() {
        assert!(Instant::now() < deadline, "the queue did not empty");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn closing_ends_every_request() {
    let engine = engine(tiny().parallel(2));
    let stop = Arc::new(AtomicBool::new(false));
    thread::scope(|scope| {
        let callers: Vec<_> = (0..6)
            .map(|_| {
                let (engine, stop) = (&engine, stop.clone());
                scope.spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        if let Err(error) = engine.chat().create(&greedy("Hello", 1900)) {
                            return error.kind();
                        }
                    }
                    panic!("the engine did not close");
                })
            })
            .collect();
        thread::sleep(Duration::from_millis(100));
        let started = Instant::now();
        engine.close();
        assert!(started.elapsed() < Duration::from_secs(2));
        for caller in callers {
            assert_eq!(caller.join().unwrap(), ErrorKind::Closed);
        }
        stop.store(true, Ordering::Relaxed);
    });
    engine.close();
    assert!(engine.is_closed());
}

#[test]
fn a_long_prompt_does_not_hold_up_streams() {
    // A stream's longest wait while a long prompt is computed, against the time
    // that one slice of it takes.
    let engine = engine(smollm2().context_length(8192));
    let slice = {
        let started = Instant::now();
        engine.chat().create(&greedy(&prompt(2, 1900), 1)).unwrap();
        started.elapsed() / 8
    };
    let streams: Vec<_> =
        (0..8).map(|index| engine.chat().create_stream(&greedy(&prompt(index, 20), 90)).unwrap()).collect();
    let longest = thread::scope(|scope| {
        let readers: Vec<_> = streams
            .into_iter()
            .map(|stream| {
                scope.spawn(move || {
                    let mut longest = Duration::ZERO;
                    let mut last = None;
                    for chunk in stream {
                        chunk.unwrap();
                        longest = last.map_or(longest, |last: Instant| longest.max(last.elapsed()));
                        last = Some(Instant::now());
                    }
                    longest
                })
            })
            .collect();
        thread::sleep(Duration::from_millis(300));
        engine.chat().create(&greedy(&prompt(3, 1500), 1)).unwrap();
        readers.into_iter().map(|reader| reader.join().unwrap()).max().unwrap()
    });
    // Twice a slice is the promise; the rest is room for a busy test machine.
    assert!(longest < slice * 3 + Duration::from_millis(100), "{longest:?}, a slice takes {slice:?}");
}

#[test]
fn memory_does_not_grow() {
    let engine = engine(tiny());
    let serve = |requests: usize| {
        thread::scope(|scope| {
            for caller in 0..8 {
                let engine = &engine;
                scope.spawn(move || (0..requests / 8).for_each(|round| one_of_a_mixture(engine, caller, round)));
            }
        });
        resident_kib()
    };
    let early = serve(48);
    let late = serve(count(448, 4480));
    assert!(late <= early + early / 50, "{early} KiB after 48 requests, {late} KiB later");
}

#[test]
fn loading_and_closing_leaks_nothing() {
    let load = |times: usize| {
        for _ in 0..times {
            engine(tiny()).chat().create(&greedy("Hello", 2)).unwrap();
        }
        resident_kib()
    };
    let early = load(10);
    let late = load(count(40, 400));
    assert!(late <= early + early / 10, "{early} KiB after 10 engines, {late} KiB later");
}
