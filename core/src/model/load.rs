//! From a path to a model that can be used.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use memmap2::Mmap;
use serde::Serialize;

use parking_lot::Mutex;

use super::control::ControlSpellings;
use super::gate::{self, Checked, MemoryNeed};
use super::gguf::GgufError;
use super::kind::ModelKind;
use super::options::{GpuLayers, ModelOptions, ProgressCallback, Repack};
use crate::api::error::{Error, ErrorKind, Result};
use crate::backend::{self, LoadOptions, Templates};
use crate::constrain::TokenEnv;

/// The context length taken when none is asked for and the model allows more.
const DEFAULT_CONTEXT: u32 = 8192;

/// The smallest context that is worth computing with.
const MIN_CONTEXT: u32 = 16;

/// What a loaded model is.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ModelInfo {
    /// The name that requests use in `model`.
    pub id: String,
    /// Other names that requests may use.
    pub aliases: Vec<String>,
    /// The file.
    pub path: PathBuf,
    /// The file's size in bytes.
    pub file_size: u64,
    /// The architecture, such as `llama` or `qwen2`.
    pub architecture: String,
    /// The name the file gives itself.
    pub name: Option<String>,
    /// The number of parameters.
    pub parameters: u64,
    /// The quantisation, such as `Q4_K_M`; `None` where the file does not say.
    pub quantization: Option<String>,
    /// The context length the model was trained with, in tokens.
    pub trained_context_length: u32,
    /// The context length in use, in tokens.
    pub context_length: u32,
    /// The number of tokens of the vocabulary.
    pub vocabulary_size: usize,
    /// Whether the model can chat: the file or the options give a template.
    pub has_chat_template: bool,
    /// How many numbers a text's vector has; `None` for a model that makes no vectors.
    pub embedding_dimensions: Option<usize>,
    /// When the file was last changed, in seconds since 1970: `created` in the list of models.
    pub created: u64,
}

/// A model with everything that requests to it need.
#[derive(Debug)]
pub(crate) struct LoadedModel {
    pub(crate) info: ModelInfo,
    pub(crate) kind: ModelKind,
    pub(crate) templates: Option<Templates>,
    pub(crate) control_spellings: ControlSpellings,
    pub(crate) backend: Arc<backend::Model>,
    /// Whether our kernels compute with the weights, as far as they can.
    pub(crate) repacked: bool,
    /// Made when a request first needs it, since it takes time and memory.
    token_env: Mutex<Option<TokenEnv>>,
}

impl LoadedModel {
    /// Checks and loads a model file under a name, to compute up to `parallel`
    /// sequences together.
    pub(crate) fn load(id: &str, options: &ModelOptions, parallel: u32) -> Result<Self> {
        if options.chat_template.as_deref().is_some_and(str::is_empty) {
            return Err(Error::new(ErrorKind::InvalidArgument, "the chat template is empty"));
        }
        let file = ModelFile::check(&options.path)?;
        file.check_memory(options, parallel)?;
        let repack = repacks(options, file.size);
        let backend = backend::Model::load(&options.path, load_options(options, repack))?;
        let kind = ModelKind::of(&file.checked.gguf, backend.is_decoder());
        if let ModelKind::Unserved(reason) = kind {
            return Err(Error::new(
                ErrorKind::InvalidModel,
                format!("{}: this model {reason}; this release cannot use it", options.path.display()),
            ));
        }
        let template_source = options.chat_template.clone().or_else(|| backend.chat_template());
        let templates = template_source.map(|_| Templates::new(&backend, options.chat_template.as_deref())).transpose();
        let templates = templates.map_err(|error| match options.chat_template {
            Some(_) => error,
            None => Error::new(error.kind(), format!("{}: {}", options.path.display(), error.message())),
        })?;
        let spellings = backend.vocab().control_tokens().iter().map(|(_, spelling)| spelling.as_str());
        let control_spellings = ControlSpellings::new(spellings)?;
        let info = describe(id, options, &file, &backend, kind, templates.is_some());
        let backend = Arc::new(backend);
        Ok(LoadedModel {
            info,
            kind,
            templates,
            control_spellings,
            backend,
            repacked: repack,
            token_env: Mutex::new(None),
        })
    }

