//! Log probabilities of the chosen tokens, and of those that were likely instead
//! (CR8 to CR11).

use std::collections::VecDeque;

use crate::backend::{Token, Vocab};

/// What the API writes for a probability too small to tell (CR9).
const LEAST: f32 = -9999.0;

/// One token of the answer and how likely it was, before penalties, masks and
/// temperature.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TokenLogprob {
    pub(crate) bytes: Vec<u8>,
    pub(crate) logprob: f32,
    /// The likeliest tokens in its place, in descending order.
    pub(crate) top: Vec<(Vec<u8>, f32)>,
}

/// The model's distribution for one position, as far as the API shows it.
#[derive(Debug)]
pub(super) struct Distribution {
    max: f32,
    log_sum: f32,
    top: Vec<(Token, f32)>,
}

impl Distribution {
    /// Reads the `count` likeliest tokens and what normalises the logits.
    pub(super) fn read(logits: &[f32], count: usize) -> Self {
        let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = logits.iter().map(|&logit| f64::from((logit - max).exp())).sum();
        #[expect(clippy::cast_possible_truncation, reason = "a logarithm of at most the vocabulary's size")]
        let log_sum = sum.ln() as f32;
        Distribution { max, log_sum, top: likeliest(logits, count) }
    }

    fn logprob(&self, logit: f32) -> f32 {
        let logprob = logit - self.max - self.log_sum;
        // Rounding may leave a certain token a hair above 0.
        if logprob > LEAST { logprob.min(0.0) } else { LEAST }
    }

    /// The entry of a token, whose logit was `logit`.
    pub(super) fn entry(&self, token: Token, logit: f32, vocab: &Vocab) -> TokenLogprob {
        // Control tokens may be among the likeliest, so they are spelled out.
        let shown = |token| vocab.spelling(token).to_vec();
        let top = self.top.iter().map(|&(token, logit)| (shown(token), self.logprob(logit))).collect();
        TokenLogprob { bytes: shown(token), logprob: self.logprob(logit), top }
    }

    /// The entry of a token of the prompt, from the logits before it.
    pub(super) fn score(logits: &[f32], top: usize, token: Token, vocab: &Vocab) -> TokenLogprob {
        let logit = usize::try_from(token).ok().and_then(|index| logits.get(index).copied());
        Distribution::read(logits, top).entry(token, logit.unwrap_or(f32::NEG_INFINITY), vocab)
    }
}

/// The `count` likeliest tokens, in descending order. `count` is at most 20, so
/// that a sorted list beats a heap.
fn likeliest(logits: &[f32], count: usize) -> Vec<(Token, f32)> {
    let mut top: Vec<(Token, f32)> = Vec::with_capacity(count + 1);
    for (token, &logit) in (0..).zip(logits) {
        if top.len() == count && top.last().is_none_or(|&(_, least)| logit <= least) {
            continue;
        }
        let at = top.partition_point(|&(_, other)| other >= logit);
        top.insert(at, (token, logit));
        top.truncate(count);
    }
    top
}

/// Entries of tokens whose text was not let through yet (CS9).
#[derive(Debug, Default)]
pub(super) struct HeldLogprobs {
    entries: VecDeque<TokenLogprob>,
    /// Bytes of the first entry that were let through.
    shown: usize,
}

impl HeldLogprobs {
    pub(super) fn push(&mut self, entry: TokenLogprob) {
        self.entries.push_back(entry);
    }

    /// The entries of the tokens whose last byte is among the next `bytes` bytes
    /// of text.
    pub(super) fn release(&mut self, bytes: usize) -> Vec<TokenLogprob> {
        self.shown += bytes;
        let mut released = Vec::new();
        while let Some(first) = self.entries.front() {
            let Some(rest) = self.shown.checked_sub(first.bytes.len()) else { break };
            self.shown = rest;
            released.extend(self.entries.pop_front());
        }
        released
    }

    /// At the end: the token that was cut, as far as it is shown (CR10).
    pub(super) fn finish(&mut self) -> Option<TokenLogprob> {
        let mut cut = self.entries.pop_front().filter(|_| self.shown > 0)?;
        cut.bytes.truncate(self.shown);
        Some(cut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str) -> TokenLogprob {
        TokenLogprob { bytes: text.as_bytes().to_vec(), logprob: -1.0, top: Vec::new() }
    }

    #[test]
    fn probabilities_add_up_and_come_in_order() {
        // CR9
        let logits = [1.0, 3.0, 2.0, f32::NEG_INFINITY];
        let distribution = Distribution::read(&logits, 3);
        let tokens: Vec<Token> = distribution.top.iter().map(|&(token, _)| token).collect();
        assert_eq!(tokens, [1, 2, 0]);
        let sum: f32 = distribution.top.iter().map(|&(_, logit)| distribution.logprob(logit).exp()).sum();
        assert!((sum - 1.0).abs() < 1e-6);
        assert!((distribution.logprob(f32::NEG_INFINITY) - LEAST).abs() < f32::EPSILON);
        assert!(Distribution::read(&logits, 0).top.is_empty());
    }

    #[test]
    fn entries_follow_their_text() {
        // CS9: what a stop text may still cut is held back with its tokens.
        let mut held = HeldLogprobs::default();
        held.push(entry("ab"));
        assert!(held.release(1).is_empty());
        held.push(entry("c"));
        held.push(entry("END"));
        assert_eq!(held.release(2), [entry("ab"), entry("c")]);
        assert_eq!(held.finish(), None);
    }

    #[test]
    fn a_cut_token_keeps_the_bytes_that_are_shown() {
        // CR10
        let mut held = HeldLogprobs::default();
        held.push(entry("xEND"));
        assert!(held.release(1).is_empty());
        assert_eq!(held.finish(), Some(entry("x")));
    }
}
