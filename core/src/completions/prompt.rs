//! Prompts to tokens (CO2, CO6).

use crate::api::completions::{CompletionPrompt, CreateCompletionRequest};
use crate::api::error::{Error, Result};
use crate::backend::{FillIn, Span, Token, Vocab};
use crate::model::LoadedModel;

/// A prompt as the model gets it.
#[derive(Debug)]
pub(super) struct Prompt {
    pub(super) tokens: Vec<Token>,
    /// What is shown of it.
    pub(super) text: String,
}

/// The request's prompts, at least one.
///
/// # Errors
///
/// A 400 for a token that does not exist, for a prompt that leaves no room for an answer, and for a
/// `suffix` where the model cannot fill in.
pub(super) fn prompts(
    model: &LoadedModel,
    request: &CreateCompletionRequest,
    context_length: usize,
) -> Result<Vec<Prompt>> {
    let vocab = model.backend.vocab();
    let gap = request.gap().map(|suffix| Gap::new(model, suffix, context_length)).transpose()?;
    let empty = CompletionPrompt::Text(String::new());
    let prompt = request.prompt.as_ref().unwrap_or(&empty);
    let room = Room { context_length, answer: request.max_tokens.map(|tokens| tokens as usize) };
    let path = |index| prompt.path(index);
    let mut prompts = match prompt {
        CompletionPrompt::Text(text) => of_texts(vocab, std::slice::from_ref(text), gap.is_some(), &room, path)?,
        CompletionPrompt::Texts(texts) => of_texts(vocab, texts, gap.is_some(), &room, path)?,
        CompletionPrompt::Tokens(tokens) => vec![of_tokens(vocab, tokens, || path(0))?],
        CompletionPrompt::TokenLists(lists) => lists
            .iter()
            .enumerate()
            .map(|(index, tokens)| of_tokens(vocab, tokens, || path(index)))
            .collect::<Result<_>>()?,
    };
    for (index, Prompt { tokens, .. }) in prompts.iter_mut().enumerate() {
        if let Some(gap) = &gap {
            gap.put_around(tokens);
        }
        let is_text = matches!(prompt, CompletionPrompt::Text(_) | CompletionPrompt::Texts(_));
        if is_text && let Some(bos) = vocab.bos().filter(|bos| tokens.first() != Some(bos)) {
            tokens.insert(0, bos);
        }
        if tokens.is_empty() {
            let start = vocab.document_start();
            tokens.push(start.ok_or_else(|| {
                Error::invalid(path(index), "this model's vocabulary has no token to begin a text with")
            })?);
        }
        room.check(tokens.len(), || path(index))?;
    }
    Ok(prompts)
}

fn of_texts(
    vocab: &Vocab,
    texts: &[String],
    has_gap: bool,
    room: &Room,
    path: impl Fn(usize) -> String,
) -> Result<Vec<Prompt>> {
    for (index, text) in texts.iter().enumerate() {
        room.check(vocab.least_tokens(text.len()), || path(index))?;
    }
    // What is around a gap is somebody's file, in which such spellings mean themselves.
    let spans: Vec<Span<'_>> = texts.iter().map(|text| Span { text, parse_special: !has_gap }).collect();
    let tokens = vocab.tokenize_each(&spans).map_err(at_prompt)?;
    Ok(tokens.into_iter().zip(texts).map(|(tokens, text)| Prompt { tokens, text: text.clone() }).collect())
}

fn of_tokens(vocab: &Vocab, tokens: &[u32], path: impl Fn() -> String) -> Result<Prompt> {
    let tokens = tokens.iter().map(|&token| vocab.known(token, &path)).collect::<Result<Vec<_>>>()?;
    let bytes: Vec<u8> = tokens.iter().flat_map(|&token| vocab.spelling(token)).copied().collect();
    Ok(Prompt { tokens, text: String::from_utf8_lossy(&bytes).into_owned() })
}

/// Other requests have their text in `messages`.
pub(super) fn at_prompt(error: Error) -> Error {
    if error.param() == Some("messages") { error.with_param("prompt") } else { error }
}

/// The room that there is for a prompt.
struct Room {
    context_length: usize,
    /// The tokens that the request wants after it, if it says so.
    answer: Option<usize>,
}

impl Room {
    fn check(&self, prompt: usize, path: impl FnOnce() -> String) -> Result<()> {
        let &Room { context_length, answer } = self;
        if prompt + answer.unwrap_or(1) <= context_length {
            return Ok(());
        }
        let request = match answer {
            Some(answer) => format!("{} tokens ({prompt} in the prompt, {answer} in the completion)", prompt + answer),
            None => format!("{prompt} tokens in the prompt alone"),
        };
        let message = format!(
            "this model's context length is {context_length} tokens, but the request needs {request}; shorten the \
             prompt, ask for fewer tokens, or load the model with a larger context_length"
        );
        Err(Error::invalid(path(), message).with_code("context_length_exceeded"))
    }
}

/// What stands around a text whose rest is to be filled in (CO6).
struct Gap {
    marks: FillIn,
    suffix: Vec<Token>,
}

impl Gap {
    fn new(model: &LoadedModel, suffix: &str, context_length: usize) -> Result<Self> {
        let vocab = model.backend.vocab();
        let marks = vocab.fill_in().ok_or_else(|| {
            let message = format!(
                "the model '{}' cannot fill in text: its vocabulary has no tokens for that; use a model that has, \
                 a coder for example",
                model.info.id
            );
            Error::invalid("suffix", message)
        })?;
        Room { context_length, answer: None }.check(vocab.least_tokens(suffix.len()), || "suffix".to_owned())?;
        let suffix = vocab.tokenize(&[Span { text: suffix, parse_special: false }]).map_err(at_prompt)?;
        Ok(Gap { marks, suffix })
    }

    fn put_around(&self, prefix: &mut Vec<Token>) {
        let Gap { marks, suffix } = self;
        prefix.insert(0, marks.prefix);
        prefix.push(marks.suffix);
        prefix.extend_from_slice(suffix);
        prefix.push(marks.middle);
    }
}
