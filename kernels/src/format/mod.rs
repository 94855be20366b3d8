//! The types of weights: how blocks of 16 rows are laid side by side, and read back.
//!
//! A packed matrix is a row of *panels*, one for each 16 rows. A panel is a row of
//! packed blocks, each holding that block of all 16 rows: first the scales, 16 side by
//! side, then the quantised values, of which 4 bytes of each row lie side by side. A
//! packed block is as long as the 16 it was made of. Weights that are floats lie one of each row side by side.

mod floats;
mod k;
mod legacy;

use crate::simd::Simd;

pub(crate) use floats::{BLOCK, Bf16, F16, F32, FloatFormat, pack as pack_floats};
pub(crate) use k::{Q4K, Q5K, Q6K};
pub(crate) use legacy::{Iq4Nl, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0};

/// Rows of a panel.
pub(crate) const ROWS: usize = 16;

/// A type of weights.
pub(crate) trait Format: 'static {
    /// Weights of a block.
    const BLOCK: usize;
    /// Bytes of one row's block.
    const BLOCK_BYTES: usize;
    /// What the bytes of a [`Group`] are too large by.
    const OFFSET: i32;
    /// Whether a [`Group`]'s bytes exceed 127.
    const WIDE: bool = false;
    /// Whether a [`Group`] has a minimum.
    const HAS_MIN: bool = false;
    /// Whether a [`Group`]'s two halves have different scales.
    const HALVES: bool = false;

    /// What all groups of a packed block share.
    type Scales<S: Simd>: Copy;

    /// Packs one block of 16 rows.
    ///
    /// # Safety
    ///
    /// There is a block at each source, and room for 16 at the target.
    unsafe fn pack(sources: [*const u8; ROWS], target: *mut u8);

    /// Reads the scales of a packed block.
    ///
    /// # Safety
    ///
    /// There is a packed block, and the processor has the instruction set.
    unsafe fn scales<S: Simd>(block: *const u8) -> Self::Scales<S>;

    /// Reads weights `32 * index` to `32 * index + 31` of a packed block.
    ///
    /// # Safety
    ///
    /// As for [`scales`](Format::scales); `index` is below `BLOCK / 32`.
    unsafe fn group<S: Simd>(block: *const u8, scales: &Self::Scales<S>, index: usize) -> Group<S>;
}

/// 32 weights of 16 rows. A weight is `scale * (byte - OFFSET) + min`.
pub(crate) struct Group<S: Simd> {
    /// Each has 4 weights of each row.
    pub(crate) weights: [S::Bytes; 8],
    /// The scale; for [`HALVES`](Format::HALVES), of the first and last 16 weights.
    pub(crate) scales: [S::Floats; 2],
    /// The minimum, for [`HAS_MIN`](Format::HAS_MIN).
    pub(crate) min: S::Floats,
}

/// Lays `N` bytes of each row's block, from `offset` on, side by side.
///
/// # Safety
///
/// They can be read, and `16 * N` bytes written.
unsafe fn side_by_side<const N: usize>(sources: &[*const u8; ROWS], offset: usize, target: *mut u8) {
    for (row, source) in sources.iter().enumerate() {
        // SAFETY: the caller vouches for the bytes.
        unsafe {
            let bytes = source.add(offset).cast::<[u8; N]>().read_unaligned();
            target.add(row * N).cast::<[u8; N]>().write_unaligned(bytes);
        }
    }
}

/// Lays `fours` times 4 bytes of each row's block, from `offset` on, side by side.
///
/// # Safety
///
/// They can be read, and `64 * fours` bytes written.
unsafe fn interleave(sources: &[*const u8; ROWS], offset: usize, fours: usize, target: *mut u8) {
    for four in 0..fours {
        // SAFETY: the caller vouches for the bytes.
        unsafe { side_by_side::<4>(sources, offset + 4 * four, target.add(64 * four)) };
    }
}

/// The low (`shift` 0) or high (`shift` 4) halves of 64 bytes.
///
/// # Safety
///
/// There are 64 bytes, and the processor has the instruction set.
#[inline(always)]
unsafe fn nibbles<S: Simd>(source: *const u8, shift: u32) -> S::Bytes {
    // SAFETY: the caller vouches for both.
    unsafe { S::and(S::shift_right(S::load(source), shift), S::splat_byte(0x0f)) }
}

/// Bit `bit` of each byte, in the place of bit 4.
///
/// # Safety
///
/// The processor has the instruction set.
#[inline(always)]
unsafe fn fifth_bits<S: Simd>(bits: S::Bytes, bit: u32) -> S::Bytes {
    // SAFETY: the caller vouches for it.
    unsafe {
        let shifted = if bit < 4 { S::shift_left(bits, 4 - bit) } else { S::shift_right(bits, bit - 4) };
        S::and(shifted, S::splat_byte(0x10))
    }
}
