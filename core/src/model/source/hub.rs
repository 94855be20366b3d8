//! Models on the Hugging Face hub, and in its cache on this machine.

use std::cell::Cell;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};

use hf_hub::api::Progress;
use hf_hub::api::sync::{Api, ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Cache, Repo, RepoType};
use serde::Serialize;

use super::{models_among, parts};
use crate::api::error::{Error, ErrorKind, Result};

/// The quantisations that are taken, in this order, when none is asked for.
const PREFERRED: [&str; 3] = ["Q4_K_M", "Q8_0", "Q4_0"];
/// How often a file that breaks off is gone on with.
const RETRIES: usize = 3;

/// A model's name: `owner/repo[:quant][@revision]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HubName {
    repo: String,
    /// A part of the file's name.
    file: Option<String>,
    revision: String,
}

/// A model of the hub's cache on this machine; see [`cached_models`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CachedModel {
    /// The name that [`ModelOptions::new`](crate::ModelOptions::new) takes.
    pub name: String,
    /// The file; for a split model, the first.
    pub path: PathBuf,
    /// Bytes, of all the files of a split model.
    pub file_size: u64,
}

impl HubName {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let refuse = || {
            Error::new(
                ErrorKind::InvalidArgument,
                format!("'hf:{text}' is no model on the hub: a name is like hf:owner/repo or hf:owner/repo:Q4_K_M"),
            )
        };
        let (rest, revision) = text.split_once('@').unwrap_or((text, "main"));
        let (repo, file) = rest.split_once(':').map_or((rest, None), |(repo, file)| (repo, Some(file)));
        // They become parts of paths and URLs.
        let is_name = |name: &str| {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            !name.is_empty() && !name.starts_with('.') && name.bytes().all(fits)
        };
        let is_path = |path: &str| path.split('/').all(is_name);
        let sound = is_path(repo) && repo.split('/').count() == 2 && file.is_none_or(is_path) && is_path(revision);
        if !sound {
            return Err(refuse());
        }
        Ok(HubName { repo: repo.to_owned(), file: file.map(str::to_owned), revision: revision.to_owned() })
    }

    fn repo(&self) -> Repo {
        Repo::with_revision(self.repo.clone(), RepoType::Model, self.revision.clone())
    }

    /// The file that is meant, among those of the repository.
    fn choose(&self, files: &[String]) -> Result<String> {
        let models = models_among(files.iter().map(String::as_str));
        let having = |part: &str| {
            let part = part.to_lowercase();
            let is_meant = |name: &&str| has_word(&name.to_lowercase(), &part);
            let found: Vec<&str> = models.iter().copied().filter(is_meant).collect();
            // `Q4_K` is also a part of `Q4_K_M`.
            let exact = |name: &&&str| name.to_lowercase().ends_with(&format!("{part}.gguf"));
            found.iter().find(exact).map_or(found.clone(), |name| vec![*name])
        };
        let found = match &self.file {
            Some(part) => having(part),
            None if models.len() == 1 => models.clone(),
            None => PREFERRED.iter().map(|part| having(part)).find(|found| !found.is_empty()).unwrap_or(models.clone()),
        };
        match found[..] {
            [file] => Ok(file.to_owned()),
            [] if models.is_empty() => Err(self.missing("the repository has no model files (*.gguf)")),
            [] => Err(self.missing(&format!("none of its files is meant: {}", models.join(", ")))),
            _ => Err(self.missing(&format!("name one of its files after a colon: {}", found.join(", ")))),
        }
    }

    fn missing(&self, what: &str) -> Error {
        Error::new(ErrorKind::ModelFile, format!("hf:{}: {what}", self.repo))
    }
}

/// Whether a name has a part that does not begin within a word: `Q2` is none of `IQ2`.
fn has_word(name: &str, part: &str) -> bool {
    name.match_indices(part).any(|(start, _)| !name[..start].ends_with(|before: char| before.is_ascii_alphanumeric()))
}

