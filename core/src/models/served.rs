//! A model in memory, with the thread that computes with it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::memory::Reservation;
use crate::api::audio::{CreateTranscriptionRequest, CreateTranslationRequest};
use crate::api::error::{Error, ErrorKind, Result};
use crate::backend::{self, ContextOptions, Gpu};
use crate::embed::Embedder;
use crate::generate::{DRAFT, DraftOptions, EXTRA, Generator, GeneratorOptions, PrefixFile, slice_of};
use crate::images::{ImageTask, Painter, PendingImages};
use crate::media::MediaReader;
use crate::metrics::ModelMeters;
use crate::model::{CheckedModel, LoadedModel, ModelInfo, ModelKind, available_threads};
use crate::transcribe::{Hearing, Listener, Transcriber};

/// Requests that may wait unless the options say otherwise.
const DEFAULT_QUEUE: u32 = 512;

/// Why a speech model is unfit for everything else.
const ONLY_SPEECH: &str = "writes down speech and does nothing else: use /v1/audio/transcriptions";

/// Why a model of images is unfit for everything else.
const ONLY_IMAGES: &str = "makes images and does nothing else: use /v1/images/generations";

/// A model and what computes for it.
pub(crate) struct ServedModel {
    computer: Computer,
    fingerprint: String,
    /// Given back last.
    _memory: Reservation,
}

/// A model with the thread that computes with it.
enum Computer {
    Text(Box<LoadedModel>, Generator),
    Vectors(Box<LoadedModel>, Embedder),
    Speech(Transcriber),
    Images(Painter),
}

impl ServedModel {
    /// Loads a model into memory that was reserved for it.
    pub(super) fn load(
        name: &str,
        checked: &CheckedModel,
        meters: &Arc<ModelMeters>,
        memory: Reservation,
    ) -> Result<Self> {
        let options = checked.options();
        let threads = options.threads.map_or_else(available_threads, NonZeroU32::get);
        let queue = options.queue.map_or(DEFAULT_QUEUE, NonZeroU32::get) as usize;
        if checked.is_speech() {
            let model = checked.load_speech(name)?;
            let fingerprint = fingerprint(&model.info, threads);
            let states = options.speech_states();
            let computer = Computer::Speech(Transcriber::start(model, states, threads, queue, meters)?);
            return Ok(ServedModel { computer, fingerprint, _memory: memory });
        }
        if checked.makes_images() {
            let model = checked.load_images(name, threads)?;
            let fingerprint = fingerprint(&model.info, threads);
            let computer = Computer::Images(Painter::start(model, queue, meters)?);
            return Ok(ServedModel { computer, fingerprint, _memory: memory });
        }
        let (computer, fingerprint) = start_fitting(checked, |layers| start(name, checked, layers, queue, meters))?;
        Ok(ServedModel { computer, fingerprint, _memory: memory })
    }

    /// # Errors
    ///
    /// A 400 for a model that makes vectors.
    pub(crate) fn generator(&self) -> Result<&Generator> {
        match &self.computer {
            Computer::Text(_, generator) => Ok(generator),
            Computer::Vectors(..) if self.ranks() => Err(self.unfit("ranks texts and generates none: use /v1/rerank")),
            Computer::Vectors(..) => {
                Err(self.unfit("makes vectors of texts and generates no text: use /v1/embeddings"))
            }
            Computer::Speech(_) => Err(self.unfit(ONLY_SPEECH)),
            Computer::Images(_) => Err(self.unfit(ONLY_IMAGES)),
        }
    }

    /// # Errors
    ///
    /// A 400 for a model that generates or ranks texts (EM8).
    pub(crate) fn embedder(&self) -> Result<&Embedder> {
        match &self.computer {
            Computer::Vectors(..) if self.ranks() => {
                Err(self.unfit("ranks texts and makes no vectors: use an embedding model"))
            }
            Computer::Vectors(_, embedder) => Ok(embedder),
            Computer::Text(..) => Err(self.unfit("generates text and makes no vectors: use an embedding model")),
            Computer::Speech(_) => Err(self.unfit(ONLY_SPEECH)),
            Computer::Images(_) => Err(self.unfit(ONLY_IMAGES)),
        }
    }

