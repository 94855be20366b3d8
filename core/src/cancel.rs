//! Cancelling requests.

use std::fmt;
use std::sync::Arc;

/// What can be cancelled, from any thread, any number of times.
pub(crate) trait Cancel: fmt::Debug + Send + Sync {
    fn cancel(&self);
}

/// Cancels one request, from any thread, any number of times.
///
/// The scheduler drops the request at its next step: after the token, or the
/// slice of the prompt, that is being computed. Whoever waits for the answer gets
/// an error of kind [`Cancelled`](crate::ErrorKind::Cancelled) at once. Cancelling
/// a finished request does nothing.
#[derive(Debug, Clone)]
pub struct CancelHandle(Arc<dyn Cancel>);

impl CancelHandle {
    pub(crate) fn new(request: Arc<impl Cancel + 'static>) -> Self {
        CancelHandle(request)
    }

    /// Cancels the request.
    pub fn cancel(&self) {
        self.0.cancel();
    }
}
