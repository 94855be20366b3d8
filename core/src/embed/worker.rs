//! The thread that owns a model's embedding context.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, TryRecvError};

use super::Job;
use super::batches::{BATCH, SEQUENCES, Text, take_batch};
use crate::api::error::{Error, Result};
use crate::backend::{self, Abort, Batch, Context, ContextOptions, Decoded, Token};
use crate::metrics::ModelMeters;
use crate::model::{Placement, Pooling};
use crate::threads::Ending;

pub(super) struct Worker {
    model: Arc<backend::Model>,
    options: ContextOptions,
    pooling: Pooling,
    /// Whether a long text is computed in slices; otherwise, a text is computed in one batch.
    slices: bool,
    abort: Abort,
    context: Context,
    batch: Batch,
    receiver: Receiver<Job>,
    jobs: Vec<Job>,
    meters: Arc<ModelMeters>,
    ending: Ending,
}

enum Flow {
    Continue,
    Stop,
}

impl Worker {
    pub(super) fn new(
        model: Arc<backend::Model>,
        options: &ContextOptions,
        (pooling, causal): (Pooling, bool),
        abort: Abort,
        receiver: Receiver<Job>,
        meters: Arc<ModelMeters>,
        ending: Ending,
    ) -> Result<Self> {
        let options = ContextOptions { sequences: size(SEQUENCES), embeddings: true, ..sized(options, BATCH) };
        let context = Context::new(model.clone(), &options, abort.clone())?;
        let slices = causal && context.remembers();
        let batch = Batch::new(BATCH, model.vocab().len());
        Ok(Worker {
            model,
            options,
            pooling,
            slices,
            abort,
            context,
            batch,
            receiver,
            jobs: Vec::new(),
            meters,
            ending,
        })
    }

    pub(super) fn placement(&self) -> Vec<Placement> {
        self.context.placement()
    }

    /// Serves jobs until the model is ended or a fault of ours ends the thread.
    pub(super) fn run(mut self) {
        loop {
            match catch_unwind(AssertUnwindSafe(|| self.turn())) {
                Ok(Flow::Continue) => {}
                Ok(Flow::Stop) => {
                    let reason = self.ending.error();
                    return self.fail_all(&reason);
                }
                Err(_) => {
                    return self.fail_all(&Error::internal("the embedding thread met a fault; make a new engine"));
                }
            }
        }
    }

    /// One round: fetch jobs, compute a batch.
    fn turn(&mut self) -> Flow {
        if let Flow::Stop = self.receive() {
            return Flow::Stop;
        }
        self.jobs.retain(|job| job.promise.is_wanted());
        self.end_late();
        self.meters.queue_length.set(self.jobs.len());
        let texts = take_batch(&mut self.jobs);
        if texts.is_empty() {
            return Flow::Continue;
        }
        match self.compute(&texts) {
            Ok(Some(vectors)) => {
                for (text, vector) in texts.iter().zip(vectors) {
                    let job = &mut self.jobs[text.job];
                    job.vectors[text.number] = vector;
                    job.missing -= 1;
                }
                self.hand_over();
            }
            Ok(None) => return Flow::Stop,
            Err(error) => self.fail(&texts, &error),
        }
        Flow::Continue
    }

    /// Ends the jobs that have taken too long.
    fn end_late(&mut self) {
        let now = Instant::now();
        for job in self.jobs.extract_if(.., |job| job.timeout(now).is_some()) {
            let error = job.timeout(now).unwrap_or_else(Error::cancelled);
            job.end(Err(error));
        }
    }

    /// Takes all submitted jobs; waits for one when there is nothing to do.
    fn receive(&mut self) -> Flow {
        if self.jobs.is_empty() {
            self.meters.queue_length.set(0);
            match self.receiver.recv() {
                Ok(job) => self.jobs.push(job),
                Err(_) => return Flow::Stop,
            }
        }
        loop {
            match self.receiver.try_recv() {
                Ok(job) => self.jobs.push(job),
                Err(TryRecvError::Empty) => return Flow::Continue,
                Err(TryRecvError::Disconnected) => return Flow::Stop,
            }
        }
    }

