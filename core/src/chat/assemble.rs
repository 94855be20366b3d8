//! Generated text to the API's whole reply (CR1 to CR14).

use std::sync::Arc;
use std::task::Poll;

use uuid::Uuid;

use super::Submission;
use super::keep::Keep;
use super::message::{MessageBuilder, count};
use super::reader::{AnswerFormat, Reader};
use crate::api::chat::CreateChatCompletionRequest;
use crate::api::chat_chunk::{ChatCompletionChunk, ChatCompletionChunkObject, ChunkChoice};
use crate::api::chat_options::ServiceTier;
use crate::api::chat_reply::{ChatCompletion, ChatCompletionObject, Choice};
use crate::api::error::Result;
use crate::api::usage::CompletionUsage;
use crate::call::Call;
use crate::cancel::CancelHandle;
use crate::clock;
use crate::generate::{Event, EventReceiver, Finish, Progress};
use crate::wait::{Wait, block};

/// What a reply, or all chunks of a stream, have in common (CR1, CS2).
#[derive(Debug)]
pub(crate) struct ReplyHead {
    id: String,
    created: u64,
    model: String,
    service_tier: Option<ServiceTier>,
    system_fingerprint: String,
    /// Whether log probabilities were asked for.
    pub(super) logprobs: bool,
}

impl ReplyHead {
    pub(crate) fn new(request: &CreateChatCompletionRequest, system_fingerprint: &str) -> Self {
        let id = format!("chatcmpl-{}", Uuid::new_v4().simple());
        if let Some(call) = Call::current() {
            call.answered_by(&request.model, &id);
        }
        ReplyHead {
            id,
            created: clock::now(),
            model: request.model.clone(),
            service_tier: request.service_tier,
            system_fingerprint: system_fingerprint.to_owned(),
            logprobs: request.logprobs.unwrap_or(false),
        }
    }

    pub(super) fn completion(&self, choices: Vec<Choice>, usage: CompletionUsage) -> ChatCompletion {
        ChatCompletion {
            id: self.id.clone(),
            object: ChatCompletionObject::ChatCompletion,
            created: self.created,
            model: self.model.clone(),
            choices,
            usage,
            service_tier: self.service_tier,
            system_fingerprint: Some(self.system_fingerprint.clone()),
            metadata: None,
        }
    }

    /// A chunk without `usage`.
    pub(super) fn chunk(&self, choices: Vec<ChunkChoice>) -> ChatCompletionChunk {
        ChatCompletionChunk {
            id: self.id.clone(),
            object: ChatCompletionChunkObject::ChatCompletionChunk,
            created: self.created,
            model: self.model.clone(),
            choices,
            service_tier: self.service_tier,
            system_fingerprint: Some(self.system_fingerprint.clone()),
            usage: None,
        }
    }
}

/// A whole reply on its way. Dropping it cancels the request.
#[derive(Debug)]
pub(crate) struct PendingChatCompletion {
    head: ReplyHead,
    events: EventReceiver,
    format: Arc<AnswerFormat>,
    /// One for each choice.
    pending: Vec<PendingChoice>,
    finished: Vec<Choice>,
    usage: CompletionUsage,
    keep: Option<Keep>,
}

#[derive(Debug)]
struct PendingChoice {
    reader: Reader,
    message: MessageBuilder,
}

impl PendingChatCompletion {
    pub(crate) fn new(head: ReplyHead, submission: Submission, keep: Option<Keep>) -> Self {
        let Submission { events, format, choices } = submission;
        let pending =
            |_| PendingChoice { reader: Reader::new(format.clone(), false), message: MessageBuilder::default() };
        PendingChatCompletion {
            head,
            events,
            pending: (0..choices).map(pending).collect(),
            format,
            finished: Vec::new(),
            usage: CompletionUsage::default(),
            keep,
        }
    }

    pub(crate) fn wait(mut self) -> Result<ChatCompletion> {
        block(|wait| self.advance(wait))
    }

    /// The reply, waiting for it as `wait` says. Must not be called again after
    /// it gave one.
    pub(crate) fn advance(&mut self, wait: &mut Wait<'_, '_>) -> Poll<Result<ChatCompletion>> {
        loop {
            let event = match self.events.next(wait) {
                Poll::Ready(Ok(event)) => event,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(self.format.fault(error))),
                Poll::Pending => return Poll::Pending,
            };
            if let Err(error) = self.take(event) {
                return Poll::Ready(Err(error));
            }
            if self.finished.len() == self.pending.len() {
                let mut choices = std::mem::take(&mut self.finished);
                choices.sort_by_key(|choice| choice.index);
                let completion = self.head.completion(choices, std::mem::take(&mut self.usage));
                if let Some(keep) = self.keep.take() {
                    keep.keep(&completion);
                }
                return Poll::Ready(Ok(completion));
            }
        }
    }

    fn take(&mut self, event: Event) -> Result<()> {
        match event.progress {
            Progress::Text(text, logprobs) => {
                let PendingChoice { reader, message } = &mut self.pending[event.choice];
                reader.push(text, logprobs).into_iter().for_each(|delta| message.add(delta));
                Ok(())
            }
            // Chats do not ask for it.
            Progress::Scored(_) => Ok(()),
            Progress::Finished(finish) => self.finish(event.choice, &finish),
        }
    }

    fn finish(&mut self, choice: usize, finish: &Finish) -> Result<()> {
        let PendingChoice { reader, message } = &mut self.pending[choice];
        reader.finish(finish.reason).into_iter().for_each(|delta| message.add(delta));
        count(&mut self.usage, finish, reader.reasoning_tokens()?);
        let index = u32::try_from(choice).unwrap_or(u32::MAX);
        let choice = std::mem::take(message).into_choice(index, finish, reader, self.head.logprobs);
        self.events.note_finish(choice.finish_reason);
        self.finished.push(choice);
        Ok(())
    }

    pub(crate) fn cancel_handle(&self) -> CancelHandle {
        self.events.cancel_handle()
    }
}
