//! One request inside the scheduler.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::events::EventSender;
use super::sampler::Sampler;
use super::text::TextStream;
use super::{Finish, GenerationRequest, SLICE, StopReason};
use crate::api::error::Error;
use crate::backend::{self, Token};

/// A request's tokens and where its answer goes.
#[derive(Debug)]
pub(super) struct Sequence {
    /// The prompt, and after it what was generated.
    tokens: Vec<Token>,
    prompt_tokens: usize,
    /// How many of `tokens` are in the KV cache.
    cached: usize,
    max_tokens: usize,
    sampler: Sampler,
    text: TextStream,
    events: EventSender,
    model: Arc<backend::Model>,
    _place: Place,
}

/// A request's place among those that the engine has taken on; dropping it frees
/// the place.
#[derive(Debug)]
pub(super) struct Place(Arc<AtomicUsize>);

impl Place {
    /// Takes a place, unless `limit` are taken.
    pub(super) fn take(taken: &Arc<AtomicUsize>, limit: usize) -> Option<Self> {
        taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |taken| (taken < limit).then_some(taken + 1))
            .is_ok()
            .then(|| Place(taken.clone()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The tokens of a sequence to compute next.
pub(super) struct Slice<'a> {
    pub(super) tokens: &'a [Token],
    /// The position of the first of them.
    pub(super) start: usize,
    /// Whether the next token can be chosen after these.
    pub(super) completes: bool,
}

impl Sequence {
    pub(super) fn new(
        request: GenerationRequest,
        max_tokens: usize,
        events: EventSender,
        model: Arc<backend::Model>,
        place: Place,
    ) -> Self {
        Sequence {
            prompt_tokens: request.prompt.len(),
            tokens: request.prompt,
            cached: 0,
            max_tokens,
            sampler: Sampler::new(request.sampling),
            text: TextStream::new(request.stops),
            events,
            model,
            _place: place,
        }
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.events.is_cancelled()
    }

    /// Cells of the KV cache in use.
    pub(super) fn cached(&self) -> usize {
        self.cached
    }

    /// Tokens known so far: the cells needed to choose the next one.
    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Cells that the sequence may come to need at most.
    pub(super) fn max_len(&self) -> usize {
        self.prompt_tokens + self.max_tokens
    }

    /// Whether all but the newest token are computed.
    pub(super) fn is_decoding(&self) -> bool {
        self.cached > 0 && self.tokens.len() - self.cached == 1
    }

    /// The next tokens to compute.
    ///
    /// Where a prompt is cut depends on its length alone, never on the load: the
    /// kernels round differently for slices of different sizes. A slice of one
    /// token is avoided, since that takes the least equal path of all.
    pub(super) fn next_slice(&self) -> Slice<'_> {
        let start = self.cached;
        let left = self.tokens.len() - start;
        let size = match left {
            _ if left <= SLICE => left,
            left if left == SLICE + 1 => SLICE - 1,
            _ => SLICE,
        };
        Slice { tokens: &self.tokens[start..start + size], start, completes: size == left }
    }

    /// Notes that `count` more tokens are in the cache.
    pub(super) fn advance(&mut self, count: usize) {
        self.cached += count;
    }

    /// Notes that the cache has forgotten the sequence: it starts over, with the
    /// tokens generated so far as part of its prompt.
    pub(super) fn evicted(&mut self) {
        self.cached = 0;
    }

    /// Chooses the next token. `None` when the logits are no numbers.
    pub(super) fn sample(&mut self, logits: &[f32]) -> Option<Token> {
        self.sampler.sample(logits)
    }

    /// Adds a chosen token and sends its text. Gives the reason if it was the last.
    pub(super) fn accept(&mut self, token: Token) -> Option<StopReason> {
        self.tokens.push(token);
        if self.model.vocab().is_end_of_generation(token) {
            self.send_held_text();
            return Some(StopReason::Stop);
        }
        let pushed = self.text.push(self.model.vocab().piece(token));
        if !pushed.text.is_empty() {
            self.events.text(pushed.text);
        }
        if pushed.stopped {
            return Some(StopReason::Stop);
        }
        if self.generated() >= self.max_tokens {
            self.send_held_text();
            return Some(StopReason::Length);
        }
        None
    }

    fn send_held_text(&mut self) {
        let rest = self.text.finish();
        if !rest.is_empty() {
            self.events.text(rest);
        }
    }

    fn generated(&self) -> usize {
        self.tokens.len() - self.prompt_tokens
    }

    pub(super) fn finish(self, reason: StopReason) {
        let finish = Finish { reason, prompt_tokens: self.prompt_tokens, completion_tokens: self.generated() };
        self.events.finish(finish);
    }

    pub(super) fn fail(self, error: Error) {
        self.events.fail(error);
    }
}
