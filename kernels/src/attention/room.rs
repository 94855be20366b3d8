//! The memory that a thread computes in.

use super::{Attention, ROWS};

/// Cells whose values are widened to doubles at a time.
pub(super) const BLOCK: usize = 64;

/// Where a thread has what.
pub(super) struct Room {
    /// Two sets of cells, a bit for each.
    pub(super) sets: [*mut u64; 2],
    /// The cells that some of the tokens see, and 15 more.
    pub(super) list: *mut u32,
    /// For each of these what one token's mask adds.
    pub(super) bias: *mut f32,
    /// For each query its products with these cells' keys, and later the weights of their values.
    pub(super) scores: *mut f32,
    /// Numbers from one query's scores to the next.
    pub(super) stride: usize,
    /// Keys of 16 cells, transposed.
    pub(super) keys: *mut f32,
    /// Weights of a block's values, for each query.
    pub(super) weights: *mut f64,
    /// Eight numbers of each of a block's values.
    pub(super) values: *mut f64,
    /// The results, for each query.
    pub(super) results: *mut f64,
}

/// The sizes of a room's parts, in units of 8 bytes.
fn sizes(attention: &Attention) -> [usize; 9] {
    let set = attention.cells.div_ceil(64);
    let row = attention.cells.div_ceil(2) + 8;
    [
        set,
        set,
        row,
        row,
        row * ROWS,
        attention.key_width * 16 / 2,
        ROWS * BLOCK,
        8 * BLOCK,
        ROWS * attention.value_width,
    ]
}

impl Room {
    /// How large it is: whole lines of the processor's cache, so that threads do not share one.
    pub(super) fn bytes(attention: &Attention) -> usize {
        (sizes(attention).iter().sum::<usize>() * 8).next_multiple_of(64)
    }

    /// # Safety
    ///
    /// There are so many bytes.
    pub(super) unsafe fn new(attention: &Attention, work: *mut u8) -> Self {
        let mut offset = 0;
        let [first, second, list, bias, scores, keys, weights, values, results] = sizes(attention).map(|size| {
            let begin = offset;
            offset += 8 * size;
            // SAFETY: the caller vouches for the sum of the sizes.
            unsafe { work.add(begin) }
        });
        Room {
            sets: [first.cast(), second.cast()],
            list: list.cast(),
            bias: bias.cast(),
            scores: scores.cast(),
            stride: attention.cells + 16,
            keys: keys.cast(),
            weights: weights.cast(),
            values: values.cast(),
            results: results.cast(),
        }
    }
}
