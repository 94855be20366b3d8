//! A text in pieces.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use futures_core::Stream;

use super::feed::News;
use super::reply::{Hearing, Text, logprobs, token_usage};
use crate::api::audio_reply::{TranscriptionLogprob, TranscriptionStreamEvent};
use crate::api::error::Result;
use crate::cancel::CancelHandle;
use crate::isolate::{Chunks, Streamed};
use crate::router::EventStream;
use crate::wait::{Wait, block};

/// The pieces of one streamed transcription, as they are heard: the text of up to 30 seconds of audio each, and
/// the end (AU7).
///
/// Iterating blocks until the next piece is there; [`into_stream`](Self::into_stream) does not. The end of the
/// iterator is the end of the text; an error is the last item. Dropping it cancels the request.
#[derive(Debug)]
pub struct TranscriptionStream(Streamed<HeardPieces>);

/// Pieces that are heard here.
#[derive(Debug)]
pub(crate) struct HeardPieces {
    hearing: Hearing,
    text: Text,
    logprobs: Vec<TranscriptionLogprob>,
    written: usize,
    ended: bool,
}

impl TranscriptionStream {
    pub(crate) fn new(hearing: Hearing) -> Self {
        let (text, logprobs) = (Text::default(), Vec::new());
        TranscriptionStream(Streamed::here(HeardPieces { hearing, text, logprobs, written: 0, ended: false }))
    }

    /// The events of a worker process.
    pub(crate) fn of_worker(events: EventStream) -> Result<Self> {
        Streamed::worker(events).map(TranscriptionStream)
    }

    /// How much of the audio has been heard and how long it is, both in seconds; the length is unknown for some
    /// files, and both are when a worker process hears it.
    pub fn progress(&self) -> Option<(f64, Option<f64>)> {
        match &self.0 {
            Streamed::Here(pieces) => Some(pieces.hearing.source.progress()),
            Streamed::Worker(..) => None,
        }
    }

    /// The next piece, waiting for it until `deadline`: [`Poll::Pending`] when that has passed,
    /// `Ready(None)` after the last.
    pub fn next_until(&mut self, deadline: Instant) -> Poll<Option<Result<TranscriptionStreamEvent>>> {
        self.advance(&mut Wait::Until(deadline))
    }

    /// A handle that cancels the request from another thread.
    pub fn cancel_handle(&self) -> CancelHandle {
        self.0.cancel_handle()
    }

    /// The same pieces for async code.
    pub fn into_stream(self) -> TranscriptionAsyncStream {
        TranscriptionAsyncStream(self)
    }

    pub(crate) fn advance(&mut self, wait: &mut Wait<'_, '_>) -> Poll<Option<Result<TranscriptionStreamEvent>>> {
        self.0.advance(wait)
    }
}

impl Chunks for HeardPieces {
    type Chunk = TranscriptionStreamEvent;

    fn cancel_handle(&self) -> CancelHandle {
        self.hearing.source.cancel_handle()
    }

    fn advance(&mut self, wait: &mut Wait<'_, '_>) -> Poll<Option<Result<TranscriptionStreamEvent>>> {
        loop {
            if self.ended {
                return Poll::Ready(None);
            }
            let Poll::Ready(news) = self.hearing.source.advance(wait) else { return Poll::Pending };
            let wanted = self.hearing.reply.logprobs;
            match news {
                Ok(News::Piece(piece)) => {
                    let delta: String = piece.segments.iter().map(|segment| self.text.push(&segment.text)).collect();
                    let tokens = logprobs(piece.segments);
                    self.written += tokens.len();
                    let tokens = wanted.then_some(tokens);
                    self.logprobs.extend(tokens.iter().flatten().cloned());
                    if !delta.is_empty() {
                        return Poll::Ready(Some(Ok(TranscriptionStreamEvent::Delta { delta, logprobs: tokens })));
                    }
                }
                Ok(News::End(end)) => {
                    self.ended = true;
                    return Poll::Ready(Some(Ok(TranscriptionStreamEvent::Done {
                        text: std::mem::take(&mut self.text).into_whole(),
                        logprobs: wanted.then(|| std::mem::take(&mut self.logprobs)),
                        usage: end.usage.clone().unwrap_or_else(|| token_usage(&end, self.written)),
                    })));
                }
                Err(error) => {
                    self.ended = true;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }
}

impl Iterator for TranscriptionStream {
    type Item = Result<TranscriptionStreamEvent>;

    fn next(&mut self) -> Option<Self::Item> {
        block(|wait| self.advance(wait))
    }
}

/// The pieces of one streamed transcription, as an async stream. Runs on any executor and blocks no thread.
#[derive(Debug)]
pub struct TranscriptionAsyncStream(TranscriptionStream);

impl Stream for TranscriptionAsyncStream {
    type Item = Result<TranscriptionStreamEvent>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.advance(&mut Wait::Task(context))
    }
}
