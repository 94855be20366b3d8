//! The engine.

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyMapping, PyString};
use serde::Serialize;
use zerohop::EngineBuilder;

use crate::chat::Chat;
use crate::door::{self, Headers, PendingReply, Reply};
use crate::errors;
use crate::handle::Handle;
use crate::json::Json;
use crate::models::Models;
use crate::options::ModelOptions;
use crate::progress::Stopped;
use crate::types;

/// Runs models in this process and answers in the OpenAI API's shapes.
///
/// `model` is the path of a GGUF file, `ModelOptions`, or a mapping of names to these. The options
/// are those of `ModelOptions`; given here, they apply to every model that is given as a path.
///
/// The only model's name is its first alias, or else its file's name without the suffix. Any number
/// of threads may use one engine at once: their requests are computed together.
#[pyclass(frozen, module = "zerohop", weakref)]
pub(crate) struct Engine(Arc<Handle>);

#[pymethods]
impl Engine {
    #[new]
    #[pyo3(signature = (model, **options), text_signature = "(model, *, context_length=None, threads=None, \
        gpu_layers='auto', parallel=None, queue=None, kv_type='f16', mmap=True, repack='auto', chat_template=None, alias=(), \
        progress=None)")]
    fn new(py: Python<'_>, model: &Bound<'_, PyAny>, options: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let stopped = Stopped::default();
        let mut builder = zerohop::Engine::builder();
        for (name, model) in read_models(model, options)? {
            let (name, options) = model.get().to_engine(py, name, stopped.clone())?;
            builder = builder.model(name, options);
        }
        load(py, builder, &stopped)
    }

    /// Chat completions: `engine.chat.completions.create(...)`.
    #[getter]
    fn chat(&self) -> Chat {
        Chat(self.0.clone())
    }

    /// The models as the API lists them: `engine.models.list()`.
    #[getter]
    fn models(&self) -> Models {
        Models(self.0.clone())
    }

    /// What the loaded models are, in the order they were given.
    #[getter]
    fn model_info<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        described(py, &types::MODEL_INFO, &self.0.open_engine(py)?.model_info())
    }

    /// Ends all requests, stops computing and unloads the models. Closing twice is fine.
    fn close(&self, py: Python<'_>) {
        self.0.close(py);
    }

    /// Whether the engine has been closed.
    #[getter]
    fn closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Answers an HTTP request: with status, headers, and a body or its events.
    fn _request<'py>(
        &self,
        py: Python<'py>,
        method: &str,
        target: &str,
        headers: Headers,
        body: &[u8],
        timeout: Option<f64>,
    ) -> PyResult<Reply<'py>> {
        door::request(py, &self.0, &door::read(py, method, target, headers, body)?, timeout)
    }

    /// Takes on an HTTP request, to be answered in an event loop.
    fn _submit(
        &self,
        py: Python<'_>,
        method: &str,
        target: &str,
        headers: Headers,
        body: &[u8],
    ) -> PyResult<PendingReply> {
        door::submit(py, &self.0, door::read(py, method, target, headers, body)?)
    }

    fn __enter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Self>> {
        slf.get().0.open_engine(slf.py())?;
        Ok(slf.clone())
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, PyAny>) {
        self.0.close(py);
    }

    fn __repr__(&self) -> String {
        self.0.to_string()
    }

    fn __reduce__(_slf: &Bound<'_, Self>) -> PyResult<()> {
        Err(PyTypeError::new_err(
            "an Engine cannot be pickled or copied: it holds a loaded model and running threads; pass its ModelOptions \
             on and make another engine from them",
        ))
    }
}

/// Models by name; the name of an only model is its own.
type NamedModels<'py> = Vec<(Option<String>, Bound<'py, ModelOptions>)>;

fn read_models<'py>(model: &Bound<'py, PyAny>, options: Option<&Bound<'py, PyDict>>) -> PyResult<NamedModels<'py>> {
    let Ok(models) = model.cast::<PyMapping>() else {
        return Ok(vec![(None, read_model(model, options)?)]);
    };
    let mut named = Vec::new();
    let mut options_used = options.is_none();
    for pair in models.items()? {
        let (name, model): (String, Bound<'_, PyAny>) = pair.extract()?;
        let ready = model.is_instance_of::<ModelOptions>();
        named.push((Some(name), read_model(&model, options.filter(|_| !ready))?));
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

fn load(py: Python<'_>, builder: EngineBuilder, stopped: &Stopped) -> PyResult<Engine> {
    let result = py.detach(|| builder.build());
    if let Some(error) = stopped.take() {
        return Err(error);
    }
    // Ctrl-C may have come after the last report.
    py.check_signals()?;
    match result {
        Ok(engine) => Ok(Engine(Handle::new(engine))),
        Err(error) => Err(errors::from_engine(py, &error)),
    }
}

/// The devices that this build can compute on, the processor among them.
#[pyfunction]
pub(crate) fn devices(py: Python<'_>) -> PyResult<Vec<Bound<'_, PyAny>>> {
    let devices = py.detach(zerohop::devices).map_err(|error| errors::from_engine(py, &error))?;
    described(py, &types::DEVICE, &devices)
}

/// The engine's own descriptions as objects.
fn described<'py, T: Serialize>(
    py: Python<'py>,
    schema: &'static types::Schema,
    values: &[T],
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let object = |value| {
        let json = Json::of(value).map_err(|error| errors::invalid_argument(py, &error.to_string()))?;
        types::object(py, schema, &json)
    };
    values.iter().map(object).collect()
}
