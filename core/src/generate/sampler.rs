//! Choosing the next token from the logits.
//!
//! Everything is read from the logits slice; candidates are only gathered when
//! `top_k` or `top_p` need them sorted, and then no more than can matter.

use rand_core::{RngCore, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::backend::Token;

/// Below this the likeliest token has all the probability that an `f32` can
/// tell, and dividing by the temperature could overflow.
const GREEDY_BELOW: f32 = 1e-5;

/// How to choose tokens. Applied in this order: temperature, `top_k`, `top_p`,
/// `min_p`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sampling {
    /// 0 takes the likeliest token.
    pub(crate) temperature: f32,
    /// Only the `k` likeliest tokens; 0 for all.
    pub(crate) top_k: usize,
    /// Only the likeliest tokens that together have this probability; 1 for all.
    pub(crate) top_p: f32,
    /// Only tokens at least this likely relative to the likeliest; 0 for all.
    pub(crate) min_p: f32,
    /// The seed of the random numbers.
    pub(crate) seed: u64,
}

/// One sequence's sampler.
#[derive(Debug)]
pub(super) struct Sampler {
    sampling: Sampling,
    rng: Xoshiro256PlusPlus,
    /// Kept between tokens so that nothing is allocated for each.
    candidates: Vec<Candidate>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    pub(super) token: Token,
    logit: f32,
}

impl Sampler {
    pub(super) fn new(sampling: Sampling) -> Self {
        let rng = Xoshiro256PlusPlus::seed_from_u64(sampling.seed);
        Sampler { sampling, rng, candidates: Vec::new() }
    }

    /// Chooses a token; `None` when the logits are not numbers.
    pub(super) fn sample(&mut self, logits: &[f32]) -> Option<Token> {
        let best = argmax(logits)?;
        if self.sampling.temperature < GREEDY_BELOW {
            return Some(best.token);
        }
        let weight = Weight { max: best.logit, inverse_temperature: self.sampling.temperature.recip() };
        let floor = weight.floor(self.sampling.min_p);
        if self.sampling.top_k == 0 && self.sampling.top_p >= 1.0 {
            return Some(self.draw_from_all(logits, &weight, floor).unwrap_or(best.token));
        }
        if self.sampling.top_k > 0 {
            self.gather_top_k(logits);
            let mass = self.mass(&weight);
            self.keep_nucleus(&weight, mass);
        } else {
            let mass = weight.sum(logits, f32::NEG_INFINITY);
            self.gather_nucleus(logits, &weight, mass);
            self.keep_nucleus(&weight, mass);
        }
        self.candidates.retain(|candidate| candidate.logit >= floor);
        Some(self.draw_from_candidates(&weight).unwrap_or(best.token))
    }

    /// Draws by the inverse of the cumulative distribution, in token order.
    fn draw_from_all(&mut self, logits: &[f32], weight: &Weight, floor: f32) -> Option<Token> {
        let total = weight.sum(logits, floor);
        let mut left = self.uniform() * total;
        for (token, &logit) in (0..).zip(logits) {
            if logit >= floor {
                left -= weight.of(logit);
                if left < 0.0 {
                    return Some(token);
                }
            }
        }
        None
    }

    /// The `top_k` likeliest tokens, unsorted.
    fn gather_top_k(&mut self, logits: &[f32]) {
        let k = self.sampling.top_k;
        let room = k.saturating_mul(4).clamp(1024, logits.len().max(1024));
        let mut floor = f32::NEG_INFINITY;
        self.candidates.clear();
        for (token, &logit) in (0..).zip(logits) {
            if logit < floor || logit.is_nan() {
                continue;
            }
            self.candidates.push(Candidate { token, logit });
            if self.candidates.len() > room && k < room {
                self.keep_likeliest(k);
                floor = self.candidates.last().map_or(floor, |candidate| candidate.logit);
            }
        }
        if self.candidates.len() > k {
            self.keep_likeliest(k);
        }
    }

    /// Keeps the `k` likeliest candidates; the last of them is the least likely.
    fn keep_likeliest(&mut self, k: usize) {
        self.candidates.select_nth_unstable_by(k - 1, by_likelihood);
        self.candidates.truncate(k);
    }

