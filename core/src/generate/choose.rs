//! Choosing one sequence's tokens: penalties, the grammar's mask, sampling.

use super::logprobs::{Distribution, TokenLogprob};
use super::penalties::Penalizer;
use super::sampler::Sampler;
use crate::api::error::{Error, Result};
use crate::backend::{Token, Vocab};
use crate::constrain::Constraint;

/// What a sequence chooses its tokens with.
#[derive(Debug)]
pub(super) struct Chooser {
    pub(super) penalizer: Penalizer,
    pub(super) sampler: Sampler,
    pub(super) constraint: Option<Constraint>,
    /// How many likely tokens to show for each chosen one, if any are asked for.
    pub(super) top_logprobs: Option<usize>,
}

impl Chooser {
    /// Chooses a token. The logits are changed on the way.
    pub(super) fn choose(&mut self, logits: &mut [f32], vocab: &Vocab) -> Result<(Token, Option<TokenLogprob>)> {
        let Some(top) = self.top_logprobs else { return Ok((self.sample(logits)?, None)) };
        let distribution = Distribution::read(logits, top);
        let token = self.sample(logits)?;
        let logit = self.penalizer.original(token, logits);
        Ok((token, Some(distribution.entry(token, logit, vocab))))
    }

    fn sample(&mut self, logits: &mut [f32]) -> Result<Token> {
        self.penalizer.apply(logits);
        if let Some(constraint) = &mut self.constraint {
            constraint.apply(logits)?;
        }
        self.sampler.sample(logits).ok_or_else(|| {
            if self.penalizer.bans() {
                return Error::invalid("logit_bias", "'logit_bias' bans every token that could come next");
            }
            Error::internal("the model computed no usable probabilities")
        })
    }

    /// Computes the mask for the next choice, while the model computes.
    pub(super) fn prepare(&mut self) {
        if let Some(constraint) = &mut self.constraint {
            // A failure comes again when the mask is applied, and is reported there.
            let _ = constraint.compute_mask();
        }
    }

    /// Notes a token of the answer.
    pub(super) fn accept(&mut self, token: Token) -> Result<()> {
        self.penalizer.count(token);
        self.constraint.as_mut().map_or(Ok(()), |constraint| constraint.accept(token))
    }

    /// The tokens about which the grammar leaves no choice. With log probabilities
    /// every token is computed instead.
    pub(super) fn forced(&mut self) -> Result<Vec<Token>> {
        match &mut self.constraint {
            Some(constraint) if self.top_logprobs.is_none() => constraint.forced(),
            _ => Ok(Vec::new()),
        }
    }

    /// Whether the grammar lets nothing follow.
    pub(super) fn is_complete(&self) -> bool {
        self.constraint.as_ref().is_some_and(Constraint::is_finished)
    }
}
