//! The thread that owns a model's context and computes for all its requests.
//!
//! Each step decodes one batch: the newest token of every sequence that is
//! generating, and at most one slice of prompt tokens. Then each of these
//! sequences chooses its next token.

mod cells;
mod drafts;

use std::collections::VecDeque;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, TryRecvError};
use rayon::prelude::*;

use super::draft::{Draft, Drafter};
use super::draft_model::DraftModel;
use super::pace::Pace;
use super::prefix::{Pin, PrefixCache, PrefixFile};
use super::sequence::Sequence;
use super::{DRAFT, EXTRA, GeneratorOptions, StopReason};
use crate::api::error::{Error, ErrorKind, Result};
use crate::backend::{Batch, Context, Decoded};
use crate::metrics::ModelMeters;
use crate::threads::Ending;

/// From this many sequences on, choosing tokens is shared among threads: below,
/// handing out the work costs more than it saves.
const PARALLEL_SAMPLING: usize = 4;

pub(super) struct Scheduler {
    context: Context,
    /// Prompt tokens computed in one step at most.
    slice: usize,
    submissions: Receiver<Sequence>,
    waiting: VecDeque<Sequence>,
    /// In the order they were let in: the last is the first to be pushed out.
    running: Vec<Running>,
    /// Ids for running sequences.
    free_ids: Vec<i32>,
    prefixes: PrefixCache,
    prefix_file: Option<PrefixFile>,
    /// How long steps take, where there are drafts that have to pay.
    pace: Option<Pace>,
    /// Whether repetition is speculated on.
    looks_up: bool,
    draft_model: Option<DraftModel>,
    batch: Batch,
    /// Rows of images and sound that were computed in this step.
    rows: usize,
    sampling_pool: rayon::ThreadPool,
    meters: Arc<ModelMeters>,
    ending: Ending,
}

struct Running {
    /// The sequence's id in the KV cache.
    id: i32,
    sequence: Sequence,
    /// What it shares with the prefix cache.
    pin: Option<Pin>,
    /// Whether its prompt was computed, and offered to the prefix cache.
    has_prompt: bool,
    /// What is expected after its newest token.
    draft: Draft,
    /// Its part of the batch being computed.
    part: Option<Part>,
}

/// A sequence's part of a batch.
#[derive(Debug)]
struct Part {
    /// Known tokens.
    tokens: usize,
    /// Expected tokens after them, to be checked.
    draft: Draft,
    /// How many of those came true.
    accepted: usize,
    /// The batch indexes before tokens of the prompt that are to be scored.
    scoring: Range<usize>,
    /// The batch index of the newest known token, if the next one can be chosen
    /// after it; the draft follows it in the batch.
    logits_at: Option<usize>,
}

/// How a sequence has gone on in a step.
type Outcome = Result<Option<StopReason>>;

enum Flow {
    Continue,
    Stop,
}

impl Scheduler {
    pub(super) fn new(
        mut context: Context,
        draft_model: Option<DraftModel>,
        submissions: Receiver<Sequence>,
        options: &GeneratorOptions,
        meters: Arc<ModelMeters>,
        ending: Ending,
    ) -> Result<Self> {
        let sampling_pool = rayon::ThreadPoolBuilder::new()
            .num_threads(options.context.threads as usize)
            .thread_name(|_| "zerohop-sampling".to_owned())
            .build()
            .map_err(|error| {
                Error::new(ErrorKind::Unavailable, "the sampling threads cannot start").with_source(error)
            })?;
        let batch = Batch::new(options.context.batch as usize, context.model().vocab().len());
        meters.slots.set(options.context.sequences as usize);
        meters.kv_cells.set(context.cells() as usize);
        let id = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        let slots = id(options.context.sequences);
        // The context has room for the outputs of those that run; it can tell apart more.
        let kept = slots..slots.saturating_add(id(options.kept));
        let looks_up = options.speculation && options.uniform && context.model().can_rewind();
        let mut prefixes =
            PrefixCache::new(kept, if options.uniform { 1 } else { options.slice }, context.model().window());
        if let Some(file) = &options.prefixes
            && let Err(error) = prefixes.restore(&mut context, file)
        {
            tracing::warn!(target: "zerohop", %error, "what the prefix cache had saved cannot be used");
        }
        Ok(Scheduler {
            context,
            slice: options.slice,
            submissions,
            waiting: VecDeque::new(),
            running: Vec::new(),
            free_ids: (0..slots).rev().collect(),
            prefixes,
            prefix_file: options.prefixes.clone(),
            pace: (looks_up || draft_model.is_some()).then(Pace::default),
            looks_up,
            draft_model,
            batch,
            rows: 0,
            sampling_pool,
            meters,
            ending,
        })
    }

