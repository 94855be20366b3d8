//! From a path to a model that can be used.

use std::cell::Cell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{self, Arc};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::adapter::{Adapter, AdapterFile};
use super::control::ControlSpellings;
use super::diffusion::{Checkpoint, PaintingModel};
use super::draft::DraftFile;
use super::file::{MIN_CONTEXT, MappedFile, ModelFile, context_length};
use super::gate;
use super::gguf::Value;
use super::gpu::{GpuLayers, Placement};
use super::kind::ModelKind;
use super::offload::{self, Beside, Offloaded};
use super::options::{ModelOptions, Repack, available_threads};
use super::projector::{self, ProjectorFile};
use super::speech_file::{SpeechFile, SpokenModel};
use super::weights::{self, WeightsKey};
use super::{adapter, draft, source, speech};
use crate::api::error::{Error, ErrorKind, Result};
use crate::backend::{self, Layout, LoadOptions, ProjectorOptions, Templates};
use crate::constrain::TokenEnv;
use crate::media::MediaReader;

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
    /// The LoRA adapters that are applied to it.
    pub adapters: Vec<Adapter>,
    /// The file of its draft model, if it has one.
    pub draft_model: Option<PathBuf>,
    /// What of the model and its KV cache lies where, the CPU first. Empty for a model that is not in memory, and for
    /// speech models. Draft models and projectors are not counted.
    pub placement: Vec<Placement>,
    /// What makes an answer depend on what else is computed with it, and how: near ties fall one way or the other.
    /// `None` where a request is answered alike alone, in a crowd, and with what was kept of others. Known of models
    /// in memory.
    pub batch_variance: Option<String>,
    /// When the file, or that of an adapter, was last changed, in seconds since 1970: `created` in the
    /// list of models.
    pub created: u64,
    /// Whether it is in memory. A model that is loaded lazily is not before its first request, and not
    /// after its memory was needed for another.
    pub loaded: bool,
}

/// A model file that was found and checked, and how it is to be loaded.
#[derive(Debug)]
pub(crate) struct CheckedModel {
    /// With the paths of the files.
    options: ModelOptions,
    file: CheckedFile,
}

/// A file, or files, of one of the formats.
#[derive(Debug)]
enum CheckedFile {
    Gguf(Box<GgufFiles>),
    Speech(SpeechFile),
    Images(Box<Checkpoint>),
}

/// A model in llama.cpp's format, and what is applied to it.
#[derive(Debug)]
struct GgufFiles {
    model: ModelFile,
    adapters: Vec<AdapterFile>,
    projector: Option<ProjectorFile>,
    draft: Option<DraftFile>,
}

/// The bytes that a model takes at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MemoryUse {
    /// What it shares with other models that have the same [`CheckedModel::weights_key`].
    pub(crate) weights: u64,
    /// Of its own: the cache and the adapters.
    pub(crate) own: u64,
}

/// A model with everything that requests to it need.
#[derive(Debug)]
pub(crate) struct LoadedModel {
    pub(crate) info: ModelInfo,
    pub(crate) kind: ModelKind,
    pub(crate) templates: Option<Templates>,
    pub(crate) control_spellings: ControlSpellings,
    /// The weights, which other models may share.
    pub(crate) backend: Arc<backend::Model>,
    pub(crate) adapters: Vec<Arc<backend::Adapter>>,
    /// Changes with the adapters and the projector, and with nothing else.
    pub(crate) additions_digest: u64,
    /// Changes with the model's files, where the prefix cache is to be saved.
    pub(crate) files_digest: Option<[u8; 32]>,
    /// What reads images and sound, if the model has a projector.
    pub(crate) media: Option<MediaReader>,
    /// What drafts its answers.
    pub(crate) draft: Option<LoadedDraft>,
    /// Whether our kernels compute with the weights, as far as they can.
    pub(crate) repacked: bool,
    /// Made when a request first needs it, since it takes time and memory.
    token_env: Mutex<Option<TokenEnv>>,
}

/// A draft model.
#[derive(Debug, Clone)]
pub(crate) struct LoadedDraft {
    pub(crate) backend: Arc<backend::Model>,
    /// Whether our kernels compute with its weights, as far as they can.
    pub(crate) repacked: bool,
}

