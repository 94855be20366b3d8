//! The requests that have not ended, and the end of taking on new ones.

use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use crate::api::error::{Error, ErrorKind, Result};

/// Counts the requests of an engine.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    count: usize,
    draining: bool,
    closed: bool,
}

impl InFlight {
    /// Takes on a request.
    ///
    /// # Errors
    ///
    /// `Unavailable` once the engine drains (ER6), `Closed` once it is closed.
    pub(super) fn enter(&self) -> Result<()> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(Error::closed());
        }
        if state.draining {
            let message = "the engine is about to close: it finishes what it has begun and takes on nothing new";
            return Err(Error::new(ErrorKind::Unavailable, message).with_code("draining"));
        }
        state.count += 1;
        Ok(())
    }

    /// Notes that a request has ended.
    pub(super) fn leave(&self) {
        let mut state = self.state.lock();
        state.count -= 1;
        if state.count == 0 {
            self.changed.notify_all();
        }
    }

    pub(super) fn count(&self) -> usize {
        self.state.lock().count
    }

    /// Refuses new requests, and waits until there are none, `deadline` has passed, or the engine is
    /// closed. Gives whether there are none.
    pub(super) fn drain(&self, deadline: Option<Instant>) -> bool {
        let mut state = self.state.lock();
        state.draining = true;
        while state.count > 0 && !state.closed {
            match deadline {
                None => self.changed.wait(&mut state),
                Some(deadline) => {
                    if self.changed.wait_until(&mut state, deadline).timed_out() {
                        break;
                    }
                }
            }
        }
        state.count == 0
    }

    /// Ends the waiting of [`drain`](Self::drain).
    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_all();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state.lock().closed
    }
}
