//! Messages to prompt tokens, through the model's own chat template.

use std::borrow::Cow;

use super::{mark, output};
use crate::api::content::{ChatCompletionMessage, ContentPart, MessageContent};
use crate::api::error::{Error, ErrorKind, Result};
use crate::backend::{Rendered, TemplateMessage, TemplateRequest, TemplateTool, Templates, Token};
use crate::model::{ControlSpellings, LoadedModel};

/// A prompt as tokens, and how its answer is to be read.
#[derive(Debug)]
pub(super) struct Prompt {
    pub(super) tokens: Vec<Token>,
    pub(super) rendered: Rendered,
}

/// The prompt of a conversation.
///
/// # Errors
///
/// `InvalidRequest` with `param` `messages` when the template refuses the
/// conversation or the prompt leaves no room for an answer (CQ20), and with
/// `param` `tools` when the template knows no tools.
pub(super) fn prompt(model: &LoadedModel, request: &TemplateRequest<'_>, context_length: usize) -> Result<Prompt> {
    let templates = model.templates.as_ref().ok_or_else(|| {
        Error::new(
            ErrorKind::InvalidRequest,
            format!(
                "the model '{}' has no chat template; give one with the chat_template option or use a chat model",
                model.info.id
            ),
        )
        .with_param("model")
    })?;
    if !request.tools.is_empty() && !templates.abilities(true)?.supports_tools {
        return Err(Error::invalid(
            "tools",
            format!(
                "the chat template of the model '{}' knows no tools; use another model, or describe them in a message",
                model.info.id
            ),
        ));
    }
    let rendered = render(templates, &model.control_spellings, request)?;

    let vocab = model.backend.vocab();
    // Known without tokenising, which takes time and stack with the text's length.
    let at_least = rendered.prompt.len() / vocab.longest_piece().max(1);
    if at_least > context_length {
        return Err(context_exceeded(context_length, at_least, None));
    }
    let mut tokens: Vec<Token> = vocab.bos().into_iter().collect();
    tokens.extend(vocab.tokenize(&model.control_spellings.spans(&rendered.prompt))?);
    Ok(Prompt { tokens, rendered })
}

/// Applies the template to what a caller wrote, with the control spellings in it marked.
fn render(templates: &Templates, spellings: &ControlSpellings, request: &TemplateRequest<'_>) -> Result<Rendered> {
    let messages: Vec<TemplateMessage> =
        request.messages.iter().map(|message| mark::message(spellings, message)).collect();
    let tools: Vec<TemplateTool> = request.tools.iter().map(|tool| mark::tool(spellings, tool)).collect();
    let mut rendered = templates.apply(&TemplateRequest {
        messages: &messages,
        tools: &tools,
        kwargs: mark::kwargs(spellings, &request.kwargs),
        ..request.clone()
    })?;
    output::narrow(&mut rendered)?;
    Ok(rendered)
}

/// A message of a request, as templates take it.
pub(super) fn template_message(message: &ChatCompletionMessage) -> TemplateMessage {
    TemplateMessage::new(message.role, message_text(message))
}

/// The text of a message. Parts are lines of their own, as llama.cpp joins them
/// for templates that know only strings.
fn message_text(message: &ChatCompletionMessage) -> Cow<'_, str> {
    match (&message.content, &message.refusal) {
        (Some(MessageContent::Text(text)), _) => Cow::Borrowed(text),
        (Some(MessageContent::Parts(parts)), _) => {
            let texts: Vec<&str> = parts.iter().filter_map(part_text).collect();
            Cow::Owned(texts.join("\n"))
        }
        (None, refusal) => Cow::Borrowed(refusal.as_deref().unwrap_or_default()),
    }
}

/// Validation lets no other kinds of parts through for a text model.
fn part_text(part: &ContentPart) -> Option<&str> {
    match part {
        ContentPart::Text { text } => Some(text),
        ContentPart::Refusal { refusal } => Some(refusal),
        _ => None,
    }
}

/// The error of a request that does not fit the context (CQ20).
pub(super) fn context_exceeded(context_length: usize, prompt: usize, answer: Option<usize>) -> Error {
    let request = match answer {
        Some(answer) => {
            format!("{} tokens ({prompt} in the messages, {answer} in the completion)", prompt + answer)
        }
        None => format!("{prompt} tokens"),
    };
    Error::invalid(
        "messages",
        format!(
            "this model's context length is {context_length} tokens, but the request needs {request}; shorten the \
             messages, ask for fewer completion tokens, or load the model with a larger context_length"
        ),
    )
    .with_code("context_length_exceeded")
}
