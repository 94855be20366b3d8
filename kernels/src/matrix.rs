//! A weight matrix and its packing.

use std::fmt;
use std::ops::Range;

use crate::format::ROWS;
use crate::kernel::{Kernel, kernel};
use crate::{Isa, Type};

/// The kind and shape of a weight matrix, checked once for everything that is done with
/// it.
#[derive(Clone, Copy)]
pub struct Matrix {
    pub(crate) kernel: Kernel,
    /// Weights of a row.
    pub(crate) width: usize,
    /// Rows.
    pub(crate) rows: usize,
}

impl fmt::Debug for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Matrix").field("width", &self.width).field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl Matrix {
    /// A matrix of `rows` rows of `width` weights each, `None` if there are no kernels
    /// for it on this processor: the width must consist of whole blocks of the type, and
    /// the rows come in sixteens.
    ///
    /// ```
    /// use zerohop_kernels::{Isa, Matrix, Type};
    ///
    /// assert!(Matrix::new(Type::Q8_0, Isa::Portable, 64, 48).is_some());
    /// assert!(Matrix::new(Type::Q8_0, Isa::Portable, 64, 50).is_none());
    /// ```
    pub fn new(weights: Type, isa: Isa, width: usize, rows: usize) -> Option<Self> {
        // Above this, no size below can overflow.
        const MOST: usize = 1 << 28;
        let kernel = kernel(weights, isa);
        let fits = isa.is_available()
            && (1..=MOST).contains(&width)
            && (1..=MOST).contains(&rows)
            && width.is_multiple_of(kernel.block)
            && rows.is_multiple_of(ROWS);
        fits.then_some(Matrix { kernel, width, rows })
    }

    /// Bytes of the matrix, packed or not.
    pub fn bytes(&self) -> usize {
        self.rows * self.row_bytes()
    }

    /// Sixteens of rows, which can be packed independently.
    pub fn panels(&self) -> usize {
        self.rows / ROWS
    }

    /// Bytes of a panel, packed or not.
    pub fn panel_bytes(&self) -> usize {
        ROWS * self.row_bytes()
    }

    /// Packs some panels: the source is those rows as the file has them, the target
    /// becomes their packed form.
    ///
    /// # Panics
    ///
    /// When the range or a length is wrong: both are `panel_bytes` times the range's
    /// length.
    pub fn pack(&self, panels: Range<usize>, source: &[u8], target: &mut [u8]) {
        assert!(panels.end <= self.panels());
        assert_eq!(source.len(), panels.len() * self.panel_bytes());
        assert_eq!(target.len(), source.len());
        let blocks = self.blocks();
        let block_bytes = self.kernel.block_bytes;
        for (source, target) in source.chunks_exact(self.panel_bytes()).zip(target.chunks_exact_mut(self.panel_bytes()))
        {
            for block in 0..blocks {
                let sources: [&[u8]; ROWS] =
                    std::array::from_fn(|row| &source[(row * blocks + block) * block_bytes..][..block_bytes]);
                let target = &mut target[block * ROWS * block_bytes..][..ROWS * block_bytes];
                // SAFETY: the slices are a block each, and 16 blocks.
                unsafe { (self.kernel.pack)(sources.map(<[u8]>::as_ptr), target.as_mut_ptr()) };
            }
        }
    }

    /// The same with other rows, which also come in sixteens.
    pub(crate) fn with_panels(self, panels: usize) -> Self {
        Matrix { rows: panels * ROWS, ..self }
    }

    /// Blocks of a row.
    pub(crate) fn blocks(&self) -> usize {
        self.width / self.kernel.block
    }

    fn row_bytes(&self) -> usize {
        self.blocks() * self.kernel.block_bytes
    }
}
