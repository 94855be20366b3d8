//! The types with blocks of 256.

use super::{Format, Group, ROWS, fifth_bits, interleave, nibbles, side_by_side};
use crate::simd::Simd;

/// Bytes of 16 half-precision floats.
const HALVES: usize = 2 * ROWS;
/// Where the 6-bit scales and minimums of `Q4_K` and `Q5_K` lie in a packed block.
const SIX_BITS: usize = 2 * HALVES;
/// Where their quantised values begin.
const VALUES: usize = SIX_BITS + 12 * ROWS;

/// The scales and minimums of a block of `Q4_K` or `Q5_K`.
#[derive(Clone, Copy)]
pub(crate) struct SixBits<S: Simd> {
    scale: S::Floats,
    /// Less than zero, as minimums are taken off.
    min: S::Floats,
    /// For each of the 8 groups, the scales of 16 rows.
    scales: [u8; 8 * ROWS],
    /// The same for the minimums.
    mins: [u8; 8 * ROWS],
}

/// Reads what `Q4_K` and `Q5_K` blocks begin with.
#[inline(always)]
unsafe fn six_bits<S: Simd>(block: *const u8) -> SixBits<S> {
    // SAFETY: the caller vouches for a packed block and the instruction set; the arrays
    // have room for twice 64 bytes.
    unsafe {
        // Four groups' scales, four groups' minimums, and the other groups' low halves of
        // both, whose high bits are the high bits of the first two.
        let first = S::load(block.add(SIX_BITS));
        let second = S::load(block.add(SIX_BITS + 64));
        let third = S::load(block.add(SIX_BITS + 128));
        let (low_six, high_two) = (S::splat_byte(0x3f), S::splat_byte(0x30));
        let low_four = S::splat_byte(0x0f);
        let mut scales = [0; 8 * ROWS];
        let mut mins = [0; 8 * ROWS];
        S::store_bytes(scales.as_mut_ptr(), S::and(first, low_six));
        S::store_bytes(mins.as_mut_ptr(), S::and(second, low_six));
        let high = S::and(S::shift_right(first, 2), high_two);
        S::store_bytes(scales.as_mut_ptr().add(64), S::or(S::and(third, low_four), high));
        let high = S::and(S::shift_right(second, 2), high_two);
        S::store_bytes(mins.as_mut_ptr().add(64), S::or(S::and(S::shift_right(third, 4), low_four), high));
        SixBits {
            scale: S::load_halves(block),
            min: S::mul(S::load_halves(block.add(HALVES)), S::splat(-1.0)),
            scales,
            mins,
        }
    }
}

impl<S: Simd> SixBits<S> {
    /// The scale and minimum of a group.
    #[inline(always)]
    unsafe fn of(&self, index: usize) -> (S::Floats, S::Floats) {
        // SAFETY: the caller vouches for an index below 8 and the instruction set.
        unsafe {
            let scale = S::mul(S::load_u8(self.scales.as_ptr().add(ROWS * index)), self.scale);
            let min = S::mul(S::load_u8(self.mins.as_ptr().add(ROWS * index)), self.min);
            (scale, min)
        }
    }
}

/// The 8 times 64 nibbles of a group: groups go in pairs, the first has the low ones.
#[inline(always)]
unsafe fn group_nibbles<S: Simd>(values: *const u8, index: usize) -> [S::Bytes; 8] {
    // SAFETY: the caller vouches for 2048 bytes, an index below 8 and the instruction set.
    unsafe {
        let source = values.add(512 * (index / 2));
        let shift = if index.is_multiple_of(2) { 0 } else { 4 };
        [
            nibbles::<S>(source, shift),
            nibbles::<S>(source.add(64), shift),
            nibbles::<S>(source.add(128), shift),
            nibbles::<S>(source.add(192), shift),
            nibbles::<S>(source.add(256), shift),
            nibbles::<S>(source.add(320), shift),
            nibbles::<S>(source.add(384), shift),
            nibbles::<S>(source.add(448), shift),
        ]
    }
}

/// 6-bit scales and minimums for each 32 of 256 nibbles.
pub(crate) struct Q4K;

impl Format for Q4K {
    const BLOCK: usize = 256;
    const BLOCK_BYTES: usize = 144;
    const OFFSET: i32 = 0;
    const HAS_MIN: bool = true;
    type Scales<S: Simd> = SixBits<S>;

    unsafe fn pack(sources: [*const u8; ROWS], target: *mut u8) {
        // SAFETY: the parts make up the block, as the caller vouches for it.
        unsafe {
            pack_six_bits(&sources, target);
            interleave(&sources, 16, 32, target.add(VALUES));
        }
    }

    #[inline(always)]
    unsafe fn scales<S: Simd>(block: *const u8) -> SixBits<S> {
        // SAFETY: the caller vouches for the block and the instruction set.
        unsafe { six_bits(block) }
    }

