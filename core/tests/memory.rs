//! Memory that must not grow. A file of its own, because other tests would count
//! too, and one test after the other.

mod common;

use std::thread;

use common::{count, engine, greedy, one_of_a_mixture, resident_kib, tiny};

#[test]
fn nothing_leaks() {
    memory_does_not_grow();
    loading_and_closing_leaks_nothing();
}

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
    // By then the allocator has made its arenas for all the threads.
    let early = serve(448);
    let late = serve(count(448, 4480));
    assert!(late <= early + early / 50, "{early} KiB after 448 requests, {late} KiB later");
}

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
