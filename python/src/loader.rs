//! Loading models: what `Engine` and `AsyncEngine` are given.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use parking_lot::Mutex;
use pyo3::exceptions::PyTypeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyMapping, PyString};
use zerohop::EngineBuilder;

use crate::engine::Engine;
use crate::handle::Handle;
use crate::job::Job;
use crate::json::Json;
use crate::limits::Limits;
use crate::options::ModelOptions;
use crate::progress::{Running, Stopped};
use crate::{errors, handle, logs, types};

/// Models by name; the name of an only model is its own.
type NamedModels = Vec<(Option<String>, Py<ModelOptions>)>;

/// Loads models for event loops: on a thread of its own, once for all who wait.
#[pyclass(frozen, name = "_Loader", module = "zerohop._native")]
pub(crate) struct Loader {
    models: NamedModels,
    limits: Limits,
    job: Mutex<Option<Py<Job>>>,
}

#[pymethods]
impl Loader {
    #[new]
    #[pyo3(signature = (model, **options))]
    fn new(model: &Bound<'_, PyAny>, options: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let (limits, options) = Limits::read(options)?;
        Ok(Loader { models: read_models(model, options.as_ref())?, limits, job: Mutex::new(None) })
    }

    /// The loading, whose result is the engine. Starts it if nobody has, or if it was stopped.
    fn start(&self, py: Python<'_>) -> PyResult<Py<Job>> {
        if let Some(job) = self.job.lock().as_ref().filter(|job| job.get().join()) {
            return Ok(job.clone_ref(py));
        }
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Stopped::new(stop.clone());
        let builder = builder(py, &self.models, &self.limits, &stopped)?;
        let finish = move |py: Python<'_>, result| {
            logs::deliver(py)?;
            Ok(Py::new(py, loaded(py, result, &stopped)?)?.into_any())
        };
        logs::refresh(py)?;
        let job = Py::new(py, Job::start(stop, || builder.build(), finish)?)?;
        *self.job.lock() = Some(job.clone_ref(py));
        Ok(job)
    }

    /// Ends the loading, and forgets what was loaded.
    fn stop(&self) {
        if let Some(job) = self.job.lock().take() {
            job.get().stop();
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.models.iter().try_for_each(|(_, model)| visit.call(model))
    }
}

/// Loads models and waits for it.
pub(crate) fn load(py: Python<'_>, model: &Bound<'_, PyAny>, options: Option<&Bound<'_, PyDict>>) -> PyResult<Engine> {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Stopped::new(stop.clone());
    let (limits, options) = Limits::read(options)?;
    let builder = builder(py, &read_models(model, options.as_ref())?, &limits, &stopped)?;
    logs::refresh(py)?;
    let running = Running::new(stop);
    let result = py.detach(|| builder.build());
    drop(running);
    handle::park_at_exit(py);
    logs::deliver(py)?;
    let engine = loaded(py, result, &stopped)?;
    // Ctrl-C may have come after the last report.
    py.check_signals()?;
    Ok(engine)
}

/// Adds a model to a running engine and waits for it.
pub(crate) fn add<'py>(
    py: Python<'py>,
    handle: &Arc<Handle>,
    name: String,
    model: &Bound<'py, PyAny>,
    options: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Stopped::new(stop.clone());
    let (name, options) = read_model(model, options)?.get().to_engine(py, Some(name), stopped.clone())?;
    let engine = handle.engine(py)?;
    logs::refresh(py)?;
    let running = Running::new(stop);
    let result = py.detach(|| engine.load(&name, options));
    drop(running);
    handle::park_at_exit(py);
    logs::deliver(py)?;
    let info = added(py, engine, result, &stopped)?;
    py.check_signals()?;
    Ok(info)
}

