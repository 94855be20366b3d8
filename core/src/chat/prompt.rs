//! Messages to prompt tokens, through the model's own chat template.

use std::borrow::Cow;

use crate::api::content::{ContentPart, MessageContent};
use crate::api::error::{Error, ErrorKind, Result};
use crate::api::message::ChatCompletionMessage;
use crate::backend::{TemplateMessage, TemplateRequest, Token};
use crate::model::LoadedModel;

/// The prompt of a conversation, as tokens.
///
/// # Errors
///
/// `InvalidRequest` with `param` `messages` when the template refuses the
/// conversation or the prompt leaves no room for an answer (CQ20).
pub(super) fn prompt_tokens(
    model: &LoadedModel,
    messages: &[ChatCompletionMessage],
    context_length: usize,
) -> Result<Vec<Token>> {
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
    let messages: Vec<TemplateMessage> = messages
        .iter()
        .map(|message| TemplateMessage::new(message.role, model.control_spellings.mark(&message_text(message))))
        .collect();
    let prompt = templates.apply(&TemplateRequest::new(&messages))?.prompt;

    let vocab = model.backend.vocab();
    // Known without tokenising, which takes time and stack with the text's length.
    let at_least = prompt.len() / vocab.longest_piece().max(1);
    if at_least > context_length {
        return Err(context_exceeded(context_length, at_least, None));
    }
    let mut tokens: Vec<Token> = vocab.bos().into_iter().collect();
    tokens.extend(vocab.tokenize(&model.control_spellings.spans(&prompt))?);
    Ok(tokens)
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