    /// # Errors
    ///
    /// A 400 for a model that does not rank texts.
    pub(crate) fn ranker(&self) -> Result<&Embedder> {
        match &self.computer {
            Computer::Vectors(_, embedder) if self.ranks() => Ok(embedder),
            Computer::Vectors(..) => {
                Err(self.unfit("makes vectors and does not rank texts: use a model made for that"))
            }
            Computer::Text(..) => Err(self.unfit("generates text and does not rank texts: use a model made for that")),
            Computer::Speech(_) => Err(self.unfit(ONLY_SPEECH)),
            Computer::Images(_) => Err(self.unfit(ONLY_IMAGES)),
        }
    }

    /// Starts a validated request to write down speech.
    ///
    /// # Errors
    ///
    /// A 400 for a model that does not hear, and what the model makes of the request.
    pub(crate) fn hear(&self, request: &CreateTranscriptionRequest) -> Result<Hearing> {
        match &self.computer {
            Computer::Speech(transcriber) => transcriber.hear(request),
            _ => self.listener()?.hear(request),
        }
    }

    /// The same for one that is to be put into English.
    pub(crate) fn translate(&self, request: &CreateTranslationRequest) -> Result<Hearing> {
        match &self.computer {
            Computer::Speech(transcriber) => transcriber.translate(request),
            _ => self.listener()?.translate(request),
        }
    }

    /// Starts a validated request for images.
    ///
    /// # Errors
    ///
    /// A 400 for a model that makes none, and what the model makes of the request.
    pub(crate) fn paint(&self, task: &ImageTask<'_>) -> Result<PendingImages> {
        match &self.computer {
            Computer::Images(painter) => painter.paint(task),
            _ => Err(self.unfit("makes no images: use a checkpoint of Stable Diffusion or another model that does")),
        }
    }

    fn listener(&self) -> Result<Listener<'_>> {
        match &self.computer {
            Computer::Text(model, generator) if model.media.as_ref().is_some_and(MediaReader::hears) => {
                Ok(Listener { model, generator, fingerprint: &self.fingerprint })
            }
            _ => Err(self.unfit(
                "does not write down speech: use a Whisper model in whisper.cpp's format, or a model with a projector \
                 that hears",
            )),
        }
    }

    /// Whether requests are running or waiting.
    pub(super) fn is_busy(&self) -> bool {
        match &self.computer {
            Computer::Text(_, generator) => generator.is_busy(),
            Computer::Vectors(_, embedder) => embedder.is_busy(),
            Computer::Speech(transcriber) => transcriber.is_busy(),
            Computer::Images(painter) => painter.is_busy(),
        }
    }

    /// Ends all requests with `reason`. Who is just submitting a request keeps the model until that has
    /// failed.
    pub(super) fn end(&self, reason: Error) {
        match &self.computer {
            Computer::Text(_, generator) => generator.end(reason),
            Computer::Vectors(_, embedder) => embedder.end(reason),
            Computer::Speech(transcriber) => transcriber.end(reason),
            Computer::Images(painter) => painter.end(reason),
        }
    }

    fn ranks(&self) -> bool {
        matches!(&self.computer, Computer::Vectors(model, _) if matches!(model.kind, ModelKind::Ranking { .. }))
    }

    /// What the model is.
    pub(crate) fn info(&self) -> &ModelInfo {
        match &self.computer {
            Computer::Text(model, _) | Computer::Vectors(model, _) => &model.info,
            Computer::Speech(transcriber) => transcriber.info(),
            Computer::Images(painter) => painter.info(),
        }
    }

    /// The model of texts.
    ///
    /// # Errors
    ///
    /// A 400 for a model that writes down speech.
    pub(crate) fn model(&self) -> Result<&LoadedModel> {
        match &self.computer {
            Computer::Text(model, _) | Computer::Vectors(model, _) => Ok(model),
            Computer::Speech(_) => Err(self.unfit(ONLY_SPEECH)),
            Computer::Images(_) => Err(self.unfit(ONLY_IMAGES)),
        }
    }

    pub(crate) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn unfit(&self, reason: &str) -> Error {
        Error::invalid("model", format!("the model '{}' {reason}", self.info().id))
    }
}

/// Starts a model whose layers go where they fit: llama.cpp's estimate may be wrong, and others may take the memory
/// meanwhile. Then half as many layers are tried, and at last none.
fn start_fitting<T>(checked: &CheckedModel, start: impl Fn(Option<u32>) -> Result<T>) -> Result<T> {
    let mut layers = checked.fitted_layers().filter(|_| backend::HAS_GPU_CODE);
    let mut started = start(None);
    while let (Err(error), Some(most)) = (&started, layers) {
        if most == 0
            || error.kind() == ErrorKind::Cancelled
            || backend::gpus(&checked.options().gpu.devices)?.is_empty()
        {
            break;
        }
        let fewer = if error.kind() == ErrorKind::Unavailable { most / 2 } else { 0 };
        let path = checked.options().path.display();
        tracing::warn!(target: "zerohop", %error, "{path}: the GPU did not take it; trying with {fewer} layers there");
        started = start(Some(fewer));
        layers = Some(fewer);
    }
    started
}

