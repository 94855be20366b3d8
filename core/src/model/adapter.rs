//! LoRA adapters: named in options, checked, described.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::file::{MappedFile, ModelFile, refused};
use super::options::ModelOptions;
use super::{gate, source};
use crate::api::error::Result;

/// A LoRA adapter of a model, as [`ModelOptions::adapter`] names it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Adapter {
    /// The file.
    pub path: PathBuf,
    /// How strongly it is applied: 1 as it was trained, 0 not at all.
    pub scale: f32,
}

/// What our own reader found out about an adapter's file.
#[derive(Debug)]
pub(super) struct AdapterFile {
    /// Bytes of the tensors, which are read into memory.
    pub(super) data_len: u64,
    /// When it was last changed, in seconds since 1970.
    pub(super) created: u64,
    /// Of the whole content: adapters for one model are often of the same size.
    pub(super) digest: u64,
}

/// The options with the adapters' files found, downloading those that must be.
pub(super) fn resolve(options: &ModelOptions) -> Result<Vec<Adapter>> {
    let find = |adapter: &Adapter| Ok(Adapter { path: source::resolve(&adapter.path, options)?, ..adapter.clone() });
    options.adapters.iter().map(find).collect()
}

/// Checks the adapters of a model.
///
/// # Errors
///
/// `ModelFile` for what cannot be read, `InvalidModel` for what is no sound adapter for this model.
pub(super) fn check(adapters: &[Adapter], model: &ModelFile) -> Result<Vec<AdapterFile>> {
    let architecture = model.checked.gguf.architecture().unwrap_or_default();
    let check = |adapter: &Adapter| {
        let mapped = MappedFile::open(&adapter.path)?;
        let gguf =
            gate::check_adapter(mapped.bytes(), architecture, model.tensors()).map_err(refused(&adapter.path))?;
        let mut hasher = DefaultHasher::new();
        mapped.bytes().hash(&mut hasher);
        Ok(AdapterFile { data_len: gguf.data_len, created: mapped.created, digest: hasher.finish() })
    };
    adapters.iter().map(check).collect()
}
