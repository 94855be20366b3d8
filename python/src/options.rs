//! What to load and how.

use std::borrow::Cow;
use std::fmt::Write;
use std::path::PathBuf;

use pyo3::exceptions::{PyOverflowError, PyTypeError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyList, PyString, PyTuple};
use zerohop::{FlashAttention, GpuLayers, KvType, Repack};

use crate::errors;
use crate::progress::{Progress, Stopped};

/// A model file and how to load it.
///
/// `path` is the GGUF file. Options:
///
/// - `context_length`: tokens that all running requests share, and at most one request's prompt and
///   answer together. By default the model's own context, at most 8192.
/// - `threads`: threads to compute with; by default the processors available to this process.
/// - `gpu_layers`: layers to put on GPUs, `"all"`, or `"auto"` for as many as fit into their free memory.
/// - `devices`: the GPUs to use, by the names of `zerohop.devices()`; by default all.
/// - `tensor_split`: how much each of them gets, in any unit; by default by free memory.
/// - `gpu_margin`: bytes that `"auto"` leaves free on each device, by default 1 GiB.
/// - `cpu_moe_layers`: layers, counted from the first, or `"all"`, whose experts stay on the CPU though
///   the layers go to a GPU. This and `tensor_split` go with explicit `gpu_layers`.
/// - `flash_attention`: whether attention is computed in one operation: `"on"`, `"off"`, or `"auto"`,
///   where it is good.
/// - `parallel`: requests computed together, 1 to 256; by default 16. Others wait in the queue.
/// - `queue`: requests that may wait, by default 512; one more raises `RateLimitError`.
/// - `kv_type`: the numeric type of the KV cache: `"f32"`, `"f16"`, `"q8_0"` or `"q4_0"`.
/// - `prefix_cache`: whether what was computed stays in the KV cache for requests that begin alike: the
///   next turn of a conversation, the same instructions before another question. Kept cells are given
///   up when running requests need them; `cached_tokens` in usage says how much was not computed again.
/// - `speculation`: whether tokens that came before, in the prompt or the answer, are drafted where
///   the newest ones come again, and checked together. No answer changes; it is left alone where it
///   does not pay.
/// - `draft_model`: a smaller model with the same vocabulary that drafts what this one will say: its drafts
///   are checked together with the next token, and no answer changes. It pays where it is many times
///   faster and often right, and is asked only while it does.
/// - `prefix_cache_folder`: a folder in which what the prefix cache keeps is saved when the model is
///   unloaded or the engine closed, and from which it is read when the model is loaded the next time.
/// - `mmap`: whether to map the file into memory instead of reading it.
/// - `repack`: whether to copy the weights into the layout that the CPU kernels work best with:
///   `"on"`, `"off"`, or `"auto"`, where half as much memory again as the file is large is free or
///   the file is not mapped. Faster, but the weights of a mapped file are else shared by processes.
/// - `chat_template`: a Jinja chat template in place of the file's own.
/// - `adapters`: a LoRA adapter to apply, or several: GGUF files, or pairs of a file and how strongly
///   it is applied, 1 as it was trained, 0 not at all. Models that are loaded from the same file with
///   the same `mmap`, `repack` and options about GPUs share its weights, so that adapted variants of a model,
///   each under a name of its own, together take little more memory than one.
/// - `projector`: the file with which the model sees or hears; by default the only `mmproj*.gguf` in the
///   model's folder, if the model is the only one there too. Without one, images and audio in messages
///   are refused.
/// - `image_max_tokens`: the most tokens that an image has, up to 8192, for projectors whose images have
///   as many as their size says: larger ones are scaled down. By default the projector's own. See the
///   Rust documentation of `ModelOptions::image_max_tokens`.
/// - `media_folder`: a folder whose images requests may name with `file:` URLs; by default none.
/// - `media_fetcher`: called with the http(s) URL of an image in a request; gives the file's bytes, or
///   raises, and the request is refused. Without one, such URLs are refused: the engine opens no
///   connections itself. It is called on several threads, and decides which addresses may be reached.
///   The engine has it until it is closed: one that has the engine in it keeps both alive until then.
/// - `alias`: a name, or several, that requests may use in `model`.
/// - `lazy`: whether the model is loaded when the first request for it comes, which waits, as do
///   others for the same model. Its file is found and checked at once. When memory is needed for
///   another model, it is unloaded while it has no requests, the model that was not used for
///   longest first, and loaded again when it is asked for.
/// - `progress`: called with the loaded fraction, 0 to 1, while loading; what it returns is ignored,
///   except that `False` stops the loading. Or `True`, for a bar; that needs tqdm. A lazy model
///   reports its download only.
#[pyclass(frozen, module = "zerohop")]
#[allow(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub(crate) struct ModelOptions {
    #[pyo3(get)]
    path: PathBuf,
    #[pyo3(get)]
    context_length: Option<u32>,
    #[pyo3(get)]
    threads: Option<u32>,
    gpu_layers: GpuLayers,
    devices: Vec<String>,
    tensor_split: Vec<f64>,
    #[pyo3(get)]
    gpu_margin: Option<u64>,
    cpu_moe_layers: u32,
    #[pyo3(get)]
    flash_attention: String,
    #[pyo3(get)]
    parallel: Option<u32>,
    #[pyo3(get)]
    queue: Option<u32>,
    #[pyo3(get)]
    kv_type: String,
    #[pyo3(get)]
    prefix_cache: bool,
    #[pyo3(get)]
    speculation: bool,
    #[pyo3(get)]
    draft_model: Option<PathBuf>,
    #[pyo3(get)]
    prefix_cache_folder: Option<PathBuf>,
    #[pyo3(get)]
    mmap: bool,
    #[pyo3(get)]
    repack: String,
    #[pyo3(get)]
    chat_template: Option<String>,
    adapters: Vec<(PathBuf, f64)>,
    #[pyo3(get)]
    projector: Option<PathBuf>,
    #[pyo3(get)]
    image_max_tokens: Option<u32>,
    #[pyo3(get)]
    media_folder: Option<PathBuf>,
    #[pyo3(get)]
    media_fetcher: Option<Py<PyAny>>,
    aliases: Vec<String>,
    #[pyo3(get)]
    lazy: bool,
    #[pyo3(get)]
    progress: Option<Py<PyAny>>,
}

