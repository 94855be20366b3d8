//! One value that a thread owes another.

use std::sync::Arc;
use std::task::Poll;

use crate::api::error::{Error, Result};
use crate::wait::{Wait, Watched};

/// The end of who owes the value. Dropping it without [`fulfil`](Self::fulfil)
/// tells the other end that it will not come.
#[derive(Debug)]
pub(crate) struct Promise<T>(Arc<Watched<Slot<T>>>);

/// The end of who waits for the value.
#[derive(Debug)]
pub(crate) struct Promised<T>(Arc<Watched<Slot<T>>>);

#[derive(Debug)]
enum Slot<T> {
    Empty,
    Done(T),
    /// Nobody works on it any more.
    Abandoned,
}

/// Both ends.
pub(crate) fn promise<T>() -> (Promise<T>, Promised<T>) {
    let slot = Arc::new(Watched::new(Slot::Empty));
    (Promise(slot.clone()), Promised(slot))
}

impl<T> Promise<T> {
    /// Hands the value over.
    pub(crate) fn fulfil(self, value: T) {
        self.0.update(|slot| *slot = Slot::Done(value));
    }

    /// Whether somebody still waits for the value.
    pub(crate) fn is_wanted(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        self.0.update(|slot| {
            if matches!(slot, Slot::Empty) {
                *slot = Slot::Abandoned;
            }
        });
    }
}

impl<T> Promised<T> {
    /// The value, waiting for it as `wait` says. Must not be called again after it
    /// was given.
    ///
    /// # Errors
    ///
    /// `Internal` when it will not come.
    pub(crate) fn advance(&self, wait: &mut Wait<'_, '_>) -> Poll<Result<T>> {
        self.0.take(wait, |slot| match std::mem::replace(slot, Slot::Abandoned) {
            Slot::Done(value) => Some(Ok(value)),
            Slot::Abandoned => Some(Err(Error::internal("the work on the request failed"))),
            Slot::Empty => {
                *slot = Slot::Empty;
                None
            }
        })
    }
}
