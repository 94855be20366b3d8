//! AVX2 with FMA and F16C: 16 rows are two registers.

#[allow(clippy::wildcard_imports, reason = "every name there begins with an underscore; not linted in tests")]
use std::arch::x86_64::*;

use super::{Quantized, Simd, quantization};

/// Needs `avx2`, `fma` and `f16c`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx2;

// SAFETY (for every block here): the caller vouches for the instruction set and, where
// there is a pointer, for as many bytes as the trait says; loads and stores are the
// unaligned ones.
#[expect(clippy::undocumented_unsafe_blocks, reason = "they all rest on the promise above")]
impl Simd for Avx2 {
    type Bytes = [__m256i; 2];
    type Ints = [__m256i; 2];
    type Floats = [__m256; 2];
    type Doubles = [__m256d; 2];

    const WIDE_IS_SIGNED: bool = true;
    const SUMS: usize = 4;

    #[inline(always)]
    unsafe fn load(source: *const u8) -> Self::Bytes {
        unsafe { [_mm256_loadu_si256(source.cast()), _mm256_loadu_si256(source.add(32).cast())] }
    }

    #[inline(always)]
    unsafe fn store_bytes(target: *mut u8, value: Self::Bytes) {
        unsafe {
            _mm256_storeu_si256(target.cast(), value[0]);
            _mm256_storeu_si256(target.add(32).cast(), value[1]);
        }
    }

    #[inline(always)]
    unsafe fn splat_byte(value: u8) -> Self::Bytes {
        unsafe { [_mm256_set1_epi8(value.cast_signed()); 2] }
    }

    #[inline(always)]
    unsafe fn and(a: Self::Bytes, b: Self::Bytes) -> Self::Bytes {
        unsafe { [_mm256_and_si256(a[0], b[0]), _mm256_and_si256(a[1], b[1])] }
    }

    #[inline(always)]
    unsafe fn or(a: Self::Bytes, b: Self::Bytes) -> Self::Bytes {
        unsafe { [_mm256_or_si256(a[0], b[0]), _mm256_or_si256(a[1], b[1])] }
    }

    #[inline(always)]
    unsafe fn shift_right(a: Self::Bytes, count: u32) -> Self::Bytes {
        unsafe {
            let count = _mm_cvtsi32_si128(count.cast_signed());
            [_mm256_srl_epi16(a[0], count), _mm256_srl_epi16(a[1], count)]
        }
    }

    #[inline(always)]
    unsafe fn shift_left(a: Self::Bytes, count: u32) -> Self::Bytes {
        unsafe {
            let count = _mm_cvtsi32_si128(count.cast_signed());
            [_mm256_sll_epi16(a[0], count), _mm256_sll_epi16(a[1], count)]
        }
    }

    #[inline(always)]
    unsafe fn lookup(table: &[u8; 16], indexes: Self::Bytes) -> Self::Bytes {
        unsafe {
            let table = _mm256_broadcastsi128_si256(_mm_loadu_si128(table.as_ptr().cast()));
            [_mm256_shuffle_epi8(table, indexes[0]), _mm256_shuffle_epi8(table, indexes[1])]
        }
    }

    #[inline(always)]
    unsafe fn splat_int(value: i32) -> Self::Ints {
        unsafe { [_mm256_set1_epi32(value); 2] }
    }

    #[inline(always)]
    unsafe fn dot(sum: Self::Ints, weights: Self::Bytes, activations: i32) -> Self::Ints {
        // Two products of at most 127 * 127 each fit 16 bits.
        unsafe {
            let activations = _mm256_set1_epi32(activations);
            let ones = _mm256_set1_epi16(1);
            let a = _mm256_madd_epi16(_mm256_maddubs_epi16(weights[0], activations), ones);
            let b = _mm256_madd_epi16(_mm256_maddubs_epi16(weights[1], activations), ones);
            [_mm256_add_epi32(sum[0], a), _mm256_add_epi32(sum[1], b)]
        }
    }

