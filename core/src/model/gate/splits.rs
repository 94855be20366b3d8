//! Models in several files, which llama.cpp finds by their names.

use std::path::{Path, PathBuf};

use crate::model::gguf::{Gguf, GgufError, Value, invalid};

/// The other files of the model whose first file is at `path`, in order; none for a model in one
/// file.
///
/// # Errors
///
/// [`GgufError`] when this is not the first file, or not named as one.
pub(in crate::model) fn split_paths(gguf: &Gguf, path: &Path) -> Result<Vec<PathBuf>, GgufError> {
    let count = match number(gguf, "split.count")? {
        None | Some(0 | 1) => return Ok(Vec::new()),
        Some(count) => count,
    };
    check_part(gguf, 0, count)?;
    let ending = format!("-00001-of-{count:05}.gguf");
    let name = path.as_os_str().to_string_lossy();
    match name.strip_suffix(&ending) {
        Some(prefix) if !prefix.is_empty() => {
            Ok((2..=count).map(|part| PathBuf::from(format!("{prefix}-{part:05}-of-{count:05}.gguf"))).collect())
        }
        _ => invalid(format!("this is the first of {count} files, so its name must end in {ending}")),
    }
}

/// Checks what a file says about its place in the model.
pub(super) fn check_part(gguf: &Gguf, index: u64, count: u64) -> Result<(), GgufError> {
    for (key, expected) in [("split.no", index), ("split.count", count)] {
        match number(gguf, key)? {
            Some(value) if value == expected => {}
            Some(value) => return invalid(format!("{key} is {value}, where {expected} belongs")),
            None => return invalid(format!("{key} is missing from a file that is one of {count}")),
        }
    }
    Ok(())
}

/// A key of the split files, which llama.cpp takes as `uint16` only.
fn number(gguf: &Gguf, key: &str) -> Result<Option<u64>, GgufError> {
    match gguf.metadata.get(key) {
        None => Ok(None),
        Some(Value::U16(value)) => Ok(Some((*value).into())),
        Some(_) => invalid(format!("{key} is not a 16-bit unsigned integer")),
    }
}
