//! A product, computed by several threads.

use std::fmt;
use std::ops::Range;

use crate::activations::{RECORD, Record, TOGETHER, place, together};
use crate::format::ROWS;
use crate::kernel::Kernel;
use crate::matrix::Matrix;
use crate::tile::{Columns, Tile};

/// Up to so many activations each thread quantises them all for itself, which takes
/// less time than waiting for the others.
const PRIVATE: usize = 8192;

/// Above so many weights the threads share the work as they go, instead of in equal
/// parts, since one may be held up by other programs.
const SMALL: usize = 1 << 23;

/// Bytes of quantised columns that a thread works with before it goes on to others, to
/// find them in its cache.
const CACHED: usize = 384 << 10;

/// The columns of a [`Product`]: floats in memory, a column's own side by side.
#[derive(Debug, Clone, Copy)]
pub struct Activations {
    /// The first column.
    pub data: *const f32,
    /// The columns' numbers along three axes.
    pub shape: [usize; 3],
    /// Floats from one column to the next along each axis.
    pub strides: [usize; 3],
}

impl Activations {
    fn columns(&self) -> usize {
        self.shape.iter().product()
    }

    /// Where a column begins, counted along the axes in their order.
    ///
    /// # Safety
    ///
    /// The column exists.
    unsafe fn column(&self, index: usize) -> *const f32 {
        let [first, second, _] = self.shape;
        let along = [index % first, index / first % second, index / first / second];
        let offset: usize = along.iter().zip(self.strides).map(|(along, stride)| along * stride).sum();
        // SAFETY: who made the value vouches for all columns.
        unsafe { self.data.add(offset) }
    }
}

/// One of the threads that compute a product together.
pub struct Worker<'a> {
    /// Which of them, from 0.
    pub index: usize,
    /// How many they are.
    pub count: usize,
    /// For a shared product: returns a number that no other call of a worker of this
    /// product returns, `count` at first, then one more each time.
    pub next: &'a dyn Fn() -> usize,
}

impl fmt::Debug for Worker<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Worker({} of {})", self.index, self.count)
    }
}

/// A packed matrix times columns.
#[derive(Debug, Clone, Copy)]
pub struct Product {
    matrix: Matrix,
    columns: usize,
}

impl Product {
    /// A matrix times so many columns.
    pub fn new(matrix: Matrix, columns: usize) -> Self {
        Product { matrix, columns }
    }

    /// Bytes of memory that `threads` threads need to compute it; alignment for `f32`
    /// suffices.
    pub fn work_bytes(&self, threads: usize) -> usize {
        self.records() * RECORD * if self.is_shared() { 1 } else { threads }
    }

    /// Whether all threads must have quantised before one multiplies.
    pub fn is_shared(&self) -> bool {
        self.columns * self.matrix.width > PRIVATE || self.matrix.rows * self.matrix.width > SMALL
    }

    /// Does this thread's part of quantising the columns.
    ///
    /// # Safety
    ///
    /// The activations are as many columns as the product's, as long as the matrix is
    /// wide; `work` has [`work_bytes`](Product::work_bytes) bytes, aligned and the same for all
    /// threads, which no one but they use; `worker` is one of no more threads than those
    /// were asked for.
    pub unsafe fn quantize(&self, activations: &Activations, work: *mut u8, worker: &Worker<'_>) {
        debug_assert_eq!(activations.columns(), self.columns);
        let groups = self.groups();
        // SAFETY: the caller vouches for the memory.
        let records = unsafe { self.own_records(work, worker) };
        let all = self.records();
        let part = if self.is_shared() { share(all, worker) } else { 0..all };
        let mut index = part.start;
        while index < part.end {
            let (column, group) = (index / groups, index % groups);
            let count = (groups - group).min(part.end - index);
            let step = together(self.columns, column / TOGETHER * TOGETHER);
            // SAFETY: the caller vouches for the column; the places are among `records`,
            // and this thread's alone.
            unsafe {
                let source = activations.column(column).add(32 * group);
                let target = records.add(place(self.columns, groups, column, group));
                (self.matrix.kernel.quantize)(source, count, target, step);
            }
            index += count;
        }
    }