impl CheckedModel {
    /// Finds the files that the options name, downloading those that must be, and checks them all.
    pub(crate) fn open(options: &ModelOptions) -> Result<Self> {
        options.check()?;
        if let Some(checkpoint) = Checkpoint::find(options)? {
            return Ok(CheckedModel { options: options.clone(), file: CheckedFile::Images(Box::new(checkpoint)) });
        }
        let (path, adapters) = (source::resolve(&options.path, options)?, adapter::resolve(options)?);
        let options = ModelOptions { path, adapters, draft_model: draft::resolve(options)?, ..options.clone() };
        let mapped = MappedFile::open(&options.path)?;
        let file = if speech::is_speech_model(mapped.bytes()) {
            CheckedFile::Speech(SpeechFile::check(&options, &mapped)?)
        } else {
            CheckedFile::Gguf(Box::new(GgufFiles::check(&options, &mapped)?))
        };
        Ok(CheckedModel { options, file })
    }

    /// Whether it writes down speech, so that it is loaded with [`load_speech`](Self::load_speech).
    pub(crate) fn is_speech(&self) -> bool {
        matches!(self.file, CheckedFile::Speech(_))
    }

    /// Whether it makes images, so that it is loaded with [`load_images`](Self::load_images).
    pub(crate) fn makes_images(&self) -> bool {
        matches!(self.file, CheckedFile::Images(_))
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

    /// As if the file were read into memory: that the system can take a mapped file's pages back does not
    /// make the model smaller.
    pub(crate) fn memory_use(&self) -> MemoryUse {
        match &self.file {
            CheckedFile::Gguf(files) => files.memory_use(&self.options),
            // Each has its weights for itself.
            CheckedFile::Speech(file) => MemoryUse { weights: 0, own: file.memory_need(&self.options) },
            CheckedFile::Images(checkpoint) => MemoryUse { weights: 0, own: checkpoint.memory_need() },
        }
    }

    /// Refuses what would not fit into the memory that is free, before any of it is taken.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub(crate) fn check_memory(&self) -> Result<()> {
        match &self.file {
            CheckedFile::Gguf(files) => files.check_memory(&self.options),
            CheckedFile::Speech(file) => file.check_memory(&self.options),
            CheckedFile::Images(checkpoint) => checkpoint.check_memory(&self.options),
        }
    }

    /// Layers of the model, the one behind the last included, that may go to a GPU, and do if there is room.
    pub(crate) fn fitted_layers(&self) -> Option<u32> {
        match &self.file {
            CheckedFile::Gguf(files) if self.options.gpu.layers == GpuLayers::Auto => Some(files.model.layers() + 1),
            _ => None,
        }
    }

    /// What tells the model's weights from others. With [`Repack::Auto`], as if memory were not short.
    pub(crate) fn weights_key(&self) -> WeightsKey {
        let files = match &self.file {
            CheckedFile::Gguf(files) => files.model.identities.clone(),
            CheckedFile::Speech(file) => vec![file.identity.clone()],
            CheckedFile::Images(checkpoint) => checkpoint.identities.clone(),
        };
        WeightsKey { files, ..weights_key(&self.options) }
    }

    /// What the model is, as far as its file says.
    pub(crate) fn info(&self, id: &str) -> ModelInfo {
        let info = match &self.file {
            CheckedFile::Gguf(files) => files.info(id, &self.options),
            CheckedFile::Speech(file) => file.describe(id, &self.options),
            CheckedFile::Images(checkpoint) => checkpoint.describe(id, &self.options),
        };
        ModelInfo { loaded: false, ..info }
    }

    /// Loads a model that generates texts or makes vectors, under a name; with so many layers on GPUs as the options
    /// say, or as is said here.
    pub(crate) fn load(&self, id: &str, gpu_layers: Option<u32>) -> Result<LoadedModel> {
        match &self.file {
            CheckedFile::Gguf(files) => match gpu_layers {
                None => files.load(id, &self.options),
                Some(layers) => files.load(id, &self.options.clone().gpu_layers(GpuLayers::Count(layers))),
            },
            CheckedFile::Speech(_) | CheckedFile::Images(_) => Err(Error::internal("it is no model of texts")),
        }
    }

    /// Loads a speech model under a name.
    pub(crate) fn load_speech(&self, id: &str) -> Result<SpokenModel> {
        match &self.file {
            CheckedFile::Speech(_) => SpeechFile::load(id, &self.options),
            CheckedFile::Gguf(_) | CheckedFile::Images(_) => Err(Error::internal("it is no speech model")),
        }
    }

