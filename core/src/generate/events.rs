//! What travels from the scheduler to a caller.
//!
//! A small channel of our own rather than a general one, because it has to serve
//! blocking callers, callers with a deadline and async tasks alike, and because
//! text that a slow caller has not fetched yet is joined instead of piled up.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use serde::Serialize;

use super::Finish;
use super::logprobs::TokenLogprob;
use crate::api::error::{Error, Result};
use crate::call::Call;
use crate::cancel::{Cancel, CancelHandle};
use crate::wait::{Wait, Watched};

/// One step of a generation's progress.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    /// Which of the request's choices it is about.
    pub(crate) choice: usize,
    pub(crate) progress: Progress,
}

/// How a choice has gone on.
#[derive(Debug, Clone)]
pub(crate) enum Progress {
    /// More text: whole characters, never part of a stop text; and the log
    /// probabilities of the tokens that end in it, if they were asked for.
    Text(String, Vec<TokenLogprob>),
    /// The log probabilities of the next tokens of the prompt, from its second on;
    /// all of them come before any text.
    Scored(Vec<TokenLogprob>),
    /// The choice's end.
    Finished(Finish),
}

#[derive(Debug, Default)]
struct Shared {
    state: Watched<State>,
    cancelled: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    events: VecDeque<Event>,
    /// How the generation ended, if not by the end of every choice.
    failure: Option<Error>,
    /// Choices that have not finished.
    unfinished: usize,
}

impl Cancel for Shared {
    fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
        // The caller need not wait for the scheduler to notice.
        self.state.update(|state| {
            if state.is_open() {
                state.events.clear();
                state.failure = Some(Error::cancelled());
            }
        });
    }
}

/// The scheduler's end for one choice.
#[derive(Debug)]
pub(super) struct EventSender {
    shared: Arc<Shared>,
    choice: usize,
    finished: bool,
}

/// The caller's end. Dropping it cancels the generation.
#[derive(Debug)]
pub(crate) struct EventReceiver {
    shared: Arc<Shared>,
    /// The request that the events are for: it has not ended before they are fetched.
    call: Option<Arc<Call>>,
}

/// A channel for a request of so many choices.
pub(super) fn channel(choices: usize) -> (Vec<EventSender>, EventReceiver) {
    let state = State { unfinished: choices, ..State::default() };
    let shared = Arc::new(Shared { state: Watched::new(state), ..Shared::default() });
    let senders = (0..choices).map(|choice| EventSender { shared: shared.clone(), choice, finished: false });
    (senders.collect(), EventReceiver { shared, call: None })
}

impl EventSender {
    /// Whether the caller has lost interest.
    pub(super) fn is_cancelled(&self) -> bool {
        self.shared.cancelled.load(Ordering::Relaxed)
    }

    pub(super) fn text(&self, text: String, logprobs: Vec<TokenLogprob>) {
        self.shared.state.update(|state| match state.waiting_text(self.choice) {
            Some((waiting, entries)) => {
                waiting.push_str(&text);
                entries.extend(logprobs);
            }
            None => state.push(self.choice, Progress::Text(text, logprobs)),
        });
    }

    pub(super) fn scored(&self, logprobs: Vec<TokenLogprob>) {
        self.shared.state.update(|state| state.push(self.choice, Progress::Scored(logprobs)));
    }

    pub(super) fn finish(mut self, finish: Finish) {
        self.finished = true;
        self.shared.state.update(|state| {
            state.unfinished -= 1;
            state.push(self.choice, Progress::Finished(finish));
        });
    }

    /// Ends the whole request: its other choices are of no use.
    pub(super) fn fail(self, error: Error) {
        self.shared.state.update(|state| state.failure = state.failure.take().or(Some(error)));
        self.shared.cancelled.store(true, Ordering::Relaxed);
    }
}

impl Drop for EventSender {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        // A sequence that was dropped unfinished must not leave its caller
        // waiting for ever. Who cancels it may be about to say so.
        let is_cancelled = self.is_cancelled();
        self.shared.state.update(|state| {
            if state.is_open() {
                let stopped = || Error::internal("the engine stopped before the answer was complete");
                state.failure = Some(if is_cancelled { Error::cancelled() } else { stopped() });
            }
        });
    }
}

impl State {
    fn is_open(&self) -> bool {
        self.unfinished > 0 && self.failure.is_none()
    }

    /// Adds an event, unless a failure has ended the request already.
    fn push(&mut self, choice: usize, progress: Progress) {
        if self.failure.is_none() {
            self.events.push_back(Event { choice, progress });
        }
    }

