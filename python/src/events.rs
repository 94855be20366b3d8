//! The events of a reply, as objects that several threads may use share them.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use parking_lot::Mutex;
use pyo3::prelude::*;
use zerohop::{CancelHandle, EventStream};

use crate::errors;
use crate::handle::Handle;

/// What the engine has to say next; `None` after the end.
pub(crate) type Next = Poll<Option<zerohop::Result<Vec<u8>>>>;

/// The events of a reply.
pub(crate) struct Events {
    /// `None` once they have ended.
    stream: Mutex<Option<EventStream>>,
    /// Cancels without the lock, which a waiting thread may hold.
    cancel: Option<CancelHandle>,
    /// The engine lives as long as its streams.
    pub(crate) handle: Arc<Handle>,
}

impl Events {
    pub(crate) fn new(stream: EventStream, handle: Arc<Handle>) -> Self {
        let cancel = stream.cancel_handle();
        Events { stream: Mutex::new(Some(stream)), cancel, handle }
    }

    /// # Errors
    ///
    /// `ForkError` in a process forked from the engine's.
    pub(crate) fn check_process(&self, py: Python<'_>) -> PyResult<()> {
        if self.handle.is_forked() { Err(errors::forked(py)) } else { Ok(()) }
    }

    /// The next event, waiting for it until `deadline`.
    pub(crate) fn next_until(&self, deadline: Instant) -> Next {
        // Another thread may be waiting for the next event.
        let Some(mut stream) = self.stream.try_lock_until(deadline) else { return Poll::Pending };
        stream.as_mut().map_or(Poll::Ready(None), |stream| stream.next_until(deadline))
    }

    /// The next event, for a task. It takes so little time that nobody detaches for it: that would
    /// let another thread in, and the event loop would have to wait for the interpreter.
    pub(crate) fn poll_next(&self, context: &mut Context<'_>) -> Next {
        self.stream.lock().as_mut().map_or(Poll::Ready(None), |stream| stream.poll_next(context))
    }

    /// Stops the generation if it still runs.
    pub(crate) fn close(&self, py: Python<'_>) {
        if self.handle.is_forked() {
            return;
        }
        if let Some(cancel) = &self.cancel {
            cancel.cancel();
        }
        py.detach(|| drop(self.stream.lock().take()));
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        if self.handle.is_forked() {
            // Dropping it may wait for threads that do not exist here.
            std::mem::forget(self.stream.get_mut().take());
        }
    }
}
