//! How long steps take, to know whether drafts pay.

use std::time::Duration;

/// Sequences beyond which drafts are not tried: many tokens use the processor well already.
pub(super) const FEW: usize = 2;

/// How much the newest step counts.
const WEIGHT: f64 = 0.1;

/// Times of steps in which sequences generate, without prompts, in seconds.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Of a step without drafts, for so many sequences.
    plain: [Option<f64>; FEW + 1],
    /// What a drafted token adds.
    drafted: Option<f64>,
}

impl Pace {
    /// Notes a step of so many sequences and drafted tokens.
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    pub(super) fn note(&mut self, sequences: usize, drafted: usize, time: Duration) {
        let Some(plain) = self.plain.get_mut(sequences) else { return };
        let time = time.as_secs_f64();
        match (drafted, *plain) {
            (0, _) => *plain = Some(average(*plain, time)),
            (drafted, Some(plain)) => {
                self.drafted = Some(average(self.drafted, (time - plain).max(0.0) / drafted as f64));
            }
            _ => {}
        }
    }

    /// Whether it pays to draft tokens of which such a share comes true, and that take so many seconds each to
    /// draft. Where it is not known yet, it is tried.
    ///
    /// An accepted token saves its sequence one step, that is a sequence's part of it.
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    pub(super) fn pays(&self, sequences: usize, share: f64, cost: f64) -> bool {
        match (self.plain.get(sequences), self.drafted) {
            (Some(Some(plain)), Some(drafted)) => share * plain > (drafted + cost) * sequences as f64,
            // Only what can be compared.
            (Some(None) | None, _) => false,
            (Some(Some(_)), None) => true,
        }
    }
}

/// A moving average.
pub(super) fn average(before: Option<f64>, now: f64) -> f64 {
    before.map_or(now, |before| before + WEIGHT * (now - before))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drafts_pay_when_they_save_more_than_they_cost() {
        let mut pace = Pace::default();
        assert!(!pace.pays(1, 1.0, 0.0), "nothing to compare with");
        pace.note(1, 0, Duration::from_millis(20));
        assert!(pace.pays(1, 0.1, 0.0), "worth a try");
        // Four tokens took 16 ms more: 4 each, a fifth of a step.
        pace.note(1, 4, Duration::from_millis(36));
        assert!(pace.pays(1, 0.25, 0.0) && !pace.pays(1, 0.15, 0.0));
        assert!(pace.pays(1, 0.55, 0.006) && !pace.pays(1, 0.45, 0.006), "half of a step, with 6 ms to draft each");
        pace.note(2, 0, Duration::from_millis(20));
        assert!(pace.pays(2, 0.5, 0.0) && !pace.pays(2, 0.35, 0.0), "half a step each");
        pace.note(3, 0, Duration::from_millis(20));
        assert!(!pace.pays(3, 1.0, 0.0));
        // A step that was quick by chance takes no time back.
        for _ in 0..100 {
            pace.note(1, 4, Duration::from_millis(1));
        }
        assert!(pace.pays(1, 0.05, 0.0));
    }
}
