//! The products of a mixture of experts: of many matrices, each token is multiplied with a few that were
//! chosen for it.
//!
//! The columns of each expert are put together and computed as one [`Product`]; so what a column gives
//! depends on it and its expert alone.

use std::mem::size_of;
use std::ops::Range;

use crate::format::ROWS;
use crate::matrix::Matrix;
use crate::product::{Activations, Product, Worker, share};

/// Panels that are computed at once, at most: their weights stay in a core's cache for all columns.
const RUN: usize = 8;
/// Columns that are computed at once, at most: a multiple of those that lie side by side, of either kind.
const COLUMNS: usize = 96;
/// Results that a thread has before it takes them to their places.
const SCRATCH: usize = RUN * ROWS * COLUMNS;

/// Which experts each token takes.
#[derive(Debug, Clone, Copy)]
pub struct Choices {
    /// The first token's first choice.
    pub data: *const i32,
    /// Numbers from one choice of a token to its next, and from one token to the next.
    pub strides: [usize; 2],
}

/// Matrices of the same kind and shape, one after another, and how many of them are taken how often.
#[derive(Debug, Clone, Copy)]
pub struct Mixture {
    matrix: Matrix,
    experts: usize,
    tokens: usize,
    used: usize,
}

/// What a thread needs for itself.
struct Own<'a> {
    /// Where an expert's columns begin in `order`, and at last, where they end.
    starts: &'a mut [u32],
    /// The columns, those of the same expert together.
    order: &'a mut [u32],
    scratch: &'a mut [f32],
}

impl Mixture {
    /// So many matrices, of which each of `tokens` tokens is multiplied with `used`. `None` if they are too
    /// many to be counted.
    pub fn new(matrix: Matrix, experts: usize, tokens: usize, used: usize) -> Option<Self> {
        const MOST: usize = 1 << 28;
        let fits = experts <= MOST && tokens.checked_mul(used).is_some_and(|columns| columns <= MOST);
        fits.then_some(Mixture { matrix, experts, tokens, used })
    }

    /// Bytes of memory that `threads` threads need to compute it; alignment for `f32` suffices.
    pub fn work_bytes(&self, threads: usize) -> usize {
        self.all().own_bytes() + threads * self.own_bytes()
    }

    /// Does this thread's part of preparing the columns. All threads must have done theirs before one multiplies.
    ///
    /// # Safety
    ///
    /// The activations are columns as long as the matrices are wide: one of each token, or as many as it takes
    /// experts, along the first axis, and the tokens along the second. There are the choices; `work` has
    /// [`work_bytes`](Mixture::work_bytes) bytes, aligned and the same for all threads, which no one but they use;
    /// `worker` is one of no more threads than those were asked for.
    pub unsafe fn prepare(&self, activations: &Activations, choices: &Choices, work: *mut u8, worker: &Worker<'_>) {
        // SAFETY: the caller vouches for the choices and the memory.
        let own = unsafe { self.own(work, worker) };
        // SAFETY: as before.
        unsafe { self.sort(choices, own.starts, own.order) };
        let each = activations.shape[0];
        for expert in 0..self.experts {
            let columns = range(own.starts, expert);
            let product = Product::new(self.matrix, columns.len());
            let start = |column: usize| {
                let column = own.order[columns.start + column] as usize;
                let (token, choice) = (column / self.used, column % self.used);
                // SAFETY: the caller vouches for the activations of all tokens.
                unsafe { activations.column(token * each + choice % each) }
            };
            // SAFETY: the columns before these take the place before theirs.
            unsafe {
                let work = work.add(Product::new(self.matrix, columns.start).own_bytes());
                product.prepare_part(start, work, |units| share(units, worker));
            }
        }
    }

    /// Does this thread's part of multiplying.
    ///
    /// # Safety
    ///
    /// `packed` are the packed matrices, `work` is what all threads have [prepared](Mixture::prepare), and
    /// `results` has room for the results: those with a token's first choice, with its second and so on, and then
    /// those of the next token. A choice that is no expert leaves its results as they are.
    pub unsafe fn multiply(&self, packed: *const u8, work: *mut u8, results: *mut f32, worker: &Worker<'_>) {
        // SAFETY: the caller vouches for the memory.
        let own = unsafe { self.own(work, worker) };
        let panels = self.matrix.panels();
        let taken = (0..self.experts).filter(|&expert| !range(own.starts, expert).is_empty()).count();
        // Panels may go in pairs.
        let length = (panels * taken / (worker.count * 8)).clamp(1, RUN).next_multiple_of(2);
        let runs = panels.div_ceil(length);
        let mut index = worker.index;
        let mut first = 0;
        for expert in 0..self.experts {
            let columns = range(own.starts, expert);
            if columns.is_empty() {
                continue;
            }
            while index < first + runs {
                let run = index - first;
                let part = run * length..panels.min((run + 1) * length);
                // SAFETY: the caller vouches for the memory; the expert and the panels exist.
                unsafe {
                    let packed = packed.add(expert * self.matrix.bytes());
                    let work = work.add(Product::new(self.matrix, columns.start).own_bytes());
                    let order = &own.order[columns.clone()];
                    self.run(packed, work, part, order, own.scratch, results);
                }
                index = (worker.next)();
            }
            first += runs;
        }
    }

