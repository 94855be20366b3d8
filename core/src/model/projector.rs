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
    pub(super) path: PathBuf,
    /// Bytes of the tensors, which are read into memory.
    pub(super) data_len: u64,
}

/// Finds and checks the projector of a model whose file is `model`: the one that the options name, or else the
/// only one beside the model, if the model is the only one in its folder too.
///
/// # Errors
///
/// `ModelFile` for what cannot be read, `InvalidModel` for what is no sound projector.
pub(super) fn find(model: &Path, options: &ModelOptions) -> Result<Option<ProjectorFile>> {
    let Some(path) = options.projector.clone().or_else(|| beside(model)) else { return Ok(None) };
    let mapped = MappedFile::open(&path)?;
    let gguf = gate::check_projector(mapped.bytes()).map_err(refused(&path))?;
    Ok(Some(ProjectorFile { path, data_len: gguf.data_len }))
}

fn beside(model: &Path) -> Option<PathBuf> {
    let folder = match model.parent() {
        Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
        folder => folder?,
    };
    let entries = fs::read_dir(folder).ok()?;
    let names: Vec<String> =
        entries.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned())).collect();
    let names = || names.iter().map(String::as_str);
    match source::projectors_among(names())[..] {
        [projector] if source::models_among(names()).len() == 1 => Some(folder.join(projector)),
        _ => None,
    }
}
