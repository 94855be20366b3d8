//! Who may send an engine requests, how many, how long they may take, and where they are computed.

use std::path::PathBuf;
use std::time::Duration;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use zerohop::{EngineBuilder, Isolation};

use crate::errors;
use crate::options::positive;

/// The options of an engine that are not its models'.
#[derive(Default)]
pub(crate) struct Limits {
    api_keys: Vec<String>,
    requests_per_minute: Option<u32>,
    tokens_per_minute: Option<u32>,
    timeout: Option<Duration>,
    memory_budget: Option<u64>,
    isolation: Option<Isolation>,
}

impl Limits {
    /// Reads the limits among an engine's options, and gives those that are left for the models, if any.
    pub(crate) fn read<'py>(options: Option<&Bound<'py, PyDict>>) -> PyResult<(Self, Option<Bound<'py, PyDict>>)> {
        let Some(options) = options else { return Ok((Limits::default(), None)) };
        let rest = options.copy()?;
        let take = |name: &str| -> PyResult<Option<Bound<'py, PyAny>>> {
            let value = rest.get_item(name)?;
            if value.is_some() {
                rest.del_item(name)?;
            }
            Ok(value.filter(|value| !value.is_none()))
        };
        let limits = Limits {
            api_keys: take("api_keys")?.map_or_else(|| Ok(Vec::new()), |keys| read_keys(&keys))?,
            requests_per_minute: positive("requests_per_minute", take("requests_per_minute")?.as_ref())?,
            tokens_per_minute: positive("tokens_per_minute", take("tokens_per_minute")?.as_ref())?,
            timeout: take("timeout")?.map(|seconds| read_timeout(&seconds)).transpose()?.flatten(),
            memory_budget: take("memory_budget")?.map(|bytes| read_budget(&bytes)).transpose()?,
            isolation: read_isolation(take("isolation")?, take("worker")?)?,
        };
        Ok((limits, Some(rest).filter(|rest| !rest.is_empty())))
    }

    pub(crate) fn apply(&self, builder: EngineBuilder) -> EngineBuilder {
        // The engine takes 0 for "not given".
        let builder = builder
            .requests_per_minute(self.requests_per_minute.unwrap_or(0))
            .tokens_per_minute(self.tokens_per_minute.unwrap_or(0))
            .timeout(self.timeout.unwrap_or_default())
            .memory_budget(self.memory_budget.unwrap_or(0));
        let builder = self.api_keys.iter().fold(builder, EngineBuilder::api_key);
        match &self.isolation {
            Some(isolation) => builder.isolation(isolation.clone()),
            None => builder,
        }
    }
}

/// The worker is the wheel's own unless another is given.
fn read_isolation(
    isolation: Option<Bound<'_, PyAny>>,
    worker: Option<Bound<'_, PyAny>>,
) -> PyResult<Option<Isolation>> {
    let Some(isolation) = isolation else {
        return match worker {
            None => Ok(None),
            Some(_) => Err(PyTypeError::new_err("worker needs isolation=\"process\"")),
        };
    };
    if isolation.extract::<&str>().ok() != Some("process") {
        return Err(PyTypeError::new_err("isolation must be \"process\" or None"));
    }
    let worker = match worker {
        Some(worker) => worker,
        None => isolation.py().import("zerohop._command")?.getattr("PATH")?,
    };
    Ok(Some(Isolation::process().worker(worker.extract::<PathBuf>()?)))
}

/// One key, or several.
fn read_keys(value: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    if let Ok(key) = value.cast::<PyString>() {
        return Ok(vec![key.extract()?]);
    }
    let wrong = |_| PyTypeError::new_err("api_keys must be a str or an iterable of str");
    value.try_iter().map_err(wrong)?.map(|key| key?.extract().map_err(wrong)).collect()
}

/// Bytes.
fn read_budget(value: &Bound<'_, PyAny>) -> PyResult<u64> {
    match value.extract::<u64>() {
        Ok(0) | Err(_) => {
            let given = value.repr()?;
            let message = format!("memory_budget must be a number of bytes, at least 1, but is {given}");
            Err(errors::invalid_argument(value.py(), &message))
        }
        Ok(bytes) => Ok(bytes),
    }
}

/// Seconds; so many that no clock reaches them are no limit.
fn read_timeout(value: &Bound<'_, PyAny>) -> PyResult<Option<Duration>> {
    let seconds: f64 =
        value.extract().map_err(|_| PyTypeError::new_err("timeout must be a number of seconds or None"))?;
    if seconds.is_nan() || seconds <= 0.0 {
        return Err(errors::invalid_argument(value.py(), &format!("timeout must be positive, but is {seconds}")));
    }
    Ok(Duration::try_from_secs_f64(seconds).ok())
}
