//! Memory that must not grow. A file of its own, because other tests would count
//! too, and one test after the other.

mod common;

use std::thread;

use common::{
    assert_memory_settles, count, engine, greedy, one_of_a_mixture, resident_kib, roomy, smollm2, status_kib, tiny,
    use_one_arena,
};
use zerohop::ErrorKind;
use zerohop::types::responses::CreateResponse;

#[test]
fn nothing_leaks() {
    use_one_arena();
    closing_gives_the_weights_back();
    long_texts_reserve_little_at_once();
    requests_leak_nothing();
    engines_leak_nothing();
    what_is_kept_is_bounded();
}

/// Responses are kept up to 64 MiB (RE11).
fn what_is_kept_is_bounded() {
    let engine = engine(tiny());
    let keep = |count| {
        let mut request = CreateResponse::new("m", "Hi").max_output_tokens(1);
        // No part of the prompt, but of the object.
        request.user = Some("x".repeat(1 << 20));
        for _ in 0..count {
            engine.responses().create(&request).unwrap();
        }
        resident_kib()
    };
    let before = keep(1);
    let full = keep(80);
    assert!((60 << 10..80 << 10).contains(&(full - before)), "{before} KiB, then {full} KiB");
    let after = keep(160);
    assert!(after < full + (8 << 10), "{full} KiB, then {after} KiB");
}

fn requests_leak_nothing() {
    let engine = engine(tiny().context_length(16_384));
    let requests = count(160, 480);
    let mut first = 0;
    // 1 KiB a request.
    assert_memory_settles(requests, || {
        thread::scope(|scope| {
            for caller in 0..8 {
                let (engine, rounds) = (&engine, first..first + requests / 8);
                scope.spawn(move || rounds.for_each(|round| one_of_a_mixture(engine, caller, round)));
            }
        });
        first += requests / 8;
    });
}

fn engines_leak_nothing() {
    let engines = count(10, 40);
    // 64 KiB an engine.
    assert_memory_settles(engines * 64, || {
        for _ in 0..engines {
            engine(tiny()).chat().create(&greedy("Hello", 2)).unwrap();
        }
    });
}

/// Also while the engine's clones and its replies are still there.
fn closing_gives_the_weights_back() {
    let engine = engine(smollm2().context_length(4096).mmap(false));
    let weights = usize::try_from(engine.model_info()[0].file_size / 1024).unwrap();
    let clone = engine.clone();
    // It must not have its answer before the engine is closed.
    let endless = greedy("Hello", 4000).ignore_eos(true);
    let mut stream = engine.chat().create_stream(&endless).unwrap();
    assert!(stream.next().unwrap().is_ok());
    let open = resident_kib();
    engine.close();
    let closed = resident_kib();
    assert!(closed + weights * 9 / 10 < open, "{open} KiB open, {closed} KiB closed, of weights {weights} KiB");
    assert_eq!(clone.chat().create(&greedy("Hello", 1)).unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(clone.model_info()[0].id, "m");
    assert_eq!(stream.find_map(Result::err).unwrap().kind(), ErrorKind::Closed);
}

/// Each of these texts has a stack of some 100 MiB while it is tokenised.
fn long_texts_reserve_little_at_once() {
    let engine = engine(roomy());
    let text = "word ".repeat(19_000);
    let before = status_kib("VmPeak:");
    thread::scope(|scope| {
        for _ in 0..128 {
            scope.spawn(|| engine.chat().create(&greedy(&text, 100_000)).unwrap_err());
        }
    });
    let peak = status_kib("VmPeak:") - before;
    assert!(peak < 4 << 20, "{peak} KiB of address space");
}
