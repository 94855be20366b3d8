//! The thread that owns a model's context and computes for all its requests.
//!
//! Each step decodes one batch: the newest token of every sequence that is
//! generating, and at most one slice of prompt tokens. Then each of these
//! sequences chooses its next token.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crossbeam_channel::{Receiver, TryRecvError};
use rayon::prelude::*;

use super::sequence::Sequence;
use super::{SLICE, StopReason};
use crate::api::error::{Error, ErrorKind, Result};
use crate::backend::{Batch, Context, ContextOptions, Decoded, Token};

/// Cells kept free for each running sequence when a new one is let in, so that
/// it does not push another out right away.
const HEADROOM: usize = 32;

/// From this many sequences on, choosing tokens is shared among threads: below,
/// handing out the work costs more than it saves.
const PARALLEL_SAMPLING: usize = 4;

pub(super) struct Scheduler {
    context: Context,
    submissions: Receiver<Sequence>,
    waiting: VecDeque<Sequence>,
    /// In the order they were let in: the last is the first to be pushed out.
    running: Vec<Running>,
    free_ids: Vec<i32>,
    batch: Batch,
    sampling_pool: rayon::ThreadPool,
}

struct Running {
    /// The sequence's id in the KV cache.
    id: i32,
    sequence: Sequence,
    /// Its part of the batch being computed.
    part: Option<Part>,
}

/// A sequence's part of a batch.
#[derive(Debug, Clone, Copy)]
struct Part {
    tokens: usize,
    /// The batch index whose logits choose the next token, if any does.
    logits_at: Option<usize>,
}

enum Flow {
    Continue,
    Stop,
}

impl Scheduler {
    pub(super) fn new(context: Context, submissions: Receiver<Sequence>, options: &ContextOptions) -> Result<Self> {
        let sampling_pool = rayon::ThreadPoolBuilder::new()
            .num_threads(options.threads as usize)
            .thread_name(|_| "zerohop-sampling".to_owned())
            .build()
            .map_err(|error| {
                Error::new(ErrorKind::Unavailable, "the sampling threads cannot start").with_source(error)
            })?;
        let batch = Batch::new(options.batch as usize, context.model().vocab().len());
        let sequences = i32::try_from(options.sequences).unwrap_or(i32::MAX);
        Ok(Scheduler {
            context,
            submissions,
            waiting: VecDeque::new(),
            running: Vec::new(),
            free_ids: (0..sequences).rev().collect(),
            batch,
            sampling_pool,
        })
    }

    /// Serves requests until the engine closes or a fault of ours ends the thread.
    pub(super) fn run(mut self) {
        loop {
            match catch_unwind(AssertUnwindSafe(|| self.turn())) {
                Ok(Flow::Continue) => {}
                Ok(Flow::Stop) => return self.fail_all(&Error::closed()),
                Err(_) => return self.fail_all(&Error::internal("the scheduler met a fault; make a new engine")),
            }
        }
    }

