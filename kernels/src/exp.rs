//! The exponential function.

use crate::simd::Simd;

/// The exponential function of numbers up to 88. What is below the smallest normal float, by a
/// little, is 0.
///
/// # Safety
///
/// The processor has the instruction set.
#[expect(clippy::excessive_precision, reason = "the constants as they are published")]
#[inline(always)]
pub(crate) unsafe fn exp<S: Simd>(x: S::Floats) -> S::Floats {
    /// Added to a number and taken off again, this rounds it to a whole one.
    const ROUND: f32 = 12_582_912.0;
    /// The natural logarithm of 2 in two parts, the first with few digits.
    const LN_2: [f32; 2] = [0.693_359_375, -2.121_944_4e-4];
    /// A polynomial for the function near 0: Cephes' `expf`.
    const POLYNOMIAL: [f32; 7] = [
        1.987_569_150_0e-4,
        1.398_199_950_7e-3,
        8.333_451_907_3e-3,
        4.166_579_589_4e-2,
        1.666_666_545_9e-1,
        5.000_000_120_1e-1,
        1.0,
    ];
    // SAFETY: the caller vouches for the instruction set.
    unsafe {
        let one = S::splat(1.0);
        let x = S::max(x, S::splat(-88.0));
        let rounded = S::mul_add(x, S::splat(std::f32::consts::LOG2_E), S::splat(ROUND));
        let power = S::mul_add(rounded, one, S::splat(-ROUND));
        let rest = S::mul_add(power, S::splat(-LN_2[0]), x);
        let rest = S::mul_add(power, S::splat(-LN_2[1]), rest);
        let mut sum = S::splat(POLYNOMIAL[0]);
        for factor in &POLYNOMIAL[1..] {
            sum = S::mul_add(sum, rest, S::splat(*factor));
        }
        S::mul(S::mul_add(sum, rest, one), S::power_of_two(power))
    }
}
