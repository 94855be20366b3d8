//! A product, computed by several threads.

use std::fmt;
use std::ops::Range;

use crate::floats::Floats;
use crate::integers::Integers;
use crate::kernel::Way;
use crate::matrix::Matrix;

/// Up to so many activations each thread prepares them all for itself, which takes
/// less time than waiting for the others.
const PRIVATE: usize = 8192;

/// Above so many weights the threads share the work as they go, instead of in equal
/// parts, since one may be held up by other programs.
const SMALL: usize = 1 << 23;

/// Bytes of prepared columns that a thread works with before it goes on to others, to
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
    pub(crate) unsafe fn column(&self, index: usize) -> *const f32 {
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
    pub(crate) matrix: Matrix,
    pub(crate) columns: usize,
}

impl Product {
    /// A matrix times so many columns.
    pub fn new(matrix: Matrix, columns: usize) -> Self {
        Product { matrix, columns }
    }

    /// Bytes of memory that `threads` threads need to compute it; alignment for `f32`
    /// suffices.
    pub fn work_bytes(&self, threads: usize) -> usize {
        self.own_bytes() * if self.is_shared() { 1 } else { threads }
    }

    /// Whether all threads must have prepared before one multiplies.
    pub fn is_shared(&self) -> bool {
        self.columns * self.matrix.width > PRIVATE || self.matrix.rows * self.matrix.width > SMALL
    }

    /// Does this thread's part of preparing the columns: quantising them, or laying them side by side.
    ///
    /// # Safety
    ///
    /// The activations are as many columns as the product's, as long as the matrix is
    /// wide; `work` has [`work_bytes`](Product::work_bytes) bytes, aligned and the same for all
    /// threads, which no one but they use; `worker` is one of no more threads than those
    /// were asked for.
    pub unsafe fn prepare(&self, activations: &Activations, work: *mut u8, worker: &Worker<'_>) {
        debug_assert_eq!(activations.columns(), self.columns);
        let part = |units: usize| if self.is_shared() { share(units, worker) } else { 0..units };
        // SAFETY: the caller vouches for the memory, and the parts do not overlap.
        unsafe { self.prepare_part(|column| activations.column(column), self.own_work(work, worker), part) };
    }

    /// Prepares a part of the work, of which there are so many units.
    ///
    /// # Safety
    ///
    /// As for [`prepare`](Product::prepare), with `work` for this product alone; the parts do not overlap.
    pub(crate) unsafe fn prepare_part(
        &self,
        column: impl Fn(usize) -> *const f32,
        work: *mut u8,
        part: impl Fn(usize) -> Range<usize>,
    ) {
        // SAFETY: the caller vouches for the memory.
        unsafe {
            match &self.matrix.kernel.way {
                Way::Integers(way) => way.prepare(self, column, work.cast(), part(Integers::units(self))),
                Way::Floats(way) => way.prepare(self, column, work.cast(), part(Floats::units(self))),
            }
        }
    }

    /// Does this thread's part of multiplying.
    ///
    /// # Safety
    ///
    /// `packed` is the packed matrix, `work` is what [`prepare`](Product::prepare) has
    /// filled, by all threads if the product is shared, and `results` has room for the
    /// results, a column's one after another.
    pub unsafe fn multiply(&self, packed: *const u8, work: *mut u8, results: *mut f32, worker: &Worker<'_>) {
        let panels = self.matrix.panels();
        // SAFETY: the caller vouches for the memory.
        let work = unsafe { self.own_work(work, worker) };
        if !self.is_shared() {
            // SAFETY: the caller vouches for the memory.
            unsafe { self.run(packed, work, results, share(panels, worker), 0..self.columns) };
            return;
        }
        let step = self.part_columns();
        let parts = self.columns.div_ceil(step);
        // Panels may go in pairs.
        let length = (panels * parts / (worker.count * 8)).clamp(1, panels).next_multiple_of(2);
        let runs = panels.div_ceil(length);
        let mut index = worker.index;
        while index < runs * parts {
            let (part, run) = (index / runs, index % runs);
            let columns = part * step..self.columns.min((part + 1) * step);
            // SAFETY: the caller vouches for the memory, and the panels exist.
            unsafe {
                let results = results.add(columns.start * self.matrix.rows);
                self.run(packed, work, results, run * length..panels.min((run + 1) * length), columns);
            }
            index = (worker.next)();
        }
    }

    /// Multiplies some panels with some columns, the first of a part.
    ///
    /// # Safety
    ///
    /// As for [`multiply`](Product::multiply); `results` is where the first of these columns' results go.
    pub(crate) unsafe fn run(
        &self,
        packed: *const u8,
        work: *const u8,
        results: *mut f32,
        panels: Range<usize>,
        columns: Range<usize>,
    ) {
        // SAFETY: the caller vouches for the memory.
        unsafe {
            match &self.matrix.kernel.way {
                Way::Integers(way) => way.multiply(self, packed, work.cast(), results, (panels, columns)),
                Way::Floats(way) => way.multiply(self, packed, work.cast(), results, (panels, columns)),
            }
        }
    }

    /// This thread's memory, or all threads'.
    unsafe fn own_work(&self, work: *mut u8, worker: &Worker<'_>) -> *mut u8 {
        let offset = if self.is_shared() { 0 } else { worker.index * self.own_bytes() };
        // SAFETY: the caller vouches for `work_bytes`.
        unsafe { work.add(offset) }
    }

    /// Bytes of all columns, prepared.
    pub(crate) fn own_bytes(&self) -> usize {
        self.columns * self.groups() * self.matrix.kernel.way.group_bytes()
    }

    /// Groups of 32 weights of a row.
    pub(crate) fn groups(&self) -> usize {
        self.matrix.width / 32
    }

    /// Columns of a part.
    pub(crate) fn part_columns(&self) -> usize {
        let way = &self.matrix.kernel.way;
        let most = (CACHED / (self.groups() * way.group_bytes())).max(2 * way.together());
        let parts = self.columns.div_ceil(most);
        self.columns.div_ceil(parts).next_multiple_of(way.together())
    }
}

/// A thread's equal part of `0..all`.
pub(crate) fn share(all: usize, worker: &Worker<'_>) -> Range<usize> {
    all * worker.index / worker.count..all * (worker.index + 1) / worker.count
}
