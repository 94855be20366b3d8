//! The end of the engine's threads.

use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};

use crate::api::error::Error;

/// Why a thread that computes ends, for the requests that it leaves unanswered.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ending(Arc<OnceLock<Error>>);

impl Ending {
    /// The first reason counts.
    pub(crate) fn set(&self, error: Error) {
        let _ = self.0.set(error);
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.get().is_some()
    }

    pub(crate) fn error(&self) -> Error {
        self.0.get().cloned().unwrap_or_else(Error::closed)
    }
}

/// Waits for a thread to end, unless it is the calling one: a task that the thread woke may have
/// dropped the last engine on it, and no thread can wait for itself.
///
/// The engine's threads catch their own panics, so that a failed join has nothing to add.
pub(crate) fn join_other(thread: JoinHandle<()>) {
    if thread.thread().id() != thread::current().id() {
        let _ = thread.join();
    }
}
