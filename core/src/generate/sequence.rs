//! One choice of a request inside the scheduler.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use rayon::prelude::*;

use super::choose::Chooser;
use super::draft::{Draft, Drafter};
use super::events::EventSender;
use super::logprobs::{Distribution, HeldLogprobs, TokenLogprob};
use super::lookup::Lookup;
use super::meter::Meter;
use super::output::{Counts, Output};
use super::penalties::Penalizer;
use super::prediction::Prediction;
use super::prompt::{Layout, Next, PromptMedia};
use super::sampler::{Sampler, Sampling};
use super::text::TextStream;
use super::{DRAFT, GenerationRequest, StopReason, slice_of};
use crate::api::error::{Error, Result};
use crate::backend::{self, Token};
use crate::constrain::Grammar;
use crate::places::Place;

/// The tokens of one answer and where it goes.
#[derive(Debug)]
pub(super) struct Sequence {
    /// The prompt, and after it what was generated; of images and sound, their numbers.
    tokens: Vec<Token>,
    /// The images and sound in the prompt.
    media: PromptMedia,
    prompt_tokens: usize,
    /// How many of `tokens` are in the KV cache.
    cached: usize,
    /// Tokens of the prompt that an earlier request had computed, and whether that was told: once the prompt is
    /// there, it stays so, whatever is computed again.
    reused: usize,
    has_told_reuse: bool,
    max_tokens: usize,
    /// Tokens of the prompt that are computed in one step at most.
    slice: usize,
    /// How many of the prompt's tokens were told how likely they were: all, where
    /// nobody asks. The first has nothing before it.
    scored: usize,
    scores_prompt: bool,
    chooser: Chooser,
    /// The sum of the answer's log probabilities, and of how many.
    logprobs: (f64, u32),
    output: Output,
    prediction: Option<Prediction>,
    lookup: Lookup,
    /// The request's other choices, until the prompt that they share is computed.
    siblings: Vec<Sequence>,
    /// The request's other prompts, until this one is let in.
    followers: VecDeque<Sequence>,
    /// The part of the prompt whose cells are shared with siblings.
    shared_prompt: Option<Arc<SharedPrompt>>,
    model: Arc<backend::Model>,
    meter: Meter,
    place: Arc<Place>,
}

/// A computed prompt whose cells several sequences use.
#[derive(Debug)]
pub(super) struct SharedPrompt {
    pub(super) tokens: usize,
}

/// The tokens of a sequence to compute next.
pub(super) struct Slice<'a> {
    pub(super) tokens: &'a [Token],
    /// The rows that stand there in their place, if any: which, and which of them.
    pub(super) rows: Option<(usize, Range<usize>)>,
    /// The position of the first of them.
    pub(super) position: usize,
    /// Whether the next token can be chosen after these.
    pub(super) completes: bool,
    /// Which of them, counted from the first, come before a token of the prompt that
    /// is to be scored.
    pub(super) scoring: Range<usize>,
}

impl Sequence {
    /// The choices of one request: the first, with the others as its siblings.
    pub(super) fn of_request(
        request: &GenerationRequest,
        max_tokens: usize,
        events: Vec<EventSender>,
        model: &Arc<backend::Model>,
        place: &Arc<Place>,
        meter: &Meter,
    ) -> Result<Self> {
        let mut choices = (0u64..)
            .zip(events)
            .map(|(choice, events)| Sequence::new(request, choice, max_tokens, events, model, place, meter))
            .collect::<Result<Vec<_>>>()?
            .into_iter();
        let mut first = choices.next().ok_or_else(|| Error::internal("a request asks for no choice"))?;
        first.siblings = choices.collect();
        Ok(first)
    }

    /// Several prompts: the first, with the others to follow when it has been let in.
    pub(super) fn one_after_another(sequences: impl IntoIterator<Item = Sequence>) -> Result<Self> {
        let mut sequences = sequences.into_iter();
        let mut first = sequences.next().ok_or_else(|| Error::internal("a request has no prompt"))?;
        first.followers = sequences.collect();
        Ok(first)
    }

