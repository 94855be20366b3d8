//! The prefix cache: what was computed for earlier requests stays in the KV cache, and later ones that begin
//! alike share it.
//!
//! Kept sequences have ids of their own; [`Tree`] knows which tokens they have. Their cells count as
//! free: they are let go, the least recently used first, when running sequences need them. What
//! running sequences share is not.

mod saved;
mod tree;

use std::collections::HashMap;

use super::prompt::Layout;
use crate::api::error::{Error, Result};
use crate::backend::{Context, Token};
use crate::media::is_row;

pub(crate) use saved::PrefixFile;
use saved::{Reader, SavedSequence, Writer};
pub(super) use tree::Pin;
use tree::{Inserted, Tree};

/// Shorter beginnings are not worth an id.
const LEAST: usize = 16;

/// The id under which a part of a sequence is saved and restored: that of a running one, since llama.cpp writes
/// no others.
const PART: i32 = 0;

/// What is kept of earlier requests.
#[derive(Debug)]
pub(super) struct PrefixCache {
    tree: Tree,
    /// Ids for kept sequences.
    free_ids: Vec<i32>,
    /// Where images and sound stand in kept sequences.
    layouts: HashMap<i32, Layout>,
    /// Tokens of which a shared beginning consists a whole number of times. Where a token's logits depend on how
    /// the tokens before it were cut into slices, these have to be the same as without the cache.
    unit: usize,
    /// How many tokens back some layers see, if not all.
    window: Option<usize>,
}

impl PrefixCache {
    /// A cache that has these ids; with none, it keeps nothing. `unit` is the length of slices where logits depend
    /// on them, else 1.
    pub(super) fn new(ids: impl Iterator<Item = i32>, unit: usize, window: Option<usize>) -> Self {
        PrefixCache { tree: Tree::new(), free_ids: ids.collect(), layouts: HashMap::new(), unit, window }
    }

    /// Cells that no running sequence shares.
    pub(super) fn idle_cells(&self) -> usize {
        self.tree.cells() - self.tree.pinned_cells()
    }

    /// Cells that running sequences share.
    pub(super) fn pinned_cells(&self) -> usize {
        self.tree.pinned_cells()
    }

    /// Lets the sequence `id`, of which nothing is computed beyond what it may share already, begin with what
    /// is kept of its tokens, if that is more. The last one is left to be computed, for its logits.
    pub(super) fn share(
        &mut self,
        context: &mut Context,
        tokens: &[Token],
        layout: &Layout,
        id: i32,
        has: usize,
    ) -> Option<Pin> {
        let (longest, kept) = self.tree.longest(&tokens[..tokens.len() - 1])?;
        let length =
            if self.unit == 1 { layout.floor(longest) } else { self.units(longest, layout.text(tokens.len())) };
        let position = layout.position(length);
        let begin = context.begin(kept)?;
        let needed = self.window.map_or(0, |window| position.saturating_sub(window));
        if length < LEAST || length <= has || begin > needed {
            return None;
        }
        let pin = self.tree.pin(&tokens[..length])?;
        context.remove(id);
        context.copy(kept, id, Some(position));
        Some(pin)
    }

    /// How much of `longest` tokens to share of a text of so many.
    fn units(&self, longest: usize, text: usize) -> usize {
        let length = longest.min(text) / self.unit * self.unit;
        // Without the cache, no slice of one token would be left.
        if text - length == 1 { length.saturating_sub(self.unit) } else { length }
    }

    /// Another running sequence shares the same.
    pub(super) fn pin_again(&mut self, pin: &Pin) -> Pin {
        self.tree.pin_again(pin)
    }

    /// Another running sequence shares so much, if it is kept.
    pub(super) fn pin(&mut self, tokens: &[Token]) -> Option<Pin> {
        self.tree.pin(tokens)
    }

    pub(super) fn unpin(&mut self, pin: Option<Pin>) {
        if let Some(pin) = pin {
            self.tree.unpin(pin);
        }
    }

    /// Keeps the beginning of a running sequence, which shares it from now on: `tokens`, all of which are
    /// computed, in slices as without the cache.
    pub(super) fn keep(
        &mut self,
        context: &mut Context,
        tokens: &[Token],
        layout: &Layout,
        id: i32,
    ) -> Result<Option<Pin>> {
        let tokens = &tokens[..self.whole(tokens.len(), layout)];
        if tokens.len() < LEAST || !self.has_id(context)? {
            return Ok(None);
        }
        let Some(own) = self.free_ids.pop() else { return Ok(None) };
        match self.tree.insert(tokens, own) {
            Inserted::Covered => {
                self.merge(context, self.tree.longest(tokens), layout, id);
                self.free_ids.push(own);
            }
            Inserted::Added { shared, replaced } => {
                self.merge(context, shared, layout, id);
                context.copy(id, own, Some(layout.position(tokens.len())));
                self.layouts.insert(own, layout.clone());
                self.free(context, replaced);
            }
        }
        Ok(self.tree.pin(tokens))
    }

    /// Lets a sequence have a kept one's cells in place of its own, which are the same: so many tokens were
    /// computed twice.
    fn merge(&self, context: &mut Context, kept: Option<(usize, i32)>, layout: &Layout, id: i32) {
        // A window may have dropped some of either.
        if let Some((length, kept)) = kept.filter(|_| self.window.is_none()) {
            let position = layout.position(layout.floor(length));
            context.forget_before(id, position);
            context.copy(kept, id, Some(position));
        }
    }

