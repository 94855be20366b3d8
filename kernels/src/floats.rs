//! Products with weights that are floats: columns stay as they are.
//!
//! 12 columns (or fewer, where fewer are left) lie side by side: the first number of each, the second of each, and
//! so on, so that the inner loop walks one pointer. Each result is a sum of fused products in the order of a row's
//! weights, whatever else is computed with it.

use std::ops::Range;

use crate::format::{BLOCK, FloatFormat, ROWS};
use crate::product::Product;
use crate::simd::Simd;

/// Columns that lie side by side.
pub(crate) const TOGETHER: usize = 12;
/// Bytes of 32 numbers of a column.
pub(crate) const GROUP: usize = 32 * size_of::<f32>();

/// How far ahead of its use a packed weight is asked for, in bytes.
const AHEAD: usize = 2048;
/// Up to how many columns wait for memory.
const FEW: usize = 4;
/// Weights of a row between two requests for such memory: those of 16 rows are two lines of the cache.
const STEP: usize = 4;

/// What a tile works with.
#[derive(Clone, Copy)]
pub(crate) struct Task {
    /// The first panel.
    panel: *const u8,
    /// Bytes from one panel to the next.
    panel_bytes: usize,
    /// Weights of a row.
    width: usize,
    /// The first column's first number.
    column: *const f32,
    /// Floats from one number of a column to the next.
    step: usize,
    /// Where the first panel's 16 results with the first column go.
    results: *mut f32,
    /// Floats between columns of results.
    stride: usize,
}

/// A function that multiplies one panel, or two neighbouring ones, with a fixed number of columns.
pub(crate) type Tile = unsafe fn(task: Task);

/// Lays so many times 32 numbers of some columns side by side.
pub(crate) type Arrange = unsafe fn(columns: &[*const f32], groups: usize, target: *mut f32);

/// The compiled kernels for one type of weights and instruction set.
#[derive(Clone, Copy)]
pub(crate) struct Floats {
    /// See [`arrange`].
    pub(crate) arrange: Arrange,
    /// See [`multiply`]: one panel times 1, 2 and so on columns.
    pub(crate) single_tiles: &'static [Tile],
    /// The same for two panels, with as many columns as the registers suffice for.
    pub(crate) pair_tiles: &'static [Tile],
}

impl Floats {
    /// Arranges those columns' numbers that belong to a part of `0..units(product)`.
    ///
    /// # Safety
    ///
    /// As for [`Product::prepare`]; a column begins where `start` says, and `work` is where all columns go.
    pub(crate) unsafe fn prepare(
        &self,
        product: &Product,
        start: impl Fn(usize) -> *const f32,
        work: *mut f32,
        part: Range<usize>,
    ) {
        let groups = product.groups();
        let mut unit = part.start;
        while unit < part.end {
            let (first, group) = (unit / groups * TOGETHER, unit % groups);
            let count = (groups - group).min(part.end - unit);
            let together = (product.columns - first).min(TOGETHER);
            let mut columns = [std::ptr::null(); TOGETHER];
            // SAFETY: the caller vouches for the columns; the places are this thread's alone.
            unsafe {
                for (index, column) in columns[..together].iter_mut().enumerate() {
                    *column = start(first + index).add(32 * group);
                }
                let target = work.add(32 * (first * groups + group * together));
                (self.arrange)(&columns[..together], count, target);
            }
            unit += count;
        }
    }

    /// Into how many units the work of arranging is cut.
    pub(crate) fn units(product: &Product) -> usize {
        product.columns.div_ceil(TOGETHER) * product.groups()
    }

