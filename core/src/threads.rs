//! The end of the engine's threads.

use std::thread::{self, JoinHandle};

/// Waits for a thread to end, unless it is the calling one: a task that the thread woke may have
/// dropped the last engine on it, and no thread can wait for itself.
///
/// The engine's threads catch their own panics, so that a failed join has nothing to add.
pub(crate) fn join_other(thread: JoinHandle<()>) {
    if thread.thread().id() != thread::current().id() {
        let _ = thread.join();
    }
}
