//! Speculation on a text that the caller expects (CQ15): where the answer follows
//! it, several tokens are checked in one step.

use crate::backend::Token;

/// Generated tokens that must agree before the text that follows is expected.
const AGREEMENT: usize = 3;

/// Tokens of one draft at most.
const MOST: usize = 8;

/// A caller's prediction and where the answer is in it.
#[derive(Debug)]
pub(super) struct Prediction {
    tokens: Vec<Token>,
    /// The predicted token that is expected next, while the answer follows the
    /// prediction.
    next: Option<usize>,
    /// How many tokens to draft: fewer after some that did not come true, since
    /// each costs computing.
    length: usize,
    accepted: usize,
    rejected: usize,
}

impl Prediction {
    pub(super) fn new(tokens: Vec<Token>) -> Self {
        // An answer is expected to begin as predicted.
        Prediction { tokens, next: Some(0), length: MOST, accepted: 0, rejected: 0 }
    }

    /// The tokens that are expected next, `limit` at most.
    pub(super) fn draft(&self, limit: usize) -> Vec<Token> {
        let expected = self.next.map_or(&[][..], |next| &self.tokens[next..]);
        expected.iter().copied().take(limit.min(self.length)).collect()
    }

    /// Settles a draft of so many tokens, of which the first `accepted` came true; the answer's tokens so far,
    /// the checked ones included, are `answer`.
    pub(super) fn settle(&mut self, drafted: usize, accepted: usize, answer: &[Token]) {
        self.accepted += accepted;
        self.rejected += drafted - accepted;
        if drafted > 0 {
            let all = accepted == drafted;
            self.length = if all { (self.length * 2).min(MOST) } else { (accepted + 1).min(self.length) };
        }
        self.next = self.locate(answer);
    }

    /// Tokens of the prediction that were in the answer, and those that were
    /// computed in vain (CR14).
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.accepted, self.rejected)
    }

    /// Where the prediction goes on after the newest tokens of the answer: the
    /// first place from the expected one on that agrees with them, or any other.
    fn locate(&self, answer: &[Token]) -> Option<usize> {
        let newest = &answer[answer.len().saturating_sub(AGREEMENT)..];
        if newest.is_empty() {
            return None;
        }
        let from = self.next.unwrap_or(0);
        let ends_here = |end: &usize| self.tokens[..*end].ends_with(newest);
        let ends = newest.len()..=self.tokens.len();
        let end = ends.clone().filter(|end| *end > from).find(ends_here).or_else(|| ends.clone().find(ends_here))?;
        (end < self.tokens.len()).then_some(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_followed_and_found_again_after_a_change() {
        // CQ15
        let mut prediction = Prediction::new((0..20).collect());
        assert_eq!(prediction.draft(4), [0, 1, 2, 3]);
        prediction.settle(4, 4, &[0, 1, 2, 3, 4]);
        assert_eq!(prediction.draft(3), [5, 6, 7]);
        // Another token came instead of 6.
        prediction.settle(3, 1, &[0, 1, 2, 3, 4, 5, 99]);
        assert!(prediction.draft(3).is_empty());
        prediction.settle(0, 0, &[5, 99, 8, 9, 10]);
        assert_eq!(prediction.draft(2), [11, 12]);
        assert_eq!(prediction.counts(), (5, 2));
    }

    #[test]
    fn the_end_of_a_prediction_expects_nothing() {
        let mut prediction = Prediction::new(vec![1, 2, 3]);
        assert_eq!(prediction.draft(8), [1, 2, 3]);
        prediction.settle(3, 3, &[1, 2, 3, 4]);
        assert!(prediction.draft(8).is_empty());
    }
}
