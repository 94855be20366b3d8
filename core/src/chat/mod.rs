//! Chat completions: a request's way to the scheduler and its answer's way back.
//!
//! `request -> prompt and grammar -> generate -> deltas -> message or chunks`.

mod assemble;
mod bare_calls;
mod constraint;
mod content;
mod custom_input;
mod generic_tools;
pub(crate) mod keep;
mod mark;
mod message;
mod output;
mod prompt;
mod reader;
mod stream;
mod tools;

use std::sync::Arc;

use crate::api::chat::CreateChatCompletionRequest;
use crate::api::chat_options::Stop;
use crate::api::content::{ContentPart, MessageContent};
use crate::api::error::Result;
use crate::api::message::ChatCompletionMessage;
use crate::backend::{CallMode, OutputFormat, Rendered, Span, Token};
use crate::generate::{EventReceiver, GenerationRequest, Generator, Prompt};
use crate::model::LoadedModel;

pub(crate) use assemble::{PendingChatCompletion, ReplyHead};
pub(crate) use constraint::value_rule;
use prompt::Conversation;
use reader::{AnswerFormat, BareFormat};
pub use stream::{ChatCompletionAsyncStream, ChatCompletionStream};
use tools::Tools;

/// A request that the scheduler has taken on.
#[derive(Debug)]
pub(crate) struct Submission {
    events: EventReceiver,
    format: Arc<AnswerFormat>,
    choices: usize,
}

/// Hands a validated request to the scheduler.
pub(crate) fn submit(
    model: &LoadedModel,
    generator: &Generator,
    request: &CreateChatCompletionRequest,
) -> Result<Submission> {
    // What can never be answered is told so also when there is no room, but nothing is decoded in vain.
    let place = if has_media(request) { Some(generator.place()?) } else { None };
    let tools = Tools::of(model, request)?;
    let conversation = Conversation::new(model, request, &tools)?;
    let rendered = conversation.render(&tools, tools.call_mode)?;
    let context_length = generator.context_length();
    let prompt = conversation.tokens(&rendered.prompt, context_length)?;
    let max_tokens = request.token_limit().map(|limit| limit as usize);
    // Without a limit the answer may fill the context (CQ8), so one token of
    // room is enough.
    let prompt_tokens = prompt.tokens.len();
    if prompt_tokens + max_tokens.unwrap_or(1) > context_length {
        return Err(prompt::context_exceeded(context_length, prompt_tokens, max_tokens));
    }
    let grammar = constraint::grammar(model, request, &tools, &conversation, &rendered)?;
    let choices = request.n.unwrap_or(1) as usize;
    let params = request.sampling_params();
    let generation = GenerationRequest {
        prompt,
        choices,
        max_tokens,
        sampling: params.sampling()?,
        stops: stops(request, &rendered, tools.call_mode),
        penalties: params.penalties(model.backend.vocab())?,
        grammar,
        top_logprobs: request.logprobs.unwrap_or(false).then(|| request.top_logprobs.unwrap_or(0) as usize),
        scores_prompt: false,
        visible_controls: visible_controls(model, &rendered),
        prediction: prediction(model, request, context_length)?,
    };
    let place = place.map_or_else(|| generator.place(), Ok)?;
    let events = generator.submit(place, &generation)?;
    let format = Arc::new(answer_format(model, request, tools, conversation.describes_tools(), rendered.output)?);
    Ok(Submission { events, format, choices })
}

/// Whether there are images or sound in a request.
fn has_media(request: &CreateChatCompletionRequest) -> bool {
    let is_media = |part: &ContentPart| matches!(part, ContentPart::ImageUrl { .. } | ContentPart::InputAudio { .. });
    request.messages.iter().any(|message| match &message.content {
        Some(MessageContent::Parts(parts)) => parts.iter().any(is_media),
        _ => false,
    })
}

/// The prompt of a validated request.
pub(crate) fn prompt(model: &LoadedModel, request: &CreateChatCompletionRequest) -> Result<Prompt> {
    let tools = Tools::of(model, request)?;
    let conversation = Conversation::new(model, request, &tools)?;
    let rendered = conversation.render(&tools, tools.call_mode)?;
    conversation.tokens(&rendered.prompt, model.info.context_length as usize)
}

/// How the answers to a request are read. `has_markup` tells whether the template
/// has one for calls.
fn answer_format(
    model: &LoadedModel,
    request: &CreateChatCompletionRequest,
    tools: Tools,
    has_markup: bool,
    output: Option<OutputFormat>,
) -> Result<AnswerFormat> {
    Ok(AnswerFormat {
        param: constraint::param(request, &tools),
        parser: output.map(|output| output.parser),
        bare: bare_format(model, &tools, has_markup)?,
        custom_tools: tools.custom,
        legacy: tools.legacy,
        known_ids: request.messages.iter().flat_map(ChatCompletionMessage::call_ids).map(str::to_owned).collect(),
        model: Arc::downgrade(&model.backend),
    })
}

/// Where calls may come as plain JSON: beside the template's own markup only if the
/// model may choose, since it writes nothing else when it must.
fn bare_format(model: &LoadedModel, tools: &Tools, has_markup: bool) -> Result<Option<BareFormat>> {
    let json = match tools.call_mode {
        CallMode::None => return Ok(None),
        CallMode::Auto => true,
        CallMode::Required => !has_markup,
    };
    Ok(Some(BareFormat {
        tools: if json { tools.names() } else { Vec::new() },
        parameters: tools.parameters.clone(),
        raw: tools.raw.iter().map(|tool| tool.name.clone()).collect(),
        env: model.token_env()?.downgrade(),
    }))
}

/// The caller's stop texts, and those that end a turn in the template's markup.
/// The caller's are for text: they would cut a call that has to be whole (TL7).
fn stops(request: &CreateChatCompletionRequest, rendered: &Rendered, call_mode: CallMode) -> Vec<String> {
    let callers = request.stop.as_ref().filter(|_| call_mode != CallMode::Required).map(Stop::as_slice);
    let all = callers.unwrap_or_default().iter().chain(&rendered.additional_stops);
    all.filter(|stop| !stop.is_empty()).cloned().collect()
}

/// The control tokens that are part of the answer's markup.
fn visible_controls(model: &LoadedModel, rendered: &Rendered) -> Arc<[Token]> {
    if rendered.output.is_none() {
        return Arc::new([]);
    }
    let controls = model.backend.vocab().control_tokens().iter();
    controls.filter(|(_, text)| rendered.preserved_tokens.contains(text)).map(|(token, _)| *token).collect()
}

/// The text that the caller expects, as far as an answer can be long.
fn prediction(
    model: &LoadedModel,
    request: &CreateChatCompletionRequest,
    context_length: usize,
) -> Result<Option<Vec<Token>>> {
    let Some(prediction) = &request.prediction else { return Ok(None) };
    let vocab = model.backend.vocab();
    let mut text = prediction.text();
    let mut longest = context_length.saturating_mul(vocab.longest_piece()).min(text.len());
    while !text.is_char_boundary(longest) {
        longest -= 1;
    }
    text.truncate(longest);
    let mut tokens = vocab.tokenize(&[Span { text: &text, parse_special: false }])?;
    tokens.truncate(context_length);
    Ok(Some(tokens))
}
