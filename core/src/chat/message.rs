//! Deltas put together to a message, and the counts of a whole reply.

use super::reader::{Delta, Reader};
use crate::api::chat_reply::{ChatCompletionResponseMessage, Choice, FinishReason};
use crate::api::logprobs::{ChoiceLogprobs, TokenLogprob, TopLogprob};
use crate::api::tool_calls::{ChatCompletionMessageToolCall, FunctionCall};
use crate::api::usage::CompletionUsage;
use crate::generate::{self, Finish, StopReason};

/// A message on its way.
#[derive(Debug, Default)]
pub(super) struct MessageBuilder {
    content: String,
    reasoning: String,
    calls: Vec<Call>,
    logprobs: Vec<TokenLogprob>,
}

#[derive(Debug)]
struct Call {
    id: String,
    name: String,
    custom: bool,
    arguments: String,
}

impl MessageBuilder {
    pub(super) fn add(&mut self, delta: Delta) {
        match delta {
            Delta::Content(text, logprobs) => {
                self.content.push_str(&text);
                self.logprobs.extend(logprobs.into_iter().map(api_logprob));
            }
            Delta::Reasoning(text) => self.reasoning.push_str(&text),
            Delta::Call { id, name, custom, .. } => {
                self.calls.push(Call { id, name, custom, arguments: String::new() });
            }
            Delta::Arguments { index, text, .. } => {
                if let Some(call) = self.calls.get_mut(index) {
                    call.arguments.push_str(&text);
                }
            }
        }
    }

    /// The choice that the message is.
    pub(super) fn into_choice(self, index: u32, finish: &Finish, reader: &Reader, with_logprobs: bool) -> Choice {
        let (message, logprobs) = self.finish(reader.format().legacy);
        Choice {
            index,
            message,
            logprobs: choice_logprobs(with_logprobs, logprobs),
            finish_reason: finish_reason(finish, reader),
        }
    }

    /// The message (CR5, CR6), and the log probabilities of its content.
    pub(in crate::chat) fn finish(self, legacy: bool) -> (ChatCompletionResponseMessage, Vec<TokenLogprob>) {
        let has_other = !self.calls.is_empty() || !self.reasoning.is_empty();
        let content = if self.content.is_empty() && has_other { None } else { Some(self.content) };
        let mut message = ChatCompletionResponseMessage::new(content);
        message.reasoning_content = Some(self.reasoning).filter(|text| !text.is_empty());
        let mut calls = self.calls.into_iter();
        if legacy {
            message.function_call = calls.next().map(|call| FunctionCall::new(call.name, call.arguments));
        } else {
            let calls: Vec<_> = calls.map(Call::into_api).collect();
            message.tool_calls = Some(calls).filter(|calls| !calls.is_empty());
        }
        (message, self.logprobs)
    }
}

impl Call {
    fn into_api(self) -> ChatCompletionMessageToolCall {
        if self.custom {
            ChatCompletionMessageToolCall::custom(self.id, self.name, self.arguments)
        } else {
            ChatCompletionMessageToolCall::function(self.id, self.name, self.arguments)
        }
    }
}

/// CR3, CR4, TL8. A call that a stop text has cut is no whole call (TL7).
pub(super) fn finish_reason(finish: &Finish, reader: &Reader) -> FinishReason {
    match finish.reason {
        StopReason::Length => FinishReason::Length,
        StopReason::Stop if !reader.has_calls() => FinishReason::Stop,
        StopReason::Stop if reader.is_cut() => FinishReason::Length,
        StopReason::Stop if reader.format().legacy => FinishReason::FunctionCall,
        StopReason::Stop => FinishReason::ToolCalls,
    }
}

/// CR8: null unless asked for.
pub(super) fn choice_logprobs(wanted: bool, content: Vec<TokenLogprob>) -> Option<ChoiceLogprobs> {
    wanted.then_some(ChoiceLogprobs { content: Some(content), refusal: None })
}

/// CR9, CR10.
pub(super) fn api_logprob(entry: generate::TokenLogprob) -> TokenLogprob {
    let token = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let top =
        entry.top.into_iter().map(|(bytes, logprob)| TopLogprob { token: token(&bytes), logprob, bytes: Some(bytes) });
    TokenLogprob {
        token: token(&entry.bytes),
        logprob: entry.logprob,
        top_logprobs: top.collect(),
        bytes: Some(entry.bytes),
    }
}

/// Adds a finished choice to the counts of its request (CR12 to CR14).
pub(super) fn count(usage: &mut CompletionUsage, finish: &Finish, reasoning_tokens: usize) {
    let add = |sum: &mut u32, tokens: usize| *sum = sum.saturating_add(u32::try_from(tokens).unwrap_or(u32::MAX));
    usage.prompt_tokens = u32::try_from(finish.prompt_tokens).unwrap_or(u32::MAX);
    usage.prompt_tokens_details.cached_tokens =
        usage.prompt_tokens_details.cached_tokens.max(u32::try_from(finish.cached_tokens).unwrap_or(u32::MAX));
    usage.prompt_tokens_details.audio_tokens = u32::try_from(finish.audio_tokens).unwrap_or(u32::MAX);
    add(&mut usage.completion_tokens, finish.completion_tokens);
    usage.total_tokens = usage.prompt_tokens.saturating_add(usage.completion_tokens);
    let details = &mut usage.completion_tokens_details;
    // Retokenised, the thoughts may come out a token longer than they were.
    add(&mut details.reasoning_tokens, reasoning_tokens.min(finish.completion_tokens));
    add(&mut details.accepted_prediction_tokens, finish.accepted_prediction_tokens);
    add(&mut details.rejected_prediction_tokens, finish.rejected_prediction_tokens);
}