    /// Serves requests until the model is ended or a fault of ours ends the thread.
    pub(super) fn run(mut self) {
        let is_sound = loop {
            match catch_unwind(AssertUnwindSafe(|| self.turn())) {
                Ok(Flow::Continue) => {}
                Ok(Flow::Stop) => break true,
                Err(_) => {
                    self.ending.set(Error::internal("the scheduler met a fault; make a new engine"));
                    break false;
                }
            }
        };
        self.fail_all(&self.ending.error());
        if is_sound {
            self.save_prefixes();
        }
    }

    /// One round: fetch requests, compute a step.
    fn turn(&mut self) -> Flow {
        if self.running.is_empty() {
            // The wait for a request may be long.
            self.report();
        }
        if let Flow::Stop = self.receive() {
            return Flow::Stop;
        }
        self.drop_ended();
        self.admit();
        self.report();
        if self.running.is_empty() {
            return Flow::Continue;
        }
        match self.step() {
            Ok(flow) => flow,
            Err(error) => {
                tracing::error!(target: "zerohop", %error, "a decoding step failed");
                self.fail_running(&error);
                Flow::Continue
            }
        }
    }

    /// Takes all submitted requests; waits for one when there is nothing to do.
    fn receive(&mut self) -> Flow {
        if self.running.is_empty() && self.waiting.is_empty() {
            match self.submissions.recv() {
                Ok(sequence) => self.waiting.push_back(sequence),
                Err(_) => return Flow::Stop,
            }
        }
        loop {
            match self.submissions.try_recv() {
                Ok(sequence) => self.waiting.push_back(sequence),
                Err(TryRecvError::Empty) => return Flow::Continue,
                Err(TryRecvError::Disconnected) => return Flow::Stop,
            }
        }
    }

    /// Lets go what was cancelled and what has taken too long.
    fn drop_ended(&mut self) {
        let now = Instant::now();
        let is_over = |sequence: &Sequence| sequence.is_cancelled() || sequence.timeout(now).is_some();
        if self.waiting.iter().any(is_over) {
            let (over, waiting) = std::mem::take(&mut self.waiting).into_iter().partition::<Vec<_>, _>(is_over);
            for sequence in over {
                end_early(sequence, now);
            }
            self.waiting = waiting.into();
        }
        let mut index = 0;
        while index < self.running.len() {
            if is_over(&self.running[index].sequence) {
                end_early(self.release(index), now);
            } else {
                index += 1;
            }
        }
    }

    /// Tells the metrics how much there is to do.
    fn report(&self) {
        self.meters.queue_length.set(self.waiting.len() + self.submissions.len());
        self.meters.slots_busy.set(self.running.len());
        self.meters.kv_cells_used.set(self.used(Sequence::cached));
        self.meters.kv_cells_cached.set(self.prefixes.idle_cells());
    }