#[pymethods]
impl ModelOptions {
    #[new]
    #[pyo3(signature = (
        path, *, context_length = None, threads = None, gpu_layers = None, devices = None, tensor_split = None,
        gpu_margin = None, cpu_moe_layers = None, flash_attention = "auto", parallel = None, queue = None,
        kv_type = "f16", prefix_cache = true, speculation = true, draft_model = None, prefix_cache_folder = None,
        mmap = true, repack = "auto", chat_template = None,
        adapters = None, projector = None, image_max_tokens = None, media_folder = None, media_fetcher = None,
        alias = None, lazy = false, progress = None
    ), text_signature = "(path, *, context_length=None, threads=None, gpu_layers='auto', devices=(), tensor_split=(), gpu_margin=None, cpu_moe_layers=0, flash_attention='auto', parallel=None, queue=None, \
        kv_type='f16', prefix_cache=True, speculation=True, draft_model=None, prefix_cache_folder=None, mmap=True, repack='auto', chat_template=None, adapters=(), projector=None, \
        image_max_tokens=None, media_folder=None, media_fetcher=None, alias=(), lazy=False, progress=None)")]
    #[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
    #[allow(clippy::fn_params_excessive_bools, reason = "they are keywords in Python")]
    fn new(
        py: Python<'_>,
        path: PathBuf,
        context_length: Option<&Bound<'_, PyAny>>,
        threads: Option<&Bound<'_, PyAny>>,
        gpu_layers: Option<&Bound<'_, PyAny>>,
        devices: Option<&Bound<'_, PyAny>>,
        tensor_split: Option<Vec<f64>>,
        gpu_margin: Option<u64>,
        cpu_moe_layers: Option<&Bound<'_, PyAny>>,
        flash_attention: &str,
        parallel: Option<&Bound<'_, PyAny>>,
        queue: Option<&Bound<'_, PyAny>>,
        kv_type: &str,
        prefix_cache: bool,
        speculation: bool,
        draft_model: Option<PathBuf>,
        prefix_cache_folder: Option<PathBuf>,
        mmap: bool,
        repack: &str,
        chat_template: Option<String>,
        adapters: Option<&Bound<'_, PyAny>>,
        projector: Option<PathBuf>,
        image_max_tokens: Option<&Bound<'_, PyAny>>,
        media_folder: Option<PathBuf>,
        media_fetcher: Option<Bound<'_, PyAny>>,
        alias: Option<&Bound<'_, PyAny>>,
        lazy: bool,
        progress: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        read_kv_type(py, kv_type)?;
        read_repack(py, repack)?;
        read_flash_attention(py, flash_attention)?;
        let progress = progress.map(read_progress).transpose()?.flatten();
        Ok(ModelOptions {
            path,
            context_length: positive("context_length", context_length)?,
            threads: positive("threads", threads)?,
            gpu_layers: gpu_layers.map_or(Ok(GpuLayers::Auto), read_gpu_layers)?,
            devices: read_names("devices", devices)?,
            tensor_split: tensor_split.unwrap_or_default(),
            gpu_margin,
            cpu_moe_layers: cpu_moe_layers.map_or(Ok(0), read_cpu_moe_layers)?,
            flash_attention: flash_attention.to_owned(),
            parallel: positive("parallel", parallel)?,
            queue: positive("queue", queue)?,
            kv_type: kv_type.to_owned(),
            prefix_cache,
            speculation,
            draft_model,
            prefix_cache_folder,
            mmap,
            repack: repack.to_owned(),
            chat_template,
            adapters: adapters.map_or_else(|| Ok(Vec::new()), read_adapters)?,
            projector,
            image_max_tokens: positive("image_max_tokens", image_max_tokens)?,
            media_folder,
            media_fetcher: media_fetcher.map(read_fetcher).transpose()?,
            aliases: read_names("alias", alias)?,
            lazy,
            progress: progress.map(Bound::unbind),
        })
    }

    #[getter]
    fn gpu_layers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(match self.gpu_layers {
            GpuLayers::Auto => PyString::new(py, "auto").into_any(),
            GpuLayers::All => PyString::new(py, "all").into_any(),
            GpuLayers::Count(layers) => layers.into_pyobject(py)?.into_any(),
        })
    }

    #[getter]
    fn devices<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.devices)
    }

    #[getter]
    fn tensor_split<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.tensor_split)
    }

    #[getter]
    fn cpu_moe_layers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(match self.cpu_moe_layers {
            u32::MAX => PyString::new(py, "all").into_any(),
            layers => layers.into_pyobject(py)?.into_any(),
        })
    }

    #[getter]
    fn adapters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.adapters)
    }

    #[getter]
    fn alias<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.aliases)
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let options = slf.get().keywords(slf.py())?;
        let mut text = format!("ModelOptions({}", slf.getattr("path")?.str()?.repr()?);
        for (name, value) in &options {
            // Writing to a string cannot fail.
            let _ = write!(text, ", {name}={}", value.repr()?);
        }
        text.push(')');
        Ok(text)
    }

    fn __eq__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        let py = slf.py();
        let Ok(other) = other.cast::<ModelOptions>() else { return Ok(false) };
        let (a, b) = (slf.get(), other.get());
        Ok(a.path == b.path && a.keywords(py)?.eq(b.keywords(py)?)?)
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyAny>,))> {
        // functools.partial is how pickle is told about keywords.
        let py = slf.py();
        let options = slf.get().keywords(py)?;
        let class = slf.get_type();
        let make = py.import("functools")?.getattr("partial")?.call((class,), Some(&options))?;
        Ok((make, (slf.getattr("path")?,)))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let mut callbacks = self.progress.iter().chain(&self.media_fetcher);
        callbacks.try_for_each(|callback| visit.call(callback))
    }
}

