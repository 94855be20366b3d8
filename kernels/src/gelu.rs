//! GELU, which feed-forward parts of many encoders have between their two products.

use std::ops::Range;

use crate::Isa;
use crate::exp::exp;
use crate::product::{Worker, share};
use crate::simd::{self, Simd};

/// Numbers that are computed at a time.
const TOGETHER: usize = 16;

/// GELU in its approximation by a hyperbolic tangent, which is what models are trained with or near to it:
/// `0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))` for each number.
#[derive(Debug, Clone, Copy)]
pub struct Gelu {
    /// The numbers.
    pub source: *const f32,
    /// Where the results go; may be `source`.
    pub target: *mut f32,
    /// How many.
    pub count: usize,
}

impl Gelu {
    /// Does this thread's part.
    ///
    /// # Safety
    ///
    /// The processor has the instruction set; all numbers are there, and only these threads use the target.
    pub unsafe fn compute(&self, isa: Isa, worker: &Worker<'_>) {
        let compute = match isa {
            Isa::Portable => portable,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => avx2,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => avx512,
        };
        let part = share(self.count.div_ceil(TOGETHER), worker);
        // SAFETY: the caller vouches for as much; the parts do not overlap.
        unsafe { compute(self, part.start * TOGETHER..self.count.min(part.end * TOGETHER)) }
    }
}

/// # Safety
///
/// As for [`Gelu::compute`]; the range is within the numbers.
#[inline(always)]
unsafe fn compute<S: Simd>(gelu: &Gelu, range: Range<usize>) {
    let whole = range.start + range.len() / TOGETHER * TOGETHER;
    // SAFETY: the caller vouches for the numbers.
    unsafe {
        for index in (range.start..whole).step_by(TOGETHER) {
            S::store(gelu.target.add(index), of::<S>(S::load_floats(gelu.source.add(index))));
        }
        let rest = range.end - whole;
        if rest > 0 {
            let mut numbers = [0.0; TOGETHER];
            gelu.source.add(whole).copy_to_nonoverlapping(numbers.as_mut_ptr(), rest);
            S::store(numbers.as_mut_ptr(), of::<S>(S::load_floats(numbers.as_ptr())));
            gelu.target.add(whole).copy_from_nonoverlapping(numbers.as_ptr(), rest);
        }
    }
}

/// `x / (1 + exp(-2 u))`, which is the same as with the hyperbolic tangent of `u`.
#[inline(always)]
unsafe fn of<S: Simd>(x: S::Floats) -> S::Floats {
    /// Minus twice the square root of 2 / pi.
    const FACTOR: f32 = -1.595_769;
    const CUBE: f32 = 0.044_715 * FACTOR;
    // SAFETY: the caller vouches for the instruction set.
    unsafe {
        let one = S::splat(1.0);
        let factor = S::mul_add(S::mul(x, x), S::splat(CUBE), S::splat(FACTOR));
        // No larger than 88, whose exponential is still finite.
        let bounded = S::max(S::mul(S::mul(x, factor), S::splat(-1.0)), S::splat(-88.0));
        let power = exp::<S>(S::mul(bounded, S::splat(-1.0)));
        // Below 30 it is 0 but for rounding, and would not be after division by no more than that exponential. In this
        // order, what is no number stays so.
        S::div(S::max(S::splat(-30.0), x), S::mul_add(power, one, one))
    }
}

unsafe fn portable(gelu: &Gelu, range: Range<usize>) {
    // SAFETY: the caller vouches for what `compute` needs.
    unsafe { compute::<simd::portable::Portable>(gelu, range) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn avx2(gelu: &Gelu, range: Range<usize>) {
    // SAFETY: the caller vouches for what `compute` needs.
    unsafe { compute::<simd::avx2::Avx2>(gelu, range) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl")]
unsafe fn avx512(gelu: &Gelu, range: Range<usize>) {
    // SAFETY: the caller vouches for what `compute` needs.
    unsafe { compute::<simd::avx512::Avx512>(gelu, range) }
}
