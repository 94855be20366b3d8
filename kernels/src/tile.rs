//! The inner loop: one panel of 16 rows times a few columns.

use crate::activations::Record;
use crate::format::{Format, Group, ROWS};
use crate::simd::Simd;

/// How far ahead of its use a packed weight is asked for, in bytes.
const AHEAD: usize = 2048;
/// Up to how many columns.
const FEW: usize = 4;

/// Multiplies a panel with columns that lie side by side.
///
/// Each result is a sum over the groups of 32 weights in their order, with the same
/// operations whatever the number of columns: it does not depend on that.
#[derive(Clone, Copy)]
pub(crate) struct Columns {
    /// The first column's first record.
    pub(crate) records: *const Record,
    /// Records from one of a column to the next.
    pub(crate) step: usize,
    /// Where the first column's 16 results go.
    pub(crate) results: *mut f32,
    /// Floats between columns of results.
    pub(crate) stride: usize,
}

/// A function that multiplies a panel of so many blocks with a fixed number of columns.
pub(crate) type Tile = unsafe fn(panel: *const u8, blocks: usize, columns: Columns);

/// See [`Columns`].
///
/// # Safety
///
/// The processor has the instruction set, the panel so many blocks of the format, and
/// there are `N` columns.
#[inline(always)]
pub(crate) unsafe fn multiply<S: Simd, F: Format, const N: usize>(panel: *const u8, blocks: usize, columns: Columns) {
    // SAFETY: the caller vouches for the panel and the columns; what is prefetched need
    // not be there.
    unsafe {
        let mut panel = panel;
        let mut records = columns.records;
        let mut sums = [S::splat(0.0); N];
        for _ in 0..blocks {
            let scales = F::scales::<S>(panel);
            for index in 0..F::BLOCK / 32 {
                if N <= FEW {
                    // So few columns wait for memory.
                    let length = ROWS * F::BLOCK_BYTES * 32 / F::BLOCK;
                    for line in 0..length.div_ceil(64) {
                        S::prefetch(panel.wrapping_add(AHEAD + index * length + 64 * line));
                    }
                }
                let group = F::group::<S>(panel, &scales, index);
                for (column, sum) in sums.iter_mut().enumerate() {
                    *sum = add_group::<S, F>(&group, records.add(column), *sum);
                }
                records = records.add(columns.step);
            }
            panel = panel.add(ROWS * F::BLOCK_BYTES);
        }
        for (column, sum) in sums.into_iter().enumerate() {
            S::store(columns.results.add(column * columns.stride), sum);
        }
    }
}

/// Adds the product of a group with one column's record.
#[inline(always)]
unsafe fn add_group<S: Simd, F: Format>(group: &Group<S>, record: *const Record, sum: S::Floats) -> S::Floats {
    // SAFETY: the caller vouches for the record and the instruction set.
    unsafe {
        let record = &*record;
        let first = if F::WIDE && S::WIDE_IS_SIGNED { 0 } else { record.offsets[0] };
        let first = four_dots::<S, F, 0>(group, record, S::splat_int(first));
        let product = if F::HALVES {
            let second = four_dots::<S, F, 4>(group, record, S::splat_int(record.offsets[1]));
            S::mul_add(S::to_floats(second), group.scales[1], S::mul(S::to_floats(first), group.scales[0]))
        } else {
            let all = four_dots::<S, F, 4>(group, record, first);
            S::mul(S::to_floats(all), group.scales[0])
        };
        let sum = S::mul_add(product, S::splat(record.scale), sum);
        if F::HAS_MIN { S::mul_add(group.min, S::splat(record.sum), sum) } else { sum }
    }
}

/// Adds the products of 16 weights, from the four times `FIRST`th on.
#[inline(always)]
unsafe fn four_dots<S: Simd, F: Format, const FIRST: usize>(
    group: &Group<S>,
    record: &Record,
    sum: S::Ints,
) -> S::Ints {
    let mut sum = sum;
    for four in FIRST..FIRST + 4 {
        // SAFETY: the caller vouches for the instruction set.
        sum = unsafe {
            if F::WIDE {
                S::dot_wide(sum, group.weights[four], record.values[four])
            } else {
                S::dot(sum, group.weights[four], record.values[four])
            }
        };
    }
    sum
}
