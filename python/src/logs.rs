//! The engine's logs, handed to Python's `logging`.
//!
//! The engine's threads must not wait for the interpreter, and need not: what they log is kept, and
//! whoever of Python next loads a model, or waits for an answer, writes it. What no logger wants is
//! not even kept: the levels are looked up where Python calls the engine, not where the engine logs.

use std::fmt::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{Interest, set_global_default};
use tracing::{Event, Level, Metadata, Subscriber};

/// The loggers, and the targets of `tracing` that they stand for. The engine's comes last, since the
/// others begin like it.
const LOGGERS: [(&str, &str); 2] = [("zerohop.llama", "zerohop::llama"), ("zerohop", "zerohop")];

/// Levels in `logging`'s numbers, the least talkative first. Those of `tracing` are in the same order;
/// `logging` has no name for the last.
const LEVELS: [(Level, u8); 5] =
    [(Level::ERROR, 40), (Level::WARN, 30), (Level::INFO, 20), (Level::DEBUG, 10), (Level::TRACE, 5)];

/// The lowest level, in `logging`'s numbers, that somebody wants to see.
static WANTED: AtomicU8 = AtomicU8::new(u8::MAX);

/// Lines that wait for Python. Engines' threads use this lock, so that in a fork it may stay locked:
/// nobody waits long for it.
static WAITING: Mutex<Vec<Line>> = Mutex::new(Vec::new());

/// Whether there are any.
static IS_ANY_WAITING: AtomicBool = AtomicBool::new(false);

/// So many lines wait at most, later ones are lost.
const MAX_WAITING: usize = 10_000;

const LOCK_PATIENCE: Duration = Duration::from_millis(10);

struct Line {
    /// Of [`LOGGERS`].
    logger: usize,
    level: u8,
    text: String,
}

/// Has the logs of this library, which are its own, kept for Python.
pub(crate) fn collect() {
    // Fails if it is done already.
    let _ = set_global_default(Collector);
}

/// Looks up which levels are wanted. Until a program imports `logging`, none is.
pub(crate) fn refresh(py: Python<'_>) -> PyResult<()> {
    static MODULES: PyOnceLock<Py<PyDict>> = PyOnceLock::new();
    let modules = MODULES.import(py, "sys", "modules")?;
    let wanted = match modules.get_item(intern!(py, "logging"))? {
        Some(_) => wanted_level(py)?,
        None => u8::MAX,
    };
    WANTED.store(wanted, Ordering::Relaxed);
    Ok(())
}

/// Writes what has been logged.
///
/// # Errors
///
/// What a filter or a signal handler raised meanwhile.
pub(crate) fn deliver(py: Python<'_>) -> PyResult<()> {
    if !IS_ANY_WAITING.load(Ordering::Relaxed) {
        return Ok(());
    }
    let Some(mut waiting) = WAITING.try_lock() else { return Ok(()) };
    let lines = std::mem::take(&mut *waiting);
    IS_ANY_WAITING.store(false, Ordering::Relaxed);
    drop(waiting);
    for line in lines {
        loggers(py)?[line.logger].bind(py).call_method1(intern!(py, "log"), (line.level, line.text))?;
    }
    Ok(())
}

fn wanted_level(py: Python<'_>) -> PyResult<u8> {
    for (_, level) in LEVELS.iter().rev() {
        for logger in loggers(py)? {
            if logger.bind(py).call_method1(intern!(py, "isEnabledFor"), (level,))?.is_truthy()? {
                return Ok(*level);
            }
        }
    }
    Ok(u8::MAX)
}

fn loggers(py: Python<'_>) -> PyResult<&'static [Py<PyAny>; 2]> {
    static FOUND: PyOnceLock<[Py<PyAny>; 2]> = PyOnceLock::new();
    FOUND.get_or_try_init(py, || {
        let logging = py.import("logging")?;
        let find = |name: &str| logging.call_method1("getLogger", (name,));
        // As libraries should: without a handler, Python would write warnings to stderr.
        find("zerohop")?.call_method1("addHandler", (logging.call_method0("NullHandler")?,))?;
        let [(llama, _), (engine, _)] = LOGGERS;
        Ok([find(llama)?.unbind(), find(engine)?.unbind()])
    })
}

struct Collector;

impl Subscriber for Collector {
    // The levels change.
    fn register_callsite(&self, _metadata: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && level_of(metadata) >= WANTED.load(Ordering::Relaxed) && logger_of(metadata).is_some()
    }

    fn event(&self, event: &Event<'_>) {
        let Some(logger) = logger_of(event.metadata()) else { return };
        let mut text = Text::default();
        event.record(&mut text);
        let line = Line { logger, level: level_of(event.metadata()), text: text.0 };
        let Some(mut waiting) = WAITING.try_lock_for(LOCK_PATIENCE) else { return };
        if waiting.len() < MAX_WAITING {
            waiting.push(line);
            IS_ANY_WAITING.store(true, Ordering::Relaxed);
        }
    }

    // Spans are no lines; nothing is known of them.
    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

fn level_of(metadata: &Metadata<'_>) -> u8 {
    LEVELS.iter().find(|(level, _)| level == metadata.level()).map_or(0, |(_, number)| *number)
}

/// Which of the [`LOGGERS`] an event belongs to, if it is this project's.
fn logger_of(metadata: &Metadata<'_>) -> Option<usize> {
    LOGGERS.iter().position(|(_, target)| metadata.target().starts_with(target))
}

/// An event as a line: its message, then its other fields.
#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string cannot fail.
        let _ = if field.name() == "message" {
            // Fields may have come before it.
            let before = std::mem::take(&mut self.0);
            write!(self.0, "{value:?}{before}")
        } else {
            write!(self.0, " {}={value:?}", field.name())
        };
    }
}