    #[inline(always)]
    unsafe fn dot_wide(sum: Self::Ints, weights: Self::Bytes, activations: i32) -> Self::Ints {
        // Unsigned weights would overflow 16 bits; less 128 their magnitudes are at
        // most 128, and the activations take their signs.
        unsafe {
            let activations = _mm256_set1_epi32(activations);
            let ones = _mm256_set1_epi16(1);
            let flip = _mm256_set1_epi8(i8::MIN);
            let mut sums = sum;
            for half in 0..2 {
                let signed = _mm256_xor_si256(weights[half], flip);
                let products = _mm256_maddubs_epi16(_mm256_abs_epi8(signed), _mm256_sign_epi8(activations, signed));
                sums[half] = _mm256_add_epi32(sum[half], _mm256_madd_epi16(products, ones));
            }
            sums
        }
    }

    #[inline(always)]
    unsafe fn to_floats(value: Self::Ints) -> Self::Floats {
        unsafe { [_mm256_cvtepi32_ps(value[0]), _mm256_cvtepi32_ps(value[1])] }
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self::Floats {
        unsafe { [_mm256_set1_ps(value); 2] }
    }

    #[inline(always)]
    unsafe fn mul(a: Self::Floats, b: Self::Floats) -> Self::Floats {
        unsafe { [_mm256_mul_ps(a[0], b[0]), _mm256_mul_ps(a[1], b[1])] }
    }

    #[inline(always)]
    unsafe fn div(a: Self::Floats, b: Self::Floats) -> Self::Floats {
        unsafe { [_mm256_div_ps(a[0], b[0]), _mm256_div_ps(a[1], b[1])] }
    }

    #[inline(always)]
    unsafe fn mul_add(a: Self::Floats, b: Self::Floats, c: Self::Floats) -> Self::Floats {
        unsafe { [_mm256_fmadd_ps(a[0], b[0], c[0]), _mm256_fmadd_ps(a[1], b[1], c[1])] }
    }

    #[inline(always)]
    unsafe fn load_halves(source: *const u8) -> Self::Floats {
        unsafe {
            [_mm256_cvtph_ps(_mm_loadu_si128(source.cast())), _mm256_cvtph_ps(_mm_loadu_si128(source.add(16).cast()))]
        }
    }

    #[inline(always)]
    unsafe fn load_upper_halves(source: *const u8) -> Self::Floats {
        unsafe {
            let first = _mm256_cvtepu16_epi32(_mm_loadu_si128(source.cast()));
            let second = _mm256_cvtepu16_epi32(_mm_loadu_si128(source.add(16).cast()));
            [_mm256_castsi256_ps(_mm256_slli_epi32::<16>(first)), _mm256_castsi256_ps(_mm256_slli_epi32::<16>(second))]
        }
    }

    #[inline(always)]
    unsafe fn load_u8(source: *const u8) -> Self::Floats {
        unsafe {
            [
                _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(source.cast()))),
                _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(source.add(8).cast()))),
            ]
        }
    }

    #[inline(always)]
    unsafe fn load_i8(source: *const u8) -> Self::Floats {
        unsafe {
            [
                _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(source.cast()))),
                _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(source.add(8).cast()))),
            ]
        }
    }

    #[inline(always)]
    unsafe fn store(target: *mut f32, value: Self::Floats) {
        unsafe {
            _mm256_storeu_ps(target, value[0]);
            _mm256_storeu_ps(target.add(8), value[1]);
        }
    }

    #[inline(always)]
    unsafe fn load_floats(source: *const f32) -> Self::Floats {
        unsafe { [_mm256_loadu_ps(source), _mm256_loadu_ps(source.add(8))] }
    }

    #[inline(always)]
    unsafe fn max(a: Self::Floats, b: Self::Floats) -> Self::Floats {
        unsafe { [_mm256_max_ps(a[0], b[0]), _mm256_max_ps(a[1], b[1])] }
    }

    #[inline(always)]
    unsafe fn power_of_two(exponent: Self::Floats) -> Self::Floats {
        unsafe {
            let bias = _mm256_set1_epi32(127);
            let first = _mm256_slli_epi32::<23>(_mm256_add_epi32(_mm256_cvtps_epi32(exponent[0]), bias));
            let second = _mm256_slli_epi32::<23>(_mm256_add_epi32(_mm256_cvtps_epi32(exponent[1]), bias));
            [_mm256_castsi256_ps(first), _mm256_castsi256_ps(second)]
        }
    }

    // Without closures: what is inside of one is not compiled for the instruction set.
    #[inline(always)]
    unsafe fn transpose(sources: &[*const u16; 16], target: *mut f32) {
        unsafe {
            for half in 0..2 {
                let mut rows = [_mm256_setzero_ps(); 8];
                for index in 0..8 {
                    rows[index] = _mm256_cvtph_ps(_mm_loadu_si128(sources[8 * half + index].cast()));
                }
                // Of each pair of rows the numbers side by side, then of each four.
                let mut pairs = [_mm256_setzero_ps(); 8];
                for index in 0..4 {
                    pairs[2 * index] = _mm256_unpacklo_ps(rows[2 * index], rows[2 * index + 1]);
                    pairs[2 * index + 1] = _mm256_unpackhi_ps(rows[2 * index], rows[2 * index + 1]);
                }
                let mut fours = [_mm256_setzero_ps(); 8];
                for index in 0..2 {
                    let (first, second) = (4 * index, 4 * index + 2);
                    fours[first] = _mm256_shuffle_ps::<0x44>(pairs[first], pairs[second]);
                    fours[first + 1] = _mm256_shuffle_ps::<0xee>(pairs[first], pairs[second]);
                    fours[first + 2] = _mm256_shuffle_ps::<0x44>(pairs[first + 1], pairs[second + 1]);
                    fours[first + 3] = _mm256_shuffle_ps::<0xee>(pairs[first + 1], pairs[second + 1]);
                }
                for index in 0..4 {
                    let target = target.add(16 * index + 8 * half);
                    _mm256_storeu_ps(target, _mm256_permute2f128_ps::<0x20>(fours[index], fours[4 + index]));
                    _mm256_storeu_ps(target.add(64), _mm256_permute2f128_ps::<0x31>(fours[index], fours[4 + index]));
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn transpose_four(sources: [*const f32; 4], target: *mut f32, step: usize) {
        unsafe {
            let (a, b) = (_mm_loadu_ps(sources[0]), _mm_loadu_ps(sources[1]));
            let (c, d) = (_mm_loadu_ps(sources[2]), _mm_loadu_ps(sources[3]));
            // The first two of each pair of places, then the last two.
            let (ab, cd) = (_mm_unpacklo_ps(a, b), _mm_unpacklo_ps(c, d));
            _mm_storeu_ps(target, _mm_movelh_ps(ab, cd));
            _mm_storeu_ps(target.add(step), _mm_movehl_ps(cd, ab));
            let (ab, cd) = (_mm_unpackhi_ps(a, b), _mm_unpackhi_ps(c, d));
            _mm_storeu_ps(target.add(2 * step), _mm_movelh_ps(ab, cd));
            _mm_storeu_ps(target.add(3 * step), _mm_movehl_ps(cd, ab));
        }
    }

    #[inline(always)]
    unsafe fn unequal(source: *const u16, value: u16) -> u16 {
        unsafe {
            let value = _mm256_set1_epi16(value.cast_signed());
            let equal = _mm256_cmpeq_epi16(_mm256_loadu_si256(source.cast()), value);
            let bytes = _mm_packs_epi16(_mm256_castsi256_si128(equal), _mm256_extracti128_si256::<1>(equal));
            #[expect(clippy::cast_possible_truncation, reason = "the upper half is zero")]
            let bits = _mm_movemask_epi8(bytes).cast_unsigned() as u16;
            !bits
        }
    }

    #[inline(always)]
    unsafe fn splat_double(value: f64) -> Self::Doubles {
        unsafe { [_mm256_set1_pd(value); 2] }
    }

    #[inline(always)]
    unsafe fn mul_add_double(a: Self::Doubles, b: Self::Doubles, c: Self::Doubles) -> Self::Doubles {
        unsafe { [_mm256_fmadd_pd(a[0], b[0], c[0]), _mm256_fmadd_pd(a[1], b[1], c[1])] }
    }

    #[inline(always)]
    unsafe fn load_doubles(source: *const f64) -> Self::Doubles {
        unsafe { [_mm256_loadu_pd(source), _mm256_loadu_pd(source.add(4))] }
    }

    #[inline(always)]
    unsafe fn store_doubles(target: *mut f64, value: Self::Doubles) {
        unsafe {
            _mm256_storeu_pd(target, value[0]);
            _mm256_storeu_pd(target.add(4), value[1]);
        }
    }

    #[inline(always)]
    unsafe fn widen(source: *const f32) -> Self::Doubles {
        unsafe { [_mm256_cvtps_pd(_mm_loadu_ps(source)), _mm256_cvtps_pd(_mm_loadu_ps(source.add(4)))] }
    }

    #[inline(always)]
    unsafe fn widen_halves(source: *const u16) -> Self::Doubles {
        unsafe {
            let floats = _mm256_cvtph_ps(_mm_loadu_si128(source.cast()));
            [_mm256_cvtps_pd(_mm256_castps256_ps128(floats)), _mm256_cvtps_pd(_mm256_extractf128_ps::<1>(floats))]
        }
    }

    #[inline(always)]
    unsafe fn prefetch(address: *const u8) {
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
    }

    #[inline(always)]
    unsafe fn quantize(source: *const f32, target: *mut i8) -> Quantized {
        unsafe {
            let values: [__m256; 4] = [
                _mm256_loadu_ps(source),
                _mm256_loadu_ps(source.add(8)),
                _mm256_loadu_ps(source.add(16)),
                _mm256_loadu_ps(source.add(24)),
            ];
            let sign = _mm256_set1_ps(-0.0);
            let first = _mm256_max_ps(_mm256_andnot_ps(sign, values[0]), _mm256_andnot_ps(sign, values[1]));
            let second = _mm256_max_ps(_mm256_andnot_ps(sign, values[2]), _mm256_andnot_ps(sign, values[3]));
            let eight = _mm256_max_ps(first, second);
            let four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps::<1>(eight));
            let two = _mm_max_ps(four, _mm_movehl_ps(four, four));
            let largest = _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
            let (factor, scale) = quantization(largest);
            let factor = _mm256_set1_ps(factor);
            let a = _mm256_cvtps_epi32(_mm256_mul_ps(values[0], factor));
            let b = _mm256_cvtps_epi32(_mm256_mul_ps(values[1], factor));
            let c = _mm256_cvtps_epi32(_mm256_mul_ps(values[2], factor));
            let d = _mm256_cvtps_epi32(_mm256_mul_ps(values[3], factor));
            // Packing works within each half of a register: put the order right.
            let packed = _mm256_packs_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
            let values = _mm256_permutevar8x32_epi32(packed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
            _mm256_storeu_si256(target.cast(), values);
            let twos = _mm256_maddubs_epi16(_mm256_set1_epi8(1), values);
            let fours = _mm256_madd_epi16(twos, _mm256_set1_epi16(1));
            let pairs = _mm256_hadd_epi32(fours, fours);
            let sums = _mm256_hadd_epi32(pairs, pairs);
            Quantized { scale, sums: [_mm256_extract_epi32::<0>(sums), _mm256_extract_epi32::<4>(sums)] }
        }
    }
}
