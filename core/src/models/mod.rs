//! The models of an engine: by name, loaded at once, lazily or while the engine runs, and unloaded.
//!
//! `catalogue -> entry -> served model`: an entry is there as long as the model has its name, the served
//! model as long as it is in memory. `memory` says how much there may be.

mod entry;
mod list;
mod memory;
mod served;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

use crate::api::error::{Error, ErrorKind, Result};
use crate::api::parse::shorten;
use crate::metrics::ModelMetrics;
use crate::model::{CheckedModel, ModelInfo, ModelOptions};
pub(crate) use entry::Entry;
pub use list::Models;
use memory::{Memory, Reservation};
pub(crate) use served::ServedModel;

/// All models of an engine, in the order they came.
pub(crate) struct Catalogue {
    entries: RwLock<Entries>,
    memory: Memory,
    /// Counts the uses of models, to tell which was not used for longest.
    uses: AtomicU64,
}

#[derive(Default)]
struct Entries {
    list: Vec<Arc<Entry>>,
    is_closed: bool,
}

impl Catalogue {
    pub(crate) fn new(memory_budget: Option<u64>) -> Arc<Self> {
        let (entries, memory) = (RwLock::default(), Memory::new(memory_budget));
        Arc::new(Catalogue { entries, memory, uses: AtomicU64::new(0) })
    }

    /// The models of a worker process, with the options that they were loaded with.
    pub(crate) fn of_worker<'a>(models: impl Iterator<Item = (ModelInfo, &'a ModelOptions)>) -> Arc<Self> {
        let catalogue = Catalogue::new(None);
        let list = models.map(|(info, options)| Arc::new(Entry::of_worker(info, options))).collect();
        catalogue.entries.write().list = list;
        catalogue
    }

    /// Adds a model and loads it, unless it is loaded lazily. Requests for its name wait from then on.
    pub(crate) fn load(self: &Arc<Self>, name: &str, options: &ModelOptions, is_removable: bool) -> Result<ModelInfo> {
        // Known before anything is downloaded or read.
        self.entries.read().check_names(name, options)?;
        let checked = CheckedModel::open(options)?;
        let entry = Arc::new(Entry::new(name, &checked, is_removable));
        {
            let mut entries = self.entries.write();
            entries.check_names(name, options)?;
            entries.list.push(entry.clone());
        }
        if !options.lazy
            && let Err(error) = entry.load(self, Ok(checked))
        {
            self.remove(&entry);
            return Err(error);
        }
        Ok(entry.info())
    }

    /// Ends a model's requests, unloads it and forgets its names.
    pub(crate) fn unload(&self, entry: &Arc<Entry>) {
        if self.remove(entry) {
            let message = format!("the model '{}' was unloaded", entry.id());
            entry.end(&Error::new(ErrorKind::Unavailable, message).with_code("model_unloaded"));
        }
    }

    /// Gives whether it was there.
    fn remove(&self, entry: &Arc<Entry>) -> bool {
        let mut entries = self.entries.write();
        let count = entries.list.len();
        entries.list.retain(|other| !Arc::ptr_eq(other, entry));
        entries.list.len() < count
    }

    /// The model that a request names.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub(crate) fn find(&self, name: &str) -> Result<Arc<Entry>> {
        let entries = self.entries.read();
        entries.list.iter().find(|entry| entry.answers_to(name)).cloned().ok_or_else(|| {
            let known: Vec<String> = entries.list.iter().map(|entry| entry.id()).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            Error::new(
                ErrorKind::NotFound,
                format!("the model '{}' does not exist; this engine has {known}", shorten(name)),
            )
            .with_param("model")
            .with_code("model_not_found")
        })
    }

    /// The model that a request names, ready to compute.
    pub(crate) fn served(self: &Arc<Self>, name: &str) -> Result<Arc<ServedModel>> {
        self.find(name)?.served(self)
    }

    /// Whether a request might have to wait for its model.
    pub(crate) fn is_any_missing(&self) -> bool {
        self.entries.read().list.iter().any(|entry| entry.is_missing())
    }

    /// The model of this name, if a request for it has to wait.
    pub(crate) fn missing(&self, name: &str) -> Option<Arc<Entry>> {
        self.find(name).ok().filter(|entry| entry.is_missing())
    }

    /// The models, in the order they came.
    pub(crate) fn entries(&self) -> Vec<Arc<Entry>> {
        self.entries.read().list.clone()
    }

    pub(crate) fn infos(&self) -> Vec<ModelInfo> {
        self.entries().iter().map(|entry| entry.info()).collect()
    }

    pub(crate) fn metrics(&self) -> Vec<ModelMetrics> {
        self.entries().iter().map(|entry| entry.metrics()).collect()
    }

    /// The requests that all models together compute at once.
    pub(crate) fn places(&self) -> usize {
        self.entries().iter().map(|entry| entry.places()).sum()
    }

    /// Ends all requests and unloads the models for good. Their descriptions stay.
    pub(crate) fn close(&self) {
        self.entries.write().is_closed = true;
        let closed = Error::closed();
        self.entries().iter().for_each(|entry| entry.end(&closed));
    }

    /// Finds memory for a model; those that are loaded lazily and that nobody uses make room.
    fn reserve(&self, model: &CheckedModel) -> Result<Reservation> {
        self.memory.reserve(model, || {
            let mut lazy = self.entries();
            lazy.retain(|entry| entry.is_lazy());
            lazy.sort_by_key(|entry| entry.last_use());
            lazy.iter().any(|entry| entry.evict())
        })
    }

    fn next_use(&self) -> u64 {
        self.uses.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl Entries {
    /// # Errors
    ///
    /// `InvalidArgument` for names that others have, `Closed`.
    fn check_names(&self, name: &str, options: &ModelOptions) -> Result<()> {
        if self.is_closed {
            return Err(Error::closed());
        }
        let names: Vec<&str> = std::iter::once(name).chain(options.aliases.iter().map(String::as_str)).collect();
        let is_taken = |name: &str| self.list.iter().any(|entry| entry.answers_to(name));
        check_names(&names, is_taken)
    }
}

/// # Errors
///
/// `InvalidArgument` for names that are empty, equal or taken.
pub(crate) fn check_names(names: &[&str], is_taken: impl Fn(&str) -> bool) -> Result<()> {
    for (index, name) in names.iter().enumerate() {
        if name.is_empty() || names[..index].contains(name) || is_taken(name) {
            let message = format!("model names must be different and not empty; '{name}' is not");
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
    }
    Ok(())
}
