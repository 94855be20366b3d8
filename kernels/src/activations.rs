//! Activations, quantised to signed bytes in groups of 32.
//!
//! The records of 16 columns lie side by side (of fewer, where fewer are left), so that
//! the inner loop walks one pointer.

use crate::format::Format;
use crate::simd::Simd;

/// 32 activations of a column.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record {
    /// The bytes, four in each.
    pub(crate) values: [i32; 8],
    /// What a byte of 1 stands for.
    pub(crate) scale: f32,
    /// `scale` times the sum of the bytes.
    pub(crate) sum: f32,
    /// What the weights' offset adds to the products, negated: for all, or for each
    /// half where halves have scales of their own.
    pub(crate) offsets: [i32; 2],
}

/// Bytes of a [`Record`].
pub(crate) const RECORD: usize = size_of::<Record>();

/// Columns whose records lie side by side.
pub(crate) const TOGETHER: usize = 16;

/// Where the record of a group of a column begins, in records.
pub(crate) fn place(columns: usize, groups: usize, column: usize, group: usize) -> usize {
    let first = column / TOGETHER * TOGETHER;
    first * groups + group * together(columns, first) + (column - first)
}

/// How many columns lie side by side from `first`, a multiple of [`TOGETHER`], on.
pub(crate) fn together(columns: usize, first: usize) -> usize {
    (columns - first).min(TOGETHER)
}

/// Quantises so many times 32 activations of a column, to records `step` apart.
pub(crate) type Quantize = unsafe fn(source: *const f32, groups: usize, target: *mut Record, step: usize);

/// See [`Quantize`].
///
/// # Safety
///
/// The processor has the instruction set, there are the floats, and room for the records.
#[inline(always)]
pub(crate) unsafe fn quantize<S: Simd, F: Format>(source: *const f32, groups: usize, target: *mut Record, step: usize) {
    for group in 0..groups {
        // SAFETY: the caller vouches for all groups.
        unsafe { quantize_group::<S, F>(source.add(32 * group), target.add(step * group)) };
    }
}

#[inline(always)]
#[expect(clippy::cast_precision_loss, reason = "the sums are far below 2^24")]
unsafe fn quantize_group<S: Simd, F: Format>(source: *const f32, target: *mut Record) {
    // SAFETY: the caller vouches for both pointers; the values are 32 bytes.
    unsafe {
        let quantized = S::quantize(source, (&raw mut (*target).values).cast());
        let [first, second] = quantized.sums;
        let all = first + second;
        (*target).scale = quantized.scale;
        (*target).sum = quantized.scale * all as f32;
        (*target).offsets = if F::HALVES { [-F::OFFSET * first, -F::OFFSET * second] } else { [-F::OFFSET * all, 0] };
    }
}
