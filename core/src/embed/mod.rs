//! Embeddings and ranking: a request's way to the embedding thread and its vectors' way back.
//!
//! `request -> tokens -> batches of whole texts -> vectors -> reply`

mod batches;
mod rerank;
mod worker;

use std::collections::HashMap;
use std::sync::Arc;
use std::task::Poll;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use crossbeam_channel::Sender;
use parking_lot::Mutex;

use crate::api::embeddings::{
    CreateEmbeddingRequest, CreateEmbeddingResponse, Embedding, EmbeddingInput, EmbeddingObject, EmbeddingUsage,
    EmbeddingVector, EncodingFormat, item, room,
};
use crate::api::error::{Error, ErrorKind, Result};
use crate::api::models::ListObject;
use crate::backend::{Abort, ContextOptions, Token, Vocab};
use crate::call::Call;
use crate::metrics::ModelMeters;
use crate::model::{LoadedModel, ModelKind, Placement, Pooling};
use crate::places::{Place, Places};
use crate::promise::{Promise, Promised, promise};
use crate::threads::{Ending, join_other};
use crate::wait::{Wait, block};
pub(crate) use batches::BATCH;
pub(crate) use rerank::PendingRanking;
use worker::Worker;

/// Texts to turn into vectors, no two of them equal, and who waits for those.
#[derive(Debug)]
struct Job {
    /// Each with its place among the vectors; taken out one by one.
    inputs: Vec<(usize, Vec<Token>)>,
    vectors: Vec<Vec<f32>>,
    /// How many vectors are missing.
    missing: usize,
    promise: Promise<Result<Vec<Vec<f32>>>>,
    /// The request that it is a part of.
    call: Option<Arc<Call>>,
    place: Place,
}

/// The handle of one model's embedding thread.
#[derive(Debug)]
pub(crate) struct Embedder {
    jobs: Mutex<Option<Sender<Job>>>,
    places: Places,
    meters: Arc<ModelMeters>,
    abort: Abort,
    ending: Ending,
    thread: Mutex<Option<JoinHandle<()>>>,
    placement: Vec<Placement>,
}

