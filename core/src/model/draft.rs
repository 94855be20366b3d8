//! Draft models: named in options, checked, described.

use std::path::{Path, PathBuf};

use super::file::{MappedFile, ModelFile};
use super::gate::MemoryNeed;
use super::gpu::GpuOptions;
use super::kind::ModelKind;
use super::options::ModelOptions;
use super::source;
use crate::api::error::{Error, ErrorKind, Result};
use crate::backend;

/// How many tokens more than the other one of two models may have for their vocabularies to count as the same:
/// tables of embeddings are filled up to round numbers.
const FILLING: usize = 128;

/// A draft model's file, and how it is loaded.
#[derive(Debug)]
pub(super) struct DraftFile {
    pub(super) options: ModelOptions,
    pub(super) file: ModelFile,
}

impl DraftFile {
    /// The least that it takes, with its file mapped into memory or read.
    pub(super) fn memory_need(&self, mmap: bool) -> MemoryNeed {
        self.file.memory_need(&self.options.clone().mmap(mmap), self.options.sequences())
    }
}

/// The draft model that the options name, its file found, and downloaded if it must be.
pub(super) fn resolve(options: &ModelOptions) -> Result<Option<PathBuf>> {
    options.draft_model.as_ref().map(|path| source::resolve(path, options)).transpose()
}

/// Checks the draft model that the options name. What they say of the model holds for it too, but for what is
/// applied to the model.
///
/// # Errors
///
/// `ModelFile` for what cannot be read, `InvalidModel` for what is no sound model, `InvalidArgument` for one
/// that generates no text.
pub(super) fn check(options: &ModelOptions) -> Result<Option<DraftFile>> {
    let Some(path) = &options.draft_model else { return Ok(None) };
    let file = ModelFile::check(path, &MappedFile::open(path)?)?;
    if ModelKind::of(&file.checked.gguf, true) != ModelKind::Generative {
        return Err(unfit(path, "it does not generate text"));
    }
    let options = ModelOptions {
        context_length: options.context_length,
        threads: options.threads,
        gpu: GpuOptions { cpu_moe_layers: 0, ..options.gpu.clone() },
        flash_attention: options.flash_attention,
        parallel: options.parallel,
        kv_type: options.kv_type,
        mmap: options.mmap,
        repack: options.repack,
        ..ModelOptions::new(path)
    };
    Ok(Some(DraftFile { options, file }))
}

/// Refuses a draft model, for a model that does not generate text.
///
/// # Errors
///
/// `InvalidArgument`.
pub(super) fn refuse(options: &ModelOptions) -> Result<()> {
    match &options.draft_model {
        Some(draft) => Err(unfit(draft, "only models that generate text take one")),
        None => Ok(()),
    }
}

/// Checks that one model can draft what another one says.
///
/// # Errors
///
/// `InvalidArgument`.
pub(super) fn check_pair(path: &Path, draft: &backend::Model, model: &backend::Model) -> Result<()> {
    if !model.can_rewind() || !draft.can_rewind() {
        let which = if draft.can_rewind() { "the model" } else { "it" };
        let reason =
            format!("{which} has a recurrent state or a sliding window, from which no token can be taken back");
        return Err(unfit(path, &reason));
    }
    let (own, other) = (draft.vocab(), model.vocab());
    let common = i32::try_from(own.len().min(other.len())).unwrap_or(i32::MAX);
    let differs = (0..common).find(|&token| own.spelling(token) != other.spelling(token));
    if differs.is_some() || own.len().abs_diff(other.len()) > FILLING {
        let (own, other) = (own.len(), other.len());
        let reason = match differs {
            Some(token) => format!("its vocabulary is another: token {token} has another text"),
            None => format!("its vocabulary is another: it has {own} tokens, and the model {other}"),
        };
        return Err(unfit(path, &reason));
    }
    Ok(())
}

fn unfit(path: &Path, reason: &str) -> Error {
    Error::new(ErrorKind::InvalidArgument, format!("draft_model: {}: {reason}", path.display()))
}