    /// Loads a model that makes images under a name.
    pub(crate) fn load_images(&self, id: &str, threads: u32) -> Result<PaintingModel> {
        Checkpoint::load(id, &self.options, threads)
    }
}

impl GgufFiles {
    fn check(options: &ModelOptions, mapped: &MappedFile) -> Result<Self> {
        let model = ModelFile::check(&options.path, mapped)?;
        let adapters = adapter::check(&options.adapters, &model)?;
        let mut files = GgufFiles { model, adapters, projector: None, draft: None };
        // Whether it is a decoder alone is known when it is loaded.
        if files.served_kind(options, true)? == ModelKind::Generative {
            files.projector = projector::find(&options.path, options)?;
            files.draft = draft::check(options)?;
        } else {
            projector::refuse(options)?;
            draft::refuse(options)?;
            if options.prefix_cache_folder.is_some() {
                let what = "only models that generate text have a prefix cache";
                return Err(Error::new(ErrorKind::InvalidArgument, format!("prefix_cache_folder: {what}")));
            }
        }
        Ok(files)
    }

    fn memory_use(&self, options: &ModelOptions) -> MemoryUse {
        let options = options.clone().mmap(false);
        let need = self.model.memory_need(&options, options.sequences());
        // What is refused is refused by `check_memory`.
        let elsewhere = offload::offloaded(&self.model, &options, need).unwrap_or_default();
        let cache = need.cache - elsewhere.cache;
        MemoryUse { weights: need.weights - elsewhere.weights, own: cache.saturating_add(self.additions_len(false)) }
    }

    /// Bytes of the adapters, the projector, and the draft model with its cache.
    fn additions_len(&self, mmap: bool) -> u64 {
        let projector = self.projector.as_ref().map_or(0, |projector| projector.data_len);
        let draft = self.draft.as_ref().map(|draft| draft.memory_need(mmap));
        let draft = draft.map_or(0, |need| need.weights.saturating_add(need.cache));
        let adapters = self.adapters.iter().map(|adapter| adapter.data_len);
        adapters.chain([projector]).fold(draft, u64::saturating_add)
    }

    fn check_memory(&self, options: &ModelOptions) -> Result<()> {
        let need = self.model.memory_need(options, options.sequences());
        let are_known = weights::are_known(&file_key(&self.model, options));
        let elsewhere = match self.offloaded(options) {
            // What they take is taken.
            Err(_) if are_known => Offloaded::default(),
            elsewhere => elsewhere?,
        };
        let weights = if are_known { 0 } else { need.weights.saturating_sub(elsewhere.weights) };
        let cache = need.cache - elsewhere.cache;
        let need = cache.saturating_add(weights).saturating_add(self.additions_len(options.mmap));
        match gate::free_memory() {
            Some(free) if need > free => Err(Error::new(
                ErrorKind::Unavailable,
                format!(
                    "{}: no memory for a context of {} tokens: at least {} MiB are needed and {} MiB are free; \
                     try a smaller context_length",
                    options.path.display(),
                    self.model.context_length(options),
                    need >> 20,
                    free >> 20
                ),
            )),
            _ => Ok(()),
        }
    }

    /// What goes to other memory than the host's. A mapped file's weights are copied there, too.
    fn offloaded(&self, options: &ModelOptions) -> Result<Offloaded> {
        let options = options.clone().mmap(false);
        offload::offloaded(&self.model, &options, self.model.memory_need(&options, options.sequences()))
    }

    fn info(&self, id: &str, options: &ModelOptions) -> ModelInfo {
        let gguf = &self.model.checked.gguf;
        let width = gguf.get_u64(&format!("{}.embedding_length", gguf.architecture().unwrap_or_default()));
        let facts = Facts {
            kind: ModelKind::of(gguf, true),
            trained_context: self.model.checked.hparams.context_length,
            vocabulary_size: match gguf.metadata.get("tokenizer.ggml.tokens") {
                Some(Value::Array { len, .. }) => usize::try_from(*len).unwrap_or(usize::MAX),
                _ => 0,
            },
            embedding_length: width.and_then(|width| usize::try_from(width).ok()).unwrap_or_default(),
            has_chat_template: options.chat_template.is_some() || gguf.get_str("tokenizer.chat_template").is_some(),
        };
        self.describe(id, options, &facts)
    }

