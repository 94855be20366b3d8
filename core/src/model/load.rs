//! From a path to a model that can be used.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{self, Arc};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::control::ControlSpellings;
use super::file::{MIN_CONTEXT, MappedFile, ModelFile, context_length};
use super::gate;
use super::gguf::Value;
use super::kind::ModelKind;
use super::options::{GpuLayers, ModelOptions, Repack};
use super::source;
use super::speech::{self, SpeechHeader};
use crate::api::error::{Error, ErrorKind, Result};
use crate::backend::{self, LoadOptions, SpeechModel, Templates};
use crate::constrain::TokenEnv;

/// What a loaded model is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// Whether it is in memory. A model that is loaded lazily is not before its first request, and not
    /// after its memory was needed for another.
    pub loaded: bool,
}

/// A model file that was found and checked, and how it is to be loaded.
#[derive(Debug)]
pub(crate) struct CheckedModel {
    /// With the path of the file.
    options: ModelOptions,
    file: CheckedFile,
}

/// A file of one of the two formats.
#[derive(Debug)]
enum CheckedFile {
    Gguf(Box<ModelFile>),
    Speech(SpeechFile),
}

/// What is known of a speech model's file.
#[derive(Debug)]
struct SpeechFile {
    header: SpeechHeader,
    size: u64,
    created: u64,
}

/// A speech model with everything that requests to it need.
#[derive(Debug)]
pub(crate) struct SpokenModel {
    pub(crate) info: ModelInfo,
    pub(crate) backend: Arc<SpeechModel>,
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

impl CheckedModel {
    /// Finds the file that the options name, downloading it if it must be, and checks both.
    pub(crate) fn open(options: &ModelOptions) -> Result<Self> {
        options.check()?;
        let options = ModelOptions { path: source::resolve(options)?, ..options.clone() };
        let mapped = MappedFile::open(&options.path)?;
        if speech::is_speech_model(mapped.bytes()) {
            let file = CheckedFile::Speech(SpeechFile::check(&options, &mapped)?);
            return Ok(CheckedModel { options, file });
        }
        let file = ModelFile::check(&options.path, &mapped)?;
        // Whether it is a decoder alone is known when it is loaded.
        served_kind(&options, &file, true)?;
        Ok(CheckedModel { options, file: CheckedFile::Gguf(Box::new(file)) })
    }

    /// Whether it writes down speech, so that it is loaded with [`load_speech`](Self::load_speech).
    pub(crate) fn is_speech(&self) -> bool {
        matches!(self.file, CheckedFile::Speech(_))
    }

    pub(crate) fn options(&self) -> &ModelOptions {
        &self.options
    }

    /// Has the loading stop once `stop` is set.
    pub(crate) fn stop_when(&mut self, stop: &Arc<AtomicBool>) {
        let (options, stop) = (self.options.clone(), stop.clone());
        let report = move |fraction| !stop.load(Ordering::Relaxed) && options.report(fraction);
        self.options.progress = Some(Arc::new(sync::Mutex::new(report)));
    }

    /// The bytes that the model takes at least, as if it were read into memory: that the system can take
    /// a mapped file's pages back does not make the model smaller.
    pub(crate) fn memory_need(&self) -> u64 {
        match &self.file {
            CheckedFile::Gguf(file) => {
                let options = self.options.clone().mmap(false);
                file.memory_need(&options, options.sequences()).total()
            }
            CheckedFile::Speech(file) => file.memory_need(&self.options),
        }
    }

    /// # Errors
    ///
    /// `Unavailable` for what does not fit into the memory that is free.
    pub(crate) fn check_memory(&self) -> Result<()> {
        match &self.file {
            CheckedFile::Gguf(file) => file.check_memory(&self.options, self.options.sequences()),
            CheckedFile::Speech(file) => file.check_memory(&self.options),
        }
    }

    /// What the model is, as far as its file says.
    pub(crate) fn info(&self, id: &str) -> ModelInfo {
        let file = match &self.file {
            CheckedFile::Gguf(file) => file,
            CheckedFile::Speech(file) => return ModelInfo { loaded: false, ..file.describe(id, &self.options) },
        };
        let gguf = &file.checked.gguf;
        let width = gguf.get_u64(&format!("{}.embedding_length", gguf.architecture().unwrap_or_default()));
        let facts = Facts {
            kind: ModelKind::of(gguf, true),
            trained_context: file.checked.hparams.context_length,
            vocabulary_size: match gguf.metadata.get("tokenizer.ggml.tokens") {
                Some(Value::Array { len, .. }) => usize::try_from(*len).unwrap_or(usize::MAX),
                _ => 0,
            },
            embedding_length: width.and_then(|width| usize::try_from(width).ok()).unwrap_or_default(),
            has_chat_template: self.options.chat_template.is_some()
                || gguf.get_str("tokenizer.chat_template").is_some(),
        };
        ModelInfo { loaded: false, ..describe(id, &self.options, file, &facts) }
    }

    /// Loads a speech model under a name.
    pub(crate) fn load_speech(&self, id: &str) -> Result<SpokenModel> {
        let CheckedFile::Speech(_) = &self.file else { return Err(Error::internal("it is no speech model")) };
        let options = &self.options;
        // What was checked is what is loaded, whatever has become of the file since.
        let mapped = MappedFile::open(&options.path)?;
        let file = SpeechFile::check(options, &mapped)?;
        if !options.report(0.0) {
            return Err(Error::loading_stopped(&options.path));
        }
        let use_gpu = options.gpu_layers != GpuLayers::Count(0);
        let backend = SpeechModel::load(mapped.bytes(), use_gpu)
            .map_err(|error| Error::new(error.kind(), format!("{}: {}", options.path.display(), error.message())))?;
        if !options.report(1.0) {
            return Err(Error::loading_stopped(&options.path));
        }
        Ok(SpokenModel { info: file.describe(id, options), backend: Arc::new(backend) })
    }

