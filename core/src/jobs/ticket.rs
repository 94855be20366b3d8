//! What every request that takes turns has: its places, what ends it, and the way back to its caller.

use std::sync::Arc;
use std::time::Instant;

use super::feed::{self, Receiver, Sender};
use crate::api::error::{Error, Result};
use crate::backend::{Abort, Stop};
use crate::call::Call;
use crate::places::Place;

/// Held by the request until its end, which [`succeed`](Self::succeed) or [`fail`](Self::fail) is.
pub(crate) struct Ticket<N, P> {
    pub(crate) feed: Sender<N, P>,
    /// What ends the request before its time.
    pub(crate) stop: Stop,
    pub(crate) call: Option<Arc<Call>>,
    pub(crate) arrived: Instant,
    places: Vec<Place>,
}

impl<N, P: Default> Ticket<N, P> {
    /// For the call that this thread is in, with where its caller hears of it.
    ///
    /// # Errors
    ///
    /// What the call's key allows no more of.
    pub(crate) fn new(places: Vec<Place>) -> Result<(Self, Receiver<N, P>)> {
        let call = Call::current();
        if let Some(call) = &call {
            call.take_tokens(0, 0)?;
        }
        let abort = Abort::default();
        let (feed, receiver) = feed::channel(abort.clone(), call.clone());
        let stop = Stop { abort, deadline: call.as_ref().and_then(|call| call.deadline()) };
        Ok((Ticket { feed, stop, call, arrived: Instant::now(), places }, receiver))
    }
}

impl<N, P> Ticket<N, P> {
    /// Tells the caller the last news.
    pub(crate) fn succeed(self, news: N) {
        if let Some(call) = &self.call {
            call.succeed();
        }
        // Before the caller hears of the end: a model whose answers are there is not in use.
        drop(self.places);
        self.feed.end(news);
    }

    pub(crate) fn fail(self, error: Error) {
        if let Some(call) = &self.call {
            call.fail(&error);
        }
        drop(self.places);
        self.feed.fail(error);
    }
}