/// The model's first file, which is downloaded with the others unless they are there.
pub(super) fn fetch(name: &HubName, progress: &dyn Fn(f32) -> bool) -> Result<PathBuf> {
    let cache = cache()?;
    if is_offline() {
        return from_cache(&cache, name)
            .map_err(|_| name.missing(&format!("not in {}, and HF_HUB_OFFLINE is set", cache.path().display())));
    }
    let repo = api(&cache)?.repo(name.repo());
    let listed = repo.info();
    let files: Vec<String> = match listed {
        Ok(info) => info.siblings.into_iter().map(|file| file.rfilename).collect(),
        // Without a network, what was downloaded does.
        Err(error) => {
            return from_cache(&cache, name)
                .map_err(|_| name.missing(&format!("the hub cannot be asked for it: {error}")).with_source(error));
        }
    };
    let first = name.choose(&files)?;
    let mut path = None;
    for file in parts(&first) {
        let fetched = fetch_file(&cache, name, &repo, &file, progress)?;
        path.get_or_insert(fetched);
    }
    path.ok_or_else(|| name.missing("the model has no file"))
}

fn fetch_file(
    cache: &Cache,
    name: &HubName,
    repo: &ApiRepo,
    file: &str,
    progress: &dyn Fn(f32) -> bool,
) -> Result<PathBuf> {
    if let Some(path) = cache.repo(name.repo()).get(file) {
        return Ok(path);
    }
    let stopped = Cell::new(false);
    let report = Report { size: 0, done: 0, progress, stopped: &stopped };
    // The library has no other way to stop a download, and trusts servers in what it unwraps.
    let downloaded = catch_unwind(AssertUnwindSafe(|| repo.download_with_progress(file, report)));
    match downloaded {
        Ok(Ok(path)) => Ok(path),
        Ok(Err(error)) => Err(name.missing(&format!("{file} cannot be downloaded: {error}")).with_source(error)),
        Err(_) if stopped.get() => Err(Error::new(ErrorKind::Cancelled, "the progress callback stopped the download")),
        Err(_) => Err(name.missing(&format!("{file} cannot be downloaded: the server's answer makes no sense"))),
    }
}

/// Tells of a download's progress, and stops it.
struct Report<'a> {
    size: usize,
    done: usize,
    progress: &'a dyn Fn(f32) -> bool,
    stopped: &'a Cell<bool>,
}

impl Progress for Report<'_> {
    fn init(&mut self, size: usize, _file: &str) {
        (self.size, self.done) = (size, 0);
    }

    #[expect(clippy::cast_precision_loss, reason = "it is shown")]
    fn update(&mut self, size: usize) {
        self.done += size;
        if !(self.progress)(self.done as f32 / self.size.max(1) as f32) {
            self.stopped.set(true);
            // Not a panic: nothing is printed.
            resume_unwind(Box::new("stopped"));
        }
    }

    fn finish(&mut self) {}
}

/// The models of the hub's cache on this machine, by name. What is there but no model of the hub is left
/// out.
///
/// # Errors
///
/// `InvalidArgument` when there is no home folder and `HF_HOME` is not set.
///
/// ```no_run
/// for model in zerohop::cached_models()? {
///     println!("{} {}", model.name, model.file_size);
/// }
/// # Ok::<(), zerohop::Error>(())
/// ```
pub fn cached_models() -> Result<Vec<CachedModel>> {
    let cache = cache()?;
    let mut models = Vec::new();
    for folder in fs::read_dir(cache.path()).into_iter().flatten().flatten() {
        let folder_name = folder.file_name().to_string_lossy().into_owned();
        let Some(repo) = folder_name.strip_prefix("models--").map(|name| name.replacen("--", "/", 1)) else { continue };
        let Ok(name) = HubName::parse(&repo) else { continue };
        let Some(snapshot) = snapshot(&cache, &name) else { continue };
        let files = files_under(&snapshot);
        let firsts = models_among(files.iter().map(String::as_str));
        for first in &firsts {
            let all = parts(first);
            let sizes = all.iter().map(|file| fs::metadata(snapshot.join(file)).map(|metadata| metadata.len()));
            // A model that lacks a part is none.
            let Ok(sizes) = sizes.collect::<std::io::Result<Vec<u64>>>() else { continue };
            let file = first.strip_suffix(".gguf").unwrap_or(first);
            let name = if firsts.len() == 1 { format!("hf:{repo}") } else { format!("hf:{repo}:{file}") };
            models.push(CachedModel { name, path: snapshot.join(first), file_size: sizes.iter().sum() });
        }
    }
    models.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(models)
}

fn from_cache(cache: &Cache, name: &HubName) -> Result<PathBuf> {
    let missing = || name.missing("it has not been downloaded");
    let snapshot = snapshot(cache, name).ok_or_else(missing)?;
    let first = name.choose(&files_under(&snapshot))?;
    let complete = parts(&first).iter().all(|file| snapshot.join(file).exists());
    if complete { Ok(snapshot.join(first)) } else { Err(missing()) }
}

