//! Work that takes long, and that tasks wait for: loading a model, closing an engine.
//!
//! Each has a thread of its own, which ends with it. Requests have none: the engine computes them.

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use parking_lot::Mutex;
use pyo3::prelude::*;

use crate::{errors, handle};

/// The threads that may still work. As with the engines, only threads that are attached to the
/// interpreter use this lock, so that no fork leaves it locked.
static RUNNING: Mutex<Vec<Running>> = Mutex::new(Vec::new());

struct Running {
    process: u32,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// Work on a thread of its own.
#[pyclass(frozen, name = "_Job", module = "zerohop._native")]
pub(crate) struct Job {
    shared: Arc<Mutex<State>>,
    stop: Arc<AtomicBool>,
    process: u32,
}

#[derive(Default)]
struct State {
    result: Option<PyResult<Py<PyAny>>>,
    /// Tasks that wait: `soon` and `wake` of each.
    waiting: Vec<(Py<PyAny>, Py<PyAny>)>,
    /// How many ask for the result, waiting or about to.
    users: usize,
}

impl Job {
    /// Starts `work`, which is detached from the interpreter and ends early once `stop` is set, and
    /// then `finish`, which is not and gives something else than None. The caller is the first user.
    pub(crate) fn start<T: Send + 'static>(
        stop: Arc<AtomicBool>,
        work: impl FnOnce() -> T + Send + 'static,
        finish: impl FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>> + Send + 'static,
    ) -> PyResult<Self> {
        let shared = Arc::new(Mutex::new(State { users: 1, ..State::default() }));
        let theirs = shared.clone();
        let run = move || {
            let done = work();
            // Without interpreter nobody waits any more.
            Python::try_attach(|py| {
                let result = finish(py, done);
                let waiting = {
                    let mut state = theirs.lock();
                    state.result = Some(result);
                    std::mem::take(&mut state.waiting)
                };
                for (soon, wake) in waiting {
                    // An event loop that has ended refuses.
                    let _ = soon.call1(py, (wake,));
                }
            });
        };
        let thread = thread::Builder::new().name("zerohop-job".to_owned()).spawn(run)?;
        let mut running = RUNNING.lock();
        // In a fork, the parent's stay: they cannot be told from threads that work.
        running.retain(|job| job.process != process::id() || !job.thread.is_finished());
        running.push(Running { process: process::id(), stop: stop.clone(), thread });
        Ok(Job { shared, stop, process: process::id() })
    }

    /// Adds a user, unless the work has been stopped or has failed.
    pub(crate) fn join(&self) -> bool {
        let mut state = self.shared.lock();
        let useless = self.is_stopped() || self.is_forked() || matches!(state.result, Some(Err(_)));
        state.users += usize::from(!useless);
        !useless
    }

    /// Has the work ended as soon as it can be.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn is_forked(&self) -> bool {
        self.process != process::id()
    }
}

#[pymethods]
impl Job {
    /// The result, or None: then `soon(wake)` is called from another thread when it is time to ask again.
    fn poll(&self, py: Python<'_>, soon: Py<PyAny>, wake: Py<PyAny>) -> PyResult<Option<Py<PyAny>>> {
        handle::park_at_exit(py);
        if self.is_forked() {
            return Err(errors::forked(py));
        }
        let mut state = self.shared.lock();
        match &state.result {
            Some(Ok(result)) => Ok(Some(result.clone_ref(py))),
            Some(Err(error)) => Err(error.clone_ref(py)),
            None => {
                state.waiting.push((soon, wake));
                Ok(None)
            }
        }
    }

    /// Says that one of those who asked for the result does so no longer. Without any, the work ends.
    fn leave(&self) {
        let mut state = self.shared.lock();
        state.users -= 1;
        if state.users == 0 && state.result.is_none() {
            self.stop();
        }
    }
}

/// Ends all work and returns when it has ended. Must be called attached.
pub(crate) fn end_all(py: Python<'_>) {
    let running = std::mem::take(&mut *RUNNING.lock());
    for job in running {
        if job.process == process::id() {
            job.stop.store(true, Ordering::Relaxed);
            // Its thread may wait for the interpreter.
            let _ = py.detach(|| job.thread.join());
        } else {
            // The thread does not exist here.
            std::mem::forget(job);
        }
    }
}
