//! The types with blocks of 32.

use super::{Format, Group, ROWS, fifth_bits, interleave, nibbles, side_by_side};
use crate::simd::Simd;

/// Bytes of 16 half-precision floats.
const HALVES: usize = 2 * ROWS;

/// The 8 times 64 nibbles of a packed block: the first half of a row's weights are the
/// low ones.
#[inline(always)]
unsafe fn all_nibbles<S: Simd>(source: *const u8) -> [S::Bytes; 8] {
    // SAFETY: the caller vouches for 256 bytes and the instruction set.
    unsafe {
        [
            nibbles::<S>(source, 0),
            nibbles::<S>(source.add(64), 0),
            nibbles::<S>(source.add(128), 0),
            nibbles::<S>(source.add(192), 0),
            nibbles::<S>(source, 4),
            nibbles::<S>(source.add(64), 4),
            nibbles::<S>(source.add(128), 4),
            nibbles::<S>(source.add(192), 4),
        ]
    }
}

/// The nibbles with their fifth bits, which lie before them.
#[inline(always)]
unsafe fn five_bits<S: Simd>(source: *const u8) -> [S::Bytes; 8] {
    // SAFETY: the caller vouches for 64 + 256 bytes and the instruction set.
    unsafe {
        let bits = S::load(source);
        let mut weights = all_nibbles::<S>(source.add(64));
        weights[0] = S::or(weights[0], fifth_bits::<S>(bits, 0));
        weights[1] = S::or(weights[1], fifth_bits::<S>(bits, 1));
        weights[2] = S::or(weights[2], fifth_bits::<S>(bits, 2));
        weights[3] = S::or(weights[3], fifth_bits::<S>(bits, 3));
        weights[4] = S::or(weights[4], fifth_bits::<S>(bits, 4));
        weights[5] = S::or(weights[5], fifth_bits::<S>(bits, 5));
        weights[6] = S::or(weights[6], fifth_bits::<S>(bits, 6));
        weights[7] = S::or(weights[7], fifth_bits::<S>(bits, 7));
        weights
    }
}

/// Packs the fifth bits: byte `i` of a row gets those of weights `i`, `i + 4` and so on.
unsafe fn pack_fifth_bits(sources: &[*const u8; ROWS], offset: usize, target: *mut u8) {
    for (row, source) in sources.iter().enumerate() {
        // SAFETY: the caller vouches for 4 bytes of each row, and for 64 at the target.
        unsafe {
            let bits = u32::from_le_bytes(source.add(offset).cast::<[u8; 4]>().read_unaligned());
            for byte in 0..4 {
                let eight = (0..8).fold(0u8, |eight, bit| eight | ((bits >> (4 * bit + byte) & 1) as u8) << bit);
                target.add(4 * row + byte).write(eight);
            }
        }
    }
}

/// Half-precision scale, 32 nibbles less 8.
pub(crate) struct Q4_0;

impl Format for Q4_0 {
    const BLOCK: usize = 32;
    const BLOCK_BYTES: usize = 18;
    const OFFSET: i32 = 8;
    type Scales<S: Simd> = ();

    unsafe fn pack(sources: [*const u8; ROWS], target: *mut u8) {
        // SAFETY: the parts make up the block, as the caller vouches for it.
        unsafe {
            side_by_side::<2>(&sources, 0, target);
            interleave(&sources, 2, 4, target.add(HALVES));
        }
    }

    #[inline(always)]
    unsafe fn scales<S: Simd>(_block: *const u8) {}

    #[inline(always)]
    unsafe fn group<S: Simd>(block: *const u8, (): &(), _index: usize) -> Group<S> {
        // SAFETY: the parts make up the block, as the caller vouches for it.
        unsafe {
            let scale = S::load_halves(block);
            Group { weights: all_nibbles::<S>(block.add(HALVES)), scales: [scale; 2], min: scale }
        }
    }
}

/// Half-precision scale, 32 nibbles that stand for the entries of a table.
pub(crate) struct Iq4Nl;

/// The entries, from -127 to 113, plus 128.
const IQ4_NL: [u8; 16] = [1, 24, 45, 63, 79, 93, 106, 118, 129, 141, 153, 166, 181, 197, 217, 241];

impl Format for Iq4Nl {
    const BLOCK: usize = 32;
    const BLOCK_BYTES: usize = 18;
    const OFFSET: i32 = 128;
    const WIDE: bool = true;
    type Scales<S: Simd> = ();

    unsafe fn pack(sources: [*const u8; ROWS], target: *mut u8) {
        // SAFETY: the block is laid out like this one, and the caller vouches for it.
        unsafe { Q4_0::pack(sources, target) }
    }

    #[inline(always)]
    unsafe fn scales<S: Simd>(_block: *const u8) {}

    #[inline(always)]
    unsafe fn group<S: Simd>(block: *const u8, (): &(), index: usize) -> Group<S> {
        // SAFETY: the caller vouches for the block and the instruction set.
        unsafe {
            let mut group = Q4_0::group::<S>(block, &(), index);
            for weights in &mut group.weights {
                *weights = S::lookup(&IQ4_NL, *weights);
            }
            group
        }
    }
}

/// Half-precision scale and minimum, 32 nibbles.
pub(crate) struct Q4_1;

