//! Speculation on repetition: where the newest tokens have come before, in the prompt or the answer, those that
//! followed then are checked together with the next one.
//!
//! That never changes an answer, only how many steps it takes, and is left alone where it does not pay.

use std::collections::HashMap;

use super::draft::Acceptance;
use crate::backend::Token;
use crate::media::is_row;

/// Tokens that must have come before for those that follow to be expected.
const AGREEMENT: usize = 3;

/// Tokens of one draft at most.
const MOST: usize = 8;

/// What came where in one sequence.
#[derive(Debug)]
pub(super) struct Lookup {
    /// Where, last, so many tokens ended.
    ends: HashMap<[Token; AGREEMENT], usize>,
    /// How many of the sequence's tokens are in `ends`.
    indexed: usize,
    acceptance: Acceptance,
}

impl Lookup {
    pub(super) fn new() -> Self {
        Lookup { ends: HashMap::new(), indexed: 0, acceptance: Acceptance::new(MOST) }
    }

    /// The tokens that are expected after `tokens`, `limit` at most: none where `pays` says that too few would
    /// come true.
    pub(super) fn draft(&mut self, tokens: &[Token], limit: usize, pays: impl Fn(f64) -> bool) -> Vec<Token> {
        let Some(next) = self.index(tokens) else { return Vec::new() };
        let length = self.acceptance.length(pays).min(limit);
        tokens[next..].iter().copied().take_while(|token| !is_row(*token)).take(length).collect()
    }

    /// Settles a draft of so many tokens, of which the first `accepted` came true.
    pub(super) fn settle(&mut self, drafted: usize, accepted: usize) {
        self.acceptance.settle(drafted, accepted);
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
        lookup.settle(4, 2);
        tokens.extend([4, 5, 8]);
        assert!(lookup.draft(&tokens, 8, always).is_empty());
        tokens.extend([3, 4, 5]);
        // The newest place counts, and after a draft that came half true a shorter one.
        assert_eq!(lookup.draft(&tokens, 8, always), [8, 3, 4]);
        lookup.settle(3, 3);
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
            let draft = lookup.draft(&tokens, 8, always);
            drafts += usize::from(!draft.is_empty());
            lookup.settle(draft.len(), 0);
            tokens.push(1000 + number);
            lookup.draft(&tokens, 8, |_| unreachable!("nothing like this came before"));
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