    /// Multiplies some panels of an expert with all of its columns.
    unsafe fn run(
        &self,
        packed: *const u8,
        work: *const u8,
        panels: Range<usize>,
        order: &[u32],
        scratch: &mut [f32],
        results: *mut f32,
    ) {
        let product = Product::new(self.matrix.with_panels(panels.len()), order.len());
        let rows = panels.len() * ROWS;
        for first in (0..order.len()).step_by(COLUMNS) {
            let columns = first..order.len().min(first + COLUMNS);
            // SAFETY: the caller vouches for the memory; the scratch has room for so many panels and columns.
            unsafe {
                let packed = packed.add(panels.start * self.matrix.panel_bytes());
                product.run(packed, work, scratch.as_mut_ptr(), 0..panels.len(), columns.clone());
            }
            for (column, computed) in order[columns].iter().zip(scratch.chunks_exact(rows)) {
                let place = *column as usize * self.matrix.rows + panels.start * ROWS;
                // SAFETY: the results of a panel and a column are written by one thread.
                unsafe { results.add(place).copy_from_nonoverlapping(computed.as_ptr(), rows) };
            }
        }
    }

    /// Counts each expert's columns and puts them together.
    unsafe fn sort(&self, choices: &Choices, starts: &mut [u32], order: &mut [u32]) {
        let expert_of = |column: usize| {
            let (token, choice) = (column / self.used, column % self.used);
            // SAFETY: the caller vouches for the choices of all tokens.
            let chosen = unsafe { *choices.data.add(token * choices.strides[1] + choice * choices.strides[0]) };
            usize::try_from(chosen).ok().filter(|&expert| expert < self.experts)
        };
        starts.fill(0);
        for expert in (0..order.len()).filter_map(expert_of) {
            starts[expert + 1] += 1;
        }
        for expert in 0..self.experts {
            starts[expert + 1] += starts[expert];
        }
        // Each start moves to its end, which is the next one's start.
        for column in 0..order.len() {
            if let Some(expert) = expert_of(column) {
                order[starts[expert] as usize] = u32::try_from(column).unwrap_or(u32::MAX);
                starts[expert] += 1;
            }
        }
        starts.copy_within(0..self.experts, 1);
        starts[0] = 0;
    }

    /// All columns as those of one matrix.
    fn all(&self) -> Product {
        Product::new(self.matrix, self.tokens * self.used)
    }

    fn own_bytes(&self) -> usize {
        (self.experts + 1 + self.tokens * self.used) * size_of::<u32>() + SCRATCH * size_of::<f32>()
    }

    /// This thread's own memory, after that for all columns.
    #[expect(clippy::cast_ptr_alignment, reason = "the memory is aligned, and all that lies before is whole numbers")]
    unsafe fn own<'a>(&self, work: *mut u8, worker: &Worker<'_>) -> Own<'a> {
        let columns = self.tokens * self.used;
        // SAFETY: the caller vouches for `work_bytes` and its alignment; any bits are numbers.
        unsafe {
            let starts = work.add(self.all().own_bytes() + worker.index * self.own_bytes()).cast::<u32>();
            let order = starts.add(self.experts + 1);
            Own {
                starts: std::slice::from_raw_parts_mut(starts, self.experts + 1),
                order: std::slice::from_raw_parts_mut(order, columns),
                scratch: std::slice::from_raw_parts_mut(order.add(columns).cast(), SCRATCH),
            }
        }
    }
}

/// The places of an expert's columns.
fn range(starts: &[u32], expert: usize) -> Range<usize> {
    starts[expert] as usize..starts[expert + 1] as usize
}

const _: () = assert!(COLUMNS.is_multiple_of(crate::activations::TOGETHER));
const _: () = assert!(COLUMNS.is_multiple_of(crate::floats::TOGETHER));
