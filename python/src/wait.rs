//! Waiting without holding up the interpreter (house rule 20).

use std::task::Poll;
use std::time::{Duration, Instant};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::{handle, logs};

/// How long a wait goes on before it looks for signals: the delay of Ctrl-C.
const SLICE: Duration = Duration::from_millis(50);

/// The same in threads that get no signals, which need not come back for them at all.
const LONG_SLICE: Duration = Duration::from_secs(10);

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
    let mut length = SLICE;
    loop {
        // Before each wait, so that somebody who never has to wait hears of signals too.
        py.check_signals()?;
        let slice = Instant::now() + length;
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
        // Asked only of those who have to wait long, so that short waits do not pay for it.
        if !gets_signals(py)? {
            length = LONG_SLICE;
        }
    }
}

/// Whether Python runs signal handlers in this thread: the main one alone.
fn gets_signals(py: Python<'_>) -> PyResult<bool> {
    let modules = py.import(intern!(py, "sys"))?.getattr(intern!(py, "modules"))?;
    // To import it here could make it take this thread for the main one.
    let Some(threading) = modules.cast::<PyDict>()?.get_item(intern!(py, "threading"))? else { return Ok(true) };
    let main = threading.call_method0(intern!(py, "main_thread"))?.getattr(intern!(py, "ident"))?;
    main.eq(threading.call_method0(intern!(py, "get_ident"))?)
}
