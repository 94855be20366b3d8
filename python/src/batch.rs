//! Offline batches.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBool;
use zerohop::{BatchCounts, BatchOptions, Engine};

use crate::handle::Handle;
use crate::job::Job;
use crate::json::Json;
use crate::progress::{self, Running, Stopped};
use crate::{errors, handle, logs, types};

/// A batch's files and how to run it.
pub(crate) struct Arguments {
    pub(crate) input: PathBuf,
    pub(crate) output: PathBuf,
    pub(crate) errors: Option<PathBuf>,
    pub(crate) endpoint: Option<String>,
    pub(crate) concurrency: Option<usize>,
    pub(crate) progress: Option<Py<PyAny>>,
}

impl Arguments {
    fn options(&self, py: Python<'_>, stopped: &Stopped) -> PyResult<BatchOptions> {
        let mut options = BatchOptions::new();
        if let Some(path) = &self.errors {
            options = options.errors(path);
        }
        if let Some(endpoint) = &self.endpoint {
            options = options.endpoint(endpoint);
        }
        match self.concurrency {
            Some(0) => return Err(PyValueError::new_err("concurrency must be at least 1")),
            Some(requests) => options = options.concurrency(requests),
            None => {}
        }
        let callback = self.callback(py)?;
        let stopped = stopped.clone();
        Ok(options.progress(move |counts| {
            !stopped.is_asked()
                && stopped.report(|py| match &callback {
                    Some(callback) => progress::call(callback.bind(py), described(py, counts)?, "batch"),
                    None => Ok(()),
                })
        }))
    }

    /// The callback; for True, one that shows a bar.
    fn callback(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let Some(progress) = &self.progress else { return Ok(None) };
        match progress.bind(py).cast::<PyBool>() {
            Err(_) => Ok(Some(progress.clone_ref(py))),
            Ok(wanted) if wanted.is_true() => {
                Ok(Some(py.import("zerohop._progress")?.call_method0("batch_bar")?.unbind()))
            }
            Ok(_) => Ok(None),
        }
    }

    fn run(&self, engine: &Engine, options: &BatchOptions) -> zerohop::Result<BatchCounts> {
        engine.batch(&self.input, &self.output, options)
    }
}

/// Runs a batch and waits for its end.
pub(crate) fn run<'py>(py: Python<'py>, handle: &Handle, arguments: &Arguments) -> PyResult<Bound<'py, PyAny>> {
    let engine = handle.open_engine(py)?;
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Stopped::new(stop.clone());
    let options = arguments.options(py, &stopped)?;
    logs::refresh(py)?;
    let running = Running::new(stop);
    let result = py.detach(|| arguments.run(engine, &options));
    drop(running);
    handle::park_at_exit(py);
    logs::deliver(py)?;
    finished(py, result, &stopped)
}

/// Runs a batch for event loops, on a thread of its own.
pub(crate) fn start(py: Python<'_>, handle: &Arc<Handle>, arguments: Arguments) -> PyResult<Job> {
    let engine = handle.open_engine(py)?.clone();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Stopped::new(stop.clone());
    let options = arguments.options(py, &stopped)?;
    logs::refresh(py)?;
    let finish = move |py: Python<'_>, result| {
        logs::deliver(py)?;
        finished(py, result, &stopped).map(Bound::unbind)
    };
    Job::start(stop, move || arguments.run(&engine, &options), finish)
}

fn finished<'py>(
    py: Python<'py>,
    result: zerohop::Result<BatchCounts>,
    stopped: &Stopped,
) -> PyResult<Bound<'py, PyAny>> {
    if let Some(error) = stopped.take() {
        return Err(error);
    }
    let counts = result.map_err(|error| errors::from_engine(py, &error))?;
    if stopped.is_asked() && !counts.is_complete() {
        return Err(errors::cancelled(py, "the batch was stopped"));
    }
    described(py, &counts)
}

fn described<'py>(py: Python<'py>, counts: &BatchCounts) -> PyResult<Bound<'py, PyAny>> {
    let json = Json::of(counts).map_err(|error| errors::invalid_argument(py, &error.to_string()))?;
    types::object(py, &types::BATCH_COUNTS, &json)
}
