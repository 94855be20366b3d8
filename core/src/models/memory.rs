//! The memory that an engine's models may take.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::api::error::{Error, ErrorKind, Result};
use crate::model::CheckedModel;

/// What models take, by estimate, and what they may.
#[derive(Debug)]
pub(super) struct Memory {
    budget: Option<u64>,
    taken: Arc<AtomicU64>,
    /// Held while memory is looked for, so that no two models find the same.
    looking: Mutex<()>,
}

/// A model's part; dropping it gives the part back.
#[derive(Debug)]
pub(super) struct Reservation {
    taken: Arc<AtomicU64>,
    bytes: u64,
}

impl Memory {
    pub(super) fn new(budget: Option<u64>) -> Self {
        Memory { budget, taken: Arc::default(), looking: Mutex::new(()) }
    }

    /// Finds memory for a model. Where there is not enough, `evict` is asked to unload a model, until it
    /// finds none.
    ///
    /// # Errors
    ///
    /// `Unavailable`, saying what is needed and what there is.
    pub(super) fn reserve(&self, model: &CheckedModel, evict: impl Fn() -> bool) -> Result<Reservation> {
        let _alone = self.looking.lock();
        let bytes = model.memory_need();
        loop {
            match self.check(model, bytes) {
                Ok(()) => break,
                Err(error) if !error.is_retryable() || !evict() => return Err(error),
                Err(_) => {}
            }
        }
        self.taken.fetch_add(bytes, Ordering::Relaxed);
        Ok(Reservation { taken: self.taken.clone(), bytes })
    }

    fn check(&self, model: &CheckedModel, bytes: u64) -> Result<()> {
        if let Some(budget) = self.budget {
            let taken = self.taken.load(Ordering::Relaxed);
            let refused = |what: String| {
                let path = model.options().path.display();
                let message = format!("{path}: the model needs at least {} MiB; {what}", bytes.div_ceil(1 << 20));
                Error::new(ErrorKind::Unavailable, message).with_code("memory_budget_exceeded")
            };
            if bytes > budget {
                let what = format!("the memory budget is {} MiB; try a smaller context_length", budget >> 20);
                return Err(refused(what).without_retry());
            }
            if bytes > budget.saturating_sub(taken) {
                let taken = taken.div_ceil(1 << 20);
                return Err(refused(format!(
                    "of the memory budget of {} MiB, {taken} MiB are taken by models that are in use or stay loaded",
                    budget >> 20
                )));
            }
        }
        model.check_memory()
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