/// The folder of a revision's files.
fn snapshot(cache: &Cache, name: &HubName) -> Option<PathBuf> {
    let folder = cache.path().join(name.repo().folder_name());
    let commit = fs::read_to_string(folder.join("refs").join(&name.revision)).ok();
    // A revision may be a commit itself.
    let snapshot = folder.join("snapshots").join(commit.as_deref().unwrap_or(&name.revision).trim());
    snapshot.is_dir().then_some(snapshot)
}

/// The files of a folder and the folders in it, as paths from it.
fn files_under(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(prefix) = folders.pop() {
        for entry in fs::read_dir(folder.join(&prefix)).into_iter().flatten().flatten() {
            let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(format!("{path}/")),
                _ => files.push(path),
            }
        }
    }
    files
}

fn api(cache: &Cache) -> Result<Api> {
    let mut builder = ApiBuilder::from_cache(cache.clone()).with_progress(false).with_retries(RETRIES);
    if let Some(endpoint) = variable("HF_ENDPOINT") {
        builder = builder.with_endpoint(endpoint.trim_end_matches('/').to_owned());
    }
    if let Some(token) = variable("HF_TOKEN") {
        builder = builder.with_token(Some(token));
    }
    builder.build().map_err(|error: ApiError| {
        Error::new(ErrorKind::Unavailable, format!("the hub cannot be asked: {error}")).with_source(error)
    })
}

/// Where the hub's own programs keep their files too.
fn cache() -> Result<Cache> {
    let home = || std::env::home_dir().map(|home| home.join(".cache"));
    let under_home = |folder: PathBuf| folder.join("hub");
    let place = variable("HF_HUB_CACHE")
        .map(PathBuf::from)
        .or_else(|| variable("HF_HOME").map(PathBuf::from).map(under_home))
        .or_else(|| {
            let base = variable("XDG_CACHE_HOME").map(PathBuf::from).or_else(home)?;
            Some(under_home(base.join("huggingface")))
        });
    place
        .map(Cache::new)
        .ok_or_else(|| Error::new(ErrorKind::InvalidArgument, "there is no home folder to keep models in: set HF_HOME"))
}

fn is_offline() -> bool {
    variable("HF_HUB_OFFLINE").is_some_and(|value| ["1", "on", "yes", "true"].contains(&value.to_lowercase().as_str()))
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_checked() {
        let name = |repo: &str, file: Option<&str>, revision: &str| {
            Some(HubName { repo: repo.to_owned(), file: file.map(str::to_owned), revision: revision.to_owned() })
        };
        for (text, expected) in [
            ("a/b", name("a/b", None, "main")),
            ("a/b.c-D_1:Q4_K_M", name("a/b.c-D_1", Some("Q4_K_M"), "main")),
            ("a/b:x/y.gguf@refs/pr/1", name("a/b", Some("x/y.gguf"), "refs/pr/1")),
            ("a", None),
            ("a/b/c", None),
            ("a/", None),
            ("", None),
            ("a/..", None),
            ("a/b:../c", None),
            ("a/b@", None),
            ("a/b?x=1", None),
            ("a b/c", None),
        ] {
            assert_eq!(HubName::parse(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn a_file_is_chosen_by_a_part_of_its_name() {
        let files =
            ["m-Q4_K.gguf", "m-q4_k_m.gguf", "m-Q8_0-00001-of-00002.gguf", "m-Q8_0-00002-of-00002.gguf", "m-IQ2.gguf"];
        let files: Vec<String> = files.map(str::to_owned).to_vec();
        let choose = |name: &str, files: &[String]| HubName::parse(name).unwrap().choose(files);
        assert_eq!(choose("a/b", &files).unwrap(), "m-q4_k_m.gguf");
        assert_eq!(choose("a/b:Q4_K_M", &files).unwrap(), "m-q4_k_m.gguf");
        assert_eq!(choose("a/b:q4_k", &files).unwrap(), "m-Q4_K.gguf");
        assert_eq!(choose("a/b:Q8_0", &files).unwrap(), "m-Q8_0-00001-of-00002.gguf");
        assert_eq!(choose("a/b", &files[4..]).unwrap(), "m-IQ2.gguf");
        for (name, files, expected) in [
            ("a/b:Q2", &files[..], "none of its files"),
            ("a/b:m-", &files, "name one"),
            ("a/b", &[], "no model files"),
        ] {
            assert!(choose(name, files).unwrap_err().message().contains(expected), "{name}");
        }
    }
}
