//! Memory that must not grow. A file of its own, because other tests would count
//! too, and one test after the other.

mod common;

use std::thread;

use common::{assert_memory_settles, count, engine, greedy, one_of_a_mixture, tiny};

#[test]
fn nothing_leaks() {
    requests_leak_nothing();
    engines_leak_nothing();
}

fn requests_leak_nothing() {
    let engine = engine(tiny());
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
