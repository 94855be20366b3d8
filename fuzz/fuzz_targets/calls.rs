//! Calls of an engine in the order that the input says, until its end.
#![no_main]

use libfuzzer_sys::arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;
use zerohop_fuzz::{Caller, Choices, assert_ends, end, limited_engine, prepare};

/// Calls of one engine.
const STEPS: usize = 60;

/// An input's bytes, each of them a choice.
struct Bytes<'a>(Unstructured<'a>);

impl Choices for Bytes<'_> {
    fn below(&mut self, limit: usize) -> usize {
        self.0.int_in_range(0..=limit - 1).unwrap_or_default()
    }
}

fuzz_target!(init: prepare(), |input: &[u8]| {
    let mut bytes = Bytes(Unstructured::new(input));
    let engine = limited_engine(&mut bytes);
    let mut caller = Caller::new(&engine, bytes);
    for _ in 0..STEPS {
        if caller.choices().0.is_empty() {
            break;
        }
        // Callers may go on when an engine has ended.
        if caller.choices().below(40) == 39 {
            end(&engine, caller.choices());
        }
        caller.step();
    }
    drop(caller);
    end(&engine, &mut Bytes(Unstructured::new(&[])));
    assert_ends(&engine);
});
