//! A response in events, or as a whole.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use futures_core::Stream;

use super::build::Builder;
use super::keep::Keep;
use super::translate::renamed_option;
use crate::api::error::{Error, Result};
use crate::api::responses::event::ResponseStreamEvent;
use crate::api::responses::reply::Response;
use crate::cancel::CancelHandle;
use crate::chat::ChatCompletionStream;
use crate::isolate::{Chunks, Streamed};
use crate::router::EventStream;
use crate::wait::{Wait, block};

/// The events of one streamed response, as they are generated.
///
/// Iterating blocks until the next event is there; [`into_stream`](Self::into_stream) does not. The
/// last event has the whole response, unless the stream is cancelled or the engine closed, which is an
/// error. Dropping it stops the generation at its next step, and then nothing is kept.
#[derive(Debug)]
pub struct ResponseStream(Streamed<GeneratedEvents>);

/// Events from the tokens that a model generates here.
#[derive(Debug)]
pub(super) struct GeneratedEvents {
    /// `None` once the generation has ended.
    chunks: Option<ChatCompletionStream>,
    cancel: CancelHandle,
    builder: Builder,
    keep: Option<Keep>,
}

impl ResponseStream {
    pub(super) fn new(events: GeneratedEvents) -> Self {
        ResponseStream(Streamed::here(events))
    }

    /// The events of a worker process.
    pub(super) fn of_worker(events: EventStream) -> Result<Self> {
        Streamed::worker(events).map(ResponseStream)
    }

    /// The next event, waiting for it until `deadline`: [`Poll::Pending`] when that has passed,
    /// `Ready(None)` after the last event.
    pub fn next_until(&mut self, deadline: Instant) -> Poll<Option<Result<ResponseStreamEvent>>> {
        self.advance(&mut Wait::Until(deadline))
    }

    /// A handle that cancels the generation from another thread.
    pub fn cancel_handle(&self) -> CancelHandle {
        self.0.cancel_handle()
    }

    /// The same events for async code.
    pub fn into_stream(self) -> ResponseAsyncStream {
        ResponseAsyncStream(self)
    }

    pub(crate) fn advance(&mut self, wait: &mut Wait<'_, '_>) -> Poll<Option<Result<ResponseStreamEvent>>> {
        self.0.advance(wait)
    }
}

impl Chunks for GeneratedEvents {
    type Chunk = ResponseStreamEvent;

    fn cancel_handle(&self) -> CancelHandle {
        self.cancel.clone()
    }

    fn advance(&mut self, wait: &mut Wait<'_, '_>) -> Poll<Option<Result<ResponseStreamEvent>>> {
        loop {
            if let Some(event) = self.builder.pop() {
                return Poll::Ready(Some(Ok(event)));
            }
            match self.step(wait) {
                Poll::Ready(Some(Err(error))) if error.status().is_some() => self.builder.fail(&error),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl GeneratedEvents {
    pub(super) fn new(chunks: ChatCompletionStream, builder: Builder, keep: Option<Keep>) -> Self {
        GeneratedEvents { cancel: chunks.cancel_handle(), chunks: Some(chunks), builder, keep }
    }

    /// Takes one more chunk; gives the response when it was the last, and `None` after that.
    fn step(&mut self, wait: &mut Wait<'_, '_>) -> Poll<Option<Result<Option<Response>>>> {
        let Some(chunks) = &mut self.chunks else { return Poll::Ready(None) };
        match chunks.advance(wait) {
            Poll::Ready(Some(Ok(chunk))) => {
                self.builder.push(chunk);
                Poll::Ready(Some(Ok(None)))
            }
            Poll::Ready(Some(Err(error))) => {
                self.chunks = None;
                Poll::Ready(Some(Err(error.rename_param(renamed_option))))
            }
            Poll::Ready(None) => {
                self.chunks = None;
                let response = self.builder.finish();
                if let Some(keep) = self.keep.take() {
                    keep.keep(&response);
                }
                Poll::Ready(Some(Ok(Some(response))))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl Iterator for ResponseStream {
    type Item = Result<ResponseStreamEvent>;

    fn next(&mut self) -> Option<Self::Item> {
        block(|wait| self.advance(wait))
    }
}

/// The events of one streamed response, as an async stream. Runs on any executor and blocks no thread.
#[derive(Debug)]
pub struct ResponseAsyncStream(ResponseStream);

impl Stream for ResponseAsyncStream {
    type Item = Result<ResponseStreamEvent>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.advance(&mut Wait::Task(context))
    }
}

/// A whole response on its way: that of the last event. Dropping it cancels the request.
#[derive(Debug)]
pub(crate) struct PendingResponse(pub(super) GeneratedEvents);

impl PendingResponse {
    pub(crate) fn wait(mut self) -> Result<Response> {
        block(|wait| self.advance(wait))
    }

    /// The response, waiting for it as `wait` says. Must not be called again after it gave one.
    pub(crate) fn advance(&mut self, wait: &mut Wait<'_, '_>) -> Poll<Result<Response>> {
        loop {
            // Nobody wants the events.
            while self.0.builder.pop().is_some() {}
            match self.0.step(wait) {
                Poll::Ready(Some(Ok(None))) => {}
                Poll::Ready(Some(Ok(Some(response)))) => return Poll::Ready(Ok(response)),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
                Poll::Ready(None) => return Poll::Ready(Err(Error::internal("the response has been fetched already"))),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    pub(crate) fn cancel_handle(&self) -> CancelHandle {
        self.0.cancel_handle()
    }
}
