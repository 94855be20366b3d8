//! Generated text to the API's message and chunks (CR1 to CR6, CS2 to CS6).

use std::task::Poll;
use std::time::{SystemTime, UNIX_EPOCH};

use uuid::Uuid;

use crate::api::chat::CreateChatCompletionRequest;
use crate::api::chat_chunk::{ChatCompletionChunk, ChatCompletionChunkObject, ChunkChoice, ChunkDelta};
use crate::api::chat_options::ServiceTier;
use crate::api::chat_reply::{
    ChatCompletion, ChatCompletionObject, ChatCompletionResponseMessage, Choice, FinishReason,
};
use crate::api::error::Result;
use crate::api::usage::CompletionUsage;
use crate::generate::{CancelHandle, EventReceiver, Finish, Progress, StopReason, Wait, block};

/// What a reply, or all chunks of a stream, have in common (CR1, CS2).
#[derive(Debug)]
pub(crate) struct ReplyHead {
    id: String,
    created: u64,
    model: String,
    service_tier: Option<ServiceTier>,
    system_fingerprint: String,
}

impl ReplyHead {
    pub(crate) fn new(request: &CreateChatCompletionRequest, system_fingerprint: &str) -> Self {
        ReplyHead {
            id: format!("chatcmpl-{}", Uuid::new_v4().simple()),
            created: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs()),
            model: request.model.clone(),
            service_tier: request.service_tier,
            system_fingerprint: system_fingerprint.to_owned(),
        }
    }

    fn completion(&self, text: String, finish: &Finish) -> ChatCompletion {
        ChatCompletion {
            id: self.id.clone(),
            object: ChatCompletionObject::ChatCompletion,
            created: self.created,
            model: self.model.clone(),
            choices: vec![Choice {
                index: 0,
                message: ChatCompletionResponseMessage::new(Some(text)),
                logprobs: None,
                finish_reason: finish_reason(finish),
            }],
            usage: usage(finish),
            service_tier: self.service_tier,
            system_fingerprint: Some(self.system_fingerprint.clone()),
        }
    }

    /// A chunk for the one choice.
    pub(super) fn chunk(&self, delta: ChunkDelta, finish_reason: Option<FinishReason>) -> ChatCompletionChunk {
        self.chunk_of(vec![ChunkChoice { index: 0, delta, logprobs: None, finish_reason }])
    }

    /// A chunk without `usage`.
    pub(super) fn chunk_of(&self, choices: Vec<ChunkChoice>) -> ChatCompletionChunk {
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
    text: String,
}

impl PendingChatCompletion {
    pub(crate) fn new(head: ReplyHead, events: EventReceiver) -> Self {
        PendingChatCompletion { head, events, text: String::new() }
    }

    pub(crate) fn wait(mut self) -> Result<ChatCompletion> {
        block(|wait| self.advance(wait))
    }

    /// The reply, waiting for it as `wait` says. Must not be called again after
    /// it gave one.
    pub(crate) fn advance(&mut self, wait: &mut Wait<'_, '_>) -> Poll<Result<ChatCompletion>> {
        loop {
            match self.events.next(wait).map_ok(|event| event.progress) {
                Poll::Ready(Ok(Progress::Text(text, _))) => self.text.push_str(&text),
                Poll::Ready(Ok(Progress::Finished(finish))) => {
                    let text = std::mem::take(&mut self.text);
                    return Poll::Ready(Ok(self.head.completion(text, &finish)));
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    pub(crate) fn cancel_handle(&self) -> CancelHandle {
        self.events.cancel_handle()
    }
}

/// CR3, CR4.
pub(super) fn finish_reason(finish: &Finish) -> FinishReason {
    match finish.reason {
        StopReason::Stop => FinishReason::Stop,
        StopReason::Length => FinishReason::Length,
    }
}

/// CR12.
pub(super) fn usage(finish: &Finish) -> CompletionUsage {
    let count = |tokens: usize| u32::try_from(tokens).unwrap_or(u32::MAX);
    CompletionUsage::new(count(finish.prompt_tokens), count(finish.completion_tokens))
}
