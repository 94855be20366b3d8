//! The draft model: a smaller one with the same vocabulary, which says what the model will probably say next.

use std::sync::Arc;
use std::time::Instant;

use super::SLICE;
use super::draft::Acceptance;
use super::pace::average;
use super::sampler::argmax;
use crate::api::error::Result;
use crate::backend::{self, Abort, Batch, Context, ContextOptions, Decoded, Token};

/// Tokens of one draft at most.
const MOST: usize = 8;

/// A draft model and what it has computed.
pub(super) struct DraftModel {
    context: Context,
    batch: Batch,
    /// A sequence of the context each, by its number.
    slots: Vec<Slot>,
    /// Both models have the tokens below this number.
    vocabulary: usize,
    acceptance: Acceptance,
    /// How long it takes to draft a token, in seconds.
    cost: Option<f64>,
}

/// What is computed for one sequence.
#[derive(Debug, Default)]
struct Slot {
    /// The number that the sequence has in the scheduler.
    sequence: Option<i32>,
    tokens: Vec<Token>,
}

/// A sequence of which it is asked what comes next.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    /// Its number in the scheduler.
    pub(super) sequence: i32,
    pub(super) tokens: &'a [Token],
    /// Tokens to draft at most.
    pub(super) limit: usize,
}

/// A draft that is being made.
#[derive(Debug)]
struct Growing {
    /// Whose it is, among those asked about.
    index: usize,
    slot: usize,
    limit: usize,
    /// Where the logits after its newest token are.
    logits_at: usize,
}

impl DraftModel {
    /// For as many sequences at a time as `options` say, of a model that has so many tokens.
    pub(super) fn new(
        draft: Arc<backend::Model>,
        options: &ContextOptions,
        vocabulary: usize,
        abort: Abort,
    ) -> Result<Self> {
        let own = draft.vocab().len();
        Ok(DraftModel {
            batch: Batch::new(options.batch as usize, own),
            slots: (0..options.sequences).map(|_| Slot::default()).collect(),
            context: Context::new(draft, options, abort)?,
            vocabulary: own.min(vocabulary),
            acceptance: Acceptance::new(MOST),
            cost: None,
        })
    }