    fn new(
        request: &GenerationRequest,
        choice: u64,
        max_tokens: usize,
        events: EventSender,
        model: &Arc<backend::Model>,
        place: &Arc<Place>,
        meter: &Meter,
    ) -> Result<Self> {
        // Choices differ in their random numbers alone, and neighbouring seeds have
        // no choices in common.
        let seed = request.sampling.seed ^ choice.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let sampling = Sampling { seed, ..request.sampling };
        Ok(Sequence {
            prompt_tokens: request.prompt.tokens.len(),
            tokens: request.prompt.tokens.clone(),
            media: request.prompt.media.clone(),
            cached: 0,
            reused: 0,
            has_told_reuse: false,
            max_tokens,
            slice: slice_of(model),
            // The siblings' prompt is the same.
            scored: if request.scores_prompt && choice == 0 { 1 } else { request.prompt.tokens.len() },
            scores_prompt: request.scores_prompt,
            logprobs: (0.0, 0),
            chooser: Chooser {
                penalizer: Penalizer::new(request.penalties.clone(), &request.prompt.tokens),
                sampler: Sampler::new(sampling),
                constraint: request.grammar.as_ref().map(Grammar::start).transpose()?,
                top_logprobs: request.top_logprobs,
            },
            output: Output {
                text: TextStream::new(request.stops.clone()),
                logprobs: HeldLogprobs::default(),
                visible_controls: request.visible_controls.clone(),
                events,
            },
            prediction: request.prediction.clone().filter(|_| model.can_rewind()).map(Prediction::new),
            lookup: Lookup::new(),
            siblings: Vec::new(),
            followers: VecDeque::new(),
            shared_prompt: None,
            model: model.clone(),
            meter: meter.clone(),
            place: place.clone(),
        })
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.output.is_cancelled()
    }

    /// The error to end with when the request's time has passed.
    pub(super) fn timeout(&self, now: Instant) -> Option<Error> {
        self.meter.timeout(now)
    }

    /// Notes that the sequence was let in.
    pub(super) fn begin(&mut self) {
        self.meter.begin();
    }

    /// The tokens known so far.
    pub(super) fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    pub(super) fn prompt(&self) -> &[Token] {
        &self.tokens[..self.prompt_tokens]
    }

    /// The tokens that are in the KV cache.
    pub(super) fn computed(&self) -> &[Token] {
        &self.tokens[..self.cached]
    }

    /// The images and sound in the prompt.
    pub(super) fn media(&self) -> &PromptMedia {
        &self.media
    }

    /// Where they stand.
    pub(super) fn layout(&self) -> &Layout {
        &self.media.layout
    }

    /// Notes that the cache has so many tokens, which the sequence shares.
    pub(super) fn share(&mut self, tokens: usize) {
        self.cached = tokens;
        if !self.has_told_reuse {
            self.reused = tokens.min(self.prompt_tokens);
        }
    }

    /// Cells in the KV cache.
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

    /// How many sequences this one becomes.
    pub(super) fn choices(&self) -> usize {
        1 + self.siblings.len()
    }

    pub(super) fn shared_prompt(&self) -> Option<&Arc<SharedPrompt>> {
        self.shared_prompt.as_ref()
    }

    /// Whether the prompt is computed.
    pub(super) fn is_decoding(&self) -> bool {
        self.cached >= self.prompt_tokens && self.tokens.len() > self.prompt_tokens
    }