impl ModelOptions {
    /// What to call: the bar, for True.
    fn callback(&self, progress: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        if !progress.is_instance_of::<PyBool>() {
            return Ok(progress.clone().unbind());
        }
        let name = self.path.file_name().unwrap_or_default();
        Ok(progress.py().import("zerohop._progress")?.call_method1("bar", (name,))?.unbind())
    }

    /// The options that are not at their defaults.
    fn keywords<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let options = PyDict::new(py);
        let counts = [
            ("context_length", self.context_length),
            ("threads", self.threads),
            ("parallel", self.parallel),
            ("queue", self.queue),
        ];
        for (name, count) in counts {
            if let Some(count) = count {
                options.set_item(name, count)?;
            }
        }
        if self.gpu_layers != GpuLayers::Auto {
            options.set_item("gpu_layers", self.gpu_layers(py)?)?;
        }
        if !self.devices.is_empty() {
            options.set_item("devices", &self.devices)?;
        }
        if !self.tensor_split.is_empty() {
            options.set_item("tensor_split", &self.tensor_split)?;
        }
        if let Some(margin) = self.gpu_margin {
            options.set_item("gpu_margin", margin)?;
        }
        if self.cpu_moe_layers > 0 {
            options.set_item("cpu_moe_layers", self.cpu_moe_layers(py)?)?;
        }
        if self.flash_attention != "auto" {
            options.set_item("flash_attention", &self.flash_attention)?;
        }
        if self.kv_type != "f16" {
            options.set_item("kv_type", &self.kv_type)?;
        }
        if !self.prefix_cache {
            options.set_item("prefix_cache", false)?;
        }
        if !self.speculation {
            options.set_item("speculation", false)?;
        }
        if !self.mmap {
            options.set_item("mmap", false)?;
        }
        if self.repack != "auto" {
            options.set_item("repack", &self.repack)?;
        }
        if let Some(template) = &self.chat_template {
            options.set_item("chat_template", template)?;
        }
        if !self.adapters.is_empty() {
            options.set_item("adapters", &self.adapters)?;
        }
        let paths = [
            ("draft_model", &self.draft_model),
            ("prefix_cache_folder", &self.prefix_cache_folder),
            ("projector", &self.projector),
            ("media_folder", &self.media_folder),
        ];
        for (name, path) in paths {
            if let Some(path) = path {
                options.set_item(name, path)?;
            }
        }
        if let Some(tokens) = self.image_max_tokens {
            options.set_item("image_max_tokens", tokens)?;
        }
        if let Some(fetcher) = &self.media_fetcher {
            options.set_item("media_fetcher", fetcher)?;
        }
        if !self.aliases.is_empty() {
            options.set_item("alias", &self.aliases)?;
        }
        if self.lazy {
            options.set_item("lazy", true)?;
        }
        if let Some(progress) = &self.progress {
            options.set_item("progress", progress)?;
        }
        Ok(options)
    }

    /// The model's name and its aliases. A model that was given no name has its first alias, or
    /// else its file's name.
    fn names(&self, given: Option<String>) -> (String, &[String]) {
        match (given, self.aliases.split_first()) {
            (Some(name), _) => (name, &self.aliases),
            (None, Some((name, aliases))) => (name.clone(), aliases),
            (None, None) => {
                let stem = self.path.file_stem().unwrap_or_default();
                (stem.to_string_lossy().into_owned(), &[])
            }
        }
    }

    /// The model's name and its options in the engine's terms.
    pub(crate) fn to_engine(
        &self,
        py: Python<'_>,
        name: Option<String>,
        stopped: Stopped,
    ) -> PyResult<(String, zerohop::ModelOptions)> {
        let (name, aliases) = self.names(name);
        // The engine takes 0 for "not given".
        let mut options = zerohop::ModelOptions::new(&self.path)
            .context_length(self.context_length.unwrap_or(0))
            .threads(self.threads.unwrap_or(0))
            .gpu_layers(self.gpu_layers)
            .devices(&self.devices)
            .tensor_split(self.tensor_split.iter().map(|part| narrow(*part)).collect::<Vec<_>>())
            .cpu_moe_layers(self.cpu_moe_layers)
            .flash_attention(read_flash_attention(py, &self.flash_attention)?)
            .parallel(self.parallel.unwrap_or(0))
            .queue(self.queue.unwrap_or(0))
            .kv_type(read_kv_type(py, &self.kv_type)?)
            .prefix_cache(self.prefix_cache)
            .speculation(self.speculation)
            .mmap(self.mmap)
            .repack(read_repack(py, &self.repack)?)
            .lazy(self.lazy);
        if let Some(margin) = self.gpu_margin {
            options = options.gpu_margin(margin);
        }
        if let Some(template) = &self.chat_template {
            options = options.chat_template(template);
        }
        for alias in aliases {
            options = options.alias(alias);
        }
        for (path, scale) in &self.adapters {
            options = options.adapter(path, narrow(*scale));
        }
        if let Some(draft) = &self.draft_model {
            options = options.draft_model(draft);
        }
        if let Some(folder) = &self.prefix_cache_folder {
            options = options.prefix_cache_folder(folder);
        }
        if let Some(projector) = &self.projector {
            options = options.projector(projector);
        }
        if let Some(tokens) = self.image_max_tokens {
            options = options.image_max_tokens(tokens);
        }
        if let Some(folder) = &self.media_folder {
            options = options.media_folder(folder);
        }
        if let Some(fetcher) = &self.media_fetcher {
            let fetcher = fetcher.clone_ref(py);
            options = options.media_fetcher(move |url| fetch(&fetcher, url));
        }
        let callback = self.progress.as_ref().map(|progress| self.callback(progress.bind(py))).transpose()?;
        let mut progress = Progress::new(callback, stopped);
        Ok((name, options.progress(move |fraction| progress.report(fraction))))
    }
}

