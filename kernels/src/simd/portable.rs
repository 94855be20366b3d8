//! Plain Rust: what the others are tested against, and what Miri can run.

use std::slice;

use super::{Quantized, Simd, quantization};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Portable;

/// The value of a half-precision float.
pub(crate) fn half_to_float(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let exponent = (bits >> 10) & 31;
    let fraction = f32::from(bits & 1023);
    match exponent {
        0 => sign * fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => sign * f32::INFINITY,
        31 => f32::NAN,
        _ => sign * (1024.0 + fraction) * 2f32.powi(i32::from(exponent) - 25),
    }
}

fn zip(a: [u8; 64], b: [u8; 64], combine: impl Fn(u8, u8) -> u8) -> [u8; 64] {
    std::array::from_fn(|index| combine(a[index], b[index]))
}

impl Simd for Portable {
    type Bytes = [u8; 64];
    type Ints = [i32; 16];
    type Floats = [f32; 16];
    type Doubles = [f64; 8];

    const WIDE_IS_SIGNED: bool = false;
    const SUMS: usize = 4;

    unsafe fn load(source: *const u8) -> Self::Bytes {
        // SAFETY: the caller vouches for 64 bytes.
        unsafe { source.cast::<[u8; 64]>().read_unaligned() }
    }

    unsafe fn store_bytes(target: *mut u8, value: Self::Bytes) {
        // SAFETY: the caller vouches for 64 bytes.
        unsafe { target.cast::<[u8; 64]>().write_unaligned(value) }
    }

    unsafe fn splat_byte(value: u8) -> Self::Bytes {
        [value; 64]
    }

    unsafe fn and(a: Self::Bytes, b: Self::Bytes) -> Self::Bytes {
        zip(a, b, |a, b| a & b)
    }

    unsafe fn or(a: Self::Bytes, b: Self::Bytes) -> Self::Bytes {
        zip(a, b, |a, b| a | b)
    }

    unsafe fn shift_right(a: Self::Bytes, count: u32) -> Self::Bytes {
        a.map(|byte| byte >> count)
    }

    unsafe fn shift_left(a: Self::Bytes, count: u32) -> Self::Bytes {
        a.map(|byte| byte << count)
    }

    unsafe fn lookup(table: &[u8; 16], indexes: Self::Bytes) -> Self::Bytes {
        indexes.map(|index| table[usize::from(index & 15)])
    }

    unsafe fn splat_int(value: i32) -> Self::Ints {
        [value; 16]
    }

    unsafe fn dot(sum: Self::Ints, weights: Self::Bytes, activations: i32) -> Self::Ints {
        let activations = activations.to_ne_bytes();
        std::array::from_fn(|row| {
            let products = (0..4)
                .map(|byte| i32::from(weights[4 * row + byte]) * i32::from(i8::from_ne_bytes([activations[byte]])));
            sum[row] + products.sum::<i32>()
        })
    }

    unsafe fn dot_wide(sum: Self::Ints, weights: Self::Bytes, activations: i32) -> Self::Ints {
        // SAFETY: this needs no instruction set.
        unsafe { Self::dot(sum, weights, activations) }
    }

    #[expect(clippy::cast_precision_loss, reason = "the sums are far below 2^24")]
    unsafe fn to_floats(value: Self::Ints) -> Self::Floats {
        value.map(|value| value as f32)
    }

    unsafe fn splat(value: f32) -> Self::Floats {
        [value; 16]
    }

    unsafe fn mul(a: Self::Floats, b: Self::Floats) -> Self::Floats {
        std::array::from_fn(|row| a[row] * b[row])
    }

    unsafe fn div(a: Self::Floats, b: Self::Floats) -> Self::Floats {
        std::array::from_fn(|row| a[row] / b[row])
    }

    unsafe fn mul_add(a: Self::Floats, b: Self::Floats, c: Self::Floats) -> Self::Floats {
        std::array::from_fn(|row| a[row].mul_add(b[row], c[row]))
    }

    unsafe fn load_halves(source: *const u8) -> Self::Floats {
        // SAFETY: the caller vouches for 32 bytes.
        let halves = unsafe { source.cast::<[[u8; 2]; 16]>().read_unaligned() };
        halves.map(|half| half_to_float(u16::from_le_bytes(half)))
    }

    unsafe fn load_upper_halves(source: *const u8) -> Self::Floats {
        // SAFETY: the caller vouches for 32 bytes.
        let halves = unsafe { source.cast::<[[u8; 2]; 16]>().read_unaligned() };
        halves.map(|half| f32::from_bits(u32::from(u16::from_le_bytes(half)) << 16))
    }