    /// Computes one batch, before it rows of an image or sound if it is their turn, and chooses the tokens
    /// that follow.
    fn step(&mut self) -> Result<Flow> {
        self.rows = 0;
        loop {
            self.share_prefixes();
            self.make_room()?;
            let mut decoded = self.decode_rows()?;
            if decoded == Decoded::Done {
                self.draft();
                self.fill_batch();
                decoded = if self.batch.is_empty() { decoded } else { self.decode()? };
            }
            match decoded {
                Decoded::Done => break,
                Decoded::Aborted => return Ok(Flow::Stop),
                // Some caches (sliding windows) fill up before their cells are
                // counted out.
                Decoded::CacheFull if self.forget_prefixes()? => {}
                Decoded::CacheFull if self.running.len() > 1 => self.push_out_last(),
                Decoded::CacheFull => {
                    // Alone in the cache: trying again would not help.
                    let message =
                        "the KV cache is too small for this request; load the model with a larger context_length";
                    return Err(Error::invalid("messages", message).with_code("context_length_exceeded"));
                }
            }
        }
        let outcomes = self.choose_tokens()?;
        self.settle(outcomes)?;
        Ok(Flow::Continue)
    }

    /// Computes the batch, and meanwhile the grammars' masks for what follows it.
    fn decode(&mut self) -> Result<Decoded> {
        let Scheduler { context, batch, running, sampling_pool, pace, .. } = self;
        let started = Instant::now();
        let decoded = sampling_pool.in_place_scope(|scope| {
            for running in running.iter_mut().filter(|running| running.chooses()) {
                if running.sequence.is_constrained() {
                    scope.spawn(|_| running.sequence.prepare());
                }
            }
            context.decode(batch)
        });
        let parts = running.iter().filter_map(|running| running.part.as_ref());
        let drafted = parts.map(|part| part.draft.tokens.len()).sum();
        // Without prompts, and without tokens that grammars forced.
        if let Some(pace) = pace
            && batch.len() == running.len() + drafted
        {
            pace.note(running.len(), drafted, started.elapsed());
        }
        decoded
    }

    /// Computes the rows of an image or sound, if they come next of the oldest unfinished prompt: a slice of
    /// them, as of tokens. llama.cpp takes them in a batch of their own.
    fn decode_rows(&mut self) -> Result<Decoded> {
        let Scheduler { context, running, slice, .. } = self;
        let oldest = running.iter_mut().find(|running| !running.sequence.is_decoding());
        let Some(Running { id, sequence, .. }) = oldest else { return Ok(Decoded::Done) };
        let Some((index, range)) = sequence.next_slice(*slice).rows else { return Ok(Decoded::Done) };
        let count = range.len();
        let decoded = context.decode_rows(&sequence.media().rows(index, range, *id))?;
        if decoded == Decoded::Done {
            sequence.advance(count);
            self.rows += count;
        }
        Ok(decoded)
    }

    /// Puts the step's tokens together.
    ///
    /// Each generating sequence has its newest token in it; what grammars have
    /// forced and callers expect beyond that is bounded by [`EXTRA`]. The prompts
    /// share one slice's worth of tokens: the oldest takes its whole slice, others
    /// join only with a whole slice of theirs, because how a prompt is cut must
    /// not depend on who else is there.
    fn fill_batch(&mut self) {
        self.batch.clear();
        let whole = self.slice;
        let mut cells = self.free_cells();
        let (decoding, prompts): (Vec<_>, Vec<_>) =
            self.running.iter_mut().partition(|running| running.sequence.is_decoding());
        let reserved = prompts.first().map_or(0, |running| running.sequence.next_slice(whole).tokens.len());
        let mut extra = EXTRA.min(cells.saturating_sub(decoding.len() + reserved));
        let scored = |Running { sequence, .. }: &Running| {
            if sequence.is_scoring() { sequence.next_slice(whole).tokens.len() } else { 0 }
        };
        let reserved_outputs = prompts.first().map_or(0, |running| scored(running));
        let mut drafts = DRAFT - reserved_outputs;
        for running in decoding {
            let known = running.push_slice(&mut self.batch, 1 + extra);
            extra -= known - 1;
            let drafted = running.push_draft(&mut self.batch, drafts.min(extra));
            extra -= drafted;
            drafts -= drafted;
            cells = cells.saturating_sub(known + drafted);
        }
        let mut budget = whole.saturating_sub(self.rows).min(cells);
        let mut outputs = drafts + reserved_outputs;
        for running in prompts {
            running.part = None;
            let slice = running.sequence.next_slice(whole);
            let (size, is_text) = (slice.tokens.len(), slice.rows.is_none());
            let scored = scored(running);
            if is_text && size <= budget && scored <= outputs {
                running.push_slice(&mut self.batch, whole);
                budget -= size;
                outputs -= scored;
            }
        }
        debug_assert!(!self.batch.is_empty() || self.rows > 0, "make_room leaves room for the oldest sequence");
    }

