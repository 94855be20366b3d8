//! The engine.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use serde::Serialize;

use crate::audio::Audio;
use crate::batches::Batches;
use crate::caller::{Caller, Kind};
use crate::chat::Chat;
use crate::door::{self, Headers, PendingReply, Reply};
use crate::embeddings::Embeddings;
use crate::files::Files;
use crate::handle::Handle;
use crate::images::Images;
use crate::job::Job;
use crate::json::Json;
use crate::models::Models;
use crate::responses::Responses;
use crate::texts::{self, LegacyCompletions};
use crate::{batch, convert, errors, loader, logs, types, wait};

/// Runs models in this process and answers in the OpenAI API's shapes.
///
/// `model` is the path of a GGUF file, `ModelOptions`, or a mapping of names to these. The options
/// are those of `ModelOptions`; given here, they apply to every model that is given as a path.
///
/// Options of the engine itself:
///
/// - `api_keys`: a key, or several. With any, every request has to show one, as openai's SDK does with
///   its `api_key`, or raises `AuthenticationError`. Calls of this class show one with
///   `extra_headers={"Authorization": "Bearer ..."}`. By default whatever key is shown is accepted.
/// - `requests_per_minute`, `tokens_per_minute`: how much may be asked for with each key, or in all if
///   there are no keys; more raises `RateLimitError`, whose headers say when to come again. By default
///   there is no limit.
/// - `timeout`: the seconds that a request may take; then it ends with status 408. By default there is
///   no limit. (`timeout` of a call is the caller's own patience.)
/// - `memory_budget`: the bytes that all models together may take, by estimate. Where the next model
///   would go beyond, `lazy` models without requests are unloaded, the one that was not used for
///   longest first; if that is not enough, it is refused with status 503. By default there is no
///   limit but the system's.
/// - `isolation`: `"process"` has the models computed with in a worker process. What native code does
///   there to itself ends the worker alone: its requests fail with status 503, and the next one starts
///   another, which loads the models again. `worker` is the program, by default the wheel's own.
///
/// Beside the API's parameters every call takes `extra_headers`, `extra_query` and `timeout`, in seconds.
///
/// The only model's name is its first alias, or else its file's name without the suffix. Any number
/// of threads may use one engine at once: their requests are computed together.
#[pyclass(frozen, module = "zerohop", weakref)]
pub(crate) struct Engine(Caller);

