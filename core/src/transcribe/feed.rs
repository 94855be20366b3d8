//! What travels from the thread that hears to a caller: segments as they are heard, then the end.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Poll;

use super::words::Heard;
use crate::api::audio_reply::TranscriptionUsage;
use crate::api::error::{Error, Result};
use crate::backend::Abort;
use crate::call::Call;
use crate::cancel::{Cancel, CancelHandle};
use crate::wait::{Wait, Watched};

/// What came of a window.
#[derive(Debug, Clone, Default)]
pub(super) struct Piece {
    pub(super) segments: Vec<Heard>,
}

/// What is known at the end.
#[derive(Debug, Clone)]
pub(super) struct End {
    /// How long the audio is, in seconds.
    pub(super) duration: f64,
    /// The name of the text's language.
    pub(super) language: &'static str,
    /// Tokens that were given before a window.
    pub(super) prompt_tokens: usize,
    /// What a chat model has counted.
    pub(super) usage: Option<TranscriptionUsage>,
}

/// What a caller is told.
#[derive(Debug)]
pub(super) enum News {
    Piece(Piece),
    End(End),
}

#[derive(Debug)]
struct Shared {
    state: Watched<State>,
    abort: Abort,
}

#[derive(Debug, Default)]
struct State {
    news: VecDeque<News>,
    failure: Option<Error>,
    ended: bool,
    /// How far it has come, in seconds, and how far it goes, if that is known.
    progress: (f64, Option<f64>),
}

impl Cancel for Shared {
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

impl State {
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
pub(super) struct Sender(Arc<Shared>);

/// The caller's end. Dropping it cancels the request.
#[derive(Debug)]
pub(super) struct Receiver {
    shared: Arc<Shared>,
    /// The request, which has not ended before its answer is fetched.
    _call: Option<Arc<Call>>,
}

/// Both ends. Whoever waits has an error at once when `abort` was called through a [`CancelHandle`]; the thread
/// looks at it.
pub(super) fn channel(abort: Abort, call: Option<Arc<Call>>) -> (Sender, Receiver) {
    let shared = Arc::new(Shared { state: Watched::default(), abort });
    (Sender(shared.clone()), Receiver { shared, _call: call })
}

impl Sender {
    pub(super) fn piece(&self, piece: Piece) {
        if !piece.segments.is_empty() {
            self.0.state.update(|state| state.news.push_back(News::Piece(piece)));
        }
    }

    pub(super) fn progress(&self, seconds: f64, of: Option<f64>) {
        self.0.state.update(|state| state.progress = (seconds, of));
    }

    pub(super) fn end(&self, end: End) {
        self.0.state.update(|state| {
            if !state.ended {
                state.ended = true;
                state.news.push_back(News::End(end));
            }
        });
    }

    pub(super) fn fail(&self, error: Error) {
        self.0.state.update(|state| state.fail(error));
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.fail(Error::internal("the engine stopped before the text was complete"));
    }
}

impl Receiver {
    /// The next news, waiting for it as `wait` says; nothing must be asked for after the end.
    pub(super) fn advance(&self, wait: &mut Wait<'_, '_>) -> Poll<Result<News>> {
        self.shared.state.take(wait, |state| match state.news.pop_front() {
            Some(news) => Some(Ok(news)),
            None => state.failure.clone().map(Err),
        })
    }

    pub(super) fn progress(&self) -> (f64, Option<f64>) {
        let mut progress = (0.0, None);
        self.shared.state.update(|state| progress = state.progress);
        progress
    }

    pub(super) fn cancel_handle(&self) -> CancelHandle {
        CancelHandle::new(self.shared.clone())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.abort.abort();
    }
}
