//! A request's parameters for choosing tokens, which all kinds of completions share.

use std::collections::BTreeMap;

use super::{Penalties, Sampling};
use crate::api::error::{Error, Result};
use crate::backend::Vocab;

/// The default of `min_p`: cuts the tail of improbable tokens that makes small
/// models stumble at OpenAI's default temperature of 1.
const DEFAULT_MIN_P: f32 = 0.05;

/// What a validated request says of choosing tokens.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SamplingParams<'a> {
    pub(crate) temperature: Option<f32>,
    pub(crate) top_p: Option<f32>,
    pub(crate) frequency_penalty: Option<f32>,
    pub(crate) presence_penalty: Option<f32>,
    pub(crate) logit_bias: Option<&'a BTreeMap<u32, f32>>,
    pub(crate) seed: Option<i64>,
    pub(crate) top_k: Option<u32>,
    pub(crate) min_p: Option<f32>,
    pub(crate) repeat_penalty: Option<f32>,
    pub(crate) ignore_eos: Option<bool>,
}

impl SamplingParams<'_> {
    pub(crate) fn sampling(&self) -> Result<Sampling> {
        let seed = match self.seed {
            Some(seed) => seed.cast_unsigned(),
            None => getrandom::u64()
                .map_err(|error| Error::internal("the system gives no random numbers").with_source(error))?,
        };
        Ok(Sampling {
            temperature: self.temperature.unwrap_or(1.0),
            top_k: self.top_k.unwrap_or(0) as usize,
            top_p: self.top_p.unwrap_or(1.0),
            min_p: self.min_p.unwrap_or(DEFAULT_MIN_P),
            seed,
        })
    }

    /// # Errors
    ///
    /// A 400 for a bias of a token that the model does not have.
    pub(crate) fn penalties(&self, vocab: &Vocab) -> Result<Penalties> {
        let mut bias = Vec::new();
        for (&token, &change) in self.logit_bias.into_iter().flatten() {
            bias.push((vocab.known(token, || format!("logit_bias.{token}"))?, change));
        }
        if self.ignore_eos.unwrap_or(false) {
            bias.extend(vocab.end_of_generation().map(|token| (token, f32::NEG_INFINITY)));
        }
        Ok(Penalties {
            bias,
            frequency: self.frequency_penalty.unwrap_or(0.0),
            presence: self.presence_penalty.unwrap_or(0.0),
            repeat: self.repeat_penalty.unwrap_or(1.0),
        })
    }
}
