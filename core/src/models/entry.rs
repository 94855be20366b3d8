//! One model of an engine, whether it is in memory or not.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use parking_lot::{Condvar, Mutex, MutexGuard, RwLock};

use super::Catalogue;
use super::memory::Reservation;
use super::served::ServedModel;
use crate::api::error::{Error, ErrorKind, Result};
use crate::call::Call;
use crate::metrics::{ModelMeters, ModelMetrics};
use crate::model::{CheckedModel, ModelInfo, ModelOptions};
use crate::promise::promise;
use crate::threads::join_other;
use crate::wait::Wait;

/// Whoever waits for a model: called once, on any thread.
pub(crate) type Waiter = Box<dyn FnOnce(Result<Arc<ServedModel>>) + Send>;

/// A model by its description.
pub(crate) struct Entry {
    info: RwLock<ModelInfo>,
    /// How to load it.
    options: ModelOptions,
    /// Whether it came while the engine ran.
    pub(super) is_removable: bool,
    meters: Arc<ModelMeters>,
    state: Mutex<State>,
    /// Signalled when `Loading` is over, or has another time limit.
    changed: Condvar,
    /// The threads that load it, or keep the time meanwhile, or have.
    loaders: Mutex<Vec<JoinHandle<()>>>,
    last_use: AtomicU64,
}

/// One who waits, and the request that this is for if its time has a limit.
struct Waiting {
    then: Waiter,
    call: Option<Arc<Call>>,
}

enum State {
    Unloaded,
    Loading {
        stop: Arc<AtomicBool>,
        waiting: Vec<Waiting>,
        /// Whether a thread keeps the time of those who wait.
        is_timed: bool,
    },
    Loaded(Arc<ServedModel>),
    /// Of a worker process, which is asked in place of this one.
    InWorker,
    /// For good, and why.
    Ended(Error),
}

impl Entry {
    pub(super) fn new(name: &str, checked: &CheckedModel, is_removable: bool) -> Self {
        let options = ModelOptions { progress: None, ..checked.options().clone() };
        let state = if options.lazy { State::Unloaded } else { State::loading(Vec::new()) };
        Entry {
            info: RwLock::new(checked.info(name)),
            options,
            is_removable,
            meters: Arc::default(),
            state: Mutex::new(state),
            changed: Condvar::new(),
            loaders: Mutex::default(),
            last_use: AtomicU64::new(0),
        }
    }

    /// A model that a worker process has loaded: this one never computes with it.
    pub(super) fn of_worker(info: ModelInfo, options: &ModelOptions) -> Self {
        Entry {
            info: RwLock::new(info),
            options: ModelOptions { progress: None, ..options.clone() },
            is_removable: false,
            meters: Arc::default(),
            state: Mutex::new(State::InWorker),
            changed: Condvar::new(),
            loaders: Mutex::default(),
            last_use: AtomicU64::new(0),
        }
    }

    pub(crate) fn info(&self) -> ModelInfo {
        let info = self.info.read().clone();
        match *self.state.lock() {
            State::InWorker => info,
            State::Loaded(_) => ModelInfo { loaded: true, ..info },
            _ => ModelInfo { loaded: false, ..info },
        }
    }

    pub(super) fn id(&self) -> String {
        self.info.read().id.clone()
    }

    /// All its names, the first one first.
    pub(super) fn names(&self) -> Vec<String> {
        let info = self.info.read();
        std::iter::once(&info.id).chain(&info.aliases).cloned().collect()
    }

    pub(super) fn created(&self) -> u64 {
        self.info.read().created
    }

    pub(super) fn answers_to(&self, name: &str) -> bool {
        let info = self.info.read();
        info.id == name || info.aliases.iter().any(|alias| alias == name)
    }

    pub(super) fn metrics(&self) -> ModelMetrics {
        self.meters.snapshot(&self.id())
    }

    /// The requests that are computed together.
    pub(super) fn places(&self) -> usize {
        self.options.sequences() as usize
    }

    pub(super) fn is_lazy(&self) -> bool {
        self.options.lazy
    }

    pub(super) fn last_use(&self) -> u64 {
        self.last_use.load(Ordering::Relaxed)
    }

    /// Whether a request would have to wait for it to be loaded.
    pub(super) fn is_missing(&self) -> bool {
        matches!(*self.state.lock(), State::Unloaded | State::Loading { .. })
    }

