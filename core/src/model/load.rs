//! From a path to a model that can be used.

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::control::ControlSpellings;
use super::file::{MIN_CONTEXT, ModelFile, context_length};
use super::gate;
use super::kind::ModelKind;
use super::options::{GpuLayers, ModelOptions, Repack};
use super::source;
use crate::api::error::{Error, ErrorKind, Result};
use crate::backend::{self, LoadOptions, Templates};
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
        let options = &ModelOptions { path: source::resolve(options)?, ..options.clone() };
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
        quantization: file.quantization().map(str::to_owned),
        trained_context_length: trained,
        context_length: context_length(options, trained).min(limit),
        vocabulary_size: model.vocab().len(),
        has_chat_template,
        embedding_dimensions: is_embedding.then(|| model.embedding_length()),
        created: file.created,
    }
}