    /// Enough of the likeliest tokens for `top_p` of `mass` to be among them.
    fn gather_nucleus(&mut self, logits: &[f32], weight: &Weight, mass: f64) {
        let wanted = f64::from(self.sampling.top_p) * mass;
        // Each round looks deeper: 1e-3, 1e-6, ... of the likeliest token's
        // probability. The first suffices for nearly every token.
        for depth in 1..=8 {
            let cut = weight.floor(1e-3f32.powi(depth));
            self.candidates.clear();
            self.candidates.extend(
                (0..).zip(logits).filter(|&(_, &logit)| logit >= cut).map(|(token, &logit)| Candidate { token, logit }),
            );
            if self.mass(weight) >= wanted {
                return;
            }
        }
    }

    /// Sorts the candidates and cuts them where they reach `top_p` of `mass`.
    fn keep_nucleus(&mut self, weight: &Weight, mass: f64) {
        if self.sampling.top_p >= 1.0 {
            return;
        }
        self.candidates.sort_unstable_by(by_likelihood);
        let mut left = f64::from(self.sampling.top_p) * mass;
        let last = self.candidates.iter().position(|candidate| {
            left -= weight.of(candidate.logit);
            left <= 0.0
        });
        if let Some(last) = last {
            self.candidates.truncate(last + 1);
        }
    }

    /// The weight of all candidates.
    fn mass(&self, weight: &Weight) -> f64 {
        self.candidates.iter().map(|candidate| weight.of(candidate.logit)).sum()
    }

    fn draw_from_candidates(&mut self, weight: &Weight) -> Option<Token> {
        let mass = self.mass(weight);
        let mut left = self.uniform() * mass;
        for candidate in &self.candidates {
            left -= weight.of(candidate.logit);
            if left < 0.0 {
                return Some(candidate.token);
            }
        }
        self.candidates.last().map(|candidate| candidate.token)
    }

