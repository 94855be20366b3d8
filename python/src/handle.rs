//! The engine as Python objects share it: its life, in this process and in forks of it.

use std::fmt;
use std::process;
use std::sync::{Arc, OnceLock, Weak};
use std::task::Waker;
use std::thread::{self, ThreadId};

use parking_lot::Mutex;
use pyo3::prelude::*;
use zerohop::Engine;

use crate::notify::Notifier;
use crate::{errors, job, logs, progress};

/// All engines that may be alive. Python forks only in a thread that is attached to the interpreter,
/// as every user of this lock is, so that a fork never leaves it locked.
static ENGINES: Mutex<Vec<Weak<Handle>>> = Mutex::new(Vec::new());

/// The thread that ends the process, once it does.
static EXITING: OnceLock<ThreadId> = OnceLock::new();

/// A running engine. The last object that refers to it closes it.
pub(crate) struct Handle {
    /// `None` only while dropping.
    engine: Option<Engine>,
    /// The process whose threads compute.
    process: u32,
    notifier: Notifier,
}

impl Handle {
    pub(crate) fn new(engine: Engine) -> Arc<Self> {
        let handle = Arc::new(Handle { engine: Some(engine), process: process::id(), notifier: Notifier::default() });
        let mut engines = ENGINES.lock();
        engines.retain(|engine| engine.strong_count() > 0);
        engines.push(Arc::downgrade(&handle));
        handle
    }

    /// The engine, if it can be used.
    ///
    /// # Errors
    ///
    /// `ForkError` in a process forked from the one that made it.
    pub(crate) fn engine(&self, py: Python<'_>) -> PyResult<&Engine> {
        park_at_exit(py);
        logs::deliver(py)?;
        self.own_engine().ok_or_else(|| errors::forked(py))
    }

    /// The models' names, without aliases; none in a forked process.
    pub(crate) fn models(&self) -> Vec<String> {
        let infos = self.own_engine().map(Engine::model_info).unwrap_or_default();
        infos.into_iter().map(|info| info.id).collect()
    }

    /// The engine, if it has not been closed.
    ///
    /// # Errors
    ///
    /// `EngineClosedError`, and as [`engine`](Self::engine).
    pub(crate) fn open_engine(&self, py: Python<'_>) -> PyResult<&Engine> {
        let engine = self.engine(py)?;
        if engine.is_closed() { Err(errors::closed(py)) } else { Ok(engine) }
    }

    /// A waker for the task that `soon(wake)` wakes.
    ///
    /// # Errors
    ///
    /// As [`engine`](Self::engine).
    pub(crate) fn waker(&self, py: Python<'_>, soon: Py<PyAny>, wake: Py<PyAny>) -> PyResult<Waker> {
        self.engine(py)?;
        self.notifier.waker(soon, wake)
    }

    /// The engine; `None` in a forked process.
    pub(crate) fn own_engine(&self) -> Option<&Engine> {
        self.engine.as_ref().filter(|_| !self.is_forked())
    }

    /// Whether the engine's threads are another process's.
    pub(crate) fn is_forked(&self) -> bool {
        self.process != process::id()
    }

    /// Whether the engine was closed, or is another process's.
    pub(crate) fn is_closed(&self) -> bool {
        self.own_engine().is_none_or(Engine::is_closed)
    }

    /// Stops the engine. Does nothing in a forked process: there, nothing of it runs.
    pub(crate) fn close(&self, py: Python<'_>) {
        if let Some(engine) = self.own_engine() {
            py.detach(|| engine.close());
        }
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let closed = if self.is_closed() { ", closed" } else { "" };
        write!(f, "<zerohop.Engine {:?}{closed}>", self.models())
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let Some(engine) = self.engine.take() else { return };
        if self.is_forked() {
            // Dropping would wait for threads that do not exist here.
            std::mem::forget(engine);
            std::mem::forget(std::mem::take(&mut self.notifier));
            return;
        }
        let mut engine = Some(engine);
        // Waiting for the engine's threads takes a moment. The interpreter may be gone already.
        Python::try_attach(|py| {
            py.detach(|| {
                drop(engine.take());
                self.notifier.stop();
            });
        });
    }
}

/// Has the engines closed before the interpreter and then the process goes: threads that computed on
/// would meet the destructors of the libraries they use.
pub(crate) fn close_all_at_exit(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let close_all = wrap_pyfunction!(_close_all, module)?;
    module.py().import("atexit")?.call_method1("register", (close_all,))?;
    Ok(())
}

/// Holds up a thread that uses an engine while the process ends.
///
/// Such a thread is a daemon: Python has waited for all others. It would never run again anyway, and
/// until then the engine's end would be an exception for it, printed for nobody's use.
pub(crate) fn park_at_exit(py: Python<'_>) {
    if EXITING.get().is_some_and(|exiting| *exiting != thread::current().id()) {
        py.detach(|| {
            loop {
                thread::park();
            }
        });
    }
}

#[pyfunction]
fn _close_all(py: Python<'_>) {
    let _ = EXITING.set(thread::current().id());
    job::end_all(py);
    progress::end_all(py);
    let engines: Vec<Arc<Handle>> = ENGINES.lock().iter().filter_map(Weak::upgrade).collect();
    for engine in engines {
        engine.close(py);
        if engine.own_engine().is_some() {
            py.detach(|| engine.notifier.stop());
        }
    }
}