    /// What compiles grammars for the model's vocabulary.
    pub(crate) fn token_env(&self) -> Result<TokenEnv> {
        let mut made = self.token_env.lock();
        if let Some(env) = &*made {
            return Ok(env.clone());
        }
        let env = TokenEnv::new(&self.backend)?;
        *made = Some(env.clone());
        Ok(env)
    }
}

/// What our own reader found out about a model's file, or files.
struct ModelFile {
    checked: Checked,
    size: u64,
    parameters: u64,
    created: u64,
}

impl ModelFile {
    fn check(path: &Path) -> Result<Self> {
        let mapped = MappedFile::open(path)?;
        let refused = |path: &Path| {
            let path = path.to_path_buf();
            move |error: GgufError| {
                Error::new(ErrorKind::InvalidModel, format!("{}: {error}", path.display()))
                    .with_code(error.code())
                    .with_source(error)
            }
        };
        let checked = gate::check(mapped.bytes()).map_err(refused(path))?;
        let (mut size, mut parameters) = (mapped.size, checked.gguf.parameter_count());
        let others = gate::split_paths(&checked.gguf, path).map_err(refused(path))?;
        for (index, other) in (1..).zip(&others) {
            let mapped = MappedFile::open(other)?;
            let count = others.len() as u64 + 1;
            let part = gate::check_split(mapped.bytes(), &checked, index, count).map_err(refused(other))?;
            size += mapped.size;
            parameters += part.parameter_count();
        }
        Ok(ModelFile { checked, size, parameters, created: mapped.created })
    }

    /// Refuses what would not fit into memory, before any of it is taken.
    fn check_memory(&self, options: &ModelOptions, parallel: u32) -> Result<()> {
        let tokens = context_length(options, self.checked.hparams.context_length);
        let need = MemoryNeed::estimate(&self.checked, tokens, parallel, options.kv_type, options.mmap);
        match gate::free_memory() {
            Some(free) if need.total() > free => Err(Error::new(
                ErrorKind::Unavailable,
                format!(
                    "{}: no memory for a context of {tokens} tokens: at least {} MiB are needed and {} MiB are free; \
                     try a smaller context_length",
                    options.path.display(),
                    need.total() >> 20,
                    free >> 20
                ),
            )),
            _ => Ok(()),
        }
    }
}

/// A file in memory.
struct MappedFile {
    /// `None` for an empty file, which cannot be mapped.
    map: Option<Mmap>,
    size: u64,
    created: u64,
}

impl MappedFile {
    fn open(path: &Path) -> Result<Self> {
        let open_failed = |error: io::Error| unreadable(path, error);
        let not_a_file = |kind, what: &'static str| unreadable(path, io::Error::new(kind, what));
        // Asked before opening, which for a pipe would wait until somebody writes to it.
        let metadata = fs::metadata(path).map_err(open_failed)?;
        if metadata.is_dir() {
            return Err(not_a_file(io::ErrorKind::IsADirectory, "it is a folder"));
        }
        if !metadata.is_file() {
            return Err(not_a_file(io::ErrorKind::InvalidInput, "it is a device or a pipe"));
        }
        let file = File::open(path).map_err(open_failed)?;
        let map = if metadata.len() == 0 {
            None
        } else {
            // SAFETY: the map is read-only and dropped when the file has been
            // checked. Who truncates the file meanwhile faults us; the
            // documentation tells hosts not to change a model file while it is
            // being loaded.
            Some(unsafe { Mmap::map(&file) }.map_err(open_failed)?)
        };
        let created = metadata
            .modified()
            .ok()
            .and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok())
            .map_or(0, |age| age.as_secs());
        Ok(MappedFile { map, size: metadata.len(), created })
    }

    fn bytes(&self) -> &[u8] {
        self.map.as_deref().unwrap_or_default()
    }
}