    /// Does this thread's part of multiplying.
    ///
    /// # Safety
    ///
    /// `packed` is the packed matrix, `work` is what [`quantize`](Product::quantize) has
    /// filled, by all threads if the product is shared, and `results` has room for the
    /// results, a column's one after another.
    pub unsafe fn multiply(&self, packed: *const u8, work: *mut u8, results: *mut f32, worker: &Worker<'_>) {
        // SAFETY: the caller vouches for the memory.
        let records = unsafe { self.own_records(work, worker) };
        let panels = self.matrix.panels();
        let parts = self.parts();
        if !self.is_shared() {
            for panel in share(panels, worker) {
                // SAFETY: the caller vouches for the memory, and the panel exists.
                unsafe { self.panel(packed, records, results, panel, 0..self.columns) };
            }
            return;
        }
        let length = (panels * parts / (worker.count * 8)).clamp(1, panels);
        let runs = panels.div_ceil(length);
        let mut index = worker.index;
        while index < runs * parts {
            let (part, run) = (index / runs, index % runs);
            let step = self.part_columns();
            let columns = part * step..self.columns.min((part + 1) * step);
            for panel in run * length..panels.min((run + 1) * length) {
                // SAFETY: the caller vouches for the memory, and the panel exists.
                unsafe { self.panel(packed, records, results, panel, columns.clone()) };
            }
            index = (worker.next)();
        }
    }

    /// Multiplies a panel with some columns, the first a multiple of [`TOGETHER`].
    unsafe fn panel(
        &self,
        packed: *const u8,
        records: *const Record,
        results: *mut f32,
        panel: usize,
        columns: Range<usize>,
    ) {
        let kernel = &self.matrix.kernel;
        let (blocks, groups) = (self.matrix.blocks(), self.groups());
        // SAFETY: the panel exists.
        let packed = unsafe { packed.add(panel * self.matrix.panel_bytes()) };
        let mut column = columns.start;
        while column < columns.end {
            let side_by_side = together(self.columns, column / TOGETHER * TOGETHER);
            let left = side_by_side - column % TOGETHER;
            let (tile, count) = kernel.tile(left);
            // SAFETY: `count` columns lie side by side from this one on; the results of a
            // panel and a column are written by one thread.
            unsafe {
                let columns = Columns {
                    records: records.add(place(self.columns, groups, column, 0)),
                    step: side_by_side,
                    results: results.add(column * self.matrix.rows + panel * ROWS),
                    stride: self.matrix.rows,
                };
                tile(packed, blocks, columns);
            }
            column += count;
        }
    }

    /// This thread's records, or all threads'.
    #[expect(clippy::cast_ptr_alignment, reason = "the caller vouches for the alignment")]
    unsafe fn own_records(&self, work: *mut u8, worker: &Worker<'_>) -> *mut Record {
        let first = if self.is_shared() { 0 } else { worker.index * self.records() };
        // SAFETY: the caller vouches for `work_bytes`.
        unsafe { work.cast::<Record>().add(first) }
    }

    fn records(&self) -> usize {
        self.columns * self.groups()
    }

    /// Groups of 32 weights of a row.
    fn groups(&self) -> usize {
        self.matrix.width / 32
    }

    /// Into how many parts the columns are cut.
    fn parts(&self) -> usize {
        self.columns.div_ceil(self.part_columns())
    }

    /// Columns of a part.
    fn part_columns(&self) -> usize {
        let most = (CACHED / (self.groups() * RECORD)).max(2 * TOGETHER);
        let parts = self.columns.div_ceil(most);
        self.columns.div_ceil(parts).next_multiple_of(TOGETHER)
    }
}

impl Kernel {
    /// The tile to take when so many columns are left, and how many it takes.
    fn tile(&self, left: usize) -> (Tile, usize) {
        match self.wide_tile {
            Some(tile) if left >= TOGETHER => (tile, TOGETHER),
            _ => {
                let count = left.min(self.tiles.len());
                (self.tiles[count - 1], count)
            }
        }
    }
}

/// A thread's equal part of `0..all`.
fn share(all: usize, worker: &Worker<'_>) -> Range<usize> {
    all * worker.index / worker.count..all * (worker.index + 1) / worker.count
}
