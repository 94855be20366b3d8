//! Weights in memory, shared by all models of the process that are read from the same files in the same
//! way.

use std::fs::Metadata;
use std::process;
use std::sync::{Arc, Weak};
use std::thread::{self, ThreadId};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use sha2::{Digest, Sha256};

use super::gpu::GpuOptions;
use crate::api::error::Result;
use crate::backend::{self, HeldForks};

/// How often somebody who waits for weights that another thread loads looks whether they are there, and
/// is asked whether to go on.
const PATIENCE: Duration = Duration::from_millis(20);

/// Weights by what they are read from, and how.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WeightsKey {
    pub(super) files: Vec<FileIdentity>,
    pub(super) gpu: GpuOptions,
    pub(super) mmap: bool,
    pub(super) repack: bool,
}

/// A file as it was at a time: another in its place, or another content, is another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileIdentity {
    device: u64,
    number: u64,
    size: u64,
    changed: (i64, i64),
}

impl FileIdentity {
    pub(super) fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;

        FileIdentity {
            device: metadata.dev(),
            number: metadata.ino(),
            size: metadata.size(),
            changed: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }

    /// Adds when the file was changed, which copies often keep.
    pub(super) fn digest(&self, digest: &mut Sha256) {
        digest.update(self.changed.0.to_le_bytes());
        digest.update(self.changed.1.to_le_bytes());
    }
}

struct Entry {
    key: WeightsKey,
    /// A fork has the parent's entries, but not its threads, and what it has in memory is a copy.
    process: u32,
    state: State,
}

enum State {
    Loading(ThreadId),
    Loaded(Weak<backend::Model>),
}

impl Entry {
    fn is_live(&self) -> bool {
        let State::Loaded(weights) = &self.state else { return true };
        weights.strong_count() > 0
    }
}

static ENTRIES: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

/// The entries, for a short look: forks wait meanwhile.
struct Entries {
    // Unlocked first.
    entries: MutexGuard<'static, Vec<Entry>>,
    _held: HeldForks,
}

impl Entries {
    fn lock() -> Self {
        let held = HeldForks::new();
        Entries { entries: ENTRIES.lock(), _held: held }
    }

    /// The entry under this key in this process. Those whose weights are gone are forgotten.
    fn find(&mut self, key: &WeightsKey) -> Option<&mut Entry> {
        let process = process::id();
        self.entries.retain(|entry| entry.process == process && entry.is_live());
        self.entries.iter_mut().find(|entry| entry.key == *key)
    }
}

/// Whether these weights are in memory, or soon will be.
pub(super) fn are_known(key: &WeightsKey) -> bool {
    Entries::lock().find(key).is_some()
}

/// The weights under this key: those in memory, those that another thread is loading, or else what
/// `load` gives. While another thread loads them, `wait` is asked now and then, and ends it with an error.
pub(super) fn share(
    key: &WeightsKey,
    load: impl FnOnce() -> Result<backend::Model>,
    wait: impl Fn() -> Result<()>,
) -> Result<Arc<backend::Model>> {
    loop {
        let mut entries = Entries::lock();
        match entries.find(key).map(|entry| &entry.state) {
            Some(State::Loaded(weights)) => {
                if let Some(weights) = weights.upgrade() {
                    return Ok(weights);
                }
            }
            // A progress callback of this very loading loads the same model.
            Some(State::Loading(thread)) if *thread == thread::current().id() => {
                drop(entries);
                return load().map(Arc::new);
            }
            Some(State::Loading(_)) => {
                drop(entries);
                thread::sleep(PATIENCE);
                wait()?;
            }
            None => {
                let state = State::Loading(thread::current().id());
                entries.entries.push(Entry { key: key.clone(), process: process::id(), state });
                break;
            }
        }
    }
    let mut loading = Loading { key, loaded: Weak::new() };
    let weights = Arc::new(load()?);
    loading.loaded = Arc::downgrade(&weights);
    Ok(weights)
}

/// Ends the loading of weights; without any, as if nobody had begun.
struct Loading<'a> {
    key: &'a WeightsKey,
    loaded: Weak<backend::Model>,
}

