//! A model in memory, with the thread that computes with it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::thread;

use super::memory::Reservation;
use crate::api::error::{Error, Result};
use crate::backend::{self, ContextOptions};
use crate::embed::Embedder;
use crate::generate::{DRAFT, EXTRA, Generator, GeneratorOptions, SLICE};
use crate::metrics::ModelMeters;
use crate::model::{CheckedModel, LoadedModel, ModelKind};

/// Requests that may wait unless the options say otherwise.
const DEFAULT_QUEUE: u32 = 512;

/// A model and what computes for it.
pub(crate) struct ServedModel {
    model: LoadedModel,
    computer: Computer,
    fingerprint: String,
    /// Given back last.
    _memory: Reservation,
}

/// The thread that computes with a model.
enum Computer {
    Text(Generator),
    Vectors(Embedder),
}

impl ServedModel {
    /// Loads a model into memory that was reserved for it.
    pub(super) fn load(
        name: &str,
        checked: &CheckedModel,
        meters: &Arc<ModelMeters>,
        memory: Reservation,
    ) -> Result<Self> {
        let model = checked.load(name)?;
        let options = checked.options();
        let parallel = options.sequences();
        let context = ContextOptions {
            cells: model.info.context_length,
            batch: limit(SLICE + EXTRA) + parallel,
            sequences: parallel,
            outputs: parallel + limit(DRAFT),
            threads: options.threads.map_or_else(available_threads, NonZeroU32::get),
            kv_type: options.kv_type,
            own_attention: model.repacked,
            embeddings: false,
        };
        let queue = options.queue.map_or(DEFAULT_QUEUE, NonZeroU32::get) as usize;
        let fingerprint = fingerprint(&model, &context);
        let computer = if model.kind == ModelKind::Generative {
            let length = model.info.context_length as usize;
            let uniform = model.uniform && context.has_own_attention();
            // A recurrent state has taken in all tokens: there is no beginning of it to share.
            let kept = if model.backend.keeps_cells() { options.kept_sequences() } else { 0 };
            let options = GeneratorOptions { context, kept, queue, uniform, speculation: options.speculation };
            Computer::Text(Generator::start(model.backend.clone(), length, &options, meters)?)
        } else {
            Computer::Vectors(Embedder::start(&model, &context, queue, meters)?)
        };
        Ok(ServedModel { model, computer, fingerprint, _memory: memory })
    }

    /// # Errors
    ///
    /// A 400 for a model that makes vectors.
    pub(crate) fn generator(&self) -> Result<&Generator> {
        match &self.computer {
            Computer::Text(generator) => Ok(generator),
            Computer::Vectors(_) if self.ranks() => Err(self.unfit("ranks texts and generates none: use /v1/rerank")),
            Computer::Vectors(_) => Err(self.unfit("makes vectors of texts and generates no text: use /v1/embeddings")),
        }
    }

    /// # Errors
    ///
    /// A 400 for a model that generates or ranks texts (EM8).
    pub(crate) fn embedder(&self) -> Result<&Embedder> {
        match &self.computer {
            Computer::Vectors(_) if self.ranks() => {
                Err(self.unfit("ranks texts and makes no vectors: use an embedding model"))
            }
            Computer::Vectors(embedder) => Ok(embedder),
            Computer::Text(_) => Err(self.unfit("generates text and makes no vectors: use an embedding model")),
        }
    }

    /// # Errors
    ///
    /// A 400 for a model that does not rank texts.
    pub(crate) fn ranker(&self) -> Result<&Embedder> {
        match &self.computer {
            Computer::Vectors(embedder) if self.ranks() => Ok(embedder),
            Computer::Vectors(_) => Err(self.unfit("makes vectors and does not rank texts: use a model made for that")),
            Computer::Text(_) => Err(self.unfit("generates text and does not rank texts: use a model made for that")),
        }
    }

    /// Whether requests are running or waiting.
    pub(super) fn is_busy(&self) -> bool {
        match &self.computer {
            Computer::Text(generator) => generator.is_busy(),
            Computer::Vectors(embedder) => embedder.is_busy(),
        }
    }

    /// Ends all requests with `reason`. Who is just submitting a request keeps the model until that has
    /// failed.
    pub(super) fn end(&self, reason: Error) {
        match &self.computer {
            Computer::Text(generator) => generator.end(reason),
            Computer::Vectors(embedder) => embedder.end(reason),
        }
    }

    fn ranks(&self) -> bool {
        matches!(self.model.kind, ModelKind::Ranking { .. })
    }

    pub(crate) fn model(&self) -> &LoadedModel {
        &self.model
    }

    pub(crate) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn unfit(&self, reason: &str) -> Error {
        Error::invalid("model", format!("the model '{}' {reason}", self.model.info.id))
    }
}

fn limit(tokens: usize) -> u32 {
    u32::try_from(tokens).unwrap_or(u32::MAX)
}

fn available_threads() -> u32 {
    thread::available_parallelism().map_or(1, |threads| u32::try_from(threads.get()).unwrap_or(u32::MAX))
}

/// Changes with whatever may change an answer to the same request and seed:
/// build, backend, model file and numeric types (CQ12).
fn fingerprint(model: &LoadedModel, context: &ContextOptions) -> String {
    let info = &model.info;
    let mut hasher = DefaultHasher::new();
    env!("CARGO_PKG_VERSION").hash(&mut hasher);
    backend::version().hash(&mut hasher);
    (&info.architecture, &info.name, &info.quantization, info.parameters, info.file_size).hash(&mut hasher);
    (context.threads, context.kv_type, model.repacked).hash(&mut hasher);
    format!("fp_{:012x}", hasher.finish() & 0xffff_ffff_ffff)
}