    /// Loads the model under a name.
    pub(crate) fn load(&self, id: &str) -> Result<LoadedModel> {
        let options = &self.options;
        let CheckedFile::Gguf(file) = &self.file else { return Err(Error::internal("it is a speech model")) };
        let repack = repacks(options, file.size);
        let backend = backend::Model::load(&options.path, load_options(options, repack))?;
        let kind = served_kind(options, file, backend.is_decoder())?;
        let template_source = options.chat_template.clone().or_else(|| backend.chat_template());
        let templates = template_source.map(|_| Templates::new(&backend, options.chat_template.as_deref())).transpose();
        let templates = templates.map_err(|error| match options.chat_template {
            Some(_) => error,
            None => Error::new(error.kind(), format!("{}: {}", options.path.display(), error.message())),
        })?;
        let spellings = backend.vocab().control_tokens().iter().map(|(_, spelling)| spelling.as_str());
        let control_spellings = ControlSpellings::new(spellings)?;
        let facts = Facts {
            kind,
            trained_context: backend.trained_context(),
            vocabulary_size: backend.vocab().len(),
            embedding_length: backend.embedding_length(),
            has_chat_template: templates.is_some(),
        };
        let info = describe(id, options, file, &facts);
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
}

impl SpeechFile {
    fn check(options: &ModelOptions, mapped: &MappedFile) -> Result<Self> {
        let refused = |error: speech::SpeechFileError| {
            Error::new(ErrorKind::InvalidModel, format!("{}: {error}", options.path.display()))
                .with_code(error.code())
                .with_source(error)
        };
        let header = speech::check(mapped.bytes()).map_err(refused)?;
        if options.chat_template.is_some() {
            let message = format!("{}: a speech model has no chat template", options.path.display());
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        Ok(SpeechFile { header, size: mapped.size, created: mapped.created })
    }

    fn memory_need(&self, options: &ModelOptions) -> u64 {
        let states = u64::from(options.speech_states()).saturating_mul(self.header.state_bytes());
        self.size.saturating_add(states)
    }

    fn check_memory(&self, options: &ModelOptions) -> Result<()> {
        let need = self.memory_need(options);
        match gate::free_memory() {
            Some(free) if need > free => Err(Error::new(
                ErrorKind::Unavailable,
                format!(
                    "{}: no memory for the speech model: at least {} MiB are needed and {} MiB are free",
                    options.path.display(),
                    need >> 20,
                    free >> 20
                ),
            )),
            _ => Ok(()),
        }
    }

    fn describe(&self, id: &str, options: &ModelOptions) -> ModelInfo {
        ModelInfo {
            id: id.to_owned(),
            aliases: options.aliases.clone(),
            path: options.path.clone(),
            file_size: self.size,
            architecture: "whisper".to_owned(),
            name: None,
            parameters: self.header.parameters,
            quantization: self.header.quantization().map(str::to_owned),
            trained_context_length: speech::TEXT_CONTEXT.unsigned_abs(),
            context_length: speech::TEXT_CONTEXT.unsigned_abs(),
            vocabulary_size: usize::try_from(self.header.vocabulary).unwrap_or_default(),
            has_chat_template: false,
            embedding_dimensions: None,
            created: self.created,
            loaded: true,
        }
    }
}

/// What the model computes.
///
/// # Errors
///
/// `InvalidModel` for what is not served.
fn served_kind(options: &ModelOptions, file: &ModelFile, is_decoder: bool) -> Result<ModelKind> {
    match ModelKind::of(&file.checked.gguf, is_decoder) {
        ModelKind::Unserved(reason) => Err(Error::new(
            ErrorKind::InvalidModel,
            format!("{}: this model {reason}; this release cannot use it", options.path.display()),
        )),
        kind => Ok(kind),
    }
}

impl LoadedModel {
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

fn load_options(options: &ModelOptions, repack: bool) -> LoadOptions {
    LoadOptions {
        gpu_layers: match options.gpu_layers {
            GpuLayers::Auto => None,
            GpuLayers::Count(layers) => Some(layers),
        },
        mmap: options.mmap,
        repack,
        progress: options.progress.is_some().then(|| {
            let options = options.clone();
            Box::new(move |fraction| options.report(fraction)) as Box<dyn FnMut(f32) -> bool>
        }),
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

/// What describes a model beside its file and options.
struct Facts {
    kind: ModelKind,
    trained_context: u32,
    vocabulary_size: usize,
    embedding_length: usize,
    has_chat_template: bool,
}

fn describe(id: &str, options: &ModelOptions, file: &ModelFile, facts: &Facts) -> ModelInfo {
    let trained = facts.trained_context.max(MIN_CONTEXT);
    let is_embedding = matches!(facts.kind, ModelKind::Embedding { .. });
    // An encoder's table of positions ends where its training did.
    let limit = if facts.kind == ModelKind::Generative { u32::MAX } else { trained };
    let gguf = &file.checked.gguf;
    ModelInfo {
        id: id.to_owned(),
        aliases: options.aliases.clone(),
        path: options.path.clone(),
        file_size: file.size,
        architecture: gguf.architecture().unwrap_or_default().to_owned(),
        name: gguf.get_str("general.name").map(str::to_owned),
        parameters: file.parameters,
        quantization: file.quantization().map(str::to_owned),
        trained_context_length: trained,
        context_length: context_length(options, trained).min(limit),
        vocabulary_size: facts.vocabulary_size,
        has_chat_template: facts.has_chat_template,
        embedding_dimensions: is_embedding.then_some(facts.embedding_length),
        created: file.created,
        loaded: true,
    }
}
