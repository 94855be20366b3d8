//! The engine.

use std::sync::Arc;

use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use serde::Serialize;

use crate::chat::Chat;
use crate::door::{self, Headers, PendingReply, Reply};
use crate::embeddings::Embeddings;
use crate::files::Files;
use crate::handle::Handle;
use crate::job::Job;
use crate::json::Json;
use crate::models::Models;
use crate::{errors, loader, logs, types};

/// Runs models in this process and answers in the OpenAI API's shapes.
///
/// `model` is the path of a GGUF file, `ModelOptions`, or a mapping of names to these. The options
/// are those of `ModelOptions`; given here, they apply to every model that is given as a path.
///
/// The only model's name is its first alias, or else its file's name without the suffix. Any number
/// of threads may use one engine at once: their requests are computed together.
#[pyclass(frozen, module = "zerohop", weakref)]
pub(crate) struct Engine(pub(crate) Arc<Handle>);

#[pymethods]
impl Engine {
    #[new]
    #[pyo3(signature = (model, **options), text_signature = "(model, *, context_length=None, threads=None, \
        gpu_layers='auto', parallel=None, queue=None, kv_type='f16', mmap=True, repack='auto', chat_template=None, alias=(), \
        progress=None)")]
    fn new(py: Python<'_>, model: &Bound<'_, PyAny>, options: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        loader::load(py, model, options)
    }

    /// Chat completions: `engine.chat.completions.create(...)`.
    #[getter]
    fn chat(&self) -> Chat {
        Chat(self.0.clone())
    }

    /// Vectors of texts: `engine.embeddings.create(...)`.
    #[getter]
    fn embeddings(&self) -> Embeddings {
        Embeddings(self.0.clone())
    }

    /// Files, kept in memory: `engine.files.create(...)`.
    #[getter]
    fn files(&self) -> Files {
        Files(self.0.clone())
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

    /// `close` for event loops.
    fn _close(&self) -> PyResult<Job> {
        let handle = self.0.clone();
        let close = move || {
            if let Some(engine) = handle.own_engine() {
                engine.close();
            }
        };
        Job::start(Arc::default(), close, |py, ()| true.into_py_any(py))
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

/// The devices that this build can compute on, the processor among them.
#[pyfunction]
pub(crate) fn devices(py: Python<'_>) -> PyResult<Vec<Bound<'_, PyAny>>> {
    logs::refresh(py)?;
    let devices = py.detach(zerohop::devices).map_err(|error| errors::from_engine(py, &error))?;
    logs::deliver(py)?;
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
