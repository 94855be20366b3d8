//! How long a stream may wait while others keep the model busy. A file of its
//! own, so that no other test computes at the same time.

mod common;

use std::thread;
use std::time::{Duration, Instant};

use common::{engine, greedy, prompt, smollm2};

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
