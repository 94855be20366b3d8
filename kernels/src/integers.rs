//! Products with quantised weights: columns are quantised too, and integers are summed up.

use std::ops::Range;

use crate::activations::{Quantize, Record, TOGETHER, place, together};
use crate::format::ROWS;
use crate::product::Product;
use crate::tile::{Columns, Tile};

/// The compiled kernels for one type of weights and instruction set.
#[derive(Clone, Copy)]
pub(crate) struct Integers {
    /// See [`crate::activations::quantize`].
    pub(crate) quantize: Quantize,
    /// See [`crate::tile::multiply`]: for 1, 2 and so on columns.
    pub(crate) tiles: &'static [Tile],
    /// The same for 16 columns, where the registers suffice.
    pub(crate) wide_tile: Option<Tile>,
}

impl Integers {
    /// Quantises those groups of columns that belong to a part of `0..units(product)`.
    ///
    /// # Safety
    ///
    /// As for [`Product::prepare`]; a column begins where `start` says, and `records` is where all columns go.
    pub(crate) unsafe fn prepare(
        &self,
        product: &Product,
        start: impl Fn(usize) -> *const f32,
        records: *mut Record,
        part: Range<usize>,
    ) {
        let groups = product.groups();
        let mut index = part.start;
        while index < part.end {
            let (column, group) = (index / groups, index % groups);
            let count = (groups - group).min(part.end - index);
            let step = together(product.columns, column / TOGETHER * TOGETHER);
            // SAFETY: the caller vouches for the column; the places are among `records`,
            // and this thread's alone.
            unsafe {
                let source = start(column).add(32 * group);
                let target = records.add(place(product.columns, groups, column, group));
                (self.quantize)(source, count, target, step);
            }
            index += count;
        }
    }

    /// Into how many units the work of quantising is cut.
    pub(crate) fn units(product: &Product) -> usize {
        product.columns * product.groups()
    }

    /// Multiplies some panels with some columns, the first a multiple of [`TOGETHER`].
    ///
    /// # Safety
    ///
    /// As for [`Product::run`]; `records` is where all columns are.
    pub(crate) unsafe fn multiply(
        &self,
        product: &Product,
        packed: *const u8,
        records: *const Record,
        results: *mut f32,
        (panels, columns): (Range<usize>, Range<usize>),
    ) {
        let (blocks, groups, rows) = (product.matrix.blocks(), product.groups(), product.matrix.rows);
        for panel in panels {
            // SAFETY: the panel exists.
            let packed = unsafe { packed.add(panel * product.matrix.panel_bytes()) };
            let mut column = columns.start;
            while column < columns.end {
                let side_by_side = together(product.columns, column / TOGETHER * TOGETHER);
                let left = side_by_side - column % TOGETHER;
                let (tile, count) = self.tile(left);
                // SAFETY: `count` columns lie side by side from this one on; the results of a
                // panel and a column are written by one thread.
                unsafe {
                    let side = Columns {
                        records: records.add(place(product.columns, groups, column, 0)),
                        step: side_by_side,
                        results: results.add((column - columns.start) * rows + panel * ROWS),
                        stride: rows,
                    };
                    tile(packed, blocks, side);
                }
                column += count;
            }
        }
    }

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