    #[inline(always)]
    unsafe fn group<S: Simd>(block: *const u8, scales: &SixBits<S>, index: usize) -> Group<S> {
        // SAFETY: the parts make up the block, as the caller vouches for it.
        unsafe {
            let (scale, min) = scales.of(index);
            Group { weights: group_nibbles::<S>(block.add(VALUES), index), scales: [scale; 2], min }
        }
    }
}

/// Packs what `Q4_K` and `Q5_K` blocks begin with.
unsafe fn pack_six_bits(sources: &[*const u8; ROWS], target: *mut u8) {
    // SAFETY: the caller vouches for 16 bytes of each row, and for 256 at the target.
    unsafe {
        side_by_side::<2>(sources, 0, target);
        side_by_side::<2>(sources, 2, target.add(HALVES));
        for byte in 0..12 {
            side_by_side::<1>(sources, 4 + byte, target.add(SIX_BITS + ROWS * byte));
        }
    }
}

/// `Q4_K` with a fifth bit.
pub(crate) struct Q5K;

impl Format for Q5K {
    const BLOCK: usize = 256;
    const BLOCK_BYTES: usize = 176;
    const OFFSET: i32 = 0;
    const HAS_MIN: bool = true;
    type Scales<S: Simd> = SixBits<S>;

    unsafe fn pack(sources: [*const u8; ROWS], target: *mut u8) {
        // SAFETY: the parts make up the block, as the caller vouches for it.
        unsafe {
            pack_six_bits(&sources, target);
            interleave(&sources, 16, 8, target.add(VALUES));
            interleave(&sources, 48, 32, target.add(VALUES + 512));
        }
    }

    #[inline(always)]
    unsafe fn scales<S: Simd>(block: *const u8) -> SixBits<S> {
        // SAFETY: the caller vouches for the block and the instruction set.
        unsafe { six_bits(block) }
    }

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the index is below 8")]
    unsafe fn group<S: Simd>(block: *const u8, scales: &SixBits<S>, index: usize) -> Group<S> {
        // SAFETY: the parts make up the block, as the caller vouches for it.
        unsafe {
            let (scale, min) = scales.of(index);
            let mut weights = group_nibbles::<S>(block.add(VALUES + 512), index);
            for (four, weights) in weights.iter_mut().enumerate() {
                // Each byte has a bit for each group.
                let bits = S::load(block.add(VALUES + 64 * four));
                *weights = S::or(*weights, fifth_bits::<S>(bits, index as u32));
            }
            Group { weights, scales: [scale; 2], min }
        }
    }
}

/// Where the low halves and the high bits of `Q6_K` begin.
const LOW: usize = HALVES + 16 * ROWS;
const HIGH: usize = LOW + 128 * ROWS;

/// 8-bit scales for each 16 of 256 values of 6 bits less 32.
pub(crate) struct Q6K;

impl Format for Q6K {
    const BLOCK: usize = 256;
    const BLOCK_BYTES: usize = 210;
    const OFFSET: i32 = 32;
    const HALVES: bool = true;
    type Scales<S: Simd> = ();

    unsafe fn pack(sources: [*const u8; ROWS], target: *mut u8) {
        // SAFETY: the parts make up the block, as the caller vouches for it.
        unsafe {
            side_by_side::<2>(&sources, 208, target);
            for scale in 0..16 {
                side_by_side::<1>(&sources, 192 + scale, target.add(HALVES + ROWS * scale));
            }
            interleave(&sources, 0, 32, target.add(LOW));
            interleave(&sources, 128, 16, target.add(HIGH));
        }
    }

    #[inline(always)]
    unsafe fn scales<S: Simd>(_block: *const u8) {}

    #[inline(always)]
    unsafe fn group<S: Simd>(block: *const u8, (): &(), index: usize) -> Group<S> {
        // SAFETY: the parts make up the block, as the caller vouches for it.
        unsafe {
            let scale = S::load_halves(block);
            let scales = [0, 1].map(|half| block.add(HALVES + ROWS * (2 * index + half)));
            // Of each 128 weights, the first and second 32 are low halves, the third and
            // fourth the high halves of the same bytes; all have two bits of one byte.
            let (half, quarter) = (index / 4, index % 4);
            let low = block.add(LOW + 1024 * half + 512 * (quarter % 2));
            let low_shift = if quarter < 2 { 0 } else { 4 };
            let high = block.add(HIGH + 512 * half);
            let mut weights = [S::splat_byte(0); 8];
            for (four, weights) in weights.iter_mut().enumerate() {
                let bits = S::load(high.add(64 * four));
                let bits = match quarter {
                    0 => S::shift_left(bits, 4),
                    1 => S::shift_left(bits, 2),
                    2 => bits,
                    _ => S::shift_right(bits, 2),
                };
                let bits = S::and(bits, S::splat_byte(0x30));
                *weights = S::or(nibbles::<S>(low.add(64 * four), low_shift), bits);
            }
            Group {
                weights,
                scales: [S::mul(S::load_i8(scales[0]), scale), S::mul(S::load_i8(scales[1]), scale)],
                min: scale,
            }
        }
    }
}
