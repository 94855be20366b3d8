//! Drafts: tokens that are expected to come, and checked together with the newest one. They never change an
//! answer, only how many steps it takes.

use crate::backend::Token;

/// How much the newest draft counts in what share of tokens came true.
const WEIGHT: f64 = 0.25;

/// Chances that are left out in a row at most, after drafts in vain.
const PATIENCE: usize = 32;

/// Who expects tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Drafter {
    /// The caller, who predicts the answer.
    #[default]
    Caller,
    /// What came before, in the prompt or the answer.
    Lookup,
    /// A smaller model.
    Model,
}

/// Tokens that are expected after the newest ones of a sequence.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) tokens: Vec<Token>,
    pub(super) by: Drafter,
}

/// How many of a drafter's tokens came true, and so how many to draft.
#[derive(Debug)]
pub(super) struct Acceptance {
    most: usize,
    length: usize,
    /// What share of drafted tokens came true.
    share: f64,
    /// Chances to leave out, after drafts in vain; as many again the next time, and twice as many.
    pause: usize,
    patience: usize,
}

impl Acceptance {
    /// Of a drafter who drafts so many tokens at most.
    pub(super) fn new(most: usize) -> Self {
        Acceptance { most, length: most / 2, share: 0.5, pause: 0, patience: 1 }
    }

    /// How many tokens to draft now: none where `pays` says that too few would come true.
    pub(super) fn length(&mut self, pays: impl FnOnce(f64) -> bool) -> usize {
        if self.pause > 0 {
            self.pause -= 1;
            return 0;
        }
        if pays(self.share) {
            return self.length;
        }
        // What did not pay may pay later in the answer.
        self.rest();
        0
    }

    /// Settles a draft of so many tokens, of which the first `accepted` came true.
    pub(super) fn settle(&mut self, drafted: usize, accepted: usize) {
        if drafted == 0 {
            return;
        }
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let share = accepted as f64 / drafted as f64;
        self.share += WEIGHT * (share - self.share);
        if accepted == drafted {
            self.length = (2 * self.length).min(self.most);
            self.patience = 1;
        } else {
            self.length = (accepted + 1).min(self.length).max(2);
        }
        if accepted == 0 {
            self.rest();
        }
    }

    fn rest(&mut self) {
        self.pause = self.patience;
        self.patience = (2 * self.patience).min(PATIENCE);
        // Half-way back, so that it is tried again at all.
        self.share = f64::midpoint(self.share, 0.5);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drafts_grow_while_they_come_true_and_shrink_when_they_do_not() {
        let mut acceptance = Acceptance::new(8);
        assert_eq!(acceptance.length(|share| share >= 0.5), 4);
        acceptance.settle(4, 4);
        assert_eq!(acceptance.length(|_| true), 8);
        acceptance.settle(8, 2);
        assert_eq!(acceptance.length(|_| true), 3);
        acceptance.settle(3, 0);
        assert_eq!(acceptance.length(|_| true), 0, "a rest");
        assert_eq!(acceptance.length(|_| true), 2);
    }

    #[test]
    fn what_does_not_pay_is_tried_now_and_then() {
        let mut acceptance = Acceptance::new(8);
        let tried = (0..1000).filter(|_| {
            let length = acceptance.length(|share| share >= 0.4);
            acceptance.settle(length, 0);
            length > 0
        });
        assert!((20..60).contains(&tried.count()));
    }
}
