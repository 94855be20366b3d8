//! What travels from the scheduler to a caller.
//!
//! A small channel of our own rather than a general one, because it has to serve
//! blocking callers, callers with a deadline and async tasks alike, and because
//! text that a slow caller has not fetched yet is joined instead of piled up.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use super::Finish;
use crate::api::error::{Error, Result};

/// One step of a generation's progress.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// More text: whole characters, never part of a stop text.
    Text(String),
    /// The end. Nothing follows.
    Finished(Finish),
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    cancelled: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    events: VecDeque<Event>,
    /// How the generation ended, if not by [`Event::Finished`].
    failure: Option<Error>,
    finished: bool,
    waker: Option<Waker>,
}

impl Shared {
    fn update(&self, change: impl FnOnce(&mut State)) {
        let waker = {
            let mut state = self.state.lock();
            change(&mut state);
            state.waker.take()
        };
        self.changed.notify_one();
        if let Some(waker) = waker {
            // A host's waker may panic, and other requests must not suffer.
            let _ = catch_unwind(AssertUnwindSafe(|| waker.wake()));
        }
    }

    fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
        // The caller need not wait for the scheduler to notice.
        self.update(|state| {
            if !state.finished && state.failure.is_none() {
                state.events.clear();
                state.failure = Some(Error::cancelled());
            }
        });
    }
}

/// How to wait for something: [`Poll::Pending`] then means that the deadline has
/// passed, or that the task will be woken.
#[derive(Debug)]
pub(crate) enum Wait<'a, 'b> {
    /// Block this thread.
    Forever,
    /// Block this thread until then.
    Until(Instant),
    /// Do not block; wake this task.
    Task(&'a mut Context<'b>),
}

/// Blocks this thread until `advance`, which waits as it is told, is ready.
pub(crate) fn block<T>(advance: impl FnOnce(&mut Wait<'_, '_>) -> Poll<T>) -> T {
    match advance(&mut Wait::Forever) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("a wait without deadline ended with nothing"),
    }
}

/// The scheduler's end.
#[derive(Debug)]
pub(super) struct EventSender(Arc<Shared>);

/// The caller's end. Dropping it cancels the generation.
#[derive(Debug)]
pub(crate) struct EventReceiver(Arc<Shared>);

/// Cancels one request, from any thread, any number of times.
///
/// The scheduler drops the request at its next step: after the token, or the
/// slice of the prompt, that is being computed. Whoever waits for the answer gets
/// an error of kind [`Cancelled`](crate::ErrorKind::Cancelled) at once. Cancelling
/// a finished request does nothing.
#[derive(Debug, Clone)]
pub struct CancelHandle(Arc<Shared>);

pub(super) fn channel() -> (EventSender, EventReceiver) {
    let shared = Arc::new(Shared::default());
    (EventSender(shared.clone()), EventReceiver(shared))
}

impl EventSender {
    /// Whether the caller has lost interest.
    pub(super) fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::Relaxed)
    }

    pub(super) fn text(&self, text: String) {
        self.0.update(|state| match state.events.back_mut() {
            Some(Event::Text(waiting)) => waiting.push_str(&text),
            _ => state.events.push_back(Event::Text(text)),
        });
    }

    pub(super) fn finish(self, finish: Finish) {
        self.0.update(|state| {
            state.finished = true;
            state.events.push_back(Event::Finished(finish));
        });
    }

    pub(super) fn fail(self, error: Error) {
        self.0.update(|state| state.failure = state.failure.take().or(Some(error)));
    }
}

impl Drop for EventSender {
    fn drop(&mut self) {
        // A sequence that was dropped unfinished must not leave its caller
        // waiting for ever.
        self.0.update(|state| {
            if !state.finished && state.failure.is_none() {
                state.failure = Some(Error::internal("the engine stopped before the answer was complete"));
            }
        });
    }
}

impl State {
    fn take(&mut self) -> Option<Result<Event>> {
        match self.events.pop_front() {
            Some(event) => Some(Ok(event)),
            None => self.failure.clone().map(Err),
        }
    }
}

impl EventReceiver {
    /// The next event, waiting for it as `wait` says.
    ///
    /// Must not be called again after [`Event::Finished`] or an error.
    pub(crate) fn next(&self, wait: &mut Wait<'_, '_>) -> Poll<Result<Event>> {
        let mut state = self.0.state.lock();
        loop {
            if let Some(event) = state.take() {
                return Poll::Ready(event);
            }
            match wait {
                Wait::Forever => self.0.changed.wait(&mut state),
                Wait::Until(deadline) => {
                    if self.0.changed.wait_until(&mut state, *deadline).timed_out() {
                        return state.take().map_or(Poll::Pending, Poll::Ready);
                    }
                }
                Wait::Task(context) => {
                    state.waker = Some(context.waker().clone());
                    return Poll::Pending;
                }
            }
        }
    }

    pub(crate) fn cancel_handle(&self) -> CancelHandle {
        CancelHandle(self.0.clone())
    }
}

impl Drop for EventReceiver {
    fn drop(&mut self) {
        self.0.cancelled.store(true, Ordering::Relaxed);
    }
}

impl CancelHandle {
    /// Cancels the request.
    pub fn cancel(&self) {
        self.0.cancel();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::ErrorKind;

    fn failure(receiver: &EventReceiver) -> ErrorKind {
        match receiver.next(&mut Wait::Forever) {
            Poll::Ready(Err(error)) => error.kind(),
            other => panic!("{other:?} is no failure"),
        }
    }

    #[test]
    fn text_that_nobody_fetched_is_joined() {
        let (sender, receiver) = channel();
        sender.text("a".to_owned());
        sender.text("b".to_owned());
        let event = receiver.next(&mut Wait::Forever);
        assert!(matches!(event, Poll::Ready(Ok(Event::Text(text))) if text == "ab"));
        assert!(receiver.next(&mut Wait::Until(Instant::now())).is_pending());
    }

    #[test]
    fn cancelling_wakes_a_waiting_caller() {
        let (sender, receiver) = channel();
        let handle = receiver.cancel_handle();
        let waiting = thread::spawn(move || failure(&receiver));
        thread::sleep(Duration::from_millis(10));
        handle.cancel();
        assert_eq!(waiting.join().unwrap(), ErrorKind::Cancelled);
        assert!(sender.is_cancelled());
    }

    #[test]
    fn a_dropped_sender_ends_the_wait() {
        let (sender, receiver) = channel();
        drop(sender);
        assert_eq!(failure(&receiver), ErrorKind::Internal);
    }

    #[test]
    fn a_dropped_receiver_cancels() {
        let (sender, receiver) = channel();
        drop(receiver);
        assert!(sender.is_cancelled());
    }
}