/// Starts what computes for a model, with so many layers on GPUs as its options say, or as is said here.
fn start(
    name: &str,
    checked: &CheckedModel,
    gpu_layers: Option<u32>,
    queue: usize,
    meters: &Arc<ModelMeters>,
) -> Result<(Computer, String)> {
    let options = checked.options();
    let threads = options.threads.map_or_else(available_threads, NonZeroU32::get);
    let mut model = checked.load(name, gpu_layers)?;
    let (layout, slice) = (model.backend.layout().clone(), slice_of(&model.backend));
    let parallel = options.sequences();
    let whole = model.media.as_ref().map_or(0, MediaReader::whole);
    let context = ContextOptions {
        cells: model.info.context_length,
        batch: (limit(slice + EXTRA) + parallel).max(limit(whole)),
        sequences: parallel,
        outputs: parallel + limit(DRAFT),
        threads,
        kv_type: options.kv_type,
        own_attention: model.repacked,
        flash_attention: options.flash_attention,
        is_offloaded: layout.is_offloaded(),
        embeddings: false,
        adapters: model.adapters.clone(),
    };
    if !context.has_own_attention() {
        model.info.batch_variance.get_or_insert_with(|| "llama.cpp computes attention".to_owned());
    }
    let uniform = model.info.batch_variance.is_none();
    // Where logits depend on how many tokens are computed together, so do they on drafts.
    let is_drafted = model.draft.is_some() && !uniform;
    let numeric = (context.threads, context.kv_type, model.repacked, is_drafted);
    let devices = (layout.layers(), layout.gpus().iter().map(Gpu::name).collect::<Vec<_>>(), context.flash_attention);
    let fingerprint = fingerprint(&model.info, (numeric, devices, model.additions_digest));
    let computer = if model.kind == ModelKind::Generative {
        let length = model.info.context_length as usize;
        // A recurrent state has taken in all tokens: there is no beginning of it to share.
        let kept = if model.backend.keeps_cells() { options.kept_sequences() } else { 0 };
        let draft = model.draft.as_ref();
        let file = |folder: &PathBuf| {
            let digest = model.files_digest.ok_or_else(|| Error::internal("the model's files were not looked at"))?;
            PrefixFile::new(folder, prefix_key(digest, &fingerprint))
        };
        let options = GeneratorOptions {
            context,
            slice,
            kept,
            prefixes: options.prefix_cache_folder.as_ref().map(file).transpose()?,
            queue,
            uniform,
            speculation: options.speculation,
            draft: draft.map(|draft| DraftOptions { model: draft.backend.clone(), own_attention: draft.repacked }),
            encoding: model.media.as_ref().map(|media| media.abort().clone()),
        };
        let generator = Generator::start(model.backend.clone(), length, &options, meters)?;
        model.info.placement = generator.placement().to_vec();
        Computer::Text(Box::new(model), generator)
    } else {
        let embedder = Embedder::start(&model, &context, queue, meters)?;
        model.info.placement = embedder.placement().to_vec();
        Computer::Vectors(Box::new(model), embedder)
    };
    Ok((computer, fingerprint))
}

fn limit(tokens: usize) -> u32 {
    u32::try_from(tokens).unwrap_or(u32::MAX)
}

/// Changes with whatever may change what is computed of a prompt.
fn prefix_key(files: [u8; 32], fingerprint: &str) -> [u8; 32] {
    Sha256::new().chain_update(files).chain_update(fingerprint).finalize().into()
}

/// Changes with whatever may change an answer to the same request and seed:
/// build, backend, model file and, in `options`, adapters and numeric types (CQ12).
fn fingerprint(info: &ModelInfo, options: impl Hash) -> String {
    let mut hasher = DefaultHasher::new();
    env!("CARGO_PKG_VERSION").hash(&mut hasher);
    backend::version().hash(&mut hasher);
    (&info.architecture, &info.name, &info.quantization, info.parameters, info.file_size).hash(&mut hasher);
    options.hash(&mut hasher);
    format!("fp_{:012x}", hasher.finish() & 0xffff_ffff_ffff)
}