    /// Lets each sequence whose part of the batch is complete choose what follows.
    /// Gives their indexes, which rise, and what came of it.
    fn choose_tokens(&mut self) -> Result<Vec<(usize, Outcome)>> {
        self.score_prompts()?;
        for running in &mut self.running {
            if let Some(part) = &running.part {
                running.sequence.advance(part.tokens);
            }
        }
        self.keep_prompts()?;
        let siblings = self.start_siblings()?;

        let indexes: Vec<usize> = self.running.iter().flat_map(Running::rows).collect();
        let mut rows = self.context.logits(&indexes)?.into_iter();
        let choosing: Vec<_> = self
            .running
            .iter_mut()
            .enumerate()
            .filter(|(_, running)| running.chooses())
            .map(|(index, running)| {
                let rows: Vec<&mut [f32]> = rows.by_ref().take(running.rows().len()).collect();
                (index, running, rows)
            })
            .collect();
        let extend =
            |(index, running, mut rows): (usize, &mut Running, Vec<&mut [f32]>)| (index, running.extend(&mut rows));
        let mut outcomes: Vec<_> = if choosing.len() < PARALLEL_SAMPLING {
            choosing.into_iter().map(extend).collect()
        } else {
            self.sampling_pool.install(|| choosing.into_par_iter().map(extend).collect())
        };
        outcomes.extend(siblings);
        Ok(outcomes)
    }

    /// Tells how likely the prompts' tokens were, where that is asked for.
    fn score_prompts(&mut self) -> Result<()> {
        let Scheduler { context, running, sampling_pool, .. } = self;
        for Running { sequence, part, .. } in running {
            let Some(Part { scoring, .. }) = part else { continue };
            if !Range::is_empty(scoring) {
                let rows = context.logits(&scoring.clone().collect::<Vec<_>>())?;
                sampling_pool.install(|| sequence.score(&rows));
            }
        }
        Ok(())
    }

    /// Starts the other choices of the requests whose prompts are complete: they
    /// share the prompt's cells and choose from its logits. Those for which there
    /// is no sequence id wait like new requests.
    fn start_siblings(&mut self) -> Result<Vec<(usize, Outcome)>> {
        let mut outcomes = Vec::new();
        for first in 0..self.running.len() {
            let Some(logits_at) = self.running[first].part.as_ref().and_then(|part| part.logits_at) else { continue };
            let mut late = Vec::new();
            for mut sequence in self.running[first].sequence.take_siblings() {
                let Some(id) = self.free_ids.pop() else {
                    sequence.wait();
                    late.push(sequence);
                    continue;
                };
                self.context.copy(self.running[first].id, id, None);
                let pin = self.running[first].pin.as_ref().map(|pin| self.prefixes.pin_again(pin));
                // Choosing changes the logits, so each works on a copy; once for
                // each choice, not for each token.
                let mut logits = self.context.logits(&[logits_at])?[0].to_vec();
                let outcome = sequence.extend(&mut [&mut logits], &Draft::default());
                outcomes.push((self.running.len(), outcome.map(|(_, end)| end)));
                let draft = Draft::default();
                self.running.push(Running { id, sequence, pin, has_prompt: true, draft, part: None });
            }
            late.into_iter().rev().for_each(|sequence| self.waiting.push_front(sequence));
        }
        Ok(outcomes)
    }

    /// Lets finished sequences go, and takes back from the cache what was expected
    /// in vain.
    fn settle(&mut self, outcomes: Vec<(usize, Outcome)>) -> Result<()> {
        self.settle_drafts();
        // From the back, so that the indexes stay right while sequences go.
        for (index, outcome) in outcomes.into_iter().rev() {
            match outcome {
                Ok(None) => {
                    let running = &self.running[index];
                    if running.part.as_ref().is_some_and(|part| !part.draft.tokens.is_empty()) {
                        let position = running.sequence.layout().position(running.sequence.cached());
                        self.context.rewind(running.id, position)?;
                    }
                }
                Ok(Some(reason)) => self.finish(index, reason)?,
                Err(error) => self.release(index).fail(error),
            }
        }
        Ok(())
    }

