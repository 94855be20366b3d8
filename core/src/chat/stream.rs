//! A chat completion in chunks (CS1 to CS15, TL10 to TL13).

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use futures_core::Stream;

use super::Submission;
use super::assemble::ReplyHead;
use super::keep::Keep;
use super::message::{MessageBuilder, api_logprob, choice_logprobs, count, finish_reason};
use super::reader::{AnswerFormat, Delta, Reader};
use crate::api::chat_chunk::{ChatCompletionChunk, ChunkChoice, ChunkDelta, FunctionCallDelta, ToolCallDelta};
use crate::api::chat_reply::{Choice, FinishReason};
use crate::api::error::Result;
use crate::api::logprobs::TokenLogprob;
use crate::api::message::Role;
use crate::api::usage::CompletionUsage;
use crate::cancel::CancelHandle;
use crate::generate::{Event, EventReceiver, Finish, Progress};
use crate::isolate::{Chunks, Streamed};
use crate::router::EventStream;
use crate::wait::{Wait, block};

/// The chunks of one streamed chat completion, as they are generated.
///
/// Iterating blocks until the next chunk is there;
/// [`into_stream`](Self::into_stream) does not. The end of the iterator is the
/// end of the answer; an error is the last item. Dropping it stops the
/// generation at its next step (CS12).
#[derive(Debug)]
pub struct ChatCompletionStream(Streamed<GeneratedChunks>);

/// Chunks from the tokens that a model generates here.
#[derive(Debug)]
struct GeneratedChunks {
    head: ReplyHead,
    /// `None` once the generation has ended.
    events: Option<EventReceiver>,
    cancel: CancelHandle,
    include_usage: bool,
    format: Arc<AnswerFormat>,
    choices: Vec<StreamedChoice>,
    /// Choices that have begun: their first chunks come in order (CS7).
    begun: usize,
    usage: CompletionUsage,
    ready: VecDeque<ChatCompletionChunk>,
    keep: Option<Keep>,
}

/// One choice of a stream.
#[derive(Debug)]
struct StreamedChoice {
    index: u32,
    reader: Reader,
    logprobs: bool,
    has_begun: bool,
    has_finished: bool,
    /// Chunks that wait for the first chunks of the choices before this one.
    waiting: Vec<ChunkChoice>,
    /// The whole message, if it is to be kept.
    message: Option<MessageBuilder>,
    /// The whole choice, once it has finished.
    kept: Option<Choice>,
}

impl ChatCompletionStream {
    pub(crate) fn new(head: ReplyHead, submission: Submission, include_usage: bool, keep: Option<Keep>) -> Self {
        ChatCompletionStream(Streamed::here(GeneratedChunks::new(head, submission, include_usage, keep)))
    }

    /// The events of a worker process.
    pub(crate) fn of_worker(events: EventStream) -> Result<Self> {
        Streamed::worker(events).map(ChatCompletionStream)
    }

    /// The next chunk, waiting for it until `deadline`: [`Poll::Pending`] when
    /// that has passed, `Ready(None)` after the last chunk.
    pub fn next_until(&mut self, deadline: Instant) -> Poll<Option<Result<ChatCompletionChunk>>> {
        self.advance(&mut Wait::Until(deadline))
    }

    /// A handle that cancels the generation from another thread.
    pub fn cancel_handle(&self) -> CancelHandle {
        self.0.cancel_handle()
    }

    /// The same chunks for async code.
    pub fn into_stream(self) -> ChatCompletionAsyncStream {
        ChatCompletionAsyncStream(self)
    }

    pub(crate) fn advance(&mut self, wait: &mut Wait<'_, '_>) -> Poll<Option<Result<ChatCompletionChunk>>> {
        self.0.advance(wait)
    }
}

impl Chunks for GeneratedChunks {
    type Chunk = ChatCompletionChunk;

    fn advance(&mut self, wait: &mut Wait<'_, '_>) -> Poll<Option<Result<ChatCompletionChunk>>> {
        loop {
            if let Some(chunk) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(chunk)));
            }
            let Some(events) = &self.events else { return Poll::Ready(None) };
            let assembled = match events.next(wait) {
                Poll::Ready(Ok(event)) => self.assemble(event),
                Poll::Ready(Err(error)) => Err(self.format.fault(error)),
                Poll::Pending => return Poll::Pending,
            };
            if let Err(error) = assembled {
                self.events = None;
                return Poll::Ready(Some(Err(error)));
            }
        }
    }

    fn cancel_handle(&self) -> CancelHandle {
        self.cancel.clone()
    }
}

impl GeneratedChunks {
    fn new(head: ReplyHead, submission: Submission, include_usage: bool, keep: Option<Keep>) -> Self {
        let Submission { events, format, choices } = submission;
        let logprobs = head.logprobs;
        let choice = |index| StreamedChoice {
            index: u32::try_from(index).unwrap_or(u32::MAX),
            reader: Reader::new(format.clone(), true),
            logprobs,
            has_begun: false,
            has_finished: false,
            waiting: Vec::new(),
            message: keep.is_some().then(MessageBuilder::default),
            kept: None,
        };
        GeneratedChunks {
            head,
            cancel: events.cancel_handle(),
            events: Some(events),
            include_usage,
            choices: (0..choices).map(choice).collect(),
            format,
            begun: 0,
            usage: CompletionUsage::default(),
            ready: VecDeque::new(),
            keep,
        }
    }

