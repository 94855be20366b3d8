//! The threads of a model that takes requests turn by turn.

use std::mem;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use parking_lot::Mutex;

use super::queue::{Job, Queue};
use crate::api::error::{Error, ErrorKind, Result};
use crate::metrics::ModelMeters;
use crate::threads::join_other;

/// A queue, and what computes the requests in it. Dropping it ends both.
pub(crate) struct Threads<J: Job> {
    queue: Arc<Queue<J>>,
    name: &'static str,
    /// Bytes of stack of each.
    stack: usize,
    handles: Mutex<Vec<JoinHandle<()>>>,
}

impl<J: Job + 'static> Threads<J> {
    /// None that compute yet, but the one that watches the time of those that wait.
    pub(crate) fn start(name: &'static str, stack: usize, meters: Arc<ModelMeters>) -> Result<Self> {
        let threads = Threads { queue: Arc::new(Queue::new(meters)), name, stack, handles: Mutex::default() };
        let queue = threads.queue.clone();
        threads.spawn(format!("{name}-time"), move || queue.end_waiting())?;
        Ok(threads)
    }

    /// Adds a thread that computes.
    pub(crate) fn add(&self, run: impl FnOnce(&Queue<J>) + Send + 'static) -> Result<()> {
        let queue = self.queue.clone();
        self.spawn(self.name.to_owned(), move || run(&queue))
    }

    fn spawn(&self, name: String, run: impl FnOnce() + Send + 'static) -> Result<()> {
        let builder = thread::Builder::new().name(name).stack_size(self.stack);
        let handle = builder.spawn(run).map_err(|error| {
            let message = format!("the thread {} cannot start", self.name);
            Error::new(ErrorKind::Unavailable, message).with_source(error)
        })?;
        self.handles.lock().push(handle);
        Ok(())
    }

    /// Adds a request.
    ///
    /// # Errors
    ///
    /// Why there will be no thread for it, which the request was told too.
    pub(crate) fn push(&self, job: J) -> Result<()> {
        self.queue.push(job)
    }
}

impl<J: Job> Threads<J> {
    /// Ends all requests with `reason`, and the threads. Returns when they have gone.
    pub(crate) fn end(&self, reason: Error) {
        self.queue.end(reason);
        mem::take(&mut *self.handles.lock()).into_iter().for_each(join_other);
    }
}

impl<J: Job> Drop for Threads<J> {
    fn drop(&mut self) {
        self.end(Error::closed());
    }
}