/// Adds a model to a running engine, on a thread of its own.
pub(crate) fn start_adding(
    py: Python<'_>,
    handle: &Arc<Handle>,
    name: String,
    model: &Bound<'_, PyAny>,
    options: Option<&Bound<'_, PyDict>>,
) -> PyResult<Job> {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Stopped::new(stop.clone());
    let (name, options) = read_model(model, options)?.get().to_engine(py, Some(name), stopped.clone())?;
    let engine = handle.engine(py)?.clone();
    logs::refresh(py)?;
    let work = move || {
        let result = engine.load(&name, options);
        (engine, result)
    };
    let finish = move |py: Python<'_>, (engine, result): (zerohop::Engine, _)| {
        logs::deliver(py)?;
        let info = added(py, &engine, result, &stopped)?.unbind();
        // The last of its users may have gone.
        py.detach(|| drop(engine));
        Ok(info)
    };
    Job::start(stop, work, finish)
}

fn added<'py>(
    py: Python<'py>,
    engine: &zerohop::Engine,
    result: zerohop::Result<zerohop::ModelInfo>,
    stopped: &Stopped,
) -> PyResult<Bound<'py, PyAny>> {
    if let Some(error) = stopped.take() {
        return Err(error);
    }
    match result {
        // The end came sooner than it could be stopped.
        Ok(info) if stopped.is_asked() => {
            // Somebody else may have unloaded it.
            let _ = py.detach(|| engine.unload(&info.id));
            Err(errors::cancelled(py, "the loading was stopped"))
        }
        Ok(info) => {
            let info = Json::of(&info).map_err(|error| errors::invalid_argument(py, &error.to_string()))?;
            types::object(py, &types::MODEL_INFO, &info)
        }
        Err(error) => Err(errors::from_engine(py, &error)),
    }
}

fn builder(py: Python<'_>, models: &NamedModels, limits: &Limits, stopped: &Stopped) -> PyResult<EngineBuilder> {
    let mut builder = limits.apply(zerohop::Engine::builder());
    for (name, model) in models {
        let (name, options) = model.get().to_engine(py, name.clone(), stopped.clone())?;
        builder = builder.model(name, options);
    }
    Ok(builder)
}

fn loaded(py: Python<'_>, result: zerohop::Result<zerohop::Engine>, stopped: &Stopped) -> PyResult<Engine> {
    if let Some(error) = stopped.take() {
        return Err(error);
    }
    match result {
        // The end came sooner than it could be stopped.
        Ok(engine) if stopped.is_asked() => {
            py.detach(|| drop(engine));
            Err(errors::cancelled(py, "the loading was stopped"))
        }
        Ok(engine) => Ok(Engine::running(engine)),
        Err(error) => Err(errors::from_engine(py, &error)),
    }
}

fn read_models(model: &Bound<'_, PyAny>, options: Option<&Bound<'_, PyDict>>) -> PyResult<NamedModels> {
    let Ok(models) = model.cast::<PyMapping>() else {
        return Ok(vec![(None, read_model(model, options)?.unbind())]);
    };
    let mut named = Vec::new();
    let mut options_used = options.is_none();
    for pair in models.items()? {
        let (name, model): (String, Bound<'_, PyAny>) = pair.extract()?;
        let ready = model.is_instance_of::<ModelOptions>();
        named.push((Some(name), read_model(&model, options.filter(|_| !ready))?.unbind()));
        options_used |= !ready;
    }
    if options_used { Ok(named) } else { Err(options_given_twice()) }
}

fn read_model<'py>(
    model: &Bound<'py, PyAny>,
    options: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, ModelOptions>> {
    if let Ok(ready) = model.cast::<ModelOptions>() {
        return if options.is_none() { Ok(ready.clone()) } else { Err(options_given_twice()) };
    }
    let is_path = model.is_instance_of::<PyString>() || model.hasattr("__fspath__")?;
    if !is_path {
        return Err(PyTypeError::new_err(format!(
            "a model must be a path, ModelOptions or a mapping of names to these, not {}",
            model.get_type().name()?
        )));
    }
    let path: PathBuf = model.extract()?;
    let made = model.py().get_type::<ModelOptions>().call((path,), options)?;
    Ok(made.cast_into()?)
}

fn options_given_twice() -> PyErr {
    PyTypeError::new_err("options must be given in ModelOptions or to Engine, not both")
}