    /// The next tokens to compute: the next slice of the prompt, or what was
    /// chosen last, `limit` tokens at most.
    ///
    /// Where a prompt is cut depends on its length alone, never on the load: the
    /// kernels round differently for slices of different sizes. A slice of one
    /// token is avoided, since that takes the least equal path of all.
    pub(super) fn next_slice(&self, limit: usize) -> Slice<'_> {
        let start = self.cached;
        let left = match self.media.next(start, self.tokens.len()) {
            Next::Tokens(end) => end - start,
            Next::Rows { index, range, together } => return self.rows_slice(index, range, together),
        };
        let most = if self.is_scoring() { DRAFT } else { self.slice };
        let size = match left {
            _ if self.is_decoding() => left.min(limit),
            _ if left <= most => left,
            left if left == most + 1 => most - 1,
            _ => most,
        };
        // After eviction, what was scored before it is computed again.
        let scoring = (self.scored - 1).clamp(start, start + size)..(self.prompt_tokens - 1).clamp(start, start + size);
        Slice {
            tokens: &self.tokens[start..start + size],
            rows: None,
            position: self.layout().position(start),
            completes: start + size == self.tokens.len(),
            scoring: scoring.start - start..scoring.end - start,
        }
    }

    /// Some of the rows that come next; `together` if they have to be computed at once.
    fn rows_slice(&self, index: usize, range: Range<usize>, together: bool) -> Slice<'_> {
        let size = if together { range.len() } else { range.len().min(self.slice) };
        Slice {
            tokens: &self.tokens[self.cached..self.cached + size],
            position: 0,
            rows: Some((index, range.start..range.start + size)),
            // After rows, nothing can be chosen.
            completes: false,
            scoring: 0..0,
        }
    }

    /// Whether tokens of the prompt are still to be scored.
    pub(super) fn is_scoring(&self) -> bool {
        self.scored < self.prompt_tokens
    }

    /// Whether the prompt's tokens are scored.
    pub(super) fn scores_prompt(&self) -> bool {
        self.scores_prompt
    }

    /// Tells how likely the next tokens of the prompt were, from the logits before each.
    pub(super) fn score(&mut self, rows: &[&mut [f32]]) {
        let (top, vocab) = (self.chooser.top_logprobs.unwrap_or(0), self.model.vocab());
        let tokens = &self.tokens[self.scored..self.scored + rows.len()];
        let score = |(row, &token): (&&mut [f32], &Token)| Distribution::score(row, top, token, vocab);
        let entries = rows.par_iter().zip(tokens).map(score).collect();
        self.scored += rows.len();
        self.output.events.scored(entries);
    }

    /// The request's next prompt, with those after it.
    pub(super) fn take_follower(&mut self) -> Option<Sequence> {
        let mut next = self.followers.pop_front()?;
        next.followers = std::mem::take(&mut self.followers);
        Some(next)
    }

    /// The tokens that the caller expects next, or that followed the newest ones before, to be checked
    /// together with the newest one. `pays` says whether it is worth it to check tokens of which such a
    /// share comes true; without, there are only those that the caller expects.
    pub(super) fn draft(&mut self, limit: usize, pays: Option<impl Fn(f64) -> bool>) -> Draft {
        let limit = limit.min(self.most_drafted());
        match (&self.prediction, pays) {
            (Some(prediction), _) => Draft { tokens: prediction.draft(limit), by: Drafter::Caller },
            (None, Some(pays)) => Draft { tokens: self.lookup.draft(&self.tokens, limit, pays), by: Drafter::Lookup },
            (None, None) => Draft::default(),
        }
    }

    /// How many tokens are worth expecting: not the last.
    pub(super) fn most_drafted(&self) -> usize {
        (self.max_tokens - self.generated()).saturating_sub(1)
    }

    /// Notes that `count` more tokens are in the cache.
    pub(super) fn advance(&mut self, count: usize) {
        self.cached += count;
    }

    /// Notes that the cache has forgotten the sequence: it starts over, with the
    /// tokens generated so far as part of its prompt.
    pub(super) fn evicted(&mut self) {
        self.cached = 0;
        self.shared_prompt = None;
        if !self.has_told_reuse {
            self.reused = 0;
        }
    }

    /// Notes that the cache has nothing of the sequence yet, though siblings may
    /// have its prompt.
    pub(super) fn wait(&mut self) {
        self.cached = 0;
    }

    /// The siblings, once the prompt that they share is computed: each begins
    /// with all that this sequence has in the cache.
    pub(super) fn take_siblings(&mut self) -> Vec<Sequence> {
        if !std::mem::replace(&mut self.has_told_reuse, true) {
            self.meter.reused(self.reused);
        }
        let mut siblings = std::mem::take(&mut self.siblings);
        if !siblings.is_empty() {
            let shared = Arc::new(SharedPrompt { tokens: self.cached });
            let reused = self.reused;
            for sequence in siblings.iter_mut().chain([self]) {
                sequence.cached = shared.tokens;
                sequence.reused = reused;
                sequence.has_told_reuse = true;
                sequence.shared_prompt = Some(shared.clone());
            }
        }
        siblings
    }

    pub(super) fn is_constrained(&self) -> bool {
        self.chooser.constraint.is_some()
    }

    /// Computes the grammar's mask for the next choice.
    pub(super) fn prepare(&mut self) {
        self.chooser.prepare();
    }

    /// Chooses the tokens that follow, and sends their text out: one for the
    /// newest token's logits, and one more for each drafted token that came true.
    /// `rows` has the logits of the newest token and of the `draft` after it.
    /// Gives how many of them did, and the reason if the answer has ended.
    pub(super) fn extend(&mut self, rows: &mut [&mut [f32]], draft: &Draft) -> Result<(usize, Option<StopReason>)> {
        if self.max_tokens == 0 {
            return Ok((0, Some(StopReason::Length)));
        }
        let before = self.tokens.len();
        let mut accepted = 0;
        let mut end = None;
        for (index, row) in rows.iter_mut().enumerate() {
            let (token, logprob) = self.chooser.choose(row, self.model.vocab())?;
            end = self.accept(token, logprob)?;
            let expected = draft.tokens.get(index) == Some(&token);
            accepted += usize::from(expected);
            if end.is_some() || !expected {
                break;
            }
        }
        self.advance(accepted);
        if end.is_none() {
            end = self.append_forced()?;
        }
        self.settle(draft, accepted);
        self.meter.tokens(self.tokens.len() - before);
        Ok((accepted, end))
    }

    /// Lets whoever has drafted know how many tokens came true.
    fn settle(&mut self, draft: &Draft, accepted: usize) {
        let drafted = draft.tokens.len();
        let of = |drafter| if draft.by == drafter { (drafted, accepted) } else { (0, 0) };
        if let Some(prediction) = &mut self.prediction {
            let (drafted, accepted) = of(Drafter::Caller);
            prediction.settle(drafted, accepted, &self.tokens[self.prompt_tokens..]);
        }
        let (looked_up, came_true) = of(Drafter::Lookup);
        self.lookup.settle(looked_up, came_true);
        if draft.by != Drafter::Caller {
            self.meter.drafted(drafted, accepted);
        }
    }

    /// Appends the tokens about which the grammar leaves no choice.
    fn append_forced(&mut self) -> Result<Option<StopReason>> {
        for token in self.chooser.forced()? {
            if let Some(end) = self.accept(token, None)? {
                return Ok(Some(end));
            }
        }
        Ok(None)
    }

    /// Adds a chosen token and sends its text. Gives the reason if it was the last.
    fn accept(&mut self, token: Token, logprob: Option<TokenLogprob>) -> Result<Option<StopReason>> {
        self.tokens.push(token);
        if let Some(entry) = &logprob {
            self.logprobs = (self.logprobs.0 + f64::from(entry.logprob), self.logprobs.1 + 1);
        }
        if self.model.vocab().is_end_of_generation(token) {
            self.output.send_held();
            return Ok(Some(StopReason::Stop));
        }
        self.chooser.accept(token)?;
        if self.output.push(token, logprob, self.model.vocab()) {
            return Ok(Some(StopReason::Stop));
        }
        let end = if self.chooser.is_complete() {
            StopReason::Stop
        } else if self.generated() >= self.max_tokens {
            StopReason::Length
        } else {
            return Ok(None);
        };
        self.output.send_held();
        Ok(Some(end))
    }

    fn generated(&self) -> usize {
        self.tokens.len() - self.prompt_tokens
    }

    pub(super) fn finish(self, reason: StopReason) {
        let counts = Counts {
            prompt: self.prompt_tokens,
            sound: self.media.sound_tokens(),
            reused: self.reused,
            generated: self.generated(),
            mean_logprob: self.logprobs.0 / f64::from(self.logprobs.1.max(1)),
            prediction: self.prediction.as_ref().map_or((0, 0), Prediction::counts),
        };
        // Before the caller hears of the end: a model whose answers are there is not in use.
        drop(self.place);
        self.output.finish(reason, counts, &self.meter);
    }

    pub(super) fn fail(self, error: Error) {
        self.meter.fail(&error);
        drop(self.place);
        self.output.fail(error);
    }
}