    fn finish(&mut self, index: usize, reason: StopReason) -> Result<()> {
        self.keep_answer(index)?;
        self.release(index).finish(reason);
        Ok(())
    }

    /// Takes a sequence out of the running ones and frees its cells.
    fn release(&mut self, index: usize) -> Sequence {
        let running = self.running.remove(index);
        self.context.remove(running.id);
        self.free_ids.push(running.id);
        self.prefixes.unpin(running.pin);
        running.sequence
    }

    fn save_prefixes(&mut self) {
        if let Some(file) = &self.prefix_file
            && let Err(error) = self.prefixes.save(&mut self.context, file)
        {
            tracing::warn!(target: "zerohop", %error, "what the prefix cache has cannot be saved");
        }
    }

    fn fail_running(&mut self, error: &Error) {
        while !self.running.is_empty() {
            self.release(self.running.len() - 1).fail(error.clone());
        }
    }

    fn fail_all(&mut self, error: &Error) {
        while let Ok(sequence) = self.submissions.try_recv() {
            self.waiting.push_back(sequence);
        }
        for sequence in self.waiting.drain(..) {
            sequence.fail(error.clone());
        }
        for running in self.running.drain(..) {
            running.sequence.fail(error.clone());
        }
        self.report();
    }
}

/// Ends a sequence that was cancelled, or whose time has passed.
fn end_early(sequence: Sequence, now: Instant) {
    if let Some(error) = sequence.timeout(now).filter(|_| !sequence.is_cancelled()) {
        sequence.fail(error);
    }
}

impl Running {
    /// Adds the sequence's next tokens to the batch, `limit` at most; gives how
    /// many.
    fn push_slice(&mut self, batch: &mut Batch, limit: usize) -> usize {
        let slice = self.sequence.next_slice(limit);
        let last = slice.tokens.len() - 1;
        let first = batch.len();
        for (offset, &token) in slice.tokens.iter().enumerate() {
            let wants_logits = (slice.completes && offset == last) || slice.scoring.contains(&offset);
            batch.push(token, slice.position + offset, self.id, wants_logits);
        }
        let logits_at = slice.completes.then(|| batch.len() - 1);
        let tokens = slice.tokens.len();
        let scoring = first + slice.scoring.start..first + slice.scoring.end;
        self.part = Some(Part { tokens, draft: Draft::default(), accepted: 0, scoring, logits_at });
        tokens
    }

    /// Adds what is expected after these tokens, `limit` tokens at most; gives how many.
    fn push_draft(&mut self, batch: &mut Batch, limit: usize) -> usize {
        let Some(part) = self.part.as_mut().filter(|part| part.logits_at.is_some()) else { return 0 };
        let start = self.sequence.layout().position(self.sequence.len());
        part.draft = std::mem::take(&mut self.draft);
        part.draft.tokens.truncate(limit);
        for (position, &token) in (start..).zip(&part.draft.tokens) {
            batch.push(token, position, self.id, true);
        }
        part.draft.tokens.len()
    }

    /// Whether the next token can be chosen after this step.
    fn chooses(&self) -> bool {
        self.part.as_ref().is_some_and(|part| part.logits_at.is_some())
    }

    /// The batch indexes whose logits the sequence needs.
    fn rows(&self) -> Range<usize> {
        match &self.part {
            Some(Part { logits_at: Some(at), draft, .. }) => *at..at + 1 + draft.tokens.len(),
            _ => 0..0,
        }
    }

    fn extend(&mut self, rows: &mut [&mut [f32]]) -> Outcome {
        let Some(part) = &mut self.part else { return Ok(None) };
        let (accepted, end) = self.sequence.extend(rows, &part.draft)?;
        part.accepted = accepted;
        Ok(end)
    }
}
