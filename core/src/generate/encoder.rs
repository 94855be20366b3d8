//! The thread that computes images and sound, so that those who generate do not wait for it.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};

use super::sequence::Sequence;
use crate::api::error::Error;
use crate::threads::Ending;

/// Computes what stands in the sequences that come, an image or a passage of sound of one after another, and hands
/// them on.
pub(super) fn run(arriving: &Receiver<Sequence>, scheduler: &Sender<Sequence>, ending: &Ending) {
    let mut waiting = VecDeque::new();
    loop {
        if waiting.is_empty() {
            let Ok(sequence) = arriving.recv() else { return };
            waiting.push_back(sequence);
        }
        waiting.extend(arriving.try_iter());
        // Also those whose turn it is not yet: their callers have gone, or want to hear of it.
        waiting = waiting.into_iter().filter_map(|sequence| wanted(sequence, ending)).collect();
        let Some(sequence) = waiting.pop_front() else { continue };
        let encoded = catch_unwind(AssertUnwindSafe(|| sequence.media().encode_next()));
        match encoded.unwrap_or_else(|_| Err(Error::internal("the media of the request met a fault"))) {
            Ok(true) => waiting.push_back(sequence),
            Ok(false) => {
                if let Err(unsent) = scheduler.send(sequence) {
                    unsent.into_inner().fail(ending.error());
                }
            }
            Err(_) if ending.is_set() => sequence.fail(ending.error()),
            Err(error) => sequence.fail(error),
        }
    }
}

/// The sequence unless it is not to be computed; its caller is told then.
fn wanted(sequence: Sequence, ending: &Ending) -> Option<Sequence> {
    if sequence.is_cancelled() {
        return None;
    }
    let over = if ending.is_set() { Some(ending.error()) } else { sequence.timeout(Instant::now()) };
    match over {
        None => Some(sequence),
        Some(error) => {
            sequence.fail(error);
            None
        }
    }
}
