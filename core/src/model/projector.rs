//! Projectors: named in options or found beside the model, checked.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use super::file::{MappedFile, refused};
use super::gate::{self, CheckedProjector};
use super::options::ModelOptions;
use super::source;
use crate::api::error::{Error, ErrorKind, Result};

/// What our own reader found out about a projector's file.
#[derive(Debug)]
pub(super) struct ProjectorFile {
    pub(super) path: PathBuf,
    /// Whether the options name it.
    pub(super) is_named: bool,
    /// Bytes of the tensors, which are read into memory.
    pub(super) data_len: u64,
}

impl ProjectorFile {
    /// Of the whole content: projectors for one architecture are often of the same size. Reads all of it.
    ///
    /// # Errors
    ///
    /// `ModelFile` for a file that can no longer be read.
    pub(super) fn digest(&self) -> Result<u64> {
        let mut hasher = DefaultHasher::new();
        MappedFile::open(&self.path)?.bytes().hash(&mut hasher);
        Ok(hasher.finish())
    }
}

/// Finds and checks the projector of a model whose file is `model`: the one that the options name, or else the
/// only one beside the model, if the model is the only one in its folder too. What is beside it and cannot be
/// used is left out.
///
/// # Errors
///
/// `ModelFile` for what cannot be read, `InvalidModel` for what is no sound projector, `InvalidArgument` for one
/// that the options do not fit.
pub(super) fn find(model: &Path, options: &ModelOptions) -> Result<Option<ProjectorFile>> {
    let found = match &options.projector {
        Some(path) => Some(read(path, true)?),
        None => beside(model).and_then(|path| read(&path, false).map_err(|error| left_out(&path, &error)).ok()),
    };
    if let Some(most) = options.image_max_tokens {
        check_image_tokens(most, found.as_ref().map(|(_, checked)| checked))?;
    }
    Ok(found.map(|(file, _)| file))
}

/// Refuses options about a projector, for a model that does not generate text.
///
/// # Errors
///
/// `InvalidArgument`.
pub(super) fn refuse(options: &ModelOptions) -> Result<()> {
    if let Some(projector) = &options.projector {
        let message = format!("{}: only models that generate text take a projector", projector.display());
        return Err(Error::new(ErrorKind::InvalidArgument, message));
    }
    options.image_max_tokens.map_or(Ok(()), |most| check_image_tokens(most, None))
}

/// Says that a projector beside a model is not used.
pub(super) fn left_out(path: &Path, error: &Error) {
    tracing::warn!(
        target: "zerohop",
        "{}: this projector is left out, and the model will not see or hear: {}", path.display(), error.message()
    );
}

fn read(path: &Path, is_named: bool) -> Result<(ProjectorFile, CheckedProjector)> {
    let mapped = MappedFile::open(path)?;
    let checked = gate::check_projector(mapped.bytes()).map_err(refused(path))?;
    let (path, data_len) = (path.to_path_buf(), checked.gguf.data_len);
    Ok((ProjectorFile { path, is_named, data_len }, checked))
}

fn check_image_tokens(most: NonZeroU32, projector: Option<&CheckedProjector>) -> Result<()> {
    let refuse =
        |what: String| Err(Error::new(ErrorKind::InvalidArgument, format!("image_max_tokens is {most}{what}")));
    let Some(kind) = projector.and_then(|projector| projector.vision_kind) else {
        return refuse(", and the model has no projector that sees".to_owned());
    };
    match projector.and_then(|projector| projector.least_image_tokens) {
        None => refuse(format!(", and images have as many tokens as projectors of the type {kind} are made for")),
        Some(least) if most.get() < least => {
            refuse(format!("; images for projectors of the type {kind} have {least} or more"))
        }
        Some(_) => Ok(()),
    }
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
