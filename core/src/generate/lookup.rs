//! Speculation on repetition: where the newest tokens have come before, in the prompt or the answer, those that
//! followed then are checked together with the next one.
//!
//! That never changes an answer, only how many steps it takes, and is left alone where it does not pay.

use std::collections::HashMap;

use crate::backend::Token;
use crate::media::is_row;

/// Tokens that must have come before for those that follow to be expected.
const AGREEMENT: usize = 3;

/// Tokens of one draft at most.
const MOST: usize = 8;

/// How much the newest draft counts in what share of tokens came true.
const WEIGHT: f64 = 0.25;

/// What came where in one sequence.
#[derive(Debug)]
pub(super) struct Lookup {
    /// Where, last, so many tokens ended.
    ends: HashMap<[Token; AGREEMENT], usize>,
    /// How many of the sequence's tokens are in `ends`.
    indexed: usize,
    /// Tokens of the last draft that are still to be checked.
    draft: Vec<Token>,
    /// How many tokens to draft.
    length: usize,
    /// What share of drafted tokens came true.
    acceptance: f64,
    /// Chances to leave out, after drafts in vain; as many again the next time, and twice as many.
    pause: usize,
    patience: usize,
}

impl Lookup {
    pub(super) fn new() -> Self {
        Lookup {
            ends: HashMap::new(),
            indexed: 0,
            draft: Vec::new(),
            length: MOST / 2,
            acceptance: 0.5,
            pause: 0,
            patience: 1,
        }
    }

    /// The tokens that are expected after `tokens`, `limit` at most: none where `pays` says that too few would
    /// come true.
    pub(super) fn draft(&mut self, tokens: &[Token], limit: usize, pays: impl Fn(f64) -> bool) -> &[Token] {
        self.draft.clear();
        if let Some(next) = self.index(tokens) {
            if self.pause > 0 {
                self.pause -= 1;
            } else if pays(self.acceptance) {
                let known = tokens[next..].iter().take_while(|token| !is_row(**token));
                self.draft.extend(known.take(limit.min(self.length)));
            } else {
                // What did not pay may pay later in the answer.
                self.rest();
            }
        }
        &self.draft
    }

    /// Settles a draft of which the first `accepted` tokens came true. Gives how many it had.
    pub(super) fn settle(&mut self, accepted: usize) -> usize {
        let drafted = self.draft.len();
        if drafted > 0 {
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let share = accepted as f64 / drafted as f64;
            self.acceptance += WEIGHT * (share - self.acceptance);
            if accepted == drafted {
                self.length = (2 * self.length).min(MOST);
                self.patience = 1;
            } else {
                self.length = (accepted + 1).min(self.length).max(2);
            }
            if accepted == 0 {
                self.rest();
            }
        }
        self.draft.clear();
        drafted
    }

    /// Takes the draft back, which will not be computed.
    pub(super) fn forget(&mut self) {
        self.draft.clear();
    }

    fn rest(&mut self) {
        self.pause = self.patience;
        self.patience = (2 * self.patience).min(32);
        // Half-way back, so that it is tried again at all.
        self.acceptance = f64::midpoint(self.acceptance, 0.5);
    }

    /// Where the newest tokens ended before. Notes where they end now.
    fn index(&mut self, tokens: &[Token]) -> Option<usize> {
        let mut found = None;
        for end in (self.indexed + 1).max(AGREEMENT)..=tokens.len() {
            let newest = tokens[end - AGREEMENT..end].try_into().ok()?;
            found = self.ends.insert(newest, end);
        }
        self.indexed = tokens.len();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn always(_: f64) -> bool {
        true
    }

    #[test]
    fn what_followed_before_is_expected() {
        let mut lookup = Lookup::new();
        let mut tokens = vec![1, 2, 3, 4, 5, 6, 7, 9, 9, 1, 2];
        assert!(lookup.draft(&tokens, 8, always).is_empty());
        tokens.push(3);
        assert_eq!(lookup.draft(&tokens, 8, always), [4, 5, 6, 7]);
        assert_eq!(lookup.settle(2), 4);
        tokens.extend([4, 5, 8]);
        assert!(lookup.draft(&tokens, 8, always).is_empty());
        tokens.extend([3, 4, 5]);
        // The newest place counts, and after a draft that came half true a shorter one.
        assert_eq!(lookup.draft(&tokens, 8, always), [8, 3, 4]);
        assert_eq!(lookup.settle(3), 3);
        tokens.extend([8, 3, 4]);
        assert_eq!(lookup.draft(&tokens, 2, always), [5, 8]);
    }

    #[test]
    fn drafts_in_vain_become_rare() {
        let mut lookup = Lookup::new();
        // The same three tokens come again and again, and never what followed before.
        let mut tokens = Vec::new();
        let mut drafts = 0;
        for number in 0..300 {
            tokens.extend([1, 2, 3]);
            drafts += usize::from(!lookup.draft(&tokens, 8, always).is_empty());
            lookup.settle(0);
            tokens.push(1000 + number);
            lookup.draft(&tokens, 8, |_| unreachable!("nothing like this came before"));
            lookup.settle(0);
        }
        assert!((8..20).contains(&drafts), "{drafts}");
    }

    #[test]
    fn what_does_not_pay_is_left_alone() {
        let mut lookup = Lookup::new();
        let tokens: Vec<Token> = (0..400).map(|index| index % 7).collect();
        let drafted = (7..400).filter(|&end| !lookup.draft(&tokens[..end], 8, |share| share > 0.9).is_empty()).count();
        assert_eq!(drafted, 0);
    }
}
