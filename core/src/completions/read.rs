//! Events to pieces of answers: whole answers and chunks are made from the same.

use std::sync::Arc;
use std::task::Poll;

use uuid::Uuid;

use super::form_param;
use super::logprobs::Lister;
use super::prompt::{Prompt, at_prompt};
use crate::api::chat_reply::FinishReason;
use crate::api::completions::CreateCompletionRequest;
use crate::api::completions_reply::{Completion, CompletionChoice, CompletionLogprobs, CompletionObject};
use crate::api::error::{Error, ErrorKind, Result};
use crate::api::usage::CompletionUsage;
use crate::backend;
use crate::cancel::CancelHandle;
use crate::clock;
use crate::generate::{Event, EventReceiver, Progress, StopReason, TokenLogprob};
use crate::model::LoadedModel;
use crate::wait::Wait;

/// What a reply, or all chunks of a stream, have in common (CO1).
#[derive(Debug)]
pub(super) struct ReplyHead {
    id: String,
    created: u64,
    model: String,
    system_fingerprint: String,
}

impl ReplyHead {
    pub(super) fn new(model: &str, system_fingerprint: &str) -> Self {
        ReplyHead {
            id: format!("cmpl-{}", Uuid::new_v4().simple()),
            created: clock::now(),
            model: model.to_owned(),
            system_fingerprint: system_fingerprint.to_owned(),
        }
    }
}

/// Reads the answers to one request.
#[derive(Debug)]
pub(super) struct Reading {
    head: ReplyHead,
    events: EventReceiver,
    /// Empty unless the answers begin with their prompts.
    echoes: Vec<Echo>,
    candidates: usize,
    answers: Vec<Answer>,
    has_logprobs: bool,
    /// The parameter that sets the text's form.
    form_param: &'static str,
    unfinished: usize,
    prompt_tokens: u32,
    cached_tokens: u32,
    completion_tokens: u32,
}

/// A prompt that is shown.
#[derive(Debug)]
struct Echo {
    prompt: Prompt,
    /// How likely its tokens were, if that is asked for; all but the first's.
    entries: Vec<TokenLogprob>,
    model: Arc<backend::Model>,
}

/// One answer, as far as it has come.
#[derive(Debug, Default)]
struct Answer {
    lister: Lister,
    has_begun: bool,
}

/// A piece of an answer.
#[derive(Debug)]
pub(super) struct Piece {
    /// The prompt's number, and which of the answers to it.
    pub(super) prompt: usize,
    pub(super) candidate: usize,
    pub(super) text: String,
    pub(super) logprobs: Option<CompletionLogprobs>,
    /// Why the answer has ended, and how likely its tokens were on average.
    pub(super) end: Option<(FinishReason, f64)>,
}

impl Reading {
    pub(super) fn new(
        head: ReplyHead,
        events: EventReceiver,
        request: &CreateCompletionRequest,
        prompts: Vec<Prompt>,
        model: &LoadedModel,
    ) -> Self {
        let candidates = request.candidates() as usize;
        let count = prompts.len() * candidates;
        let echo = |prompt| Echo { prompt, entries: Vec::new(), model: model.backend.clone() };
        let echoes = if request.echo == Some(true) { prompts.into_iter().map(echo).collect() } else { Vec::new() };
        Reading {
            head,
            events,
            echoes,
            candidates,
            answers: std::iter::repeat_with(Answer::default).take(count).collect(),
            has_logprobs: request.logprobs.is_some(),
            form_param: form_param(request),
            unfinished: count,
            prompt_tokens: 0,
            cached_tokens: 0,
            completion_tokens: 0,
        }
    }

