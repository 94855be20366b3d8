//! Reports while a model loads or a batch is computed, and Ctrl-C meanwhile.

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use pyo3::prelude::*;

use crate::{errors, logs};

/// How long work goes on before it looks for signals.
const SIGNAL_INTERVAL: Duration = Duration::from_millis(50);

/// How long the end of the process goes on before it looks again whether they have ended.
const EXIT_PAUSE: Duration = Duration::from_millis(5);

/// Whether work is to be stopped, and why it was if Python stopped it.
#[derive(Clone)]
pub(crate) struct Stopped {
    asked: Arc<AtomicBool>,
    reason: Arc<Mutex<Option<PyErr>>>,
}

impl Stopped {
    /// Work that ends once `asked` is set.
    pub(crate) fn new(asked: Arc<AtomicBool>) -> Self {
        Stopped { asked, reason: Arc::default() }
    }

    /// Whether somebody has asked for the end.
    pub(crate) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    pub(crate) fn take(&self) -> Option<PyErr> {
        self.reason.lock().take()
    }

    /// Runs `report` attached to the interpreter, after signal handlers. Returns whether to go on: not
    /// after an exception, nor when the interpreter is going.
    pub(crate) fn report(&self, report: impl FnOnce(Python<'_>) -> PyResult<()>) -> bool {
        let result = Python::try_attach(|py| {
            py.check_signals()?;
            logs::deliver(py)?;
            report(py)
        });
        match result {
            Some(Ok(())) => true,
            Some(Err(error)) => {
                *self.reason.lock() = Some(error);
                false
            }
            None => false,
        }
    }
}

/// Calls a progress callback, which stops the work by returning false.
pub(crate) fn call<'py>(callback: &Bound<'py, PyAny>, report: impl IntoPyObject<'py>, what: &str) -> PyResult<()> {
    let answer = callback.call1((report,))?;
    if answer.is_none() || answer.is_truthy()? {
        return Ok(());
    }
    Err(errors::cancelled(callback.py(), &format!("the progress callback stopped the {what}")))
}

/// The calls that report to Python while its own threads wait for them. As with the engines, only threads that are attached
/// to the interpreter use this lock, so that no fork leaves it locked.
static RUNNING: Mutex<Vec<(u32, Arc<AtomicBool>)>> = Mutex::new(Vec::new());

/// Such a call, while it goes on.
pub(crate) struct Running(Arc<AtomicBool>);

impl Running {
    pub(crate) fn new(stop: Arc<AtomicBool>) -> Self {
        RUNNING.lock().push((process::id(), stop.clone()));
        Running(stop)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.lock().retain(|(_, stop)| !Arc::ptr_eq(stop, &self.0));
    }
}

/// Ends such calls of daemon threads, and returns when they have ended. They report to Python, and a thread that comes back to an interpreter that is going would end in the midst of
/// native code, and the process with it.
pub(crate) fn end_all(py: Python<'_>) {
    let stop_all = || {
        let own = RUNNING.lock().iter().filter(|(process, _)| *process == process::id()).cloned().collect::<Vec<_>>();
        for (_, stop) in &own {
            stop.store(true, Ordering::Relaxed);
        }
        own.is_empty()
    };
    while !stop_all() {
        py.detach(|| thread::sleep(EXIT_PAUSE));
    }
}

/// Passes a model's loading progress on to Python.
pub(crate) struct Progress {
    callback: Option<Py<PyAny>>,
    stopped: Stopped,
    reported: Option<u8>,
    signals_checked: Instant,
}

impl Progress {
    pub(crate) fn new(callback: Option<Py<PyAny>>, stopped: Stopped) -> Self {
        Progress { callback, stopped, reported: None, signals_checked: Instant::now() }
    }

    /// Takes the loaded fraction; returns whether to go on.
    ///
    /// The backend reports every tensor. Python hears of whole percents, so that loading does not
    /// queue for the interpreter hundreds of times.
    pub(crate) fn report(&mut self, fraction: f32) -> bool {
        if self.stopped.is_asked() {
            return false;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100")]
        let percent = (fraction.clamp(0.0, 1.0) * 100.0) as u8;
        let news = self.callback.is_some() && self.reported != Some(percent);
        let signals = self.signals_checked.elapsed() >= SIGNAL_INTERVAL;
        if !news && !signals {
            return true;
        }
        self.reported = Some(percent);
        self.signals_checked = Instant::now();
        self.stopped.report(|py| match &self.callback {
            Some(callback) if news => call(callback.bind(py), fraction, "loading"),
            _ => Ok(()),
        })
    }
}