    /// Multiplies some panels with some columns, the first a multiple of [`TOGETHER`].
    ///
    /// # Safety
    ///
    /// As for [`Product::run`]; `work` is where all columns are.
    pub(crate) unsafe fn multiply(
        &self,
        product: &Product,
        packed: *const u8,
        work: *const f32,
        results: *mut f32,
        (panels, columns): (Range<usize>, Range<usize>),
    ) {
        let (panel_bytes, rows) = (product.matrix.panel_bytes(), product.matrix.rows);
        for panel in panels.clone().step_by(2) {
            let is_pair = panel + 1 < panels.end;
            let mut column = columns.start;
            while column < columns.end {
                let first = column / TOGETHER * TOGETHER;
                let together = (product.columns - first).min(TOGETHER);
                let left = together - (column - first);
                // SAFETY: the caller vouches for the memory; the results of a panel and a column are written by
                // one thread.
                unsafe {
                    let task = Task {
                        panel: packed.add(panel * panel_bytes),
                        panel_bytes,
                        width: product.matrix.width,
                        column: work.add(first * product.matrix.width + (column - first)),
                        step: together,
                        results: results.add((column - columns.start) * rows + panel * ROWS),
                        stride: rows,
                    };
                    if is_pair && left <= self.pair_tiles.len() {
                        self.pair_tiles[left - 1](task);
                        column += left;
                        continue;
                    }
                    let count = left.min(self.single_tiles.len());
                    let tile = self.single_tiles[count - 1];
                    tile(task);
                    if is_pair {
                        tile(Task { panel: task.panel.add(panel_bytes), results: task.results.add(ROWS), ..task });
                    }
                    column += count;
                }
            }
        }
    }
}

/// See [`Arrange`].
///
/// # Safety
///
/// The processor has the instruction set, there are the numbers, and room for as many.
#[inline(always)]
pub(crate) unsafe fn arrange<S: Simd>(columns: &[*const f32], groups: usize, target: *mut f32) {
    let together = columns.len();
    let fours = together / 4 * 4;
    // SAFETY: the caller vouches for the numbers.
    unsafe {
        for group in 0..groups {
            let target = target.add(32 * group * together);
            for column in (0..fours).step_by(4) {
                let sources = [columns[column], columns[column + 1], columns[column + 2], columns[column + 3]];
                for index in (0..32).step_by(4) {
                    let sources = sources.map(|source| source.wrapping_add(32 * group + index));
                    S::transpose_four(sources, target.add(index * together + column), together);
                }
            }
            for (column, source) in columns.iter().enumerate().skip(fours) {
                for index in 0..32 {
                    target.add(index * together + column).write(source.add(32 * group + index).read());
                }
            }
        }
    }
}

/// Multiplies `P` panels with `N` columns that lie side by side.
///
/// # Safety
///
/// The processor has the instruction set, and there is what the task says.
#[inline(always)]
pub(crate) unsafe fn multiply<S: Simd, F: FloatFormat, const P: usize, const N: usize>(task: Task) {
    // SAFETY: the caller vouches for the panels and the columns; what is prefetched need not be there.
    unsafe {
        let mut panel = task.panel;
        let mut column = task.column;
        let mut sums = [[S::splat(0.0); N]; P];
        for _ in 0..task.width / STEP {
            if N <= FEW {
                for index in 0..P {
                    let line = panel.wrapping_add(index * task.panel_bytes + AHEAD);
                    S::prefetch(line);
                    S::prefetch(line.wrapping_add(STEP * ROWS * F::BYTES / 2));
                }
            }
            for _ in 0..STEP {
                let mut weights = [S::splat(0.0); P];
                for (index, weights) in weights.iter_mut().enumerate() {
                    *weights = F::load::<S>(panel.add(index * task.panel_bytes));
                }
                for index in 0..N {
                    let number = S::splat(*column.add(index));
                    for (weights, sums) in weights.iter().zip(&mut sums) {
                        sums[index] = S::mul_add(*weights, number, sums[index]);
                    }
                }
                panel = panel.add(ROWS * F::BYTES);
                column = column.add(task.step);
            }
        }
        for (panel, sums) in sums.into_iter().enumerate() {
            for (index, sum) in sums.into_iter().enumerate() {
                S::store(task.results.add(index * task.stride + panel * ROWS), sum);
            }
        }
    }
}

const _: () = assert!(BLOCK.is_multiple_of(STEP));
