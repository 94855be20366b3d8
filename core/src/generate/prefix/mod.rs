//! The prefix cache: what was computed for earlier requests stays in the KV cache, and later ones that begin
//! alike share it.
//!
//! Kept sequences have ids of their own; [`Tree`] knows which tokens they have. Their cells count as
//! free: they are let go, the least recently used first, when running sequences need them. What
//! running sequences share is not.

mod tree;

use std::collections::HashMap;

use super::SLICE;
use super::prompt::Layout;
use crate::api::error::Result;
use crate::backend::{Context, Token};

pub(super) use tree::Pin;
use tree::{Inserted, Tree};

/// Shorter beginnings are not worth an id.
const LEAST: usize = 16;

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
    /// A cache that has these ids; with none, it keeps nothing. `uniform` says that logits do not depend
    /// on slices.
    pub(super) fn new(ids: impl Iterator<Item = i32>, uniform: bool, window: Option<usize>) -> Self {
        let unit = if uniform { 1 } else { SLICE };
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

    fn free(&mut self, context: &mut Context, id: Option<i32>) {
        if let Some(id) = id {
            context.remove(id);
            self.layouts.remove(&id);
            self.free_ids.push(id);
        }
    }
}