    /// The tokens that are expected after each of these sequences: none where `pays` says of a share of tokens
    /// that come true, and of what a token costs, that it is not worth it; nor while the draft model has yet to
    /// read what there is of a sequence, a slice at a time. `is_running` knows the sequences that go on.
    pub(super) fn draft(
        &mut self,
        asked: &[Asked<'_>],
        is_running: impl Fn(i32) -> bool,
        pays: impl FnOnce(f64, f64) -> bool,
    ) -> Result<Vec<Vec<Token>>> {
        let mut drafts = vec![Vec::new(); asked.len()];
        let cost = self.cost.unwrap_or_default();
        let length = self.acceptance.length(|share| pays(share, cost));
        if length == 0 {
            return Ok(drafts);
        }
        let started = Instant::now();
        let mut growing = self.read(asked, length, is_running);
        let read = self.batch.len();
        while !self.batch.is_empty() {
            match self.context.decode(&mut self.batch)? {
                Decoded::Done => {}
                Decoded::CacheFull => {
                    self.forget();
                    break;
                }
                // The model's own step comes to its end, too.
                Decoded::Aborted => break,
            }
            self.grow(&mut growing, &mut drafts)?;
        }
        let drafted: usize = drafts.iter().map(Vec::len).sum();
        if drafted > 0 && read <= asked.len() * (MOST + 1) {
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let each = started.elapsed().as_secs_f64() / drafted as f64;
            self.cost = Some(average(self.cost, each));
        }
        Ok(drafts)
    }

    /// Settles a draft of so many tokens, of which the first `accepted` came true.
    pub(super) fn settle(&mut self, drafted: usize, accepted: usize) {
        self.acceptance.settle(drafted, accepted);
    }

    /// Puts into the batch what is not computed yet of the sequences, a slice at most. Gives those of which this
    /// is all.
    fn read(&mut self, asked: &[Asked<'_>], length: usize, is_running: impl Fn(i32) -> bool) -> Vec<Growing> {
        self.batch.clear();
        let mut growing = Vec::new();
        // All have their slots before any token is added: what is in the batch is not there to be copied yet.
        let slots: Vec<_> = asked.iter().map(|asked| self.slot(asked.sequence, asked.tokens, &is_running)).collect();
        for (index, (Asked { tokens, limit, .. }, slot)) in asked.iter().zip(slots).enumerate() {
            let Some(slot) = slot else { continue };
            let computed = self.slots[slot].tokens.len();
            let slice = &tokens[computed..tokens.len().min(computed + SLICE - self.batch.len())];
            if !slice.iter().all(|token| usize::try_from(*token).is_ok_and(|token| token < self.vocabulary)) {
                // An image, or a token that only one of the models has.
                continue;
            }
            let is_all = computed + slice.len() == tokens.len();
            for (offset, &token) in slice.iter().enumerate() {
                self.push(slot, token, is_all && offset + 1 == slice.len());
            }
            let limit = length.min(*limit);
            if is_all && limit > 0 {
                growing.push(Growing { index, slot, limit, logits_at: self.batch.len() - 1 });
            }
        }
        growing
    }

    /// Adds the likeliest token to each draft, and puts those of drafts that go on into the batch.
    fn grow(&mut self, growing: &mut Vec<Growing>, drafts: &mut [Vec<Token>]) -> Result<()> {
        let indexes: Vec<usize> = growing.iter().map(|draft| draft.logits_at).collect();
        let rows = self.context.logits(&indexes)?;
        let likeliest: Vec<_> = rows.iter().map(|row| argmax(&row[..self.vocabulary])).collect();
        self.batch.clear();
        let mut chosen = likeliest.into_iter();
        growing.retain_mut(|growing| {
            let Some(Some(likeliest)) = chosen.next() else { return false };
            let draft = &mut drafts[growing.index];
            draft.push(likeliest.token);
            let goes_on =
                draft.len() < growing.limit && !self.context.model().vocab().is_end_of_generation(likeliest.token);
            if goes_on {
                growing.logits_at = self.batch.len();
                let position = self.slots[growing.slot].tokens.len();
                self.batch.push(likeliest.token, position, number(growing.slot), true);
                self.slots[growing.slot].tokens.push(likeliest.token);
            }
            goes_on
        });
        Ok(())
    }

    fn push(&mut self, slot: usize, token: Token, wants_logits: bool) {
        let tokens = &mut self.slots[slot].tokens;
        self.batch.push(token, tokens.len(), number(slot), wants_logits);
        tokens.push(token);
    }

    /// The sequence's slot, which has nothing but a beginning of the sequence, without its last token. `None`
    /// where all belong to others that are running.
    fn slot(&mut self, sequence: i32, tokens: &[Token], is_running: impl Fn(i32) -> bool) -> Option<usize> {
        let before = &tokens[..tokens.len() - 1];
        let common = |slot: &Slot| slot.tokens.iter().zip(before).take_while(|(a, b)| a == b).count();
        let is_own = |slot: &Slot| slot.sequence == Some(sequence);
        let is_free = |slot: &Slot| slot.sequence.is_none_or(|owner| !is_running(owner));
        let longest = (0..self.slots.len()).max_by_key(|&index| common(&self.slots[index]))?;
        let free = || {
            let free = (0..self.slots.len()).filter(|&index| is_free(&self.slots[index]));
            free.max_by_key(|&index| common(&self.slots[index]))
        };
        let slot = self.slots.iter().position(is_own).or_else(free)?;
        let shared = common(&self.slots[longest]);
        if shared > common(&self.slots[slot]) {
            self.context.remove(number(slot));
            self.context.copy(number(longest), number(slot), Some(shared));
            self.slots[slot].tokens = before[..shared].to_vec();
        } else if shared < self.slots[slot].tokens.len() {
            self.context.rewind(number(slot), shared).ok()?;
            self.slots[slot].tokens.truncate(shared);
        }
        self.slots[slot].sequence = Some(sequence);
        Some(slot)
    }

    /// Forgets all that was computed.
    fn forget(&mut self) {
        for slot in 0..self.slots.len() {
            self.context.remove(number(slot));
            self.slots[slot] = Slot::default();
        }
    }
}

/// A slot's number in the context.
fn number(slot: usize) -> i32 {
    i32::try_from(slot).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::kernel_tests;

    /// What drafts for a model with this one's tokens.
    fn draft_model(file: &str) -> DraftModel {
        let model = kernel_tests::load(file, true);
        let options = ContextOptions { sequences: 2, outputs: 2, ..kernel_tests::options(2, true) };
        let vocabulary = model.vocab().len();
        DraftModel::new(model, &options, vocabulary, Abort::default()).unwrap()
    }

    fn draft(model: &mut DraftModel, asked: &[(i32, &[Token])]) -> Vec<Vec<Token>> {
        let wanted: Vec<_> =
            asked.iter().map(|&(sequence, tokens)| Asked { sequence, tokens, limit: usize::MAX }).collect();
        model.draft(&wanted, |id| asked.iter().any(|(sequence, _)| *sequence == id), |_, _| true).unwrap()
    }

    /// What the same model says next, each token from the start.
    fn greedy(file: &str, prompt: &[Token], count: usize) -> Vec<Token> {
        let model = kernel_tests::load(file, true);
        let mut context = kernel_tests::context(&model, 2, true);
        let mut tokens = prompt.to_vec();
        for _ in 0..count {
            context.remove(0);
            let mut batch = Batch::new(256, model.vocab().len());
            let mut newest = 0;
            for (position, &token) in tokens.iter().enumerate() {
                if batch.len() == 256 {
                    context.decode(&mut batch).unwrap();
                    batch.clear();
                }
                newest = batch.push(token, position, 0, position + 1 == tokens.len());
            }
            context.decode(&mut batch).unwrap();
            tokens.push(argmax(context.logits(&[newest]).unwrap()[0]).unwrap().token);
        }
        tokens.split_off(prompt.len())
    }

    const FILE: &str = "tiny/tiny-q8.gguf";

    #[test]
    fn the_likeliest_tokens_are_drafted_whatever_became_of_the_last_draft() {
        let mut model = draft_model(FILE);
        let mut tokens: Vec<Token> = (0..40).map(|number| number * 3 % 100 + 10).collect();
        for accepted in [4, 2, 0, 1, 3] {
            let mut drafts = draft(&mut model, &[(7, &tokens)]);
            if drafts[0].is_empty() {
                // After a draft in vain, it rests.
                drafts = draft(&mut model, &[(7, &tokens)]);
            }
            let drafted = drafts[0].clone();
            assert_eq!(drafted, greedy(FILE, &tokens, drafted.len()));
            let accepted = accepted.min(drafted.len());
            model.settle(drafted.len(), accepted);
            tokens.extend(&drafted[..accepted]);
            tokens.push(50);
        }
    }

    #[test]
    fn a_long_text_is_read_in_slices_and_kept_for_the_next() {
        let mut model = draft_model(FILE);
        let long: Vec<Token> = (0..600).map(|number| number * 7 % 90 + 10).collect();
        // 256, 256 and the rest.
        assert_eq!(draft(&mut model, &[(1, &long)]), [Vec::<Token>::new()]);
        assert_eq!(draft(&mut model, &[(1, &long)]), [Vec::<Token>::new()]);
        let drafted = draft(&mut model, &[(1, &long)]).remove(0);
        assert_eq!(drafted.len(), MOST / 2);
        // Another sequence that begins like it has it at once, and so has the first one still.
        let other = [&long[..590], &[11, 12, 13]].concat();
        let both = draft(&mut model, &[(1, &long), (2, &other)]);
        assert_eq!(both[0], drafted);
        let mut anew = draft_model(FILE);
        while draft(&mut anew, &[(9, &other)])[0].is_empty() {}
        assert_eq!(both[1], draft(&mut anew, &[(9, &other)])[0]);
    }

    #[test]
    fn two_that_begin_alike_can_be_new_at_once() {
        let long: Vec<Token> = (0..400).map(|number| number * 7 % 90 + 10).collect();
        for length in [30, 255, 256, 300, 400] {
            let (one, other) = ([&long[..length], &[11]].concat(), [&long[..length], &[12, 13]].concat());
            let mut model = draft_model(FILE);
            let mut both = vec![Vec::new(), Vec::new()];
            while both.iter().any(Vec::is_empty) {
                both = draft(&mut model, &[(1, &one), (2, &other)]);
            }
            assert_eq!(both[0], greedy(FILE, &one, both[0].len()));
            assert_eq!(both[1], greedy(FILE, &other, both[1].len()));
        }
    }

    #[test]
    fn tokens_that_it_does_not_have_are_not_drafted_after() {
        let mut model = draft_model(FILE);
        let unknown = Token::try_from(model.vocabulary).unwrap();
        assert_eq!(draft(&mut model, &[(1, &[10, 11, unknown])]), [Vec::<Token>::new()]);
        assert_eq!(draft(&mut model, &[(1, &[10, 11, -3])]), [Vec::<Token>::new()], "an image");
        assert_eq!(draft(&mut model, &[(1, &[10, 11, 12])])[0].len(), MOST / 2);
    }
}