#[pymethods]
impl Engine {
    #[new]
    #[pyo3(signature = (model, **options), text_signature = "(model, *, context_length=None, threads=None, \
        gpu_layers='auto', devices=(), tensor_split=(), gpu_margin=None, cpu_moe_layers=0, flash_attention='auto', parallel=None, queue=None, kv_type='f16', prefix_cache=True, speculation=True, draft_model=None, prefix_cache_folder=None, mmap=True, repack='auto', \
        chat_template=None, adapters=(), projector=None, image_max_tokens=None, media_folder=None, media_fetcher=None, alias=(), lazy=False, progress=None, api_keys=(), requests_per_minute=None, tokens_per_minute=None, timeout=None, \
        memory_budget=None, isolation=None, worker=None)")]
    fn new(py: Python<'_>, model: &Bound<'_, PyAny>, options: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        loader::load(py, model, options)
    }

    /// The engine as event loops use it: what sends requests gives `_Pending` replies.
    #[getter]
    fn _pending(&self) -> Engine {
        Engine(Caller { kind: Kind::EventLoop, ..self.0.clone() })
    }

    /// Chat completions: `engine.chat.completions.create(...)`.
    #[getter]
    fn chat(&self) -> Chat {
        Chat(self.0.clone())
    }

    /// Legacy completions: `engine.completions.create(...)`.
    #[getter]
    fn completions(&self) -> LegacyCompletions {
        LegacyCompletions(self.0.clone())
    }

    /// Orders documents by how well they answer a query, with a model that ranks texts.
    ///
    /// `documents` are strings, or mappings with a `text`. The best come first, `top_n` of them, or all.
    #[pyo3(signature = (**arguments), text_signature = "($self, *, query, documents, model=..., top_n=..., \
        return_documents=..., extra_headers=None, extra_query=None, extra_body=None, timeout=None)")]
    fn rerank<'py>(&self, py: Python<'py>, arguments: Option<&Bound<'py, PyDict>>) -> PyResult<Bound<'py, PyAny>> {
        texts::RERANK.send(py, &self.0, arguments)
    }

    /// The tokens of a text (`prompt`) or of a conversation (`messages`), as requests use them.
    #[pyo3(signature = (**arguments), text_signature = "($self, *, prompt=..., messages=..., model=..., tools=..., \
        chat_template_kwargs=..., add_special_tokens=..., return_token_strs=..., extra_headers=None, \
        extra_query=None, extra_body=None, timeout=None)")]
    fn tokenize<'py>(&self, py: Python<'py>, arguments: Option<&Bound<'py, PyDict>>) -> PyResult<Bound<'py, PyAny>> {
        texts::TOKENIZE.send(py, &self.0, arguments)
    }

    /// The text of tokens, the spellings of control tokens included.
    #[pyo3(signature = (**arguments), text_signature = "($self, *, tokens, model=..., extra_headers=None, \
        extra_query=None, extra_body=None, timeout=None)")]
    fn detokenize<'py>(&self, py: Python<'py>, arguments: Option<&Bound<'py, PyDict>>) -> PyResult<Bound<'py, PyAny>> {
        texts::DETOKENIZE.send(py, &self.0, arguments)
    }

    /// The Responses API: `engine.responses.create(...)`.
    #[getter]
    fn responses(&self) -> Responses {
        Responses(self.0.clone())
    }

    /// Vectors of texts: `engine.embeddings.create(...)`.
    #[getter]
    fn embeddings(&self) -> Embeddings {
        Embeddings(self.0.clone())
    }

    /// Speech to text: `engine.audio.transcriptions.create(...)`.
    #[getter]
    fn audio(&self) -> Audio {
        Audio(self.0.clone())
    }

    /// Images of texts and of images: `engine.images.generate(...)`.
    #[getter]
    fn images(&self) -> Images {
        Images(self.0.clone())
    }

    /// Files of requests, answered in the background: `engine.batches.create(...)`.
    #[getter]
    fn batches(&self) -> Batches {
        Batches(self.0.clone())
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

    /// Adds a model while the engine runs, and loads it unless it is `lazy`. Returns when that is done;
    /// the other models and their requests go on meanwhile, and requests for the new name wait.
    ///
    /// `model` is a path, with the options of `ModelOptions`, or `ModelOptions`.
    #[pyo3(signature = (name, model, **options), text_signature = "($self, name, model, *, context_length=None, threads=None, \
        gpu_layers='auto', devices=(), tensor_split=(), gpu_margin=None, cpu_moe_layers=0, flash_attention='auto', parallel=None, queue=None, kv_type='f16', prefix_cache=True, speculation=True, draft_model=None, prefix_cache_folder=None, mmap=True, repack='auto', \
        chat_template=None, adapters=(), projector=None, image_max_tokens=None, media_folder=None, media_fetcher=None, alias=(), lazy=False, progress=None)")]
    fn load<'py>(
        &self,
        py: Python<'py>,
        name: String,
        model: &Bound<'py, PyAny>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        loader::add(py, &self.0.handle, name, model, options)
    }

    /// `load` for event loops.
    #[pyo3(signature = (name, model, **options))]
    fn _load(
        &self,
        py: Python<'_>,
        name: String,
        model: &Bound<'_, PyAny>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Job> {
        loader::start_adding(py, &self.0.handle, name, model, options)
    }

    /// Unloads the model of this name or alias and forgets it. Its requests end at once with status
    /// 503, later ones raise `NotFoundError`; other models and their requests are not disturbed. The
    /// name may then be loaded again.
    fn unload(&self, py: Python<'_>, name: &str) -> PyResult<()> {
        let engine = self.0.handle.engine(py)?;
        py.detach(|| engine.unload(name)).map_err(|error| errors::from_engine(py, &error))
    }

    /// `unload` for event loops.
    fn _unload(&self, py: Python<'_>, name: String) -> PyResult<Job> {
        let engine = self.0.handle.engine(py)?.clone();
        let finish = |py: Python<'_>, result: zerohop::Result<()>| match result {
            Ok(()) => true.into_py_any(py),
            Err(error) => Err(errors::from_engine(py, &error)),
        };
        Job::start(Arc::default(), move || engine.unload(&name), finish)
    }

    /// What the models are, in the order they were given.
    #[getter]
    fn model_info<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        described(py, &types::MODEL_INFO, &self.0.handle.open_engine(py)?.model_info())
    }

    /// Answers a file of requests, in the format of OpenAI's Batch API: one JSON object a line with
    /// `custom_id`, `method`, `url` and `body`. Returns when all are answered.
    ///
    /// Answers go to the output file as they come, in no particular order; requests that fail go to
    /// the error file, by default the output's name with `.errors` before its suffix. Called again
    /// with the same files, a batch that was stopped or killed goes on where it was. `endpoint` is
    /// the url that all requests must have, `concurrency` how many are in flight. `progress` is
    /// called several times a second with `BatchCounts`; `False` from it stops the batch. Or
    /// `True`, for a bar; that needs tqdm.
    #[pyo3(signature = (input, output, *, errors=None, endpoint=None, concurrency=None, progress=None))]
    #[expect(clippy::too_many_arguments, reason = "they are keyword arguments")]
    fn batch<'py>(
        &self,
        py: Python<'py>,
        input: PathBuf,
        output: PathBuf,
        errors: Option<PathBuf>,
        endpoint: Option<String>,
        concurrency: Option<usize>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        batch::run(py, &self.0.handle, &batch::Arguments { input, output, errors, endpoint, concurrency, progress })
    }

    /// `batch` for event loops.
    #[pyo3(signature = (input, output, *, errors=None, endpoint=None, concurrency=None, progress=None))]
    #[expect(clippy::too_many_arguments, reason = "they are keyword arguments")]
    fn _batch(
        &self,
        py: Python<'_>,
        input: PathBuf,
        output: PathBuf,
        errors: Option<PathBuf>,
        endpoint: Option<String>,
        concurrency: Option<usize>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Job> {
        batch::start(py, &self.0.handle, batch::Arguments { input, output, errors, endpoint, concurrency, progress })
    }

    /// What the engine has done and is doing: `requests` that have ended, by status, those
    /// `requests_in_flight`, the `request_duration`, and for each of the `models` its queue, slots, cache,
    /// tokens and times. `GET /metrics` gives the same as Prometheus' text.
    fn metrics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let metrics = self.0.handle.engine(py)?.metrics();
        let metrics = Json::of(&metrics).map_err(|error| errors::invalid_argument(py, &error.to_string()))?;
        convert::to_python(py, &metrics)
    }

    /// Ends all requests, stops computing and unloads the models. Closing twice is fine.
    ///
    /// With `drain`, a number of seconds, new requests are refused first (status 503), and those that
    /// have begun may end within this time. A request has ended when its answer has been fetched.
    #[pyo3(signature = (*, drain = None))]
    fn close(&self, py: Python<'_>, drain: Option<f64>) -> PyResult<()> {
        let patience = drain.map(|seconds| read_patience(py, seconds)).transpose()?;
        if let (Some(patience), Some(engine)) = (patience, self.0.handle.own_engine()) {
            let deadline = Instant::now().checked_add(patience);
            wait::until(py, deadline, |slice| drained(engine, slice))?;
        }
        self.0.handle.close(py);
        Ok(())
    }

    /// `close` for event loops.
    #[pyo3(signature = (drain = None))]
    fn _close(&self, py: Python<'_>, drain: Option<f64>) -> PyResult<Job> {
        let patience = drain.map(|seconds| read_patience(py, seconds)).transpose()?;
        let handle = self.0.handle.clone();
        let stop = Arc::<AtomicBool>::default();
        let stopped = stop.clone();
        let close = move || {
            let Some(engine) = handle.own_engine() else { return };
            if let Some(patience) = patience {
                let deadline = Instant::now().checked_add(patience);
                let is_over = || deadline.is_some_and(|deadline| deadline <= Instant::now());
                while !stopped.load(Ordering::Relaxed) && !is_over() {
                    let slice = Instant::now() + SLICE;
                    if drained(engine, deadline.map_or(slice, |deadline| deadline.min(slice))).is_ready() {
                        break;
                    }
                }
            }
            engine.close();
        };
        Job::start(stop, close, |py, ()| true.into_py_any(py))
    }

    /// Whether the engine has been closed.
    #[getter]
    fn closed(&self) -> bool {
        self.0.handle.is_closed()
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
        door::request(py, &self.0.handle, &door::read(py, method, target, headers, body)?, timeout)
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
        door::submit(py, &self.0.handle, door::read(py, method, target, headers, body)?)
    }

    fn __enter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Self>> {
        slf.get().0.handle.open_engine(slf.py())?;
        Ok(slf.clone())
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, PyAny>) {
        self.0.handle.close(py);
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

impl Engine {
    pub(crate) fn running(engine: zerohop::Engine) -> Self {
        Engine(Caller { handle: Handle::new(engine), kind: Kind::Thread })
    }
}

/// How long a draining on a thread of its own waits before it looks whether it should end.
const SLICE: Duration = Duration::from_millis(50);

/// Whether all requests have ended, or the engine was closed, at the end of a slice of time.
fn drained(engine: &zerohop::Engine, slice: Instant) -> Poll<()> {
    if engine.drain_until(slice) || engine.is_closed() { Poll::Ready(()) } else { Poll::Pending }
}

/// Seconds; so many that no clock reaches them are no limit.
fn read_patience(py: Python<'_>, seconds: f64) -> PyResult<Duration> {
    if seconds.is_nan() || seconds < 0.0 {
        return Err(errors::invalid_argument(py, &format!("drain must not be negative, but is {seconds}")));
    }
    Ok(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

/// The devices that this build can compute on, the processor among them.
#[pyfunction]
pub(crate) fn devices(py: Python<'_>) -> PyResult<Vec<Bound<'_, PyAny>>> {
    logs::refresh(py)?;
    let devices = py.detach(zerohop::devices).map_err(|error| errors::from_engine(py, &error))?;
    logs::deliver(py)?;
    described(py, &types::DEVICE, &devices)
}

/// This build and the machine that it runs on: its processors, what they can do, and the devices. What to
/// add to a report about speed, and to look at when a model does not load.
#[pyfunction]
pub(crate) fn system_info(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    logs::refresh(py)?;
    let info = py.detach(zerohop::system_info);
    logs::deliver(py)?;
    described(py, &types::SYSTEM_INFO, &[info]).map(|mut infos| infos.remove(0))
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
