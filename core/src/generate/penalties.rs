//! What changes logits before sampling: `logit_bias` and the penalties (CQ11).

use std::collections::{HashMap, HashSet};

use crate::backend::Token;
use crate::media::is_row;

/// Changes to the logits, as the request asks for them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Penalties {
    /// Added to the tokens' logits; minus infinity bans a token.
    pub(crate) bias: Vec<(Token, f32)>,
    /// Subtracted once for each time that a token was generated.
    pub(crate) frequency: f32,
    /// Subtracted once from every token that was generated.
    pub(crate) presence: f32,
    /// Divides the positive and multiplies the negative logits of every token in
    /// the prompt or the answer; 1 changes nothing.
    pub(crate) repeat: f32,
}

/// Biases from here on ban a token (CQ9 allows -100 to 100).
const BAN: f32 = -100.0;

/// One sequence's penalties and the tokens that they apply to.
#[derive(Debug)]
pub(super) struct Penalizer {
    penalties: Penalties,
    /// How often each token was generated; empty when nothing depends on it.
    generated: HashMap<Token, u32>,
    /// The tokens of prompt and answer; empty when nothing depends on it.
    seen: HashSet<Token>,
    /// The logits that the last [`apply`](Self::apply) changed, as they were.
    originals: Vec<(Token, f32)>,
}

impl Penalizer {
    pub(super) fn new(mut penalties: Penalties, prompt: &[Token]) -> Self {
        for (_, bias) in &mut penalties.bias {
            if *bias <= BAN {
                *bias = f32::NEG_INFINITY;
            }
        }
        let seen = if penalties.repeats() {
            prompt.iter().copied().filter(|token| !is_row(*token)).collect()
        } else {
            HashSet::new()
        };
        Penalizer { penalties, generated: HashMap::new(), seen, originals: Vec::new() }
    }

    /// Whether some tokens are banned.
    pub(super) fn bans(&self) -> bool {
        self.penalties.bias.iter().any(|(_, bias)| *bias == f32::NEG_INFINITY)
    }

    /// Notes a token of the answer.
    pub(super) fn count(&mut self, token: Token) {
        if self.penalties.counts() {
            *self.generated.entry(token).or_default() += 1;
        }
        if self.penalties.repeats() {
            self.seen.insert(token);
        }
    }

    /// Changes the logits. A bias is added last, so that it means the same
    /// whatever was generated.
    pub(super) fn apply(&mut self, logits: &mut [f32]) {
        let Penalizer { penalties, generated, seen, originals } = self;
        originals.clear();
        let mut change = |token: Token, to: &dyn Fn(f32) -> f32| {
            if let Some(logit) = usize::try_from(token).ok().and_then(|index| logits.get_mut(index)) {
                originals.push((token, *logit));
                *logit = to(*logit);
            }
        };
        for &token in &*seen {
            change(token, &|logit| if logit > 0.0 { logit / penalties.repeat } else { logit * penalties.repeat });
        }
        for (&token, &times) in &*generated {
            #[expect(clippy::cast_precision_loss, reason = "an answer has fewer than 2^24 tokens")]
            let penalty = penalties.presence + penalties.frequency * times as f32;
            change(token, &|logit| logit - penalty);
        }
        for &(token, bias) in &penalties.bias {
            change(token, &|logit| logit + bias);
        }
    }

    /// The logit of a token before [`apply`](Self::apply) changed it.
    pub(super) fn original(&self, token: Token, logits: &[f32]) -> f32 {
        let changed = self.originals.iter().find(|(other, _)| *other == token).map(|(_, logit)| *logit);
        let current = usize::try_from(token).ok().and_then(|index| logits.get(index).copied());
        changed.or(current).unwrap_or(f32::NEG_INFINITY)
    }
}

impl Penalties {
    /// Changes nothing.
    #[cfg(test)]
    pub(super) fn none() -> Self {
        Penalties { bias: Vec::new(), frequency: 0.0, presence: 0.0, repeat: 1.0 }
    }

    fn counts(&self) -> bool {
        self.frequency != 0.0 || self.presence != 0.0
    }

    #[expect(clippy::float_cmp, reason = "exactly 1 is what changes nothing")]
    fn repeats(&self) -> bool {
        self.repeat != 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(penalties: Penalties, prompt: &[Token], answer: &[Token]) -> Vec<f32> {
        let mut penalizer = Penalizer::new(penalties, prompt);
        for &token in answer {
            penalizer.count(token);
        }
        let mut logits = vec![1.0, 2.0, -4.0, 3.0];
        penalizer.apply(&mut logits);
        logits
    }

    #[test]
    fn a_bias_is_added_and_a_hundred_below_bans() {
        // CQ11
        let bias = vec![(0, 5.0), (1, -100.0), (9, 1.0)];
        assert_eq!(applied(Penalties { bias, ..Penalties::none() }, &[], &[]), [6.0, f32::NEG_INFINITY, -4.0, 3.0]);
    }

    #[test]
    fn frequency_counts_and_presence_does_not() {
        let penalties = Penalties { frequency: 0.5, presence: 0.25, ..Penalties::none() };
        assert_eq!(applied(penalties, &[3], &[1, 1, 0]), [0.25, 0.75, -4.0, 3.0]);
    }

    #[test]
    fn originals_are_those_before_the_first_change() {
        let penalties = Penalties { bias: vec![(1, 5.0)], presence: 0.5, ..Penalties::none() };
        let mut penalizer = Penalizer::new(penalties, &[]);
        penalizer.count(1);
        let mut logits = [1.0, 2.0];
        penalizer.apply(&mut logits);
        assert_eq!((logits, penalizer.original(1, &logits), penalizer.original(0, &logits)), ([1.0, 6.5], 2.0, 1.0));
    }

    #[test]
    fn repetition_looks_at_the_prompt_too() {
        let penalties = Penalties { repeat: 2.0, ..Penalties::none() };
        assert_eq!(applied(penalties, &[2], &[1]), [1.0, 1.0, -8.0, 3.0]);
    }
}