    /// A number from 0 up to but not including 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are what an f64 holds exactly")]
    fn uniform(&mut self) -> f64 {
        (self.rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Turns logits into weights relative to the likeliest token's.
struct Weight {
    max: f32,
    inverse_temperature: f32,
}

impl Weight {
    fn of(&self, logit: f32) -> f64 {
        f64::from(((logit - self.max) * self.inverse_temperature).exp())
    }

    fn sum(&self, logits: &[f32], floor: f32) -> f64 {
        logits.iter().filter(|&&logit| logit >= floor).map(|&logit| self.of(logit)).sum()
    }

    /// The logit of a token that is `ratio` times as likely as the likeliest.
    fn floor(&self, ratio: f32) -> f32 {
        if ratio > 0.0 { self.max + ratio.ln() / self.inverse_temperature } else { f32::NEG_INFINITY }
    }
}

/// Likelier first; among equals, the lower token first, so that the order does
/// not depend on the sorting algorithm.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that sorting wants")]
fn by_likelihood(a: &Candidate, b: &Candidate) -> std::cmp::Ordering {
    b.logit.total_cmp(&a.logit).then(a.token.cmp(&b.token))
}

/// The likeliest token, the lowest among equals. `None` when no logit is a
/// number.
pub(super) fn argmax(logits: &[f32]) -> Option<Candidate> {
    let mut best = Candidate { token: -1, logit: f32::NEG_INFINITY };
    for (token, &logit) in (0..).zip(logits) {
        if logit > best.logit {
            best = Candidate { token, logit };
        }
    }
    (best.token >= 0).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampling() -> Sampling {
        Sampling { temperature: 1.0, top_k: 0, top_p: 1.0, min_p: 0.0, seed: 7 }
    }

    /// How often each token is drawn, as fractions.
    fn frequencies(sampling: Sampling, logits: &[f32]) -> Vec<f64> {
        const DRAWS: u32 = 40_000;
        let mut sampler = Sampler::new(sampling);
        let mut counts = vec![0u32; logits.len()];
        for _ in 0..DRAWS {
            counts[usize::try_from(sampler.sample(logits).unwrap()).unwrap()] += 1;
        }
        counts.into_iter().map(|count| f64::from(count) / f64::from(DRAWS)).collect()
    }

    fn assert_close(actual: &[f64], expected: &[f64]) {
        for (a, e) in actual.iter().zip(expected) {
            assert!((a - e).abs() < 0.015, "{actual:?} is not {expected:?}");
        }
    }

    const LOGITS: [f32; 4] = [0.0, 1.0, 2.0, 3.0];

    fn softmax(logits: &[f32]) -> Vec<f64> {
        let total: f64 = logits.iter().map(|&l| f64::from(l).exp()).sum();
        logits.iter().map(|&l| f64::from(l).exp() / total).collect()
    }

    #[test]
    fn temperature_zero_takes_the_lowest_of_the_likeliest() {
        let mut sampler = Sampler::new(Sampling { temperature: 0.0, ..sampling() });
        assert_eq!(sampler.sample(&[0.0, 2.0, 2.0, -1.0]), Some(1));
        assert_eq!(sampler.sample(&[f32::NAN, f32::NAN]), None);
    }

    #[test]
    fn draws_follow_the_distribution() {
        assert_close(&frequencies(sampling(), &LOGITS), &softmax(&LOGITS));
        let hot = frequencies(Sampling { temperature: 2.0, ..sampling() }, &LOGITS);
        assert_close(&hot, &softmax(&LOGITS.map(|logit| logit / 2.0)));
    }

    #[test]
    fn top_k_keeps_the_likeliest() {
        let expected = [vec![0.0, 0.0], softmax(&LOGITS[2..])].concat();
        assert_close(&frequencies(Sampling { top_k: 2, ..sampling() }, &LOGITS), &expected);
    }

    #[test]
    fn top_k_over_a_large_vocabulary() {
        let logits: Vec<f32> = (0..5000u16).map(|i| f32::from((i * 7919) % 5000) / 100.0).collect();
        let mut sampler = Sampler::new(Sampling { top_k: 3, temperature: 5.0, ..sampling() });
        for _ in 0..200 {
            let token = usize::try_from(sampler.sample(&logits).unwrap()).unwrap();
            assert!(logits[token] >= 49.97, "{}", logits[token]);
        }
        assert!(sampler.candidates.capacity() < 4096);
    }

    #[test]
    fn top_p_keeps_the_nucleus() {
        // The likeliest has 0.644, the first two 0.881.
        let expected = [vec![0.0, 0.0], softmax(&LOGITS[2..])].concat();
        assert_close(&frequencies(Sampling { top_p: 0.8, ..sampling() }, &LOGITS), &expected);
        assert_close(&frequencies(Sampling { top_p: 0.6, ..sampling() }, &LOGITS), &[0.0, 0.0, 0.0, 1.0]);
        // 0 still leaves the likeliest.
        assert_close(&frequencies(Sampling { top_p: 0.0, ..sampling() }, &LOGITS), &[0.0, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn top_p_looks_deep_into_a_flat_tail() {
        let mut logits = vec![0.0f32; 20_000];
        logits[5] = 8.0;
        let mut sampler = Sampler::new(Sampling { top_p: 0.99, ..sampling() });
        let tail = (0..2000).filter(|_| sampler.sample(&logits) != Some(5)).count();
        assert!((1600..1900).contains(&tail), "{tail}");
    }

    #[test]
    fn top_p_is_of_the_whole_distribution() {
        // One token has 0.475, and a thousand, each too unlikely for the first
        // look, have the rest: 0.4 of the whole is the one token alone, 0.5 is not.
        let mut logits = vec![0.0f32; 1001];
        logits[0] = 6.9;
        let top = |top_p| Sampling { top_p, ..sampling() };
        assert!((frequencies(top(0.4), &logits)[0] - 1.0).abs() < f64::EPSILON);
        let some = frequencies(top(0.74), &logits)[0];
        assert!((0.62..0.72).contains(&some), "{some}");
    }

    #[test]
    fn min_p_cuts_relative_to_the_likeliest() {
        let expected = [vec![0.0], softmax(&LOGITS[1..])].concat();
        assert_close(&frequencies(Sampling { min_p: 0.1, ..sampling() }, &LOGITS), &expected);
    }

    #[test]
    fn the_same_seed_draws_the_same() {
        let draw = |seed| {
            let mut sampler = Sampler::new(Sampling { seed, ..sampling() });
            (0..50).map(|_| sampler.sample(&LOGITS).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn infinite_logits_are_drawn_like_others() {
        let mut sampler = Sampler::new(sampling());
        let logits = [f32::NEG_INFINITY, 0.0, f32::NEG_INFINITY];
        assert!((0..100).all(|_| sampler.sample(&logits) == Some(1)));
    }
}