    /// The next piece, waiting for it as `wait` says; `None` after the last.
    pub(super) fn next(&mut self, wait: &mut Wait<'_, '_>) -> Poll<Option<Result<Piece>>> {
        while self.unfinished > 0 {
            match self.events.next(wait) {
                Poll::Ready(Ok(event)) => {
                    if let Some(piece) = self.piece(event) {
                        return Poll::Ready(Some(Ok(piece)));
                    }
                }
                Poll::Ready(Err(error)) => {
                    self.unfinished = 0;
                    return Poll::Ready(Some(Err(self.fault(error))));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(None)
    }

    fn piece(&mut self, event: Event) -> Option<Piece> {
        let (prompt, candidate) = (event.choice / self.candidates, event.choice % self.candidates);
        let (text, entries, end) = match event.progress {
            Progress::Scored(entries) => {
                self.echoes[prompt].entries.extend(entries);
                return None;
            }
            Progress::Text(text, entries) => (text, Some(entries), None),
            Progress::Finished(finish) => {
                self.unfinished -= 1;
                let add = |sum: &mut u32, tokens| *sum = sum.saturating_add(u32::try_from(tokens).unwrap_or(u32::MAX));
                if candidate == 0 {
                    add(&mut self.prompt_tokens, finish.prompt_tokens);
                    add(&mut self.cached_tokens, finish.cached_tokens);
                }
                add(&mut self.completion_tokens, finish.completion_tokens);
                let reason = match finish.reason {
                    StopReason::Stop => FinishReason::Stop,
                    StopReason::Length => FinishReason::Length,
                };
                (String::new(), None, Some((self.events.note_finish(reason), finish.mean_logprob)))
            }
        };
        let mut piece = self.begin(event.choice);
        piece.text.push_str(&text);
        if let Some(entries) = entries.filter(|_| self.has_logprobs) {
            let lists = self.answers[event.choice].lister.list(entries);
            piece.logprobs.get_or_insert_default().extend(lists);
        }
        piece.end = end;
        Some(piece)
    }

    /// A piece with nothing in it; the first of an answer has the prompt, if that is shown.
    fn begin(&mut self, choice: usize) -> Piece {
        let (prompt, candidate) = (choice / self.candidates, choice % self.candidates);
        let mut piece = Piece { prompt, candidate, text: String::new(), logprobs: None, end: None };
        let Answer { lister, has_begun } = &mut self.answers[choice];
        let is_first = !std::mem::replace(has_begun, true);
        if let Some(Echo { prompt, entries, model }) = self.echoes.get(prompt).filter(|_| is_first) {
            piece.text.clone_from(&prompt.text);
            if self.has_logprobs {
                let vocab = model.vocab();
                piece.logprobs = Some(Lister::default().list_prompt(&prompt.tokens, &prompt.text, entries, vocab));
                *lister = Lister::after(&prompt.text);
            }
        }
        piece
    }

    /// A fault of the generation as the caller sees it: a grammar that turns out to be impossible, or too
    /// costly, is its parameter's fault (ER3).
    fn fault(&self, error: Error) -> Error {
        match (error.kind(), error.param()) {
            (ErrorKind::InvalidRequest, None) => error.with_param(self.form_param),
            _ => at_prompt(error),
        }
    }

    /// How many answers are generated for each prompt.
    pub(super) fn candidates(&self) -> usize {
        self.candidates
    }

    /// A reply or chunk without `usage`.
    pub(super) fn reply(&self, choices: Vec<CompletionChoice>) -> Completion {
        Completion {
            id: self.head.id.clone(),
            object: CompletionObject::TextCompletion,
            created: self.head.created,
            model: self.head.model.clone(),
            choices,
            usage: None,
            system_fingerprint: Some(self.head.system_fingerprint.clone()),
        }
    }

    /// The tokens of all prompts, and of all answers generated (CO7).
    pub(super) fn usage(&self) -> CompletionUsage {
        let mut usage = CompletionUsage::new(self.prompt_tokens, self.completion_tokens);
        usage.prompt_tokens_details.cached_tokens = self.cached_tokens;
        usage
    }

    pub(super) fn cancel_handle(&self) -> CancelHandle {
        self.events.cancel_handle()
    }
}
