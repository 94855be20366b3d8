//! AVX-512 with VNNI: 16 rows are one register.

#[allow(clippy::wildcard_imports, reason = "every name there begins with an underscore; not linted in tests")]
use std::arch::x86_64::*;

use super::avx2::Avx2;
use super::{Quantized, Simd, quantization};

/// Needs `avx512f`, `avx512bw`, `avx512vl` and `avx512vnni`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx512;

// SAFETY (for every block here): the caller vouches for the instruction set and, where
// there is a pointer, for as many bytes as the trait says; loads and stores are the
// unaligned ones.
#[expect(clippy::undocumented_unsafe_blocks, reason = "they all rest on the promise above")]
impl Simd for Avx512 {
    type Bytes = __m512i;
    type Ints = __m512i;
    type Floats = __m512;
    type Doubles = __m512d;

    const WIDE_IS_SIGNED: bool = false;
    const SUMS: usize = 8;

    #[inline(always)]
    unsafe fn load(source: *const u8) -> Self::Bytes {
        unsafe { _mm512_loadu_si512(source.cast()) }
    }

    #[inline(always)]
    unsafe fn store_bytes(target: *mut u8, value: Self::Bytes) {
        unsafe { _mm512_storeu_si512(target.cast(), value) }
    }

    #[inline(always)]
    unsafe fn splat_byte(value: u8) -> Self::Bytes {
        unsafe { _mm512_set1_epi8(value.cast_signed()) }
    }

    #[inline(always)]
    unsafe fn and(a: Self::Bytes, b: Self::Bytes) -> Self::Bytes {
        unsafe { _mm512_and_si512(a, b) }
    }

    #[inline(always)]
    unsafe fn or(a: Self::Bytes, b: Self::Bytes) -> Self::Bytes {
        unsafe { _mm512_or_si512(a, b) }
    }

    #[inline(always)]
    unsafe fn shift_right(a: Self::Bytes, count: u32) -> Self::Bytes {
        unsafe { _mm512_srl_epi16(a, _mm_cvtsi32_si128(count.cast_signed())) }
    }

    #[inline(always)]
    unsafe fn shift_left(a: Self::Bytes, count: u32) -> Self::Bytes {
        unsafe { _mm512_sll_epi16(a, _mm_cvtsi32_si128(count.cast_signed())) }
    }

    #[inline(always)]
    unsafe fn lookup(table: &[u8; 16], indexes: Self::Bytes) -> Self::Bytes {
        unsafe {
            let table = _mm_loadu_si128(table.as_ptr().cast());
            _mm512_shuffle_epi8(_mm512_broadcast_i32x4(table), indexes)
        }
    }

    #[inline(always)]
    unsafe fn splat_int(value: i32) -> Self::Ints {
        unsafe { _mm512_set1_epi32(value) }
    }

    #[inline(always)]
    unsafe fn dot(sum: Self::Ints, weights: Self::Bytes, activations: i32) -> Self::Ints {
        unsafe { _mm512_dpbusd_epi32(sum, weights, _mm512_set1_epi32(activations)) }
    }

    #[inline(always)]
    unsafe fn dot_wide(sum: Self::Ints, weights: Self::Bytes, activations: i32) -> Self::Ints {
        unsafe { Self::dot(sum, weights, activations) }
    }

