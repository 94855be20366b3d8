//! Pieces to a whole answer.

use std::task::Poll;

use super::read::{Piece, Reading};
use crate::api::completions::{CompletionPrompt, CreateCompletionRequest};
use crate::api::completions_reply::{Completion, CompletionChoice, CompletionLogprobs};
use crate::api::error::Result;
use crate::cancel::CancelHandle;
use crate::wait::{Wait, block};

/// A whole reply on its way. Dropping it cancels the request.
#[derive(Debug)]
pub(crate) struct PendingCompletion {
    reading: Reading,
    /// How many of each prompt's answers are given.
    choices: usize,
    /// For each prompt, the answers to it.
    answers: Vec<Vec<Candidate>>,
}

/// An answer, one of those to choose from.
#[derive(Debug, Clone)]
struct Candidate {
    choice: CompletionChoice,
    mean_logprob: f64,
}

impl PendingCompletion {
    pub(super) fn new(reading: Reading, request: &CreateCompletionRequest) -> Self {
        let logprobs = request.logprobs.map(|_| CompletionLogprobs::default());
        let choice = CompletionChoice { index: 0, text: String::new(), logprobs, finish_reason: None };
        let candidates = vec![Candidate { choice, mean_logprob: 0.0 }; reading.candidates()];
        let answers = vec![candidates; request.prompt.as_ref().map_or(1, CompletionPrompt::len)];
        PendingCompletion { reading, choices: request.choices() as usize, answers }
    }

    pub(crate) fn wait(mut self) -> Result<Completion> {
        block(|wait| self.advance(wait))
    }

    /// The reply, waiting for it as `wait` says. Must not be called again after it gave one.
    pub(crate) fn advance(&mut self, wait: &mut Wait<'_, '_>) -> Poll<Result<Completion>> {
        loop {
            match self.reading.next(wait) {
                Poll::Ready(Some(Ok(piece))) => self.take(piece),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
                Poll::Ready(None) => return Poll::Ready(Ok(self.reply())),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn take(&mut self, piece: Piece) {
        let Candidate { choice, mean_logprob } = &mut self.answers[piece.prompt][piece.candidate];
        choice.text.push_str(&piece.text);
        if let (Some(lists), Some(more)) = (&mut choice.logprobs, piece.logprobs) {
            lists.extend(more);
        }
        if let Some((reason, mean)) = piece.end {
            choice.finish_reason = Some(reason);
            *mean_logprob = mean;
        }
    }

    fn reply(&mut self) -> Completion {
        let mut choices = Vec::new();
        for mut candidates in std::mem::take(&mut self.answers) {
            if candidates.len() > self.choices {
                // CO7
                candidates.sort_by(|a, b| b.mean_logprob.total_cmp(&a.mean_logprob));
            }
            choices.extend(candidates.into_iter().take(self.choices).map(|candidate| candidate.choice));
        }
        for (index, choice) in (0..).zip(&mut choices) {
            choice.index = index;
        }
        Completion { usage: Some(Some(self.reading.usage())), ..self.reading.reply(choices) }
    }

    pub(crate) fn cancel_handle(&self) -> CancelHandle {
        self.reading.cancel_handle()
    }
}
