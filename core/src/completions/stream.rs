//! A completion in chunks.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use futures_core::Stream;

use super::read::{Piece, Reading};
use crate::api::completions_reply::{Completion, CompletionChoice};
use crate::api::error::Result;
use crate::cancel::CancelHandle;
use crate::isolate::{Chunks, Streamed};
use crate::router::EventStream;
use crate::wait::{Wait, block};

/// The chunks of one streamed completion, as they are generated.
///
/// Iterating blocks until the next chunk is there; [`into_stream`](Self::into_stream) does not. The end
/// of the iterator is the end of the answer; an error is the last item. Dropping it stops the generation
/// at its next step.
#[derive(Debug)]
pub struct CompletionStream(Streamed<GeneratedChunks>);

/// Chunks from the tokens that a model generates here.
#[derive(Debug)]
struct GeneratedChunks {
    /// `None` after the last chunk.
    reading: Option<Reading>,
    cancel: CancelHandle,
    include_usage: bool,
}

impl CompletionStream {
    pub(super) fn new(reading: Reading, include_usage: bool) -> Self {
        let cancel = reading.cancel_handle();
        CompletionStream(Streamed::here(GeneratedChunks { cancel, reading: Some(reading), include_usage }))
    }

    /// The events of a worker process.
    pub(super) fn of_worker(events: EventStream) -> Result<Self> {
        Streamed::worker(events).map(CompletionStream)
    }

    /// The next chunk, waiting for it until `deadline`: [`Poll::Pending`] when that has passed,
    /// `Ready(None)` after the last chunk.
    pub fn next_until(&mut self, deadline: Instant) -> Poll<Option<Result<Completion>>> {
        self.advance(&mut Wait::Until(deadline))
    }

    /// A handle that cancels the generation from another thread.
    pub fn cancel_handle(&self) -> CancelHandle {
        self.0.cancel_handle()
    }

    /// The same chunks for async code.
    pub fn into_stream(self) -> CompletionAsyncStream {
        CompletionAsyncStream(self)
    }

    pub(crate) fn advance(&mut self, wait: &mut Wait<'_, '_>) -> Poll<Option<Result<Completion>>> {
        self.0.advance(wait)
    }
}

impl Chunks for GeneratedChunks {
    type Chunk = Completion;

    fn cancel_handle(&self) -> CancelHandle {
        self.cancel.clone()
    }

    fn advance(&mut self, wait: &mut Wait<'_, '_>) -> Poll<Option<Result<Completion>>> {
        let Some(reading) = &mut self.reading else { return Poll::Ready(None) };
        let Poll::Ready(next) = reading.next(wait) else { return Poll::Pending };
        let chunk = match next {
            Some(Ok(piece)) => {
                let mut chunk = reading.reply(vec![choice(piece, reading.candidates())]);
                chunk.usage = self.include_usage.then_some(None);
                return Poll::Ready(Some(Ok(chunk)));
            }
            Some(Err(error)) => Some(Err(error)),
            // CS5: after the choices' end, a chunk of its own.
            None if self.include_usage => {
                Some(Ok(Completion { usage: Some(Some(reading.usage())), ..reading.reply(Vec::new()) }))
            }
            None => None,
        };
        self.reading = None;
        Poll::Ready(chunk)
    }
}

/// A stream gives all answers that it generates (CO7).
fn choice(piece: Piece, candidates: usize) -> CompletionChoice {
    CompletionChoice {
        index: u32::try_from(piece.prompt * candidates + piece.candidate).unwrap_or(u32::MAX),
        text: piece.text,
        logprobs: piece.logprobs,
        finish_reason: piece.end.map(|(reason, _)| reason),
    }
}

impl Iterator for CompletionStream {
    type Item = Result<Completion>;

    fn next(&mut self) -> Option<Self::Item> {
        block(|wait| self.advance(wait))
    }
}

/// The chunks of one streamed completion, as an async stream. Runs on any executor and blocks no
/// thread.
#[derive(Debug)]
pub struct CompletionAsyncStream(CompletionStream);

impl Stream for CompletionAsyncStream {
    type Item = Result<Completion>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.advance(&mut Wait::Task(context))
    }
}