impl Embedder {
    /// Makes the model's context and starts its thread.
    pub(crate) fn start(
        model: &LoadedModel,
        options: &ContextOptions,
        queue: usize,
        meters: &Arc<ModelMeters>,
    ) -> Result<Self> {
        let (pooling, causal) = match model.kind {
            ModelKind::Embedding { pooling, causal } => (pooling, causal),
            // Of a text in slices, the classifier's output for the last counts.
            ModelKind::Ranking { causal, .. } => (Pooling::Last, causal),
            _ => return Err(Error::internal("the model makes no vectors")),
        };
        let (abort, ending) = (Abort::default(), Ending::default());
        let (sender, receiver) = crossbeam_channel::unbounded();
        let worker = Worker::new(
            model.backend.clone(),
            options,
            (pooling, causal),
            abort.clone(),
            receiver,
            meters.clone(),
            ending.clone(),
        )?;
        let placement = worker.placement();
        let thread = thread::Builder::new().name("zerohop-embedding".to_owned()).spawn(move || worker.run()).map_err(
            |error| Error::new(ErrorKind::Unavailable, "the embedding thread cannot start").with_source(error),
        )?;
        Ok(Embedder {
            jobs: Mutex::new(Some(sender)),
            places: Places::new(queue),
            meters: meters.clone(),
            abort,
            ending,
            placement,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// What of the model and its context lies where.
    pub(crate) fn placement(&self) -> &[Placement] {
        &self.placement
    }

    /// Hands a validated request to the thread.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` for a text that is too long, a token that does not exist, or
    /// more dimensions than the model has; `RateLimit` when too many requests wait or the
    /// caller has no tokens left; `Timeout` when the request's time has passed;
    /// what [`end`](Self::end) was given after that.
    pub(crate) fn submit(&self, model: &LoadedModel, request: &CreateEmbeddingRequest) -> Result<PendingEmbeddings> {
        let dimensions = dimensions(model, request)?;
        let tokens = tokens(model, &request.input)?;
        check_lengths(model, &request.input, &tokens)?;
        let prompt_tokens = tokens.iter().map(Vec::len).sum::<usize>();
        Ok(PendingEmbeddings {
            vectors: self.enqueue(tokens)?,
            model: request.model.clone(),
            dimensions,
            format: request.encoding_format.unwrap_or_default(),
            prompt_tokens: u32::try_from(prompt_tokens).unwrap_or(u32::MAX),
        })
    }

    /// Hands texts to the thread.
    fn enqueue(&self, texts: Vec<Vec<Token>>) -> Result<PendingVectors> {
        let prompt_tokens = texts.iter().map(Vec::len).sum();
        let (inputs, order) = distinct(texts);
        let place = self.places.take()?;
        let call = Call::current();
        if let Some(call) = &call {
            call.take_tokens(prompt_tokens, 0)?;
        }
        self.meters.prompt_tokens.add(prompt_tokens);
        let (promise, promised) = promise();
        let job = Job {
            vectors: vec![Vec::new(); inputs.len()],
            missing: inputs.len(),
            inputs,
            promise,
            call: call.clone(),
            place,
        };
        let jobs = self.jobs.lock();
        let sender = jobs.as_ref().ok_or_else(|| self.ending.error())?;
        sender
            .send(job)
            .map_err(|_| Error::internal("the embedding thread has stopped after a fault; make a new engine"))?;
        Ok(PendingVectors { promised, order, _call: call })
    }

    /// Whether requests are running or waiting.
    pub(crate) fn is_busy(&self) -> bool {
        self.places.are_taken()
    }

    /// Ends all requests with `reason`, and the thread. Returns when it has gone.
    pub(crate) fn end(&self, reason: Error) {
        self.ending.set(reason);
        drop(self.jobs.lock().take());
        self.abort.abort();
        let thread = self.thread.lock().take();
        if let Some(thread) = thread {
            join_other(thread);
        }
    }
}

impl Job {
    /// Gives the caller the vectors, or why there are none.
    fn end(self, result: Result<Vec<Vec<f32>>>) {
        if let Some(call) = &self.call {
            match &result {
                Ok(_) => call.succeed(),
                Err(error) => call.fail(error),
            }
        }
        // Before the caller hears of the end: a model whose answers are there is not in use.
        drop(self.place);
        self.promise.fulfil(result);
    }

    /// The error to end with when the request's time has passed.
    fn timeout(&self, now: Instant) -> Option<Error> {
        self.call.as_ref().filter(|call| call.is_late(now)).map(|call| call.timeout())
    }
}

impl Drop for Embedder {
    fn drop(&mut self) {
        self.end(Error::closed());
    }
}

/// EM4
fn dimensions(model: &LoadedModel, request: &CreateEmbeddingRequest) -> Result<usize> {
    let native = model.backend.embedding_length();
    match request.dimensions {
        None => Ok(native),
        Some(wanted) if wanted as usize <= native => Ok(wanted as usize),
        Some(wanted) => {
            let message = format!("'dimensions' is {wanted}; the vectors of this model have {native} numbers");
            Err(Error::invalid("dimensions", message))
        }
    }
}

fn tokens(model: &LoadedModel, input: &EmbeddingInput) -> Result<Vec<Vec<Token>>> {
    let vocab = model.backend.vocab();
    match input {
        EmbeddingInput::Text(text) => vocab.tokenize_documents(std::slice::from_ref(text)),
        EmbeddingInput::Texts(texts) => vocab.tokenize_documents(texts),
        EmbeddingInput::Tokens(tokens) => Ok(vec![known(vocab, tokens, || "input".to_owned())?]),
        EmbeddingInput::TokenLists(lists) => {
            lists.iter().enumerate().map(|(index, tokens)| known(vocab, tokens, || item(index))).collect()
        }
    }
}

/// A caller's tokens, all of which the vocabulary has to have.
fn known(vocab: &Vocab, tokens: &[u32], param: impl Fn() -> String) -> Result<Vec<Token>> {
    tokens.iter().map(|&token| vocab.known(token, &param)).collect()
}

/// EM6
fn check_lengths(model: &LoadedModel, input: &EmbeddingInput, tokens: &[Vec<Token>]) -> Result<()> {
    let limit = model.info.context_length as usize;
    let param = |index| match input {
        EmbeddingInput::Text(_) | EmbeddingInput::Tokens(_) => "input".to_owned(),
        EmbeddingInput::Texts(_) | EmbeddingInput::TokenLists(_) => item(index),
    };
    for (index, tokens) in tokens.iter().enumerate() {
        if tokens.is_empty() {
            return Err(Error::invalid(param(index), format!("'{}' has no tokens", param(index))));
        }
        if tokens.len() > limit {
            let message = format!(
                "'{}' has {} tokens; this model takes {limit} at most: split or shorten the text",
                param(index),
                tokens.len()
            );
            return Err(Error::invalid(param(index), message).with_code("context_length_exceeded"));
        }
    }
    Ok(())
}

/// The different ones of these texts, each with its number, and the numbers of all in
/// order. Equal texts have equal vectors then, bit for bit (EM7).
fn distinct(texts: Vec<Vec<Token>>) -> (Vec<(usize, Vec<Token>)>, Vec<usize>) {
    let mut numbers: HashMap<Vec<Token>, usize> = HashMap::with_capacity(texts.len());
    let order = texts
        .into_iter()
        .map(|text| {
            let next = numbers.len();
            *numbers.entry(text).or_insert(next)
        })
        .collect();
    let mut distinct: Vec<(usize, Vec<Token>)> = numbers.into_iter().map(|(text, number)| (number, text)).collect();
    distinct.sort_unstable_by_key(|(number, _)| *number);
    (distinct, order)
}

/// What the thread computes. Dropping it spares the work.
#[derive(Debug)]
struct PendingVectors {
    promised: Promised<Result<Vec<Vec<f32>>>>,
    /// For each text, which of the vectors is its own.
    order: Vec<usize>,
    /// The request that they answer, which has not ended before.
    _call: Option<Arc<Call>>,
}

impl PendingVectors {
    fn advance(&self, wait: &mut Wait<'_, '_>) -> Poll<Result<Vec<Vec<f32>>>> {
        self.promised.advance(wait).map(|result| result?)
    }
}

/// Vectors on their way. Dropping it spares the work.
#[derive(Debug)]
pub(crate) struct PendingEmbeddings {
    vectors: PendingVectors,
    model: String,
    dimensions: usize,
    format: EncodingFormat,
    prompt_tokens: u32,
}

impl PendingEmbeddings {
    /// The reply, waiting for it as `wait` says.
    pub(crate) fn advance(&mut self, wait: &mut Wait<'_, '_>) -> Poll<Result<CreateEmbeddingResponse>> {
        self.vectors.advance(wait).map(|vectors| self.reply(vectors?))
    }

    pub(crate) fn wait(mut self) -> Result<CreateEmbeddingResponse> {
        block(|wait| self.advance(wait))
    }

    /// Waits for the vectors and writes them into `out`, one after another.
    pub(crate) fn wait_into(self, out: &mut [f32]) -> Result<EmbeddingUsage> {
        let out = room(out, self.vectors.order.len(), self.dimensions)?;
        let vectors = block(|wait| self.vectors.promised.advance(wait))??;
        for (row, &number) in out.chunks_exact_mut(self.dimensions).zip(&self.vectors.order) {
            let vector = &vectors[number][..self.dimensions];
            let scale = unit_scale(vector)?;
            row.iter_mut().zip(vector).for_each(|(out, value)| *out = value * scale);
        }
        Ok(self.usage())
    }

    fn usage(&self) -> EmbeddingUsage {
        EmbeddingUsage { prompt_tokens: self.prompt_tokens, total_tokens: self.prompt_tokens }
    }

    fn reply(&mut self, vectors: Vec<Vec<f32>>) -> Result<CreateEmbeddingResponse> {
        let vectors = vectors.into_iter().map(|vector| unit(vector, self.dimensions)).collect::<Result<Vec<_>>>()?;
        let embedding = |(index, &number): (u32, &usize)| Embedding {
            object: EmbeddingObject::Embedding,
            index,
            embedding: EmbeddingVector { values: vectors[number].clone(), format: self.format },
        };
        Ok(CreateEmbeddingResponse {
            object: ListObject::List,
            data: (0..).zip(&self.vectors.order).map(embedding).collect(),
            model: std::mem::take(&mut self.model),
            usage: self.usage(),
        })
    }
}

/// The first so many numbers, scaled to a vector of length 1 (EM4, EM5).
fn unit(mut vector: Vec<f32>, dimensions: usize) -> Result<Vec<f32>> {
    vector.truncate(dimensions);
    let scale = unit_scale(&vector)?;
    for value in &mut vector {
        *value *= scale;
    }
    Ok(vector)
}

/// What makes a vector's length 1; that of a vector of zeros stays 0.
fn unit_scale(vector: &[f32]) -> Result<f32> {
    let square: f64 = vector.iter().map(|value| f64::from(*value).powi(2)).sum();
    if !square.is_finite() {
        return Err(Error::internal("the model computed a vector that is not finite; its file may be damaged"));
    }
    #[expect(clippy::cast_possible_truncation, reason = "the vectors have this precision")]
    let scale = square.sqrt().recip() as f32;
    Ok(if square > 0.0 { scale } else { 1.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_computed_once() {
        let (distinct, order) = distinct(vec![vec![7], vec![8, 9], vec![7], vec![7, 8], vec![8, 9]]);
        assert_eq!(distinct, [(0, vec![7]), (1, vec![8, 9]), (2, vec![7, 8])]);
        assert_eq!(order, [0, 1, 0, 2, 1]);
    }

    #[test]
    fn vectors_have_length_one() {
        // EM4, EM5
        let close = |vector: &[f32], dimensions, expected: &[f32]| {
            let scaled = unit(vector.to_vec(), dimensions).unwrap();
            assert_eq!(scaled.len(), expected.len());
            assert!(scaled.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{scaled:?}");
        };
        close(&[3.0, 4.0, 12.0], 3, &[3.0 / 13.0, 4.0 / 13.0, 12.0 / 13.0]);
        close(&[3.0, 4.0, 12.0], 2, &[0.6, 0.8]);
        close(&[1e30, 0.0], 2, &[1.0, 0.0]);
        assert_eq!(unit(vec![0.0, 0.0], 2).unwrap(), [0.0, 0.0]);
        assert_eq!(unit(vec![f32::NAN, 0.0], 2).unwrap_err().kind(), ErrorKind::Internal);
    }
}
