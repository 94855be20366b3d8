//! One choice's answer on its way out: text, log probabilities, counts.

use std::sync::Arc;

use super::Finish;
use super::StopReason;
use super::events::EventSender;
use super::logprobs::{HeldLogprobs, TokenLogprob};
use super::meter::Meter;
use super::text::{Pushed, TextStream};
use crate::api::error::Error;
use crate::backend::{Token, Vocab};

/// Turns accepted tokens into events.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) text: TextStream,
    pub(super) logprobs: HeldLogprobs,
    /// Control tokens that are shown as text, because they mark up the answer.
    pub(super) visible_controls: Arc<[Token]>,
    pub(super) events: EventSender,
}

impl Output {
    pub(super) fn is_cancelled(&self) -> bool {
        self.events.is_cancelled()
    }

    /// Takes a token that does not end the answer. Gives whether a stop text was
    /// met.
    pub(super) fn push(&mut self, token: Token, logprob: Option<TokenLogprob>, vocab: &Vocab) -> bool {
        let piece = self.shown(token, vocab);
        // A token without text, a control token say, has no entry (CR11).
        if let Some(entry) = logprob.filter(|_| !piece.is_empty()) {
            self.logprobs.push(entry);
        }
        let pushed = self.text.push(piece);
        let stopped = pushed.stopped;
        self.send(pushed);
        stopped
    }

    fn shown<'a>(&self, token: Token, vocab: &'a Vocab) -> &'a [u8] {
        match vocab.piece(token) {
            [] if self.visible_controls.contains(&token) => vocab.control_spelling(token).map_or(&[], str::as_bytes),
            piece => piece,
        }
    }

    fn send(&mut self, pushed: Pushed) {
        if !pushed.text.is_empty() {
            let logprobs = self.logprobs.release(pushed.bytes);
            self.events.text(pushed.text, logprobs);
        }
    }

    /// Sends what was held back in case that a stop text began in it.
    pub(super) fn send_held(&mut self) {
        let rest = self.text.finish();
        self.send(rest);
    }

    pub(super) fn finish(mut self, reason: StopReason, counts: Counts, meter: &Meter) {
        if let Some(cut) = self.logprobs.finish() {
            self.events.text(String::new(), vec![cut]);
        }
        let (accepted_prediction_tokens, rejected_prediction_tokens) = counts.prediction;
        let finish = Finish {
            reason,
            mean_logprob: counts.mean_logprob,
            prompt_tokens: counts.prompt,
            audio_tokens: counts.sound,
            cached_tokens: counts.reused,
            completion_tokens: counts.generated + rejected_prediction_tokens,
            accepted_prediction_tokens,
            rejected_prediction_tokens,
        };
        meter.finish(&finish);
        self.events.finish(finish);
    }

    pub(super) fn fail(self, error: Error) {
        self.events.fail(error);
    }
}

/// What a sequence counts of itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counts {
    pub(super) prompt: usize,
    /// Of the prompt's, those that are sound.
    pub(super) sound: usize,
    /// Of the prompt's, those that an earlier request had computed.
    pub(super) reused: usize,
    pub(super) generated: usize,
    pub(super) mean_logprob: f64,
    /// Accepted and rejected.
    pub(super) prediction: (usize, usize),
}
