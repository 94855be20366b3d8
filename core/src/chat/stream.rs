//! A chat completion in chunks (CS1 to CS8).

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use futures_core::Stream;

use super::assemble::{ReplyHead, finish_reason, usage};
use crate::api::chat_chunk::{ChatCompletionChunk, ChunkDelta};
use crate::api::chat_reply::FinishReason;
use crate::api::error::Result;
use crate::api::message::Role;
use crate::generate::{CancelHandle, Event, EventReceiver, Finish, Progress, Wait, block};

/// The chunks of one streamed chat completion, as they are generated.
///
/// Iterating blocks until the next chunk is there;
/// [`into_stream`](Self::into_stream) does not. The end of the iterator is the
/// end of the answer; an error is the last item. Dropping it stops the
/// generation at its next step (CS12).
#[derive(Debug)]
pub struct ChatCompletionStream {
    head: ReplyHead,
    /// `None` once the generation has ended.
    events: Option<EventReceiver>,
    cancel: CancelHandle,
    include_usage: bool,
    started: bool,
    ready: VecDeque<ChatCompletionChunk>,
}

impl ChatCompletionStream {
    pub(crate) fn new(head: ReplyHead, events: EventReceiver, include_usage: bool) -> Self {
        let cancel = events.cancel_handle();
        ChatCompletionStream {
            head,
            events: Some(events),
            cancel,
            include_usage,
            started: false,
            ready: VecDeque::new(),
        }
    }

    /// The next chunk, waiting for it until `deadline`: [`Poll::Pending`] when
    /// that has passed, `Ready(None)` after the last chunk.
    pub fn next_until(&mut self, deadline: Instant) -> Poll<Option<Result<ChatCompletionChunk>>> {
        self.advance(&mut Wait::Until(deadline))
    }

    /// A handle that cancels the generation from another thread.
    pub fn cancel_handle(&self) -> CancelHandle {
        self.cancel.clone()
    }

    /// The same chunks for async code.
    pub fn into_stream(self) -> ChatCompletionAsyncStream {
        ChatCompletionAsyncStream(self)
    }

    pub(crate) fn advance(&mut self, wait: &mut Wait<'_, '_>) -> Poll<Option<Result<ChatCompletionChunk>>> {
        loop {
            if let Some(chunk) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(chunk)));
            }
            let Some(events) = &self.events else { return Poll::Ready(None) };
            match events.next(wait) {
                Poll::Ready(Ok(event)) => self.assemble(event),
                Poll::Ready(Err(error)) => {
                    self.events = None;
                    return Poll::Ready(Some(Err(error)));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Turns one event into its chunks.
    fn assemble(&mut self, event: Event) {
        if !self.started {
            self.started = true;
            let delta =
                ChunkDelta { role: Some(Role::Assistant), content: Some(String::new()), ..ChunkDelta::default() };
            self.push(delta, None);
        }
        match event.progress {
            Progress::Text(text, _) => self.push(ChunkDelta { content: Some(text), ..ChunkDelta::default() }, None),
            Progress::Finished(finish) => self.finish(finish),
        }
    }

    fn finish(&mut self, finish: Finish) {
        self.events = None;
        self.push(ChunkDelta::default(), Some(finish_reason(&finish)));
        if self.include_usage {
            // CS5: after the choice's end, a chunk of its own.
            let mut chunk = self.head.chunk_of(Vec::new());
            chunk.usage = Some(Some(usage(&finish)));
            self.ready.push_back(chunk);
        }
    }

    fn push(&mut self, delta: ChunkDelta, finish_reason: Option<FinishReason>) {
        let mut chunk = self.head.chunk(delta, finish_reason);
        chunk.usage = self.include_usage.then_some(None);
        self.ready.push_back(chunk);
    }
}

impl Iterator for ChatCompletionStream {
    type Item = Result<ChatCompletionChunk>;

    fn next(&mut self) -> Option<Self::Item> {
        block(|wait| self.advance(wait))
    }
}

/// The chunks of one streamed chat completion, as an async stream. Runs on any
/// executor and blocks no thread.
#[derive(Debug)]
pub struct ChatCompletionAsyncStream(ChatCompletionStream);

impl Stream for ChatCompletionAsyncStream {
    type Item = Result<ChatCompletionChunk>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.advance(&mut Wait::Task(context))
    }
}
