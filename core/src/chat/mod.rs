//! Chat completions: a request's way to the scheduler and its answer's way back.
//!
//! `request -> prompt tokens -> generate -> message or chunks`.

mod assemble;
mod custom_tool;
mod mark;
mod output;
mod prompt;
mod stream;

use crate::api::chat::CreateChatCompletionRequest;
use crate::api::error::{Error, Result};
use crate::backend::{TemplateMessage, TemplateRequest};
use crate::generate::{EventReceiver, GenerationRequest, Generator, Sampling};
use crate::model::LoadedModel;

pub(crate) use assemble::{PendingChatCompletion, ReplyHead};
pub use stream::{ChatCompletionAsyncStream, ChatCompletionStream};

/// The default of `min_p`: cuts the tail of improbable tokens that makes small
/// models stumble at OpenAI's default temperature of 1.
const DEFAULT_MIN_P: f32 = 0.05;

/// Hands a validated request to the scheduler.
pub(crate) fn submit(
    model: &LoadedModel,
    generator: &Generator,
    request: &CreateChatCompletionRequest,
) -> Result<EventReceiver> {
    let context_length = generator.context_length();
    let messages: Vec<TemplateMessage> = request.messages.iter().map(prompt::template_message).collect();
    let prompt = prompt::prompt(model, &TemplateRequest::new(&messages), context_length)?.tokens;
    let max_tokens = request.token_limit().map(|limit| limit as usize);
    // Without a limit the answer may fill the context (CQ8), so one token of
    // room is enough.
    if prompt.len() + max_tokens.unwrap_or(1) > context_length {
        return Err(prompt::context_exceeded(context_length, prompt.len(), max_tokens));
    }
    generator.submit(GenerationRequest {
        prompt,
        max_tokens,
        sampling: sampling(request)?,
        stops: request.stop.as_ref().map(|stop| stop.as_slice().to_vec()).unwrap_or_default(),
    })
}

fn sampling(request: &CreateChatCompletionRequest) -> Result<Sampling> {
    let seed = match request.seed {
        Some(seed) => seed.cast_unsigned(),
        None => getrandom::u64()
            .map_err(|error| Error::internal("the system gives no random numbers").with_source(error))?,
    };
    Ok(Sampling {
        temperature: request.temperature.unwrap_or(1.0),
        top_k: request.ext.top_k.unwrap_or(0) as usize,
        top_p: request.top_p.unwrap_or(1.0),
        min_p: request.ext.min_p.unwrap_or(DEFAULT_MIN_P),
        seed,
    })
}
