//! Projectors: named in options or found beside the model, checked.

use std::fs;
use std::path::{Path, PathBuf};

use super::file::{MappedFile, refused};
use super::options::ModelOptions;
use super::{gate, source};
use crate::api::error::Result;

/// What our own reader found out about a projector's file.
#[derive(Debug)]
pub(super) struct ProjectorFile {
    /// Bytes of the tensors, which are read into memory.
    pub(super) data_len: u64,
}

/// The projector of a model whose file is `model`: the one that the options name, or else the only one beside the
/// model, if the model is the only one in its folder too.
pub(super) fn resolve(model: &Path, options: &ModelOptions) -> Option<PathBuf> {
    if options.projector.is_some() {
        return options.projector.clone();
    }
    let folder = match model.parent() {
        Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
        folder => folder?,
    };
    let entries = fs::read_dir(folder).ok()?;
    let names: Vec<String> =
        entries.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned())).collect();
    match source::projectors_among(names.iter().map(String::as_str))[..] {
        [projector] if source::models_among(names.iter().map(String::as_str)).len() == 1 => {
            Some(folder.join(projector))
        }
        _ => None,
    }
}

/// Checks a projector.
///
/// # Errors
///
/// `ModelFile` for what cannot be read, `InvalidModel` for what is no sound projector.
pub(super) fn check(path: &Path) -> Result<ProjectorFile> {
    let mapped = MappedFile::open(path)?;
    let gguf = gate::check_projector(mapped.bytes()).map_err(refused(path))?;
    Ok(ProjectorFile { data_len: gguf.data_len })
}
