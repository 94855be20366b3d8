//! What travels from the thread that computes to a caller: news, then the end.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::Arc;
use std::task::Poll;

use crate::api::error::{Error, Result};
use crate::backend::Abort;
use crate::call::Call;
use crate::cancel::{Cancel, CancelHandle};
use crate::wait::{Wait, Watched};

#[derive(Debug)]
struct Shared<N, P> {
    state: Watched<State<N, P>>,
    abort: Abort,
}

#[derive(Debug)]
struct State<N, P> {
    news: VecDeque<N>,
    failure: Option<Error>,
    ended: bool,
    /// How far it has come.
    progress: P,
}

impl<N, P: Default> Default for State<N, P> {
    fn default() -> Self {
        State { news: VecDeque::new(), failure: None, ended: false, progress: P::default() }
    }
}

impl<N: Debug + Send, P: Debug + Send> Cancel for Shared<N, P> {
    fn cancel(&self) {
        self.abort.abort();
        self.state.update(|state| {
            if !state.ended {
                state.news.clear();
                state.fail(Error::cancelled());
            }
        });
    }
}

impl<N, P> State<N, P> {
    /// The first end counts.
    fn fail(&mut self, error: Error) {
        if !self.ended {
            self.ended = true;
            self.failure = Some(error);
        }
    }
}

/// The thread's end.
#[derive(Debug)]
pub(crate) struct Sender<N, P>(Arc<Shared<N, P>>);

/// The caller's end. Dropping it cancels the request.
#[derive(Debug)]
pub(crate) struct Receiver<N, P> {
    shared: Arc<Shared<N, P>>,
    /// The request, which has not ended before its answer is fetched.
    _call: Option<Arc<Call>>,
}

/// Both ends. Whoever waits has an error at once when `abort` was called through a [`CancelHandle`]; the thread
/// looks at it.
pub(crate) fn channel<N, P: Default>(abort: Abort, call: Option<Arc<Call>>) -> (Sender<N, P>, Receiver<N, P>) {
    let shared = Arc::new(Shared { state: Watched::default(), abort });
    (Sender(shared.clone()), Receiver { shared, _call: call })
}

impl<N, P> Sender<N, P> {
    pub(crate) fn send(&self, news: N) {
        self.0.state.update(|state| {
            if !state.ended {
                state.news.push_back(news);
            }
        });
    }

    pub(crate) fn progress(&self, progress: P) {
        self.0.state.update(|state| state.progress = progress);
    }

    /// The last news.
    pub(crate) fn end(&self, news: N) {
        self.0.state.update(|state| {
            if !state.ended {
                state.ended = true;
                state.news.push_back(news);
            }
        });
    }

    pub(crate) fn fail(&self, error: Error) {
        self.0.state.update(|state| state.fail(error));
    }
}

impl<N, P> Drop for Sender<N, P> {
    fn drop(&mut self) {
        self.fail(Error::internal("the engine stopped before the answer was complete"));
    }
}

impl<N, P: Copy + Default> Receiver<N, P> {
    /// The next news, waiting for it as `wait` says; nothing must be asked for after the end.
    pub(crate) fn advance(&self, wait: &mut Wait<'_, '_>) -> Poll<Result<N>> {
        self.shared.state.take(wait, |state| match state.news.pop_front() {
            Some(news) => Some(Ok(news)),
            None => state.failure.clone().map(Err),
        })
    }

    pub(crate) fn progress(&self) -> P {
        let mut progress = P::default();
        self.shared.state.update(|state| progress = state.progress);
        progress
    }
}

impl<N: Debug + Send + 'static, P: Debug + Send + 'static> Receiver<N, P> {
    pub(crate) fn cancel_handle(&self) -> CancelHandle {
        CancelHandle::new(self.shared.clone())
    }
}

impl<N, P> Drop for Receiver<N, P> {
    fn drop(&mut self) {
        self.shared.abort.abort();
    }
}