impl Format for Q4_1 {
    const BLOCK: usize = 32;
    const BLOCK_BYTES: usize = 20;
    const OFFSET: i32 = 0;
    const HAS_MIN: bool = true;
    type Scales<S: Simd> = ();

    unsafe fn pack(sources: [*const u8; ROWS], target: *mut u8) {
        // SAFETY: the parts make up the block, as the caller vouches for it.
        unsafe {
            side_by_side::<2>(&sources, 0, target);
            side_by_side::<2>(&sources, 2, target.add(HALVES));
            interleave(&sources, 4, 4, target.add(2 * HALVES));
        }
    }

    #[inline(always)]
    unsafe fn scales<S: Simd>(_block: *const u8) {}

    #[inline(always)]
    unsafe fn group<S: Simd>(block: *const u8, (): &(), _index: usize) -> Group<S> {
        // SAFETY: the parts make up the block, as the caller vouches for it.
        unsafe {
            let scale = S::load_halves(block);
            let min = S::load_halves(block.add(HALVES));
            Group { weights: all_nibbles::<S>(block.add(2 * HALVES)), scales: [scale; 2], min }
        }
    }
}

/// Half-precision scale, 32 fifth bits, 32 nibbles, less 16.
pub(crate) struct Q5_0;

impl Format for Q5_0 {
    const BLOCK: usize = 32;
    const BLOCK_BYTES: usize = 22;
    const OFFSET: i32 = 16;
    type Scales<S: Simd> = ();

    unsafe fn pack(sources: [*const u8; ROWS], target: *mut u8) {
        // SAFETY: the parts make up the block, as the caller vouches for it.
        unsafe {
            side_by_side::<2>(&sources, 0, target);
            pack_fifth_bits(&sources, 2, target.add(HALVES));
            interleave(&sources, 6, 4, target.add(HALVES + 64));
        }
    }

    #[inline(always)]
    unsafe fn scales<S: Simd>(_block: *const u8) {}

    #[inline(always)]
    unsafe fn group<S: Simd>(block: *const u8, (): &(), _index: usize) -> Group<S> {
        // SAFETY: the parts make up the block, as the caller vouches for it.
        unsafe {
            let scale = S::load_halves(block);
            Group { weights: five_bits::<S>(block.add(HALVES)), scales: [scale; 2], min: scale }
        }
    }
}

/// Half-precision scale and minimum, 32 fifth bits, 32 nibbles.
pub(crate) struct Q5_1;

impl Format for Q5_1 {
    const BLOCK: usize = 32;
    const BLOCK_BYTES: usize = 24;
    const OFFSET: i32 = 0;
    const HAS_MIN: bool = true;
    type Scales<S: Simd> = ();

    unsafe fn pack(sources: [*const u8; ROWS], target: *mut u8) {
        // SAFETY: the parts make up the block, as the caller vouches for it.
        unsafe {
            side_by_side::<2>(&sources, 0, target);
            side_by_side::<2>(&sources, 2, target.add(HALVES));
            pack_fifth_bits(&sources, 4, target.add(2 * HALVES));
            interleave(&sources, 8, 4, target.add(2 * HALVES + 64));
        }
    }

    #[inline(always)]
    unsafe fn scales<S: Simd>(_block: *const u8) {}

    #[inline(always)]
    unsafe fn group<S: Simd>(block: *const u8, (): &(), _index: usize) -> Group<S> {
        // SAFETY: the parts make up the block, as the caller vouches for it.
        unsafe {
            let scale = S::load_halves(block);
            let min = S::load_halves(block.add(HALVES));
            Group { weights: five_bits::<S>(block.add(2 * HALVES)), scales: [scale; 2], min }
        }
    }
}

/// Half-precision scale, 32 signed bytes, which are packed as unsigned ones 128 larger.
pub(crate) struct Q8_0;

impl Format for Q8_0 {
    const BLOCK: usize = 32;
    const BLOCK_BYTES: usize = 34;
    const OFFSET: i32 = 128;
    const WIDE: bool = true;
    type Scales<S: Simd> = ();

    unsafe fn pack(sources: [*const u8; ROWS], target: *mut u8) {
        // SAFETY: the parts make up the block, as the caller vouches for it.
        unsafe {
            side_by_side::<2>(&sources, 0, target);
            interleave(&sources, 2, 8, target.add(HALVES));
            for byte in 0..32 * ROWS {
                *target.add(HALVES + byte) ^= 0x80;
            }
        }
    }

    #[inline(always)]
    unsafe fn scales<S: Simd>(_block: *const u8) {}

    #[inline(always)]
    unsafe fn group<S: Simd>(block: *const u8, (): &(), _index: usize) -> Group<S> {
        // SAFETY: the parts make up the block, as the caller vouches for it.
        unsafe {
            let scale = S::load_halves(block);
            let bytes = block.add(HALVES);
            let weights = [
                S::load(bytes),
                S::load(bytes.add(64)),
                S::load(bytes.add(128)),
                S::load(bytes.add(192)),
                S::load(bytes.add(256)),
                S::load(bytes.add(320)),
                S::load(bytes.add(384)),
                S::load(bytes.add(448)),
            ];
            Group { weights, scales: [scale; 2], min: scale }
        }
    }
}