    /// Turns one event into its chunks.
    fn assemble(&mut self, event: Event) -> Result<()> {
        let choice = &mut self.choices[event.choice];
        match event.progress {
            Progress::Text(text, logprobs) => choice.push(text, logprobs),
            // Chats do not ask for it.
            Progress::Scored(_) => {}
            Progress::Finished(finish) => {
                let reason = choice.finish(&finish);
                if let Some(events) = &self.events {
                    events.note_finish(reason);
                }
                count(&mut self.usage, &finish, choice.reader.reasoning_tokens()?);
            }
        }
        self.release(event.choice);
        if self.choices.iter().all(|choice| choice.has_finished) {
            self.finish();
        }
        Ok(())
    }

    /// Lets a choice's chunks out, unless those before it have not begun.
    fn release(&mut self, choice: usize) {
        let first = choice.min(self.begun);
        for index in first..self.choices.len() {
            let choice = &mut self.choices[index];
            if index > self.begun || (index == self.begun && choice.waiting.is_empty()) {
                return;
            }
            self.begun = self.begun.max(index + 1);
            for waiting in std::mem::take(&mut choice.waiting) {
                let mut chunk = self.head.chunk(vec![waiting]);
                chunk.usage = self.include_usage.then_some(None);
                self.ready.push_back(chunk);
            }
        }
    }

    fn finish(&mut self) {
        self.events = None;
        if let Some(keep) = self.keep.take() {
            let choices = self.choices.iter_mut().filter_map(|choice| choice.kept.take()).collect();
            keep.keep(&self.head.completion(choices, self.usage.clone()));
        }
        if self.include_usage {
            // CS5: after the choices' end, a chunk of its own.
            let mut chunk = self.head.chunk(Vec::new());
            chunk.usage = Some(Some(std::mem::take(&mut self.usage)));
            self.ready.push_back(chunk);
        }
    }
}

impl StreamedChoice {
    fn push(&mut self, text: String, logprobs: Vec<crate::generate::TokenLogprob>) {
        for delta in self.reader.push(text, logprobs) {
            self.add(delta);
        }
    }

    fn finish(&mut self, finish: &Finish) -> FinishReason {
        for delta in self.reader.finish(finish.reason) {
            self.add(delta);
        }
        self.begin(ChunkDelta { content: Some(String::new()), ..ChunkDelta::default() });
        let reason = finish_reason(finish, &self.reader);
        self.wait(ChunkDelta::default(), Vec::new(), Some(reason));
        let message = self.message.take();
        self.kept = message.map(|message| message.into_choice(self.index, finish, &self.reader, self.logprobs));
        self.has_finished = true;
        reason
    }

    fn add(&mut self, delta: Delta) {
        if let Some(message) = &mut self.message {
            message.add(delta.clone());
        }
        // CS3. Content that begins later, or never, is null and not empty (CR6).
        let content = matches!(delta, Delta::Content(..)).then(String::new);
        self.begin(ChunkDelta { content, ..ChunkDelta::default() });
        match delta {
            Delta::Content(text, logprobs) => {
                let logprobs = logprobs.into_iter().map(api_logprob).collect();
                self.wait(ChunkDelta { content: Some(text), ..ChunkDelta::default() }, logprobs, None);
            }
            Delta::Reasoning(text) => {
                let delta = ChunkDelta { reasoning_content: Some(text), ..ChunkDelta::default() };
                self.wait(delta, Vec::new(), None);
            }
            Delta::Call { index, id, name, custom } => {
                let delta = self.call_delta(index, id, name, custom);
                self.wait(delta, Vec::new(), None);
            }
            Delta::Arguments { index, text, custom } => {
                let delta = self.arguments_delta(index, text, custom);
                self.wait(delta, Vec::new(), None);
            }
        }
    }

    /// A call's first fragment (TL10).
    fn call_delta(&self, index: usize, id: String, name: String, custom: bool) -> ChunkDelta {
        if self.reader.format().legacy {
            let call = FunctionCallDelta { name: Some(name), arguments: Some(String::new()) };
            return ChunkDelta { function_call: Some(call), ..ChunkDelta::default() };
        }
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        let call =
            if custom { ToolCallDelta::custom(index, id, name) } else { ToolCallDelta::function(index, id, name) };
        ChunkDelta { tool_calls: Some(vec![call]), ..ChunkDelta::default() }
    }

    fn arguments_delta(&self, index: usize, text: String, custom: bool) -> ChunkDelta {
        if self.reader.format().legacy {
            let call = FunctionCallDelta { name: None, arguments: Some(text) };
            return ChunkDelta { function_call: Some(call), ..ChunkDelta::default() };
        }
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        let call = if custom { ToolCallDelta::input(index, text) } else { ToolCallDelta::arguments(index, text) };
        ChunkDelta { tool_calls: Some(vec![call]), ..ChunkDelta::default() }
    }

    /// Puts the role into the first chunk, and only there (CS3).
    fn begin(&mut self, delta: ChunkDelta) {
        if !self.has_begun {
            self.has_begun = true;
            self.wait(ChunkDelta { role: Some(Role::Assistant), ..delta }, Vec::new(), None);
        }
    }

    fn wait(&mut self, delta: ChunkDelta, logprobs: Vec<TokenLogprob>, finish_reason: Option<FinishReason>) {
        // Only chunks with content tell of its tokens (CS9); the first says that
        // there are such.
        let tells = self.logprobs && (delta.content.is_some() || delta.role.is_some());
        let logprobs = choice_logprobs(tells, logprobs);
        self.waiting.push(ChunkChoice { index: self.index, delta, logprobs, finish_reason });
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