    fn served_kind(&self, options: &ModelOptions, is_decoder: bool) -> Result<ModelKind> {
        match ModelKind::of(&self.model.checked.gguf, is_decoder) {
            ModelKind::Unserved(reason) => Err(Error::new(
                ErrorKind::InvalidModel,
                format!("{}: this model {reason}; this release cannot use it", options.path.display()),
            )),
            kind => Ok(kind),
        }
    }

    fn load(&self, id: &str, options: &ModelOptions) -> Result<LoadedModel> {
        let (backend, repacked) = load_weights(&self.model, options, self.beside())?;
        let kind = self.served_kind(options, backend.is_decoder())?;
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
        let media = self.load_projector(&backend, kind, options)?;
        let draft = self.draft.as_ref().filter(|_| kind == ModelKind::Generative);
        let draft = draft.map(|draft| load_draft(draft, &backend)).transpose()?;
        let saved = options.prefix_cache_folder.as_ref();
        if saved.is_some() && !backend.can_rewind() {
            let what = "a model with a recurrent state or a sliding window has nothing that can be saved";
            return Err(Error::new(ErrorKind::InvalidArgument, format!("prefix_cache_folder: {what}")));
        }
        let is_offloaded = backend.layout().is_offloaded();
        let load = |adapter: &Adapter| backend::Adapter::load(&backend, &adapter.path, adapter.scale).map(Arc::new);
        let mut info = self.describe(id, options, &facts);
        info.batch_variance = self.batch_variance(repacked, is_offloaded);
        Ok(LoadedModel {
            info,
            kind,
            templates,
            control_spellings,
            adapters: options.adapters.iter().map(load).collect::<Result<_>>()?,
            additions_digest: self.additions_digest(options, media.is_some())?,
            files_digest: saved.map(|_| self.model.digest(&options.path)).transpose()?,
            media,
            draft,
            backend,
            repacked,
            token_env: Mutex::new(None),
        })
    }

    fn load_projector(
        &self,
        model: &Arc<backend::Model>,
        kind: ModelKind,
        options: &ModelOptions,
    ) -> Result<Option<MediaReader>> {
        let Some(file) = self.projector.as_ref().filter(|_| kind == ModelKind::Generative) else {
            return Ok(None);
        };
        let mut projector = ProjectorOptions {
            threads: options.threads.map_or_else(available_threads, NonZeroU32::get),
            // It goes to the first GPU.
            use_gpu: model.layout().is_offloaded() && backend::has_first(model.layout().gpus()),
            image_max_tokens: options.image_max_tokens.map(NonZeroU32::get),
        };
        let mut loaded = backend::Projector::load(model, &file.path, &projector);
        if let Err(error) = &loaded
            && projector.use_gpu
        {
            let path = file.path.display();
            tracing::warn!(target: "zerohop", %error, "{path}: computed on the CPU: the GPU cannot take it");
            projector.use_gpu = false;
            loaded = backend::Projector::load(model, &file.path, &projector);
        }
        match loaded {
            Ok(projector) => Ok(Some(MediaReader::new(projector, options.media_access()?))),
            Err(error) if file.is_named => Err(error),
            Err(error) => {
                projector::left_out(&file.path, &error);
                Ok(None)
            }
        }
    }

