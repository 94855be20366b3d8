//! Products of weight matrices, as GGUF files hold them, with columns of floats, and
//! attention, for zerohop's CPU computing.
//!
//! A [`Matrix`] is packed once: 16 rows side by side, every bit kept, in as many bytes
//! as before. A [`Product`] with some columns is then computed by any number of threads,
//! each of which calls [`Product::prepare`] and, after all have done that where
//! [`Product::is_shared`] says so, [`Product::multiply`].
//!
//! [`Mixture`] computes the products of a mixture of experts, [`Attention`] what the tokens of a batch take from a
//! cache of keys and values, [`Gelu`] an activation function.
//!
//! With quantised weights the columns are quantised to 8 bits in groups of 32, as llama.cpp
//! does for its blocks of 32; with weights that are floats they stay as they are. A result depends on its row and its column alone, or on its query and the keys and
//! values that this may see: not on the number of columns or threads, not on what else is in
//! the cache or where, and not on the instruction set, of which the best one is
//! [chosen at run time](Isa::detect).
//!
//! Weights are data from files: any bits are safe, and at worst give numbers that mean
//! nothing.

#![expect(
    clippy::inline_always,
    reason = "what uses an instruction set must end up in a function that is compiled for it"
)]

mod activations;
mod attention;
mod exp;
mod floats;
mod format;
mod gelu;
mod integers;
mod kernel;
mod matrix;
mod mixture;
mod product;
mod simd;
mod tile;

pub use attention::{Attention, Heads};
pub use gelu::Gelu;
pub use matrix::Matrix;
pub use mixture::{Choices, Mixture};
pub use product::{Activations, Product, Worker};

/// An instruction set with kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Isa {
    /// Plain Rust, slow: what the others are tested against.
    Portable,
    /// AVX2 with FMA and F16C.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512 with its byte and short-vector parts and VNNI.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Isa {
    /// The best instruction set of this processor; `None` where there is only plain
    /// Rust, which llama.cpp's own kernels surpass.
    ///
    /// ```
    /// match zerohop_kernels::Isa::detect() {
    ///     Some(isa) => assert!(isa.is_available()),
    ///     None => println!("llama.cpp's kernels it is"),
    /// }
    /// ```
    pub fn detect() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        {
            [Isa::Avx512, Isa::Avx2].into_iter().find(|isa| isa.is_available())
        }
        #[cfg(not(target_arch = "x86_64"))]
        None
    }

    /// A short name, such as `avx2`.
    pub fn name(self) -> &'static str {
        match self {
            Isa::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => "avx512",
        }
    }

    /// Whether this processor has the instruction set.
    pub fn is_available(self) -> bool {
        match self {
            Isa::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => has_avx2(),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => {
                has_avx2()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512vnni")
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c")
}

/// A type of weights, named as in GGUF.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the names are GGUF's")]
pub enum Type {
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q4K,
    Q5K,
    Q6K,
    Iq4Nl,
    F32,
    F16,
    Bf16,
}

impl Type {
    /// All of them.
    pub const ALL: [Type; 12] = [
        Type::Q4_0,
        Type::Q4_1,
        Type::Q5_0,
        Type::Q5_1,
        Type::Q8_0,
        Type::Q4K,
        Type::Q5K,
        Type::Q6K,
        Type::Iq4Nl,
        Type::F32,
        Type::F16,
        Type::Bf16,
    ];

    /// The type with a number of GGUF's, if there are kernels for it.
    ///
    /// ```
    /// use zerohop_kernels::Type;
    ///
    /// assert_eq!(Type::from_gguf(6), Some(Type::Q5_0));
    /// assert_eq!(Type::from_gguf(10), None, "there are no kernels for Q2_K");
    /// ```
    pub const fn from_gguf(number: u32) -> Option<Self> {
        Some(match number {
            2 => Type::Q4_0,
            3 => Type::Q4_1,
            6 => Type::Q5_0,
            7 => Type::Q5_1,
            8 => Type::Q8_0,
            12 => Type::Q4K,
            13 => Type::Q5K,
            14 => Type::Q6K,
            20 => Type::Iq4Nl,
            0 => Type::F32,
            1 => Type::F16,
            30 => Type::Bf16,
            _ => return None,
        })
    }
}
