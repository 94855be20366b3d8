//! Who has which cells of the KV cache: letting in, sharing, pushing out.

use std::sync::Arc;

use super::{Draft, Running, Scheduler};
use crate::api::error::Result;
use crate::generate::EXTRA;
use crate::generate::prefix::Pin;
use crate::generate::sequence::{Sequence, SharedPrompt};

/// Cells kept free for each running sequence when a new one is let in, so that
/// it does not push another out right away.
const HEADROOM: usize = 32;

impl Scheduler {
    /// Lets waiting requests in, first come first served, while there are
    /// sequence ids and cells; what only the prefix cache keeps counts as free.
    pub(super) fn admit(&mut self) {
        while let (Some(next), false) = (self.waiting.front(), self.free_ids.is_empty()) {
            let headroom = HEADROOM * (self.running.len() + next.choices());
            let wanted = (next.len() + headroom).min(next.max_len());
            if !self.running.is_empty() && self.used(Sequence::len) + wanted > self.cells() {
                return;
            }
            let (Some(mut sequence), Some(id)) = (self.waiting.pop_front(), self.free_ids.pop()) else { return };
            sequence.begin();
            // At the end of the queue: other callers come first.
            self.waiting.extend(sequence.take_follower());
            let (pin, draft) = (None, Draft::default());
            self.running.push(Running { id, sequence, pin, has_prompt: false, draft, part: None });
            self.share_prompt();
        }
    }

    /// Lets a choice that had to wait for its turn begin with the prompt of those
    /// that are still running. The last token is computed again, for its logits.
    fn share_prompt(&mut self) {
        let Some((new, others)) = self.running.split_last_mut() else { return };
        let Some(shared) = new.sequence.shared_prompt() else { return };
        let same = |other: &&Running| other.sequence.shared_prompt().is_some_and(|prompt| Arc::ptr_eq(prompt, shared));
        let reused = shared.tokens - 1;
        match others.iter().find(same).filter(|_| self.context.model().can_rewind()) {
            Some(other) => {
                // The last token is none of an image or sound.
                self.context.copy(other.id, new.id, Some(new.sequence.layout().position(reused)));
                new.pin = self.prefixes.pin(&new.sequence.tokens()[..reused]);
                new.sequence.advance(reused);
            }
            None => new.sequence.evicted(),
        }
    }

    /// Cells of all running sequences, each of them having `size`; what several share counts once.
    pub(super) fn used(&self, size: impl Fn(&Sequence) -> usize) -> usize {
        let mut counted: Vec<*const SharedPrompt> = Vec::new();
        let own = |running: &Running| {
            let pinned = running.pin.as_ref().map_or(0, Pin::tokens);
            let shared = running.sequence.shared_prompt().map_or(0, |shared| {
                let is_counted = counted.contains(&Arc::as_ptr(shared));
                counted.push(Arc::as_ptr(shared));
                if is_counted { shared.tokens } else { 0 }
            });
            size(&running.sequence).saturating_sub(pinned.max(shared))
        };
        self.prefixes.pinned_cells() + self.running.iter().map(own).sum::<usize>()
    }

    /// Cells that nobody has.
    pub(super) fn free_cells(&self) -> usize {
        self.cells().saturating_sub(self.used(Sequence::cached) + self.prefixes.idle_cells())
    }

    fn cells(&self) -> usize {
        self.context.cells() as usize
    }

    /// Lets sequences of which nothing is computed begin with what the prefix cache has. Not before it is their
    /// turn, since the prompt before theirs may begin like it.
    pub(super) fn share_prefixes(&mut self) {
        let whole = self.slice;
        let mut budget = whole;
        for Running { id, sequence, pin, .. } in
            self.running.iter_mut().filter(|running| !running.sequence.is_decoding())
        {
            let has = pin.as_ref().map_or(0, Pin::tokens);
            if budget > 0
                && sequence.cached() == has
                && !sequence.scores_prompt()
                && let Some(longer) =
                    self.prefixes.share(&mut self.context, sequence.tokens(), sequence.layout(), *id, has)
            {
                sequence.share(longer.tokens());
                self.prefixes.unpin(pin.replace(longer));
            }
            budget = budget.saturating_sub(sequence.next_slice(whole).tokens.len());
        }
    }

    /// Keeps the prompts that have been computed.
    pub(super) fn keep_prompts(&mut self) -> Result<()> {
        for Running { id, sequence, pin, has_prompt, part, .. } in &mut self.running {
            if *has_prompt || part.as_ref().is_none_or(|part| part.logits_at.is_none()) {
                continue;
            }
            *has_prompt = true;
            // What is scored is cut into smaller slices.
            if sequence.scores_prompt() {
                continue;
            }
            if let Some(kept) = self.prefixes.keep(&mut self.context, sequence.prompt(), sequence.layout(), *id)? {
                self.prefixes.unpin(pin.replace(kept));
            }
        }
        Ok(())
    }

    /// Keeps a sequence that ends, as far as it was computed.
    pub(super) fn keep_answer(&mut self, index: usize) -> Result<()> {
        let Running { id, sequence, .. } = &self.running[index];
        let kept = self.prefixes.keep_answer(&mut self.context, sequence.computed(), sequence.layout(), *id)?;
        self.prefixes.unpin(kept);
        Ok(())
    }

    /// Lets go of a kept sequence that no running one uses, or else of all. False if there was none.
    pub(super) fn forget_prefixes(&mut self) -> Result<bool> {
        if self.prefixes.evict(&mut self.context)? {
            return Ok(true);
        }
        for running in &mut self.running {
            running.pin = None;
        }
        Ok(self.prefixes.clear(&mut self.context))
    }

    /// Lets go of kept sequences, and then pushes out the newest running ones, until the others
    /// have the cells that this step needs: one for each that is generating, and the oldest
    /// unfinished prompt's slice. Alone, a sequence always fits.
    pub(super) fn make_room(&mut self) -> Result<()> {
        loop {
            // As many as a step can use.
            let welcome = self.running.len() + EXTRA + self.slice;
            while self.free_cells() < welcome && self.prefixes.evict(&mut self.context)? {}
            let decoding = self.running.iter().filter(|running| running.sequence.is_decoding()).count();
            let prompt = self.running.iter().find(|running| !running.sequence.is_decoding());
            let slice = prompt.map_or(0, |running| running.sequence.next_slice(self.slice).tokens.len());
            if self.running.len() <= 1 || self.free_cells() >= decoding + slice {
                return Ok(());
            }
            self.push_out_last();
        }
    }

    /// Returns the newest sequence to the head of the queue; it will be computed
    /// again when there is room.
    pub(super) fn push_out_last(&mut self) {
        let Some(mut running) = self.running.pop() else { return };
        self.context.remove(running.id);
        self.free_ids.push(running.id);
        self.prefixes.unpin(running.pin);
        running.sequence.evicted();
        self.meters.evictions.add(1);
        self.waiting.push_front(running.sequence);
    }
}