/// An option that is a count. 0 is refused: elsewhere it means "all", "none" or "as you like".
pub(crate) fn positive(name: &str, value: Option<&Bound<'_, PyAny>>) -> PyResult<Option<u32>> {
    let Some(value) = value else { return Ok(None) };
    match value.extract::<u32>() {
        Ok(0) => Err(out_of_range(name, "at least 1", value)),
        Ok(count) => Ok(Some(count)),
        Err(error) => Err(explain(name, "from 1 to 4294967295", value, error)),
    }
}

/// A function, or True; `None` for False.
fn read_progress(value: Bound<'_, PyAny>) -> PyResult<Option<Bound<'_, PyAny>>> {
    match value.cast::<PyBool>() {
        Ok(shown) => Ok(Some(value.clone()).filter(|_| shown.is_true())),
        Err(_) if value.is_callable() => Ok(Some(value)),
        Err(_) => Err(PyTypeError::new_err("progress must be callable, or a bool")),
    }
}

fn read_fetcher(value: Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
    if value.is_callable() {
        return Ok(value.unbind());
    }
    Err(PyTypeError::new_err("media_fetcher must be callable"))
}

/// The bytes behind a URL, which the caller's function fetches.
fn fetch(fetcher: &Py<PyAny>, url: &str) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    let attached = Python::try_attach(|py| {
        let file = fetcher.bind(py).call1((url,)).and_then(|file| match file.extract::<Cow<'_, [u8]>>() {
            Ok(bytes) => Ok(bytes.into_owned()),
            Err(_) => Err(PyTypeError::new_err("media_fetcher must give bytes")),
        });
        file.map_err(|error| error.to_string())
    });
    Ok(attached.unwrap_or_else(|| Err("Python has ended".to_owned()))?)
}

