//! The thread that computes images and sound, so that those who generate do not wait for it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};

use super::sequence::Sequence;
use crate::api::error::{Error, Result};
use crate::threads::Ending;

/// Computes what stands in the sequences that come, one after another, and hands them on.
pub(super) fn run(arriving: &Receiver<Sequence>, scheduler: &Sender<Sequence>, ending: &Ending) {
    for sequence in arriving {
        let encoded = catch_unwind(AssertUnwindSafe(|| encode(&sequence, ending)));
        match encoded.unwrap_or_else(|_| Err(Error::internal("the media of the request met a fault"))) {
            Ok(true) => {
                if let Err(unsent) = scheduler.send(sequence) {
                    unsent.into_inner().fail(ending.error());
                }
            }
            Ok(false) => {}
            Err(error) => sequence.fail(error),
        }
    }
}

/// False when the sequence was cancelled.
fn encode(sequence: &Sequence, ending: &Ending) -> Result<bool> {
    let late = || sequence.timeout(Instant::now());
    let is_wanted = || !ending.is_set() && !sequence.is_cancelled() && late().is_none();
    if sequence.media().encode(is_wanted)? {
        return Ok(true);
    }
    match late() {
        _ if ending.is_set() => Err(ending.error()),
        Some(error) if !sequence.is_cancelled() => Err(error),
        _ => Ok(false),
    }
}