    /// One round: fetch requests, compute a step.
    fn turn(&mut self) -> Flow {
        if let Flow::Stop = self.receive() {
            return Flow::Stop;
        }
        self.drop_cancelled();
        self.admit();
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

    fn drop_cancelled(&mut self) {
        self.waiting.retain(|sequence| !sequence.is_cancelled());

        let mut index = 0;
        while index < self.running.len() {
            if self.running[index].sequence.is_cancelled() {
                self.release(index);
            } else {
                index += 1;
            }
        }
    }

    /// Lets waiting requests in, first come first served, while there are
    /// sequence ids and cells.
    fn admit(&mut self) {
        while let (Some(next), false) = (self.waiting.front(), self.free_ids.is_empty()) {
            let headroom = HEADROOM * (self.running.len() + 1);
            let wanted = (next.len() + headroom).min(next.max_len());
            let taken: usize = self.running.iter().map(|running| running.sequence.len()).sum();
            if !self.running.is_empty() && taken + wanted > self.cells() {
                return;
            }
            let (Some(sequence), Some(id)) = (self.waiting.pop_front(), self.free_ids.pop()) else { return };
            self.running.push(Running { id, sequence, part: None });
        }
    }

    fn cells(&self) -> usize {
        self.context.cells() as usize
    }

    /// Computes one batch and chooses the tokens that follow.
    fn step(&mut self) -> Result<Flow> {
        loop {
            self.make_room();
            self.fill_batch();
            match self.context.decode(&mut self.batch)? {
                Decoded::Done => break,
                Decoded::Aborted => return Ok(Flow::Stop),
                // Some caches (sliding windows) fill up before their cells are
                // counted out.
                Decoded::CacheFull if self.running.len() > 1 => self.push_out_last(),
                Decoded::CacheFull => {
                    return Err(Error::new(ErrorKind::Unavailable, "the KV cache is too small for this request"));
                }
            }
        }
        let chosen = self.choose_tokens()?;
        self.accept(chosen);
        Ok(Flow::Continue)
    }

    /// Pushes out the newest sequences until the others have the cells that this
    /// step needs: one for each that is generating, and the oldest unfinished
    /// prompt's slice. Alone, a sequence always fits.
    fn make_room(&mut self) {
        while self.running.len() > 1 {
            let cached: usize = self.running.iter().map(|running| running.sequence.cached()).sum();
            let decoding = self.running.iter().filter(|running| running.sequence.is_decoding()).count();
            let prompt = self.running.iter().find(|running| !running.sequence.is_decoding());
            let slice = prompt.map_or(0, |running| running.sequence.next_slice().tokens.len());
            if cached + decoding + slice <= self.cells() {
                return;
            }
            self.push_out_last();
        }
    }

    /// Returns the newest sequence to the head of the queue; it will be computed
    /// again when there is room.
    fn push_out_last(&mut self) {
        let Some(mut running) = self.running.pop() else { return };
        self.context.remove(running.id);
        self.free_ids.push(running.id);
        running.sequence.evicted();
        self.waiting.push_front(running.sequence);
    }

    /// Puts the step's tokens together.
    ///
    /// The prompts share one slice's worth of tokens. The oldest takes its whole
    /// slice; others join only with a whole slice of theirs, because how a prompt
    /// is cut must not depend on who else is there.
    fn fill_batch(&mut self) {
        self.batch.clear();
        let mut cells = self.cells();
        for running in &mut self.running {
            running.part = None;
            cells = cells.saturating_sub(running.sequence.cached());
        }
        for running in self.running.iter_mut().filter(|running| running.sequence.is_decoding()) {
            running.push_slice(&mut self.batch);
            cells = cells.saturating_sub(1);
        }
        let mut budget = SLICE.min(cells);
        for running in self.running.iter_mut().filter(|running| !running.sequence.is_decoding()) {
            let size = running.sequence.next_slice().tokens.len();
            if size <= budget {
                running.push_slice(&mut self.batch);
                budget -= size;
            }
        }
        debug_assert!(!self.batch.is_empty(), "make_room leaves room for the oldest sequence");
    }

    /// Chooses the next token of each sequence whose part asked for logits;
    /// `None` where the model computed no numbers.
    fn choose_tokens(&mut self) -> Result<Vec<(usize, Option<Token>)>> {
        let context = &self.context;
        let mut choices = Vec::with_capacity(self.running.len());
        for (index, running) in self.running.iter_mut().enumerate() {
            if let Some(logits_at) = running.part.and_then(|part| part.logits_at) {
                choices.push((index, &mut running.sequence, context.logits(logits_at)?));
            }
        }
        if choices.len() < PARALLEL_SAMPLING {
            return Ok(choices.into_iter().map(|(index, sequence, logits)| (index, sequence.sample(logits))).collect());
        }
        Ok(self.sampling_pool.install(|| {
            choices.into_par_iter().map(|(index, sequence, logits)| (index, sequence.sample(logits))).collect()
        }))
    }

    /// Notes what is cached, sends the chosen tokens out, and lets finished
    /// sequences go.
    fn accept(&mut self, chosen: Vec<(usize, Option<Token>)>) {
        for running in &mut self.running {
            if let Some(part) = running.part {
                running.sequence.advance(part.tokens);
            }
        }
        // From the back, so that the indexes stay right while sequences go.
        for (index, token) in chosen.into_iter().rev() {
            match token.map(|token| self.running[index].sequence.accept(token)) {
                Some(None) => {}
                Some(Some(reason)) => self.finish(index, reason),
                None => {
                    let error = Error::internal("the model computed no usable probabilities");
                    self.release(index).fail(error);
                }
            }
        }
    }

    fn finish(&mut self, index: usize, reason: StopReason) {
        self.release(index).finish(reason);
    }

    /// Takes a sequence out of the running ones and frees its cells.
    fn release(&mut self, index: usize) -> Sequence {
        let running = self.running.remove(index);
        self.context.remove(running.id);
        self.free_ids.push(running.id);
        running.sequence
    }

    fn fail_running(&mut self, error: &Error) {
        while !self.running.is_empty() {
            self.release(self.running.len() - 1).fail(error.clone());
        }
    }

    fn fail_all(mut self, error: &Error) {
        while let Ok(sequence) = self.submissions.try_recv() {
            self.waiting.push_back(sequence);
        }
        for sequence in self.waiting.drain(..) {
            sequence.fail(error.clone());
        }
        for running in self.running.drain(..) {
            running.sequence.fail(error.clone());
        }
    }
}

impl Running {
    /// Adds the sequence's next slice to the batch.
    fn push_slice(&mut self, batch: &mut Batch) {
        let slice = self.sequence.next_slice();
        let last = slice.tokens.len() - 1;
        for (offset, &token) in slice.tokens.iter().enumerate() {
            batch.push(token, slice.start + offset, self.id, slice.completes && offset == last);
        }
        let logits_at = slice.completes.then(|| batch.len() - 1);
        self.part = Some(Part { tokens: slice.tokens.len(), logits_at });
    }
}
