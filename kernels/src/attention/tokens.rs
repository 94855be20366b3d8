//! Which tokens are computed together: those that see nearly the same cells.

use super::passes::{self, Rows};
use super::room::Room;
use super::{Attention, HIDDEN, Unit};
use crate::simd::Simd;

/// Cells that one token sees and another does not, beyond which they are computed apart: so many, and
/// one in eight of those that both see.
const DIFFERENT: usize = 16;

/// Computes a unit.
///
/// # Safety
///
/// As for [`Attention::compute`]; nobody else uses the room.
#[inline(always)]
pub(super) unsafe fn compute<S: Simd>(attention: &Attention, room: &Room, unit: Unit) {
    let end = unit.token + unit.tokens;
    let mut token = unit.token;
    while token < end {
        // SAFETY: the caller vouches for the tokens' masks and the room.
        unsafe {
            let mut seen = see::<S>(attention, token, room.sets[0]);
            let mut tokens = 1;
            while token + tokens < end {
                let next = see::<S>(attention, token + tokens, room.sets[1]);
                let Some(all) = join(attention, room, seen, next) else { break };
                seen = all;
                tokens += 1;
            }
            let count = list(attention, room);
            passes::compute::<S>(attention, room, &Rows { token, tokens, head: unit.head, heads: unit.heads, count });
            token += tokens;
        }
    }
}

/// Notes which cells a token sees; gives how many.
#[inline(always)]
unsafe fn see<S: Simd>(attention: &Attention, token: usize, set: *mut u64) -> usize {
    let mut count = 0;
    // SAFETY: the caller vouches for the mask and for a bit for each cell.
    unsafe {
        let mask = attention.mask.add(token * attention.mask_stride);
        for word in 0..attention.cells.div_ceil(64) {
            let mut bits = 0u64;
            for part in 0..4 {
                let cell = 64 * word + 16 * part;
                if cell + 16 <= attention.cells {
                    bits |= u64::from(S::unequal(mask.add(cell), HIDDEN)) << (16 * part);
                } else {
                    for cell in cell..attention.cells {
                        bits |= u64::from(*mask.add(cell) != HIDDEN) << (cell % 64);
                    }
                }
            }
            set.add(word).write(bits);
            count += bits.count_ones() as usize;
        }
    }
    count
}

/// Adds the second set to the first if they have nearly the same cells: of these, the first has `seen` and
/// the second `next`. Gives how many it has then.
#[inline(always)]
unsafe fn join(attention: &Attention, room: &Room, seen: usize, next: usize) -> Option<usize> {
    let [first, second] = room.sets;
    let words = attention.cells.div_ceil(64);
    // SAFETY: the caller vouches for both sets.
    unsafe {
        let union = (0..words).map(|word| (*first.add(word) | *second.add(word)).count_ones() as usize).sum::<usize>();
        if union - seen.min(next) > DIFFERENT + seen / 8 {
            return None;
        }
        for word in 0..words {
            *first.add(word) |= *second.add(word);
        }
        Some(union)
    }
}

/// Lists the cells of the first set, and 15 times the last, so that they can be read 16 at a time. Gives how
/// many there are.
#[inline(always)]
unsafe fn list(attention: &Attention, room: &Room) -> usize {
    let mut count = 0;
    // SAFETY: the caller vouches for the set, and for room for all cells and 16 more.
    unsafe {
        for word in 0..attention.cells.div_ceil(64) {
            let mut bits = *room.sets[0].add(word);
            while bits != 0 {
                #[expect(clippy::cast_possible_truncation, reason = "no cache has 2^32 cells")]
                room.list.add(count).write((64 * word) as u32 + bits.trailing_zeros());
                count += 1;
                bits &= bits - 1;
            }
        }
        if count > 0 {
            let last = *room.list.add(count - 1);
            for more in 0..15 {
                room.list.add(count + more).write(last);
            }
        }
    }
    count
}
