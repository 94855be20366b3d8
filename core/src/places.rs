//! How many requests a model takes on at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::api::error::{Error, ErrorKind, Result};

/// When a full queue may have room again: about a short answer's time.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The places that a model has for requests, running and waiting.
#[derive(Debug)]
pub(crate) struct Places {
    taken: Arc<AtomicUsize>,
    limit: usize,
}

/// A request's place, or several; dropping it frees them.
#[derive(Debug)]
pub(crate) struct Place {
    taken: Arc<AtomicUsize>,
    count: usize,
}

impl Places {
    pub(crate) fn new(limit: usize) -> Self {
        Places { taken: Arc::default(), limit }
    }

    /// Whether any is.
    pub(crate) fn are_taken(&self) -> bool {
        self.taken.load(Ordering::Acquire) > 0
    }

    /// Takes a place.
    ///
    /// # Errors
    ///
    /// `RateLimit` when all are taken (ER5).
    pub(crate) fn take(&self) -> Result<Place> {
        self.take_many(1, || {
            format!("{} requests are running or waiting already; try again later or raise the queue option", self.limit)
        })
    }

    /// Takes `count` places.
    ///
    /// # Errors
    ///
    /// `RateLimit` with `message` when there are not so many.
    pub(crate) fn take_many(&self, count: usize, message: impl FnOnce() -> String) -> Result<Place> {
        let next = |taken: usize| taken.checked_add(count).filter(|taken| *taken <= self.limit);
        if self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok() {
            return Ok(Place { taken: self.taken.clone(), count });
        }
        let error = Error::new(ErrorKind::RateLimit, message());
        Err(error.with_code("rate_limit_exceeded").with_retry_after(RETRY_AFTER))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.taken.fetch_sub(self.count, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_it_is_dropped() {
        // ER5
        let places = Places::new(2);
        let (first, _second) = (places.take().unwrap(), places.take().unwrap());
        let full = places.take().unwrap_err();
        assert_eq!((full.kind(), full.retry_after()), (ErrorKind::RateLimit, Some(RETRY_AFTER)));
        drop(first);
        assert!(places.take().is_ok());
    }
}