    fn beside(&self) -> Beside<'_> {
        // Computing an image takes about as much as the projector's weights.
        let projector = self.projector.as_ref().map_or(0, |projector| projector.data_len.saturating_mul(2));
        let adapters = self.adapters.iter().map(|adapter| adapter.data_len);
        Beside { draft: self.draft.as_ref(), bytes: adapters.fold(projector, u64::saturating_add) }
    }

    fn additions_digest(&self, options: &ModelOptions, has_projector: bool) -> Result<u64> {
        let mut hasher = DefaultHasher::new();
        let projector = self.projector.as_ref().filter(|_| has_projector);
        let digest = projector.map(ProjectorFile::digest).transpose()?;
        digest.map(|digest| (digest, options.image_max_tokens)).hash(&mut hasher);
        for (file, adapter) in self.adapters.iter().zip(&options.adapters) {
            (file.digest, adapter.scale.to_bits()).hash(&mut hasher);
        }
        Ok(hasher.finish())
    }

    /// Why a token's logits may depend on more than the tokens before it: what of the model is not computed by our
    /// kernels. Attention is not looked at.
    fn batch_variance(&self, repacked: bool, is_offloaded: bool) -> Option<String> {
        if is_offloaded {
            Some("layers are computed by a GPU".to_owned())
        } else if !repacked {
            Some("the weights are not repacked (`repack`), so that llama.cpp's kernels compute".to_owned())
        } else if !backend::has_any_kernels() {
            Some("the processor lacks the instructions that zerohop's kernels need".to_owned())
        } else if !self.adapters.is_empty() {
            Some("llama.cpp's kernels compute what LoRA adapters add".to_owned())
        } else {
            self.model.lacking_kernel()
        }
    }

    fn describe(&self, id: &str, options: &ModelOptions, facts: &Facts) -> ModelInfo {
        let GgufFiles { model, adapters, .. } = self;
        let trained = facts.trained_context.max(MIN_CONTEXT);
        let is_embedding = matches!(facts.kind, ModelKind::Embedding { .. });
        // An encoder's table of positions ends where its training did.
        let limit = if facts.kind == ModelKind::Generative { u32::MAX } else { trained };
        let gguf = &model.checked.gguf;
        ModelInfo {
            id: id.to_owned(),
            aliases: options.aliases.clone(),
            path: options.path.clone(),
            file_size: model.size,
            architecture: gguf.architecture().unwrap_or_default().to_owned(),
            name: gguf.get_str("general.name").map(str::to_owned),
            parameters: model.parameters,
            quantization: model.quantization().map(str::to_owned),
            trained_context_length: trained,
            context_length: context_length(options, trained).min(limit),
            vocabulary_size: facts.vocabulary_size,
            has_chat_template: facts.has_chat_template,
            embedding_dimensions: is_embedding.then_some(facts.embedding_length),
            adapters: options.adapters.clone(),
            draft_model: options.draft_model.clone(),
            placement: Vec::new(),
            batch_variance: Some("the model is not in memory".to_owned()),
            created: adapters.iter().fold(model.created, |created, adapter| created.max(adapter.created)),
            loaded: true,
        }
    }
}

/// The weights, and whether they are repacked: those that the process has already, or else from the file.
fn load_weights(file: &ModelFile, options: &ModelOptions, beside: Beside<'_>) -> Result<(Arc<backend::Model>, bool)> {
    let key = file_key(file, options);
    let key = WeightsKey { repack: repacks(options, file.size, weights::are_known(&key)), ..key };
    let was_reported = Cell::new(false);
    let load = || {
        was_reported.set(true);
        let layout = offload::layout(file, options, beside)?;
        backend::Model::load(&options.path, load_options(options, layout, key.repack))
    };
    let goes_on =
        |fraction| options.report(fraction).then_some(()).ok_or_else(|| Error::loading_stopped(&options.path));
    let backend = weights::share(&key, load, || goes_on(0.0))?;
    if !was_reported.get() {
        goes_on(1.0)?;
    }
    Ok((backend, key.repack))
}

fn load_draft(draft: &DraftFile, model: &backend::Model) -> Result<LoadedDraft> {
    let (backend, repacked) = load_weights(&draft.file, &draft.options, Beside::default())?;
    draft::check_pair(&draft.options.path, &backend, model)?;
    Ok(LoadedDraft { backend, repacked })
}

fn file_key(file: &ModelFile, options: &ModelOptions) -> WeightsKey {
    WeightsKey { files: file.identities.clone(), ..weights_key(options) }
}

/// What the options say of the weights, without their files.
fn weights_key(options: &ModelOptions) -> WeightsKey {
    WeightsKey {
        files: Vec::new(),
        gpu: options.gpu.clone(),
        mmap: options.mmap,
        repack: options.repack != Repack::Off,
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

fn load_options(options: &ModelOptions, layout: Layout, repack: bool) -> LoadOptions {
    LoadOptions {
        layout,
        mmap: options.mmap,
        repack,
        progress: options.progress.is_some().then(|| {
            let options = options.clone();
            Box::new(move |fraction| options.report(fraction)) as Box<dyn FnMut(f32) -> bool>
        }),
    }
}

/// Whether weights are copied into the layout of our kernels; `known` says that there is such a copy.
///
/// Of a mapped file the system can take pages back, of a copy it cannot: so there must
/// be room for the copy, and half as much for the rest of the program.
fn repacks(options: &ModelOptions, file_size: u64, known: bool) -> bool {
    match options.repack {
        Repack::On => true,
        Repack::Off => false,
        Repack::Auto => known || !options.mmap || gate::free_memory().is_none_or(|free| free / 3 * 2 >= file_size),
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