    unsafe fn load_u8(source: *const u8) -> Self::Floats {
        // SAFETY: the caller vouches for 16 bytes.
        let bytes = unsafe { source.cast::<[u8; 16]>().read_unaligned() };
        bytes.map(f32::from)
    }

    unsafe fn load_i8(source: *const u8) -> Self::Floats {
        // SAFETY: the caller vouches for 16 bytes.
        let bytes = unsafe { source.cast::<[i8; 16]>().read_unaligned() };
        bytes.map(f32::from)
    }

    unsafe fn store(target: *mut f32, value: Self::Floats) {
        // SAFETY: the caller vouches for 16 floats.
        unsafe { target.cast::<[f32; 16]>().write_unaligned(value) }
    }

    unsafe fn load_floats(source: *const f32) -> Self::Floats {
        // SAFETY: the caller vouches for 16 floats.
        unsafe { source.cast::<[f32; 16]>().read_unaligned() }
    }

    unsafe fn max(a: Self::Floats, b: Self::Floats) -> Self::Floats {
        std::array::from_fn(|index| if a[index] > b[index] { a[index] } else { b[index] })
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole numbers from -127 to 127")]
    unsafe fn power_of_two(exponent: Self::Floats) -> Self::Floats {
        exponent.map(|exponent| f32::from_bits(((exponent + 127.0) as u32) << 23))
    }

    unsafe fn transpose(sources: &[*const u16; 16], target: *mut f32) {
        for (column, source) in sources.iter().enumerate() {
            for row in 0..8 {
                // SAFETY: the caller vouches for eight halves there, and for 128 floats here.
                unsafe {
                    let half = source.add(row).read_unaligned();
                    target.add(16 * row + column).write_unaligned(half_to_float(half));
                }
            }
        }
    }

    unsafe fn transpose_four(sources: [*const f32; 4], target: *mut f32, step: usize) {
        for (column, source) in sources.iter().enumerate() {
            for row in 0..4 {
                // SAFETY: the caller vouches for four floats there, and for their places here.
                unsafe { target.add(step * row + column).write(source.add(row).read()) };
            }
        }
    }

    unsafe fn unequal(source: *const u16, value: u16) -> u16 {
        // SAFETY: the caller vouches for 16 numbers.
        let numbers = unsafe { source.cast::<[u16; 16]>().read_unaligned() };
        numbers.iter().rev().fold(0, |bits, number| bits << 1 | u16::from(*number != value))
    }

    unsafe fn splat_double(value: f64) -> Self::Doubles {
        [value; 8]
    }

    unsafe fn mul_add_double(a: Self::Doubles, b: Self::Doubles, c: Self::Doubles) -> Self::Doubles {
        std::array::from_fn(|index| a[index].mul_add(b[index], c[index]))
    }

    unsafe fn load_doubles(source: *const f64) -> Self::Doubles {
        // SAFETY: the caller vouches for eight doubles.
        unsafe { source.cast::<[f64; 8]>().read_unaligned() }
    }

    unsafe fn store_doubles(target: *mut f64, value: Self::Doubles) {
        // SAFETY: the caller vouches for eight doubles.
        unsafe { target.cast::<[f64; 8]>().write_unaligned(value) }
    }

    unsafe fn widen(source: *const f32) -> Self::Doubles {
        // SAFETY: the caller vouches for eight floats.
        unsafe { source.cast::<[f32; 8]>().read_unaligned() }.map(f64::from)
    }

    unsafe fn widen_halves(source: *const u16) -> Self::Doubles {
        // SAFETY: the caller vouches for eight halves.
        unsafe { source.cast::<[u16; 8]>().read_unaligned() }.map(|half| f64::from(half_to_float(half)))
    }

    unsafe fn prefetch(_address: *const u8) {}

    #[expect(clippy::cast_possible_truncation, reason = "the scale keeps the values in -127..=127")]
    unsafe fn quantize(source: *const f32, target: *mut i8) -> Quantized {
        // SAFETY: the caller vouches for 32 floats, and floats in ggml are aligned.
        let source = unsafe { slice::from_raw_parts(source, 32) };
        // SAFETY: the caller vouches for 32 bytes that nobody else uses.
        let target = unsafe { slice::from_raw_parts_mut(target, 32) };
        let largest = source.iter().fold(0f32, |largest, value| largest.max(value.abs()));
        let (factor, scale) = quantization(largest);
        let mut sums = [0; 2];
        for (index, (source, target)) in source.iter().zip(target).enumerate() {
            *target = (source * factor).round_ties_even() as i8;
            sums[index / 16] += i32::from(*target);
        }
        Quantized { scale, sums }
    }
}