    #[inline(always)]
    unsafe fn to_floats(value: Self::Ints) -> Self::Floats {
        unsafe { _mm512_cvtepi32_ps(value) }
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self::Floats {
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    unsafe fn mul(a: Self::Floats, b: Self::Floats) -> Self::Floats {
        unsafe { _mm512_mul_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn div(a: Self::Floats, b: Self::Floats) -> Self::Floats {
        unsafe { _mm512_div_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn mul_add(a: Self::Floats, b: Self::Floats, c: Self::Floats) -> Self::Floats {
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    unsafe fn load_halves(source: *const u8) -> Self::Floats {
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(source.cast())) }
    }

    #[inline(always)]
    unsafe fn load_upper_halves(source: *const u8) -> Self::Floats {
        unsafe {
            let numbers = _mm512_cvtepu16_epi32(_mm256_loadu_si256(source.cast()));
            _mm512_castsi512_ps(_mm512_slli_epi32::<16>(numbers))
        }
    }

    #[inline(always)]
    unsafe fn load_u8(source: *const u8) -> Self::Floats {
        unsafe { _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(source.cast()))) }
    }

    #[inline(always)]
    unsafe fn load_i8(source: *const u8) -> Self::Floats {
        unsafe { _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(source.cast()))) }
    }

    #[inline(always)]
    unsafe fn store(target: *mut f32, value: Self::Floats) {
        unsafe { _mm512_storeu_ps(target, value) }
    }

    #[inline(always)]
    unsafe fn load_floats(source: *const f32) -> Self::Floats {
        unsafe { _mm512_loadu_ps(source) }
    }

    #[inline(always)]
    unsafe fn max(a: Self::Floats, b: Self::Floats) -> Self::Floats {
        unsafe { _mm512_max_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn power_of_two(exponent: Self::Floats) -> Self::Floats {
        unsafe {
            let biased = _mm512_add_epi32(_mm512_cvtps_epi32(exponent), _mm512_set1_epi32(127));
            _mm512_castsi512_ps(_mm512_slli_epi32::<23>(biased))
        }
    }

    #[inline(always)]
    unsafe fn transpose(sources: &[*const u16; 16], target: *mut f32) {
        unsafe { Avx2::transpose(sources, target) }
    }

    #[inline(always)]
    unsafe fn transpose_four(sources: [*const f32; 4], target: *mut f32, step: usize) {
        unsafe { Avx2::transpose_four(sources, target, step) }
    }

    #[inline(always)]
    unsafe fn unequal(source: *const u16, value: u16) -> u16 {
        unsafe { _mm256_cmpneq_epi16_mask(_mm256_loadu_si256(source.cast()), _mm256_set1_epi16(value.cast_signed())) }
    }

    #[inline(always)]
    unsafe fn splat_double(value: f64) -> Self::Doubles {
        unsafe { _mm512_set1_pd(value) }
    }

    #[inline(always)]
    unsafe fn mul_add_double(a: Self::Doubles, b: Self::Doubles, c: Self::Doubles) -> Self::Doubles {
        unsafe { _mm512_fmadd_pd(a, b, c) }
    }

    #[inline(always)]
    unsafe fn load_doubles(source: *const f64) -> Self::Doubles {
        unsafe { _mm512_loadu_pd(source) }
    }

    #[inline(always)]
    unsafe fn store_doubles(target: *mut f64, value: Self::Doubles) {
        unsafe { _mm512_storeu_pd(target, value) }
    }

    #[inline(always)]
    unsafe fn widen(source: *const f32) -> Self::Doubles {
        unsafe { _mm512_cvtps_pd(_mm256_loadu_ps(source)) }
    }

    #[inline(always)]
    unsafe fn widen_halves(source: *const u16) -> Self::Doubles {
        unsafe { _mm512_cvtps_pd(_mm256_cvtph_ps(_mm_loadu_si128(source.cast()))) }
    }

    #[inline(always)]
    unsafe fn prefetch(address: *const u8) {
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
    }

    #[inline(always)]
    unsafe fn quantize(source: *const f32, target: *mut i8) -> Quantized {
        unsafe {
            let (a, b) = (_mm512_loadu_ps(source), _mm512_loadu_ps(source.add(16)));
            let largest = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(a), _mm512_abs_ps(b)));
            let (factor, scale) = quantization(largest);
            let factor = _mm512_set1_ps(factor);
            let a = _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(_mm512_mul_ps(a, factor)));
            let b = _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(_mm512_mul_ps(b, factor)));
            let values = _mm256_set_m128i(b, a);
            _mm256_storeu_si256(target.cast(), values);
            let fours = _mm256_dpbusd_epi32(_mm256_setzero_si256(), _mm256_set1_epi8(1), values);
            let pairs = _mm256_hadd_epi32(fours, fours);
            let sums = _mm256_hadd_epi32(pairs, pairs);
            Quantized { scale, sums: [_mm256_extract_epi32::<0>(sums), _mm256_extract_epi32::<4>(sums)] }
        }
    }
}
