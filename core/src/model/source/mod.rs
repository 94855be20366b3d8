//! From what a caller names to a model's file.

mod hub;

use std::fs;
use std::path::{Path, PathBuf};

use super::options::ModelOptions;
use crate::api::error::{Error, ErrorKind, Result};
pub use hub::{CachedModel, cached_models};

/// What a name on the Hugging Face hub begins with.
const HUB: &str = "hf:";

/// The file that `path` names: a path, a folder with one model in it, or a name on the hub
/// (`hf:owner/repo:quant`), which is downloaded unless it has been. `options` hear of the download.
pub(crate) fn resolve(path: &Path, options: &ModelOptions) -> Result<PathBuf> {
    if let Some(name) = path.to_str().and_then(|path| path.strip_prefix(HUB)) {
        return hub::fetch(&hub::HubName::parse(name)?, &|fraction| options.report(fraction));
    }
    if path.is_dir() { only_model(path) } else { Ok(path.to_path_buf()) }
}

/// Downloads a model from the Hugging Face hub, unless it has been, and gives its file; for a split
/// model, the first. `name` is what [`ModelOptions::new`] takes: `hf:owner/repo`, then `:Q4_K_M` or
/// another part of a file's name if the repository has several models, then `@revision` if it is not to
/// be the newest.
///
/// Files go to the hub's usual cache, which `HF_HOME` or `HF_HUB_CACHE` move. `HF_ENDPOINT` is another
/// server, `HF_TOKEN` a token for models that need one, and `HF_HUB_OFFLINE=1` allows only what has been
/// downloaded. A download that was broken off goes on where it was. `progress` is called with the
/// fraction of each file that is there; returning `false` stops the download.
///
/// # Errors
///
/// `InvalidArgument` for a name that is none, `ModelFile` when there is no such repository or file, or
/// it cannot be fetched; `Cancelled` when `progress` stopped it.
///
/// ```no_run
/// let path = zerohop::pull("hf:Qwen/Qwen2.5-0.5B-Instruct-GGUF:Q4_K_M", |_| true)?;
/// println!("{}", path.display());
/// # Ok::<(), zerohop::Error>(())
/// ```
pub fn pull(name: &str, progress: impl Fn(f32) -> bool) -> Result<PathBuf> {
    hub::fetch(&hub::HubName::parse(name.strip_prefix(HUB).unwrap_or(name))?, &progress)
}

/// The only model of a folder.
fn only_model(folder: &Path) -> Result<PathBuf> {
    let unreadable = |error: std::io::Error| {
        Error::new(ErrorKind::ModelFile, format!("{}: the folder cannot be read: {error}", folder.display()))
            .with_path(folder)
            .with_source(error)
    };
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        names.push(entry.map_err(unreadable)?.file_name().to_string_lossy().into_owned());
    }
    let refuse =
        |what: String| Err(Error::new(ErrorKind::ModelFile, format!("{}: {what}", folder.display())).with_path(folder));
    let models = models_among(names.iter().map(String::as_str));
    match models[..] {
        [] => refuse("the folder has no model file (*.gguf)".to_owned()),
        [model] => Ok(folder.join(model)),
        _ => refuse(format!("the folder has several models, name one of them: {}", models.join(", "))),
    }
}

/// The files that models begin with: neither the others of a split model nor the projectors that come
/// with models that see or hear.
pub(super) fn models_among<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let is_model = |base: &str| !base.contains("mmproj") && part(base).is_none_or(|(part, _)| part == 1);
    gguf_files_among(names, is_model)
}

/// The projectors that come with models that see or hear.
pub(super) fn projectors_among<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    gguf_files_among(names, |base| base.contains("mmproj"))
}

/// The GGUF files whose names, in lower case and without folders, are of a kind.
fn gguf_files_among<'a>(names: impl Iterator<Item = &'a str>, is_kind: impl Fn(&str) -> bool) -> Vec<&'a str> {
    let fits = |name: &&str| {
        let base = name.rsplit('/').next().unwrap_or_default().to_lowercase();
        Path::new(&base).extension().is_some_and(|extension| extension == "gguf") && is_kind(&base)
    };
    let mut files: Vec<&str> = names.filter(fits).collect();
    files.sort_unstable();
    files
}

/// Which part of how many a file is, as in `model-00002-of-00003.gguf`.
fn part(name: &str) -> Option<(u32, u32)> {
    let (rest, count) = name.strip_suffix(".gguf")?.rsplit_once("-of-")?;
    let (_, part) = rest.rsplit_once('-')?;
    Some((part.parse().ok()?, count.parse().ok()?))
}

/// The names of all parts of a split model, given the first.
fn parts(first: &str) -> Vec<String> {
    match part(first) {
        Some((1, count)) => (1..=count)
            .map(|part| first.replace(&format!("-00001-of-{count:05}"), &format!("-{part:05}-of-{count:05}")))
            .collect(),
        _ => vec![first.to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_told_from_what_comes_with_them() {
        let names =
            ["b.gguf", "README.md", "mmproj-b.gguf", "a-00002-of-00002.gguf", "a-00001-of-00002.gguf", "x/C.GGUF"];
        assert_eq!(projectors_among(names.into_iter()), ["mmproj-b.gguf"]);
        assert_eq!(models_among(names.into_iter()), ["a-00001-of-00002.gguf", "b.gguf", "x/C.GGUF"]);
        assert_eq!(parts("a-00001-of-00002.gguf"), ["a-00001-of-00002.gguf", "a-00002-of-00002.gguf"]);
        assert_eq!(parts("b.gguf"), ["b.gguf"]);
    }
}