    /// The model, ready to compute; waits for it to be loaded.
    ///
    /// # Errors
    ///
    /// Those of [`with`](Self::with), and `Timeout` when the request's time has passed.
    pub(crate) fn served(self: &Arc<Self>, catalogue: &Arc<Catalogue>) -> Result<Arc<ServedModel>> {
        if let State::Loaded(served) = &*self.state.lock() {
            self.last_use.store(catalogue.next_use(), Ordering::Relaxed);
            return Ok(served.clone());
        }
        let call = Call::current();
        let deadline = call.as_ref().and_then(|call| call.deadline());
        let (promise, promised) = promise();
        self.with(catalogue, None, Box::new(move |served| promise.fulfil(served)));
        match promised.advance(&mut deadline.map_or(Wait::Forever, Wait::Until)) {
            Poll::Ready(served) => served?,
            Poll::Pending => Err(call.map_or_else(Error::cancelled, |call| call.timeout())),
        }
    }

    /// Calls `then` with the model, ready to compute: at once, or from the thread that loads it. While
    /// `then` holds the model, it is in use.
    ///
    /// It gets an error when the model cannot be loaded now (`Unavailable`), was unloaded
    /// (`Unavailable`), the engine was closed (`Closed`), or the time of `call` has passed (`Timeout`).
    pub(crate) fn with(self: &Arc<Self>, catalogue: &Arc<Catalogue>, call: Option<Arc<Call>>, then: Waiter) {
        self.last_use.store(catalogue.next_use(), Ordering::Relaxed);
        let mut state = self.state.lock();
        let ready = match &mut *state {
            State::Loaded(served) => Ok(served.clone()),
            State::InWorker => Err(Error::internal("the model is in the worker process")),
            State::Ended(reason) => Err(reason.clone()),
            State::Loading { waiting, .. } => {
                waiting.push(Waiting { then, call });
                return self.keep_time(state);
            }
            State::Unloaded => {
                *state = State::loading(vec![Waiting { then, call }]);
                self.keep_time(state);
                return self.start_loading(catalogue);
            }
        };
        drop(state);
        then(ready);
    }

    /// Sees to it that nobody waits longer than the request's time, in a state that is `Loading`.
    fn keep_time(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        let State::Loading { waiting, is_timed, .. } = &mut *state else { return };
        let has_limit = waiting.last().is_some_and(|waiting| waiting.deadline().is_some());
        if !has_limit {
            return;
        }
        if *is_timed {
            self.changed.notify_all();
            return;
        }
        *is_timed = true;
        drop(state);
        let entry = self.clone();
        // Where no thread starts, they wait for the model.
        if let Ok(thread) = thread::Builder::new().name("zerohop-load-time".to_owned()).spawn(move || entry.end_late())
        {
            let mut loaders = self.loaders.lock();
            loaders.retain(|loader| !loader.is_finished());
            loaders.push(thread);
        }
    }

    /// Ends the waiting of those whose time passes, until nobody waits for the loading any more.
    fn end_late(&self) {
        let mut state = self.state.lock();
        while let State::Loading { waiting, .. } = &mut *state {
            let now = Instant::now();
            let late: Vec<Waiting> = waiting.extract_if(.., |waiting| waiting.is_late(now)).collect();
            let next = waiting.iter().filter_map(Waiting::deadline).min();
            if !late.is_empty() {
                MutexGuard::unlocked(&mut state, || late.into_iter().for_each(Waiting::time_out));
            } else if let Some(next) = next {
                self.changed.wait_until(&mut state, next);
            } else {
                self.changed.wait(&mut state);
            }
        }
    }

    fn start_loading(self: &Arc<Self>, catalogue: &Arc<Catalogue>) {
        let (entry, theirs) = (self.clone(), catalogue.clone());
        let load = move || {
            let _ = entry.load(&theirs, CheckedModel::open(&entry.options));
        };
        let mut loaders = self.loaders.lock();
        loaders.retain(|loader| !loader.is_finished());
        match thread::Builder::new().name("zerohop-load".to_owned()).spawn(load) {
            Ok(thread) => loaders.push(thread),
            Err(error) => {
                drop(loaders);
                let message = "the thread that loads the model cannot start";
                let _ = self.settle(Err(Error::new(ErrorKind::Unavailable, message).with_source(error)));
            }
        }
    }

    /// Loads the model, and tells those who wait how that went. The state must be `Loading`.
    pub(super) fn load(&self, catalogue: &Catalogue, checked: Result<CheckedModel>) -> Result<()> {
        let load = || {
            let mut checked = checked?;
            match &*self.state.lock() {
                State::Loading { stop, .. } => checked.stop_when(stop),
                State::Ended(reason) => return Err(reason.clone()),
                State::Unloaded | State::InWorker | State::Loaded(_) => {
                    return Err(Error::internal("nobody asked for the model"));
                }
            }
            let memory = catalogue.reserve(&checked)?;
            self.load_into(memory, &checked)
        };
        let loaded = catch_unwind(AssertUnwindSafe(load));
        self.settle(loaded.unwrap_or_else(|_| Err(Error::internal("loading the model met a fault"))))
    }