/// The context length in use for a model that was trained with `trained` tokens.
fn context_length(options: &ModelOptions, trained: u32) -> u32 {
    let default = trained.clamp(MIN_CONTEXT, DEFAULT_CONTEXT);
    options.context_length.map_or(default, |tokens| tokens.get().max(MIN_CONTEXT))
}

fn unreadable(path: &Path, error: io::Error) -> Error {
    Error::new(ErrorKind::ModelFile, format!("{}: the model file cannot be read: {error}", path.display()))
        .with_path(path)
        .with_source(error)
}

fn load_options(options: &ModelOptions, repack: bool) -> LoadOptions {
    LoadOptions {
        gpu_layers: match options.gpu_layers {
            GpuLayers::Auto => None,
            GpuLayers::Count(layers) => Some(layers),
        },
        mmap: options.mmap,
        repack,
        progress: options.progress.clone().map(call_progress),
    }
}

/// Whether weights are copied into the layout of our kernels.
///
/// Of a mapped file the system can take pages back, of a copy it cannot: so there must
/// be room for the copy, and half as much for the rest of the program.
fn repacks(options: &ModelOptions, file_size: u64) -> bool {
    match options.repack {
        Repack::On => true,
        Repack::Off => false,
        Repack::Auto => !options.mmap || gate::free_memory().is_none_or(|free| free / 3 * 2 >= file_size),
    }
}

/// A callback for C++ to call: a panic of the host's code must not unwind there,
/// so it stops the loading instead.
fn call_progress(callback: ProgressCallback) -> Box<dyn FnMut(f32) -> bool> {
    Box::new(move |fraction| {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            callback.lock().is_ok_and(|mut callback| callback(fraction))
        }))
        .unwrap_or(false)
    })
}

fn describe(
    id: &str,
    options: &ModelOptions,
    file: &ModelFile,
    model: &backend::Model,
    kind: ModelKind,
    has_chat_template: bool,
) -> ModelInfo {
    let trained = model.trained_context().max(MIN_CONTEXT);
    let is_embedding = matches!(kind, ModelKind::Embedding { .. });
    // An encoder's table of positions ends where its training did.
    let limit = if kind == ModelKind::Generative { u32::MAX } else { trained };
    let gguf = &file.checked.gguf;
    ModelInfo {
        id: id.to_owned(),
        aliases: options.aliases.clone(),
        path: options.path.clone(),
        file_size: file.size,
        architecture: gguf.architecture().unwrap_or_default().to_owned(),
        name: gguf.get_str("general.name").map(str::to_owned),
        parameters: file.parameters,
        quantization: gguf.file_type().and_then(file_type_name).map(str::to_owned),
        trained_context_length: trained,
        context_length: context_length(options, trained).min(limit),
        vocabulary_size: model.vocab().len(),
        has_chat_template,
        embedding_dimensions: is_embedding.then(|| model.embedding_length()),
        created: file.created,
    }
}

/// The name of llama.cpp's `llama_ftype`, as people know it from file names.
fn file_type_name(file_type: u64) -> Option<&'static str> {
    let name = match file_type {
        0 => "F32",
        1 => "F16",
        2 => "Q4_0",
        3 => "Q4_1",
        7 => "Q8_0",
        8 => "Q5_0",
        9 => "Q5_1",
        10 => "Q2_K",
        11 => "Q3_K_S",
        12 => "Q3_K_M",
        13 => "Q3_K_L",
        14 => "Q4_K_S",
        15 => "Q4_K_M",
        16 => "Q5_K_S",
        17 => "Q5_K_M",
        18 => "Q6_K",
        19 => "IQ2_XXS",
        20 => "IQ2_XS",
        21 => "Q2_K_S",
        22 => "IQ3_XS",
        23 => "IQ3_XXS",
        24 => "IQ1_S",
        25 => "IQ4_NL",
        26 => "IQ3_S",
        27 => "IQ3_M",
        28 => "IQ2_S",
        29 => "IQ2_M",
        30 => "IQ4_XS",
        31 => "IQ1_M",
        32 => "BF16",
        36 => "TQ1_0",
        37 => "TQ2_0",
        38 => "MXFP4",
        _ => return None,
    };
    Some(name)
}
