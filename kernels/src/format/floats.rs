//! The types that are floats.

use super::{ROWS, side_by_side};
use crate::simd::Simd;

/// A type whose weights are floats. A packed block has the first weight of each row, then the second of each, and
/// so on.
pub(crate) trait FloatFormat: 'static {
    /// Bytes of a weight.
    const BYTES: usize;

    /// Reads one weight of each row.
    ///
    /// # Safety
    ///
    /// They can be read, and the processor has the instruction set.
    unsafe fn load<S: Simd>(source: *const u8) -> S::Floats;
}

/// Weights that are packed together: what a row's length is a multiple of.
pub(crate) const BLOCK: usize = 32;
/// Packs one block of 16 rows.
///
/// # Safety
///
/// There is a block at each source, and room for 16 at the target.
pub(crate) unsafe fn pack<F: FloatFormat>(sources: [*const u8; ROWS], target: *mut u8) {
    for index in 0..BLOCK {
        // SAFETY: the caller vouches for all weights.
        unsafe {
            let target = target.add(F::BYTES * ROWS * index);
            match F::BYTES {
                2 => side_by_side::<2>(&sources, 2 * index, target),
                _ => side_by_side::<4>(&sources, 4 * index, target),
            }
        }
    }
}

/// Half-precision floats.
pub(crate) struct F16;

impl FloatFormat for F16 {
    const BYTES: usize = 2;

    #[inline(always)]
    unsafe fn load<S: Simd>(source: *const u8) -> S::Floats {
        // SAFETY: the caller vouches for it.
        unsafe { S::load_halves(source) }
    }
}

/// The upper halves of floats.
pub(crate) struct Bf16;

impl FloatFormat for Bf16 {
    const BYTES: usize = 2;

    #[inline(always)]
    unsafe fn load<S: Simd>(source: *const u8) -> S::Floats {
        // SAFETY: the caller vouches for it.
        unsafe { S::load_upper_halves(source) }
    }
}

/// Floats as they are computed with.
pub(crate) struct F32;

impl FloatFormat for F32 {
    const BYTES: usize = 4;

    #[inline(always)]
    unsafe fn load<S: Simd>(source: *const u8) -> S::Floats {
        // SAFETY: the caller vouches for it.
        unsafe { S::load_floats(source.cast()) }
    }
}