    /// The texts' vectors; `None` when the engine closes.
    fn compute(&mut self, texts: &[Text]) -> Result<Option<Vec<Vec<f32>>>> {
        let vectors = match texts {
            [Text { tokens, .. }] if tokens.len() > BATCH => {
                if self.slices {
                    self.compute_slices(tokens)
                } else {
                    self.grow(tokens.len())?;
                    self.compute_together(texts)
                }
            }
            texts => self.compute_together(texts),
        };
        for (sequence, _) in (0..).zip(texts) {
            self.context.remove(sequence);
        }
        vectors
    }

    /// Several texts in one batch.
    fn compute_together(&mut self, texts: &[Text]) -> Result<Option<Vec<Vec<f32>>>> {
        self.batch.clear();
        for (sequence, text) in (0..).zip(texts) {
            for (position, &token) in text.tokens.iter().enumerate() {
                self.batch.push(token, position, sequence, true);
            }
        }
        if !self.decode()? {
            return Ok(None);
        }
        (0..)
            .zip(texts)
            .map(|(sequence, _)| self.context.embedding(sequence).map(<[f32]>::to_vec))
            .collect::<Result<_>>()
            .map(Some)
    }

    /// One text that is longer than a batch, slice after slice.
    fn compute_slices(&mut self, tokens: &[Token]) -> Result<Option<Vec<Vec<f32>>>> {
        let mut whole = vec![0.0; self.context.vector_length()];
        for (index, slice) in tokens.chunks(BATCH).enumerate() {
            self.batch.clear();
            for (offset, &token) in slice.iter().enumerate() {
                self.batch.push(token, index * BATCH + offset, 0, true);
            }
            if !self.decode()? {
                return Ok(None);
            }
            let pooled = self.context.embedding(0)?;
            match self.pooling {
                Pooling::Mean => {
                    #[expect(clippy::cast_precision_loss, reason = "a share of a few thousand tokens")]
                    let share = slice.len() as f32 / tokens.len() as f32;
                    whole.iter_mut().zip(pooled).for_each(|(sum, value)| *sum += share * value);
                }
                Pooling::Cls if index > 0 => {}
                Pooling::Cls | Pooling::Last => whole.copy_from_slice(pooled),
            }
        }
        Ok(Some(vec![whole]))
    }

    /// Whether the batch was computed; otherwise the engine closes.
    fn decode(&mut self) -> Result<bool> {
        match self.context.decode(&mut self.batch)? {
            Decoded::Done => Ok(true),
            Decoded::Aborted => Ok(false),
            Decoded::CacheFull => Err(Error::internal("the cache has no room for a text within the context length")),
        }
    }

    /// Makes the context anew where it is too small for a text of so many tokens. Most texts are
    /// short, and a context for the longest one possible would take much memory.
    fn grow(&mut self, tokens: usize) -> Result<()> {
        if tokens <= self.options.batch as usize {
            return Ok(());
        }
        let options = sized(&self.options, tokens.next_power_of_two());
        self.context = Context::new(self.model.clone(), &options, self.abort.clone())?;
        self.options = options;
        Ok(())
    }

    /// Ends the jobs that are complete.
    fn hand_over(&mut self) {
        for mut job in self.jobs.extract_if(.., |job| job.missing == 0) {
            let vectors = std::mem::take(&mut job.vectors);
            job.end(Ok(vectors));
        }
    }

    /// Ends the jobs that a failed batch had texts of.
    fn fail(&mut self, texts: &[Text], error: &Error) {
        tracing::error!(target: "zerohop", %error, "a batch of texts failed");
        let mut index = 0..;
        let failed = |_: &mut Job| index.next().is_some_and(|index| texts.iter().any(|text| text.job == index));
        for job in self.jobs.extract_if(.., failed) {
            job.end(Err(error.clone()));
        }
    }

    fn fail_all(mut self, error: &Error) {
        self.jobs.extend(self.receiver.try_iter());
        for job in self.jobs {
            job.end(Err(error.clone()));
        }
    }
}

fn sized(options: &ContextOptions, batch: usize) -> ContextOptions {
    ContextOptions { batch: size(batch), outputs: size(batch), ..options.clone() }
}

fn size(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
