//! The compiled kernels: one set for each type of weights and instruction set.

use std::marker::PhantomData;

use crate::activations::{self, Quantize, RECORD, Record};
use crate::floats::{self, Arrange, Floats, Task};
use crate::format::{self, FloatFormat, Format, ROWS};
use crate::integers::Integers;
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
    /// How it computes.
    pub(crate) way: Way,
}

/// How products are computed.
#[derive(Clone, Copy)]
pub(crate) enum Way {
    /// For quantised weights.
    Integers(Integers),
    /// For weights that are floats.
    Floats(Floats),
}

impl Way {
    /// Columns that lie side by side.
    pub(crate) fn together(&self) -> usize {
        match self {
            Way::Integers(_) => activations::TOGETHER,
            Way::Floats(_) => floats::TOGETHER,
        }
    }

    /// Bytes of 32 activations of a column, prepared.
    pub(crate) fn group_bytes(&self) -> usize {
        match self {
            Way::Integers(_) => RECORD,
            Way::Floats(_) => floats::GROUP,
        }
    }
}

/// The kernels of an instruction set.
macro_rules! kernels {
    ($module:ident, $simd:ty, $(#[$feature:meta],)? integers: [$($columns:literal),*] $wide_tile:expr,
    floats: [$($single:literal),*] [$($pair:literal),*]) => {
        mod $module {
            use super::{activations, floats, format, tile};
            use super::{Arrange, Columns, FloatFormat, Floats, Format, Integers, Kernel, PhantomData, Quantize};
            use super::{Record, Task, Tile, Way};

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

            /// # Safety
            ///
            /// As for `floats::multiply`.
            $(#[$feature])?
            unsafe fn float_tile<F: FloatFormat, const P: usize, const N: usize>(task: Task) {
                // SAFETY: the caller vouches for the same.
                unsafe { floats::multiply::<$simd, F, P, N>(task) }
            }

            /// # Safety
            ///
            /// As for `floats::arrange`.
            $(#[$feature])?
            unsafe fn arrange(columns: &[*const f32], groups: usize, target: *mut f32) {
                // SAFETY: the caller vouches for the same.
                unsafe { floats::arrange::<$simd>(columns, groups, target) }
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
                    way: Way::Integers(Integers {
                        quantize: quantize::<F> as Quantize,
                        tiles: Of::<F>::TILES,
                        wide_tile: Of::<F>::WIDE_TILE,
                    }),
                }
            }

            struct OfFloats<F>(PhantomData<F>);

            impl<F: FloatFormat> OfFloats<F> {
                const SINGLE_TILES: &'static [floats::Tile] = &[$(float_tile::<F, 1, $single>),*];
                const PAIR_TILES: &'static [floats::Tile] = &[$(float_tile::<F, 2, $pair>),*];
            }

            pub(super) fn float_kernel<F: FloatFormat>() -> Kernel {
                Kernel {
                    block: format::BLOCK,
                    block_bytes: format::BLOCK * F::BYTES,
                    pack: format::pack_floats::<F>,
                    way: Way::Floats(Floats {
                        arrange: arrange as Arrange,
                        single_tiles: OfFloats::<F>::SINGLE_TILES,
                        pair_tiles: OfFloats::<F>::PAIR_TILES,
                    }),
                }
            }
        }
    };
}

kernels!(portable, crate::simd::portable::Portable, integers: [1, 2, 3, 4] None, floats: [1, 2, 3, 4] [1, 2]);
#[cfg(target_arch = "x86_64")]
kernels!(
    avx2,
    crate::simd::avx2::Avx2,
    #[target_feature(enable = "avx2,fma,f16c")],
    integers: [1, 2, 3, 4] None,
    floats: [1, 2, 3, 4] [1, 2]
);
#[cfg(target_arch = "x86_64")]
kernels!(
    avx512,
    crate::simd::avx512::Avx512,
    #[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512vnni")],
    integers: [1, 2, 3, 4, 5, 6, 7, 8] Some(tile::<F, 16>),
    floats: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12] [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
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
        Type::F32 => of_floats::<format::F32>(isa),
        Type::F16 => of_floats::<format::F16>(isa),
        Type::Bf16 => of_floats::<format::Bf16>(isa),
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

fn of_floats<F: FloatFormat>(isa: Isa) -> Kernel {
    match isa {
        Isa::Portable => portable::float_kernel::<F>(),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => avx2::float_kernel::<F>(),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => avx512::float_kernel::<F>(),
    }
}