    /// A choice's text that was not fetched yet. At most one for each choice
    /// waits, so that the search is short.
    fn waiting_text(&mut self, choice: usize) -> Option<(&mut String, &mut Vec<TokenLogprob>)> {
        self.events.iter_mut().find_map(|event| match &mut event.progress {
            Progress::Text(text, logprobs) if event.choice == choice => Some((text, logprobs)),
            _ => None,
        })
    }

    fn take(&mut self) -> Option<Result<Event>> {
        match self.events.pop_front() {
            Some(event) => Some(Ok(event)),
            None => self.failure.clone().map(Err),
        }
    }
}

impl EventReceiver {
    pub(super) fn belongs_to(&mut self, call: Option<Arc<Call>>) {
        self.call = call;
    }

    /// Notes how a choice has ended, in the API's words, and gives that back.
    pub(crate) fn note_finish<T: Serialize>(&self, reason: T) -> T {
        if let Some(call) = &self.call {
            call.finish(&reason);
        }
        reason
    }

    /// The next event, waiting for it as `wait` says.
    ///
    /// Must not be called again after every choice has finished, or an error.
    pub(crate) fn next(&self, wait: &mut Wait<'_, '_>) -> Poll<Result<Event>> {
        self.shared.state.take(wait, State::take)
    }

    pub(crate) fn cancel_handle(&self) -> CancelHandle {
        CancelHandle::new(self.shared.clone())
    }
}

impl Drop for EventReceiver {
    fn drop(&mut self) {
        self.shared.cancelled.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::ErrorKind;
    use crate::generate::StopReason;

    fn one_choice() -> (EventSender, EventReceiver) {
        let (mut senders, receiver) = channel(1);
        (senders.remove(0), receiver)
    }

    fn failure(receiver: &EventReceiver) -> ErrorKind {
        match receiver.next(&mut Wait::Forever) {
            Poll::Ready(Err(error)) => error.kind(),
            other => panic!("{other:?} is no failure"),
        }
    }

    fn text(receiver: &EventReceiver) -> (usize, String) {
        match receiver.next(&mut Wait::Forever) {
            Poll::Ready(Ok(Event { choice, progress: Progress::Text(text, _) })) => (choice, text),
            other => panic!("{other:?} is no text"),
        }
    }

    #[test]
    fn text_that_nobody_fetched_is_joined() {
        let (senders, receiver) = channel(2);
        for text in ["a", "b"] {
            for sender in &senders {
                sender.text(text.to_owned(), Vec::new());
            }
        }
        assert_eq!(text(&receiver), (0, "ab".to_owned()));
        assert_eq!(text(&receiver), (1, "ab".to_owned()));
        assert!(receiver.next(&mut Wait::Until(Instant::now())).is_pending());
    }

    #[test]
    fn cancelling_wakes_a_waiting_caller() {
        let (sender, receiver) = one_choice();
        let handle = receiver.cancel_handle();
        let waiting = thread::spawn(move || failure(&receiver));
        thread::sleep(Duration::from_millis(10));
        handle.cancel();
        assert_eq!(waiting.join().unwrap(), ErrorKind::Cancelled);
        assert!(sender.is_cancelled());
    }

    #[test]
    fn a_dropped_sender_ends_the_wait() {
        let (sender, receiver) = one_choice();
        drop(sender);
        assert_eq!(failure(&receiver), ErrorKind::Internal);
    }

    #[test]
    fn a_sender_that_sees_the_cancelling_first_tells_of_it() {
        let (sender, receiver) = one_choice();
        // What the handle does before it says so to the caller.
        receiver.shared.cancelled.store(true, Ordering::Relaxed);
        drop(sender);
        assert_eq!(failure(&receiver), ErrorKind::Cancelled);
    }

    #[test]
    fn a_dropped_receiver_cancels() {
        let (sender, receiver) = one_choice();
        drop(receiver);
        assert!(sender.is_cancelled());
    }

    #[test]
    fn one_choice_may_finish_before_another_fails() {
        let (mut senders, receiver) = channel(2);
        let finish = Finish {
            reason: StopReason::Stop,
            mean_logprob: 0.0,
            prompt_tokens: 3,
            audio_tokens: 0,
            cached_tokens: 0,
            completion_tokens: 1,
            accepted_prediction_tokens: 0,
            rejected_prediction_tokens: 0,
        };
        senders.remove(0).finish(finish);
        let finished = receiver.next(&mut Wait::Forever);
        assert!(matches!(finished, Poll::Ready(Ok(Event { choice: 0, progress: Progress::Finished(_) }))));
        drop(senders);
        assert_eq!(failure(&receiver), ErrorKind::Internal);
    }
}
