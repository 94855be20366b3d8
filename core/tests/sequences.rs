//! Calls of the engine in any order, from a seed: `make fuzz` tries others.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::caller::{Caller, assert_ends, end, limited_engine};
use common::count;
use common::mutate::Random;

/// What no step takes by far.
const PATIENCE: Duration = Duration::from_secs(60);

fn first_seed() -> u64 {
    std::env::var("ZEROHOP_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1)
}

/// An engine's life: callers in any order, and an end in one of three ways while they go on.
fn live(seed: u64) {
    let mut random = Random::new(seed);
    let engine = limited_engine(&mut random);
    let steps = AtomicUsize::new(0);
    thread::scope(|scope| {
        for number in 0..3 {
            let (engine, steps) = (&engine, &steps);
            scope.spawn(move || {
                let mut caller = Caller::new(engine, Random::new(seed * 3 + number));
                for _ in 0..30 {
                    caller.step();
                    steps.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let end_after = 20 + random.below(60);
        let begun = Instant::now();
        while steps.load(Ordering::Relaxed) < end_after {
            assert!(begun.elapsed() < PATIENCE, "seed {seed}: nothing goes on");
            thread::sleep(Duration::from_millis(1));
        }
        end(&engine, &mut random);
    });
    assert_ends(&engine);
}

#[test]
fn calls_in_any_order_end_as_they_should() {
    for round in 0..count(12, 3_000) {
        live(first_seed() + round as u64);
    }
}
