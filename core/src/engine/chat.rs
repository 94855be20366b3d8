//! Chat completions as typed calls.

use super::Engine;
use crate::api::chat::CreateChatCompletionRequest;
use crate::api::chat_reply::ChatCompletion;
use crate::api::error::Result;
use crate::chat::keep::Keep;
use crate::chat::{self, ChatCompletionStream, PendingChatCompletion, ReplyHead};

/// The path of chat completions.
pub(crate) const CHAT_COMPLETIONS: &str = "/v1/chat/completions";

/// Chat completions of an [`Engine`].
#[derive(Debug, Clone, Copy)]
pub struct Chat<'a> {
    pub(crate) engine: &'a Engine,
}

impl Chat<'_> {
    /// Answers a conversation. Blocks until the answer is complete, whatever the
    /// request's `stream` says.
    ///
    /// # Errors
    ///
    /// The API's errors: `InvalidRequest`, `NotFound` for an unknown model,
    /// `RateLimit` when the queue is full.
    pub fn create(&self, request: &CreateChatCompletionRequest) -> Result<ChatCompletion> {
        request.validate()?;
        if let Some(reply) = self.engine.remote(CHAT_COMPLETIONS, request) {
            return reply;
        }
        self.submit(request)?.wait()
    }

    /// Answers a conversation piece by piece, as it is generated, whatever the
    /// request's `stream` says.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create).
    ///
    /// ```no_run
    /// # use zerohop::types::{ChatCompletionMessage, CreateChatCompletionRequest};
    /// # let engine = zerohop::Engine::builder().model("chat", "qwen.gguf").build()?;
    /// # let request = CreateChatCompletionRequest::new("chat", [ChatCompletionMessage::user("Hi")]);
    /// for chunk in engine.chat().create_stream(&request)? {
    ///     print!("{}", chunk?.text().unwrap_or_default());
    /// }
    /// # Ok::<(), zerohop::Error>(())
    /// ```
    pub fn create_stream(&self, request: &CreateChatCompletionRequest) -> Result<ChatCompletionStream> {
        request.validate()?;
        if let Some(events) = self.engine.remote_events(CHAT_COMPLETIONS, request) {
            return ChatCompletionStream::of_worker(events?);
        }
        self.submit_stream(request)
    }

    /// Starts a validated request that is answered piece by piece.
    pub(crate) fn submit_stream(self, request: &CreateChatCompletionRequest) -> Result<ChatCompletionStream> {
        self.engine.in_call("chat", &request.model, || {
            let served = self.engine.served(&request.model)?;
            let submission = chat::submit(served.model()?, served.generator()?, request)?;
            let usage = request.stream_options.as_ref().and_then(|options| options.include_usage).unwrap_or(false);
            let keep = Keep::of(self.engine.store(), request);
            Ok(ChatCompletionStream::new(ReplyHead::new(request, served.fingerprint()), submission, usage, keep))
        })
    }

    /// Starts a validated request that is answered as a whole.
    pub(crate) fn submit(self, request: &CreateChatCompletionRequest) -> Result<PendingChatCompletion> {
        self.engine.in_call("chat", &request.model, || {
            let served = self.engine.served(&request.model)?;
            let submission = chat::submit(served.model()?, served.generator()?, request)?;
            let keep = Keep::of(self.engine.store(), request);
            Ok(PendingChatCompletion::new(ReplyHead::new(request, served.fingerprint()), submission, keep))
        })
    }

    /// How many tokens the prompt of a validated request is, and how many prompt and answer may be.
    pub(crate) fn prompt_tokens(self, request: &CreateChatCompletionRequest) -> Result<(usize, usize)> {
        let served = self.engine.served(&request.model)?;
        let generator = served.generator()?;
        Ok((chat::prompt(served.model()?, request)?.tokens.len(), generator.context_length()))
    }
}