impl Drop for Loading<'_> {
    fn drop(&mut self) {
        if let Some(entry) = Entries::lock().find(self.key) {
            entry.state = State::Loaded(std::mem::take(&mut self.loaded));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::{env, fs};

    use super::*;
    use crate::api::error::{Error, ErrorKind};
    use crate::backend::{Layout, LoadOptions};
    use crate::model::{CheckedModel, LoadedModel, ModelOptions, Repack};

    fn tiny(name: &str) -> PathBuf {
        let models = env::var_os("ZEROHOP_TEST_MODELS").expect("ZEROHOP_TEST_MODELS is set: run `make test`");
        Path::new(&models).join("tiny").join(name)
    }

    fn load(options: &ModelOptions) -> Result<LoadedModel> {
        CheckedModel::open(options)?.load("m", None)
    }

    /// A folder with a copy of a tiny model, which goes at the end.
    struct Copied(PathBuf);

    impl Copied {
        fn new(name: &str) -> Self {
            let folder = env::temp_dir().join(format!("zerohop-weights-{name}-{}", process::id()));
            fs::create_dir_all(&folder).unwrap();
            fs::copy(tiny("tiny-llama.gguf"), folder.join("model.gguf")).unwrap();
            Copied(folder)
        }

        fn options(&self) -> ModelOptions {
            ModelOptions::new(self.0.join("model.gguf"))
        }
    }

    impl Drop for Copied {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn share_weights(a: &LoadedModel, b: &LoadedModel) -> bool {
        Arc::ptr_eq(&a.backend, &b.backend)
    }

    #[test]
    fn the_same_file_loaded_in_the_same_way_is_in_memory_once() {
        let copied = Copied::new("same");
        let first = load(&copied.options()).unwrap();
        let adapted = load(&copied.options().adapter(tiny("tiny-lora.gguf"), 1.0).context_length(64)).unwrap();
        assert!(share_weights(&first, &adapted));
        std::os::unix::fs::symlink(copied.0.join("model.gguf"), copied.0.join("link")).unwrap();
        assert!(share_weights(&first, &load(&ModelOptions::new(copied.0.join("link"))).unwrap()));
        for options in [copied.options().mmap(false), copied.options().repack(Repack::Off)] {
            assert!(!share_weights(&first, &load(&options).unwrap()));
        }
        // As long as anybody has them.
        let weights = Arc::downgrade(&first.backend);
        drop(first);
        assert!(share_weights(&adapted, &load(&copied.options()).unwrap()));
        drop(adapted);
        assert!(weights.upgrade().is_none());
    }

    #[test]
    fn another_file_in_its_place_is_another() {
        let copied = Copied::new("another");
        let first = load(&copied.options()).unwrap();
        let other = copied.0.join("other");
        fs::copy(tiny("tiny-merged.gguf"), &other).unwrap();
        fs::rename(other, copied.0.join("model.gguf")).unwrap();
        assert!(!share_weights(&first, &load(&copied.options()).unwrap()));
    }

    #[test]
    fn those_who_come_at_once_wait_for_the_first() {
        let copied = Copied::new("at-once");
        let loads = AtomicUsize::new(0);
        thread::scope(|scope| {
            let load = || {
                let checked = CheckedModel::open(&copied.options()).unwrap();
                let slow = || {
                    loads.fetch_add(1, Ordering::Relaxed);
                    thread::sleep(5 * PATIENCE);
                    let options = LoadOptions { layout: Layout::host(), mmap: true, repack: false, progress: None };
                    backend::Model::load(&copied.0.join("model.gguf"), options)
                };
                share(&checked.weights_key(), slow, || Ok(())).unwrap()
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(load)).collect();
            let all: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
            assert!(all.iter().all(|weights| Arc::ptr_eq(weights, &all[0])));
        });
        assert_eq!(loads.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn who_waits_can_stop_and_goes_on_where_the_first_fails() {
        let copied = Copied::new("stops");
        let key = CheckedModel::open(&copied.options()).unwrap().weights_key();
        let failure = || Error::new(ErrorKind::InvalidModel, "as asked");
        let is_loading = AtomicUsize::new(0);
        thread::scope(|scope| {
            scope.spawn(|| {
                let fail = || {
                    is_loading.store(1, Ordering::Relaxed);
                    thread::sleep(10 * PATIENCE);
                    Err(failure())
                };
                assert!(share(&key, fail, || Ok(())).is_err());
            });
            while is_loading.load(Ordering::Relaxed) == 0 {
                thread::yield_now();
            }
            let stopped = share(&key, || unreachable!("another loads it"), || Err(Error::cancelled()));
            assert_eq!(stopped.unwrap_err().kind(), ErrorKind::Cancelled);
            assert!(load(&copied.options()).is_ok());
        });
    }

    #[test]
    fn a_loading_model_may_be_loaded_by_its_own_callback() {
        let copied = Copied::new("nested");
        let inner = copied.options();
        let mut nested = Vec::new();
        let (sender, receiver) = std::sync::mpsc::channel();
        let options = copied.options().progress(move |_| {
            sender.send(load(&inner).unwrap()).unwrap();
            true
        });
        let outer = load(&options).unwrap();
        nested.extend(receiver.try_iter());
        assert!(!nested.is_empty());
        assert!(nested.iter().any(|inner| !share_weights(&outer, inner)));
    }
}
