//! Waiting without holding up the interpreter (house rule 20).

use std::task::Poll;
use std::time::{Duration, Instant};

use pyo3::prelude::*;

use crate::{handle, logs};

/// How long a wait goes on before it looks for signals: the delay of Ctrl-C.
const SLICE: Duration = Duration::from_millis(50);

/// Calls `poll` with deadlines a slice apart, detached from the interpreter, until it is ready or
/// `deadline` has passed (`None`).
///
/// # Errors
///
/// What a signal handler raised, `KeyboardInterrupt` for one; `poll` may be called again.
pub(crate) fn until<T: Send>(
    py: Python<'_>,
    deadline: Option<Instant>,
    mut poll: impl FnMut(Instant) -> Poll<T> + Send,
) -> PyResult<Option<T>> {
    loop {
        // Before each wait, so that somebody who never has to wait hears of signals too.
        py.check_signals()?;
        let slice = Instant::now() + SLICE;
        let slice = deadline.map_or(slice, |deadline| deadline.min(slice));
        let polled = py.detach(|| poll(slice));
        logs::deliver(py)?;
        if let Poll::Ready(value) = polled {
            handle::park_at_exit(py);
            return Ok(Some(value));
        }
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Ok(None);
        }
    }
}