fn read_gpu_layers(value: &Bound<'_, PyAny>) -> PyResult<GpuLayers> {
    if let Ok(text) = value.extract::<&str>() {
        return match text {
            "auto" => Ok(GpuLayers::Auto),
            "all" => Ok(GpuLayers::All),
            _ => Err(out_of_range("gpu_layers", "'auto', 'all' or a number", value)),
        };
    }
    match value.extract::<u32>() {
        Ok(layers) => Ok(GpuLayers::Count(layers)),
        Err(error) => Err(explain("gpu_layers", "'auto', 'all' or from 0 to 4294967295", value, error)),
    }
}

fn read_cpu_moe_layers(value: &Bound<'_, PyAny>) -> PyResult<u32> {
    if let Ok(text) = value.extract::<&str>() {
        return if text == "all" {
            Ok(u32::MAX)
        } else {
            Err(out_of_range("cpu_moe_layers", "'all' or a number", value))
        };
    }
    value.extract().map_err(|error| explain("cpu_moe_layers", "'all' or from 0 to 4294967295", value, error))
}

#[expect(clippy::cast_possible_truncation, reason = "the engine computes with such floats")]
fn narrow(number: f64) -> f32 {
    number as f32
}

/// A file, or several, or pairs of a file and a scale.
fn read_adapters(value: &Bound<'_, PyAny>) -> PyResult<Vec<(PathBuf, f64)>> {
    if let Ok(path) = value.extract::<PathBuf>() {
        return Ok(vec![(path, 1.0)]);
    }
    let read = |item: PyResult<Bound<'_, PyAny>>| {
        let item = item?;
        let path = item.extract::<PathBuf>().map(|path| (path, 1.0));
        path.or_else(|_| item.extract::<(PathBuf, f64)>()).map_err(|error| {
            PyTypeError::new_err(format!("adapters: a path, or a path and a scale, is wanted: {error}"))
        })
    };
    value.try_iter()?.map(read).collect()
}

