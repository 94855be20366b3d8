//! Reports while a model loads, and Ctrl-C meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use pyo3::prelude::*;

use crate::{errors, logs};

/// How long loading goes on before it looks for signals.
const SIGNAL_INTERVAL: Duration = Duration::from_millis(50);

/// Whether loading is to be stopped, and why it was if Python stopped it.
#[derive(Clone)]
pub(crate) struct Stopped {
    asked: Arc<AtomicBool>,
    reason: Arc<Mutex<Option<PyErr>>>,
}

impl Stopped {
    /// Loading that ends once `asked` is set.
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
        let news = self.callback.is_some() && self.reported.is_none_or(|reported| reported < percent);
        let signals = self.signals_checked.elapsed() >= SIGNAL_INTERVAL;
        if !news && !signals {
            return true;
        }
        self.reported = Some(percent);
        self.signals_checked = Instant::now();
        let result = Python::try_attach(|py| {
            py.check_signals()?;
            logs::deliver(py)?;
            if news { self.call(py, fraction) } else { Ok(()) }
        });
        match result {
            Some(Ok(())) => true,
            Some(Err(error)) => {
                *self.stopped.reason.lock() = Some(error);
                false
            }
            // The interpreter is going.
            None => false,
        }
    }

    fn call(&self, py: Python<'_>, fraction: f32) -> PyResult<()> {
        let Some(callback) = &self.callback else { return Ok(()) };
        let answer = callback.bind(py).call1((fraction,))?;
        if answer.is_none() || answer.is_truthy()? {
            return Ok(());
        }
        Err(errors::cancelled(py, "the progress callback stopped the loading"))
    }
}
