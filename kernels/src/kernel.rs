//! The compiled kernels: one set for each type of weights and instruction set.

use std::marker::PhantomData;

use crate::activations::{self, Quantize, Record};
use crate::format::{self, Format, ROWS};
use crate::tile::{self, Columns, Tile};
use crate::{Isa, Type};

/// What computes with one type of weights.
#[derive(Clone, Copy)]
pub(crate) struct Kernel {
    /// Weights of a block.
    pub(crate) block: usize,
    /// Bytes of a block.
    pub(crate) block_bytes: usize,
    /// See [`Format::pack`].
    pub(crate) pack: unsafe fn(sources: [*const u8; ROWS], target: *mut u8),
    /// See [`activations::quantize`].
    pub(crate) quantize: Quantize,
    /// See [`tile::multiply`]: for 1, 2 and so on columns.
    pub(crate) tiles: &'static [Tile],
    /// The same for 16 columns, where the registers suffice.
    pub(crate) wide_tile: Option<Tile>,
}

/// The kernels of an instruction set.
macro_rules! kernels {
    ($module:ident, $simd:ty, $(#[$feature:meta],)? [$($columns:literal),*], $wide_tile:expr) => {
        mod $module {
            use super::{activations, tile, Columns, Format, Kernel, PhantomData, Quantize, Record, Tile};

            /// # Safety
            ///
            /// As for `tile::multiply`.
            $(#[$feature])?
            unsafe fn tile<F: Format, const N: usize>(panel: *const u8, blocks: usize, columns: Columns) {
                // SAFETY: the caller vouches for the same.
                unsafe { tile::multiply::<$simd, F, N>(panel, blocks, columns) }
            }

            /// # Safety
            ///
            /// As for `activations::quantize`.
            $(#[$feature])?
            unsafe fn quantize<F: Format>(source: *const f32, groups: usize, target: *mut Record, step: usize) {
                // SAFETY: the caller vouches for the same.
                unsafe { activations::quantize::<$simd, F>(source, groups, target, step) }
            }

            struct Of<F>(PhantomData<F>);

            impl<F: Format> Of<F> {
                const TILES: &'static [Tile] = &[$(tile::<F, $columns>),*];
                const WIDE_TILE: Option<Tile> = $wide_tile;
            }

            pub(super) fn kernel<F: Format>() -> Kernel {
                Kernel {
                    block: F::BLOCK,
                    block_bytes: F::BLOCK_BYTES,
                    pack: F::pack,
                    quantize: quantize::<F> as Quantize,
                    tiles: Of::<F>::TILES,
                    wide_tile: Of::<F>::WIDE_TILE,
                }
            }
        }
    };
}

kernels!(portable, crate::simd::portable::Portable, [1, 2, 3, 4], None);
#[cfg(target_arch = "x86_64")]
kernels!(
    avx2,
    crate::simd::avx2::Avx2,
    #[target_feature(enable = "avx2,fma,f16c")],
    [1, 2, 3, 4],
    None
);
#[cfg(target_arch = "x86_64")]
kernels!(
    avx512,
    crate::simd::avx512::Avx512,
    #[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512vnni")],
    [1, 2, 3, 4, 5, 6, 7, 8],
    Some(tile::<F, 16>)
);

/// The kernel for a type on an instruction set.
pub(crate) fn kernel(weights: Type, isa: Isa) -> Kernel {
    match weights {
        Type::Q4_0 => of::<format::Q4_0>(isa),
        Type::Q4_1 => of::<format::Q4_1>(isa),
        Type::Q5_0 => of::<format::Q5_0>(isa),
        Type::Q5_1 => of::<format::Q5_1>(isa),
        Type::Q8_0 => of::<format::Q8_0>(isa),
        Type::Q4K => of::<format::Q4K>(isa),
        Type::Q5K => of::<format::Q5K>(isa),
        Type::Q6K => of::<format::Q6K>(isa),
        Type::Iq4Nl => of::<format::Iq4Nl>(isa),
    }
}

fn of<F: Format>(isa: Isa) -> Kernel {
    match isa {
        Isa::Portable => portable::kernel::<F>(),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => avx2::kernel::<F>(),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => avx512::kernel::<F>(),
    }
}