fn read_names(option: &str, value: Option<&Bound<'_, PyAny>>) -> PyResult<Vec<String>> {
    let Some(value) = value else { return Ok(Vec::new()) };
    if let Ok(name) = value.extract::<String>() {
        return Ok(vec![name]);
    }
    let names = value.try_iter().and_then(Iterator::collect::<PyResult<Vec<_>>>);
    names
        .and_then(|names| PyList::new(value.py(), names)?.extract())
        .map_err(|_| PyTypeError::new_err(format!("{option} must be a string, or several")))
}

fn read_kv_type(py: Python<'_>, name: &str) -> PyResult<KvType> {
    serde_json::from_value(name.into()).map_err(|error| errors::invalid_argument(py, &format!("kv_type: {error}")))
}

fn read_flash_attention(py: Python<'_>, name: &str) -> PyResult<FlashAttention> {
    serde_json::from_value(name.into())
        .map_err(|error| errors::invalid_argument(py, &format!("flash_attention: {error}")))
}

fn read_repack(py: Python<'_>, name: &str) -> PyResult<Repack> {
    serde_json::from_value(name.into()).map_err(|error| errors::invalid_argument(py, &format!("repack: {error}")))
}

/// Says which option it was that could not be read.
fn explain(name: &str, wanted: &str, value: &Bound<'_, PyAny>, error: PyErr) -> PyErr {
    let py = value.py();
    if error.is_instance_of::<PyOverflowError>(py) {
        return out_of_range(name, wanted, value);
    }
    if error.is_instance_of::<PyTypeError>(py) {
        return PyTypeError::new_err(format!("{name}: {}", error.value(py)));
    }
    error
}

fn out_of_range(name: &str, wanted: &str, value: &Bound<'_, PyAny>) -> PyErr {
    let given = value.repr().map_or_else(|_| "something else".to_owned(), |given| given.to_string());
    errors::invalid_argument(value.py(), &format!("{name} must be {wanted}, but is {given}"))
}