    /// The same for a sequence that ends, answer included, where it does not matter that this was
    /// computed a token at a time.
    pub(super) fn keep_answer(
        &mut self,
        context: &mut Context,
        tokens: &[Token],
        layout: &Layout,
        id: i32,
    ) -> Result<Option<Pin>> {
        if self.unit == 1 { self.keep(context, tokens, layout, id) } else { Ok(None) }
    }

    /// How many of so many tokens a shared beginning can have that were computed as one prompt: where slices
    /// matter, none after an image or sound.
    fn whole(&self, tokens: usize, layout: &Layout) -> usize {
        let tokens = if self.unit == 1 { layout.floor(tokens) } else { layout.text(tokens) };
        match tokens % self.unit {
            // The last two slices were not cut where others are.
            1 if self.unit > 1 => (tokens - 1).saturating_sub(self.unit),
            rest => tokens - rest,
        }
    }

    /// Whether an id is free, now.
    fn has_id(&mut self, context: &mut Context) -> Result<bool> {
        while self.free_ids.is_empty() && self.evict(context)? {}
        Ok(!self.free_ids.is_empty())
    }

    /// Lets the least recently used sequence go; false when all that is kept is in use.
    pub(super) fn evict(&mut self, context: &mut Context) -> Result<bool> {
        let Some(evicted) = self.tree.evict() else { return Ok(false) };
        if evicted.kept > 0 {
            let layout = self.layouts.get(&evicted.id);
            context.rewind(evicted.id, layout.map_or(evicted.kept, |layout| layout.position(evicted.kept)))?;
        } else {
            self.free(context, Some(evicted.id));
        }
        Ok(true)
    }

    /// Lets everything go. What running sequences share is theirs then: their pins are of no use any more.
    pub(super) fn clear(&mut self, context: &mut Context) -> bool {
        let ids: Vec<i32> = std::mem::replace(&mut self.tree, Tree::new()).ids().collect();
        let had_some = !ids.is_empty();
        for id in ids {
            self.free(context, Some(id));
        }
        had_some
    }

    /// Writes what is kept of texts to a file, while nothing runs. What several sequences share is written once.
    pub(super) fn save(&mut self, context: &mut Context, file: &PrefixFile) -> Result<()> {
        let is_text = |(_, tokens): &(i32, Vec<Token>)| !tokens.iter().any(|token| is_row(*token));
        let sequences: Vec<_> = self.tree.sequences().into_iter().filter(is_text).collect();
        if sequences.is_empty() {
            return Ok(());
        }
        context.remove(PART);
        let mut writer = Writer::create(file, sequences.len())?;
        for (index, (id, tokens)) in sequences.iter().enumerate() {
            let common = |other: &[Token]| tokens.iter().zip(other).take_while(|(a, b)| a == b).count();
            let earlier = sequences[..index].iter().map(|(_, earlier)| common(earlier)).enumerate();
            let (base, shared) = earlier.max_by_key(|(_, common)| *common).unwrap_or_default();
            context.copy(*id, PART, None);
            context.forget_before(PART, shared);
            let state = context.state(PART);
            context.remove(PART);
            writer.write(&SavedSequence { base, shared, rest: tokens[shared..].to_vec(), state: state? })?;
        }
        writer.finish()
    }

    /// Keeps what was written to a file, as far as there is room for it, before anything runs.
    pub(super) fn restore(&mut self, context: &mut Context, file: &PrefixFile) -> Result<()> {
        let Some(mut reader) = Reader::open(file)? else { return Ok(()) };
        let mut restored: Vec<Option<(i32, Vec<Token>)>> = Vec::new();
        while let Some(SavedSequence { base, shared, rest, state }) = reader.read()? {
            let earlier = restored.get(base).and_then(Option::as_ref).filter(|_| shared > 0);
            let begin = earlier.and_then(|(id, tokens)| Some((*id, tokens.get(..shared)?)));
            let has_room = self.tree.cells() + rest.len() <= context.cells() as usize;
            if begin.is_none() != (shared == 0) || !has_room {
                restored.push(None);
                continue;
            }
            if self.free_ids.is_empty() || !context.restore(PART, &state)? {
                break;
            }
            let has = (context.begin(PART), context.end(PART).map(|end| end + 1));
            let Some(own) = self.free_ids.pop().filter(|_| has == (Some(shared), Some(shared + rest.len()))) else {
                context.remove(PART);
                return Err(Error::internal("the file of saved prefixes does not have the cells that it names"));
            };
            let (from, mut tokens) = begin.map_or((None, Vec::new()), |(id, tokens)| (Some(id), tokens.to_vec()));
            if let Some(from) = from {
                context.copy(from, own, Some(shared));
            }
            context.copy(PART, own, None);
            context.remove(PART);
            tokens.extend(rest);
            let Inserted::Added { replaced, .. } = self.tree.insert(&tokens, own) else {
                self.free(context, Some(own));
                break;
            };
            self.layouts.insert(own, Layout::default());
            self.free(context, replaced);
            restored.push(Some((own, tokens)));
        }
        // As they were of use: the first ones last.
        for (_, tokens) in restored.iter().flatten().rev() {
            let pin = self.tree.pin(tokens);
            self.unpin(pin);
        }
        Ok(())
    }

    fn free(&mut self, context: &mut Context, id: Option<i32>) {
        if let Some(id) = id {
            context.remove(id);
            self.layouts.remove(&id);
            self.free_ids.push(id);
        }
    }
}
