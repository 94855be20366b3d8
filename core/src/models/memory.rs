//! The memory that an engine's models may take.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::api::error::{Error, ErrorKind, Result};
use crate::model::{CheckedModel, MemoryUse, WeightsKey};

/// What models take, by estimate, and what they may.
#[derive(Debug)]
pub(super) struct Memory {
    budget: Option<u64>,
    taken: Arc<AtomicU64>,
    /// The weights that models share. Held while memory is looked for, so that no two models find the
    /// same.
    weights: Mutex<Vec<(WeightsKey, Weak<Part>)>>,
}

/// A model's parts.
#[derive(Debug)]
pub(super) struct Reservation {
    _own: Part,
    _weights: Arc<Part>,
}

/// Bytes that are taken; dropping it gives them back.
#[derive(Debug)]
struct Part {
    taken: Arc<AtomicU64>,
    bytes: u64,
}

impl Memory {
    pub(super) fn new(budget: Option<u64>) -> Self {
        Memory { budget, taken: Arc::default(), weights: Mutex::default() }
    }

    /// Finds memory for a model. Where there is not enough, `evict` is asked to unload a model, until it
    /// finds none.
    ///
    /// # Errors
    ///
    /// `Unavailable`, saying what is needed and what there is.
    pub(super) fn reserve(&self, model: &CheckedModel, evict: impl Fn() -> bool) -> Result<Reservation> {
        let mut weights = self.weights.lock();
        let (key, need) = (model.weights_key(), model.memory_use());
        let shared = loop {
            weights.retain(|(_, part)| part.strong_count() > 0);
            let shared = weights.iter().find(|(other, _)| *other == key).and_then(|(_, part)| part.upgrade());
            match self.check(model, need, shared.is_some()) {
                Ok(()) => break shared,
                Err(error) => {
                    // The model that is unloaded may be the one that has them.
                    drop(shared);
                    if !error.is_retryable() || !evict() {
                        return Err(error);
                    }
                }
            }
        };
        let shared = shared.unwrap_or_else(|| {
            let part = Arc::new(self.take(need.weights));
            weights.push((key, Arc::downgrade(&part)));
            part
        });
        Ok(Reservation { _own: self.take(need.own), _weights: shared })
    }

    fn take(&self, bytes: u64) -> Part {
        self.taken.fetch_add(bytes, Ordering::Relaxed);
        Part { taken: self.taken.clone(), bytes }
    }

    fn check(&self, model: &CheckedModel, need: MemoryUse, has_weights: bool) -> Result<()> {
        if let Some(budget) = self.budget {
            let taken = self.taken.load(Ordering::Relaxed);
            let whole = need.weights.saturating_add(need.own);
            let bytes = if has_weights { need.own } else { whole };
            let refused = |bytes: u64, what: String| {
                let path = model.options().path.display();
                let message = format!("{path}: the model needs at least {} MiB; {what}", bytes.div_ceil(1 << 20));
                Error::new(ErrorKind::Unavailable, message).with_code("memory_budget_exceeded")
            };
            if whole > budget {
                let what = format!("the memory budget is {} MiB; try a smaller context_length", budget >> 20);
                return Err(refused(whole, what).without_retry());
            }
            if bytes > budget.saturating_sub(taken) {
                let taken = taken.div_ceil(1 << 20);
                return Err(refused(
                    bytes,
                    format!(
                        "of the memory budget of {} MiB, {taken} MiB are taken by models that are in use or stay loaded",
                        budget >> 20
                    ),
                ));
            }
        }
        model.check_memory()
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