    fn load_into(&self, memory: Reservation, checked: &CheckedModel) -> Result<Arc<ServedModel>> {
        let served = ServedModel::load(&self.id(), checked, &self.meters, memory)?;
        *self.info.write() = served.info().clone();
        Ok(Arc::new(served))
    }

    /// Goes over to what loading has led to.
    fn settle(&self, loaded: Result<Arc<ServedModel>>) -> Result<()> {
        let outcome = loaded.as_ref().map(drop).map_err(Error::clone);
        let result = loaded.map_err(|error| self.load_failure(&error));
        let waiting = {
            let mut state = self.state.lock();
            if let State::Ended(reason) = &*state {
                return Err(reason.clone());
            }
            let next = match &result {
                Ok(served) => State::Loaded(served.clone()),
                Err(_) if self.options.lazy => State::Unloaded,
                Err(error) => State::Ended(error.clone()),
            };
            self.changed.notify_all();
            match std::mem::replace(&mut *state, next) {
                State::Loading { waiting, .. } => waiting,
                _ => Vec::new(),
            }
        };
        call_all(waiting, result);
        outcome
    }

    /// The error of a request for a model that could not be loaded.
    fn load_failure(&self, error: &Error) -> Error {
        let is_final = match error.kind() {
            ErrorKind::ModelFile | ErrorKind::InvalidModel | ErrorKind::InvalidArgument => true,
            ErrorKind::Cancelled => false,
            _ => return error.clone(),
        };
        let message = format!("the model '{}' could not be loaded: {error}", self.id());
        let failure = Error::new(ErrorKind::Unavailable, message).with_code("model_load_failed");
        let failure = failure.with_source(error.clone());
        if is_final { failure.without_retry() } else { failure }
    }

    /// Unloads the model if nobody uses it. Gives whether it did.
    pub(super) fn evict(&self) -> bool {
        let unused = {
            let mut state = self.state.lock();
            let State::Loaded(served) = &mut *state else { return false };
            // Who submits a request holds the model until the request has its place.
            if Arc::get_mut(served).is_none_or(|served| served.is_busy()) {
                return false;
            }
            std::mem::replace(&mut *state, State::Unloaded)
        };
        drop(unused);
        self.forget_size();
        true
    }

    /// Ends all requests with `reason` and unloads the model for good. Returns when its threads have
    /// gone.
    pub(super) fn end(&self, reason: &Error) {
        let ended = {
            let mut state = self.state.lock();
            if matches!(*state, State::Ended(_)) {
                return;
            }
            self.changed.notify_all();
            std::mem::replace(&mut *state, State::Ended(reason.clone()))
        };
        match ended {
            State::Loaded(served) => {
                served.end(reason.clone());
                self.forget_size();
            }
            State::Loading { stop, waiting, .. } => {
                stop.store(true, Ordering::Relaxed);
                call_all(waiting, Err(reason.clone()));
            }
            State::Unloaded | State::InWorker | State::Ended(_) => {}
        }
        let loaders = std::mem::take(&mut *self.loaders.lock());
        loaders.into_iter().for_each(join_other);
    }

    /// A model that is not in memory has no slots.
    fn forget_size(&self) {
        self.meters.slots.set(0);
        self.meters.kv_cells.set(0);
    }
}

impl State {
    fn loading(waiting: Vec<Waiting>) -> Self {
        State::Loading { stop: Arc::default(), waiting, is_timed: false }
    }
}

impl Waiting {
    fn deadline(&self) -> Option<Instant> {
        self.call.as_ref().and_then(|call| call.deadline())
    }

    fn is_late(&self, now: Instant) -> bool {
        self.call.as_ref().is_some_and(|call| call.is_late(now))
    }

    fn time_out(self) {
        let error = self.call.as_ref().map_or_else(Error::cancelled, |call| call.timeout());
        self.call_with(Err(error));
    }

    /// None suffers from another's fault.
    fn call_with(self, result: Result<Arc<ServedModel>>) {
        let _ = catch_unwind(AssertUnwindSafe(|| (self.then)(result)));
    }
}

fn call_all(waiting: Vec<Waiting>, result: Result<Arc<ServedModel>>) {
    let results = std::iter::repeat_n(result, waiting.len());
    for (waiting, result) in waiting.into_iter().zip(results) {
        // The last one gets the model itself, so that nobody else seems to use it.
        waiting.call_with(result);
    }
}
