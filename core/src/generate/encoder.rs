//! The thread that computes images and sound, so that those who generate do not wait for it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};

use super::sequence::Sequence;
use crate::api::error::Error;
use crate::threads::Ending;

/// Computes what stands in the sequences that come, one after another, and hands them on.
pub(super) fn run(arriving: &Receiver<Sequence>, scheduler: &Sender<Sequence>, ending: &Ending) {
    for sequence in arriving {
        match catch_unwind(AssertUnwindSafe(|| encode(&sequence, ending))) {
            Ok(None) => {
                if let Err(unsent) = scheduler.send(sequence) {
                    unsent.into_inner().fail(ending.error());
                }
            }
            Ok(Some(error)) => sequence.fail(error),
            Err(_) => sequence.fail(Error::internal("the media of the request met a fault")),
        }
    }
}

/// The error to end with, if it does not come to generating.
fn encode(sequence: &Sequence, ending: &Ending) -> Option<Error> {
    let late = || sequence.timeout(Instant::now());
    let is_wanted = || !ending.is_set() && !sequence.is_cancelled() && late().is_none();
    match sequence.media().encode(is_wanted) {
        Ok(true) => None,
        Ok(false) if ending.is_set() => Some(ending.error()),
        // Nobody hears of it where the request was cancelled.
        Ok(false) => Some(late().unwrap_or_else(Error::cancelled)),
        Err(error) => Some(error),
    }
}
