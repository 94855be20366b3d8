//! The instructions that the kernels are written in, once for each instruction set.
//!
//! A kernel works on 16 rows at a time: 16 integers or floats, one a row, and 64
//! bytes, four a row. Every instruction set computes exactly the same numbers: the
//! integer sums cannot overflow, and floats are combined in one order with fused
//! multiply-adds only.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;
pub(crate) mod portable;

/// The quantised form of 32 activations; see [`crate::activations`].
pub(crate) struct Quantized {
    /// What a quantised value of 1 stands for.
    pub(crate) scale: f32,
    /// The sums of the first 16 and of the last 16 quantised values.
    pub(crate) sums: [i32; 2],
}

/// An instruction set.
///
/// # Safety
///
/// Every function needs the processor to have the instruction set. Pointers need no
/// alignment; each function says how many bytes it reads or writes there.
pub(crate) trait Simd: Copy + 'static {
    /// 64 bytes: four for each of 16 rows.
    type Bytes: Copy;
    /// An `i32` for each of 16 rows.
    type Ints: Copy;
    /// An `f32` for each of 16 rows.
    type Floats: Copy;
    /// Eight `f64`.
    type Doubles: Copy;

    /// Whether [`dot_wide`](Simd::dot_wide) takes 128 off each weight.
    const WIDE_IS_SIGNED: bool;
    /// How many `Floats`, or `Doubles`, can be summed up at a time before registers run out.
    const SUMS: usize;

    /// Reads 64 bytes.
    unsafe fn load(source: *const u8) -> Self::Bytes;
    /// Writes 64 bytes.
    unsafe fn store_bytes(target: *mut u8, value: Self::Bytes);
    unsafe fn splat_byte(value: u8) -> Self::Bytes;
    unsafe fn and(a: Self::Bytes, b: Self::Bytes) -> Self::Bytes;
    unsafe fn or(a: Self::Bytes, b: Self::Bytes) -> Self::Bytes;
    /// Shifts each byte to the right by `count` below 8; which bits come in from the
    /// left is not defined.
    unsafe fn shift_right(a: Self::Bytes, count: u32) -> Self::Bytes;
    /// Shifts each byte to the left by `count` below 8; which bits come in from the
    /// right is not defined.
    unsafe fn shift_left(a: Self::Bytes, count: u32) -> Self::Bytes;
    /// Replaces each byte, which is below 16, by that entry of the table.
    unsafe fn lookup(table: &[u8; 16], indexes: Self::Bytes) -> Self::Bytes;

    unsafe fn splat_int(value: i32) -> Self::Ints;
    /// Adds to each row's sum the product of its four weights, at most 127, with four
    /// activations, -127 to 127, that all rows share.
    unsafe fn dot(sum: Self::Ints, weights: Self::Bytes, activations: i32) -> Self::Ints;
    /// The same for weights up to 255, less 128 each where
    /// [`WIDE_IS_SIGNED`](Simd::WIDE_IS_SIGNED) says so.
    unsafe fn dot_wide(sum: Self::Ints, weights: Self::Bytes, activations: i32) -> Self::Ints;
    unsafe fn to_floats(value: Self::Ints) -> Self::Floats;

    unsafe fn splat(value: f32) -> Self::Floats;
    unsafe fn mul(a: Self::Floats, b: Self::Floats) -> Self::Floats;
    unsafe fn div(a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// `a * b + c`, rounded once.
    unsafe fn mul_add(a: Self::Floats, b: Self::Floats, c: Self::Floats) -> Self::Floats;
    /// Reads 16 half-precision floats.
    unsafe fn load_halves(source: *const u8) -> Self::Floats;
    /// Reads 16 floats of which the file has the upper halves (`BF16`).
    unsafe fn load_upper_halves(source: *const u8) -> Self::Floats;
    /// Reads 16 unsigned bytes.
    unsafe fn load_u8(source: *const u8) -> Self::Floats;
    /// Reads 16 signed bytes.
    unsafe fn load_i8(source: *const u8) -> Self::Floats;
    /// Writes 16 floats.
    unsafe fn store(target: *mut f32, value: Self::Floats);

    /// Reads 16 floats.
    unsafe fn load_floats(source: *const f32) -> Self::Floats;
    /// The larger of each two.
    unsafe fn max(a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// 2 to the power of whole numbers from -127 to 127; 0 for -127.
    unsafe fn power_of_two(exponent: Self::Floats) -> Self::Floats;
    /// Reads eight half-precision floats at each of 16 places and writes them as floats: the first of
    /// each place, then the second of each, and so on.
    unsafe fn transpose(sources: &[*const u16; 16], target: *mut f32);
    /// Reads four floats at each of four places and writes the first of each place, `step` floats further the
    /// second of each, and so on.
    unsafe fn transpose_four(sources: [*const f32; 4], target: *mut f32, step: usize);
    /// Which of 16 numbers of two bytes are not `value`, a bit for each.
    unsafe fn unequal(source: *const u16, value: u16) -> u16;

    unsafe fn splat_double(value: f64) -> Self::Doubles;
    /// `a * b + c`, rounded once.
    unsafe fn mul_add_double(a: Self::Doubles, b: Self::Doubles, c: Self::Doubles) -> Self::Doubles;
    /// Reads eight doubles.
    unsafe fn load_doubles(source: *const f64) -> Self::Doubles;
    /// Writes eight doubles.
    unsafe fn store_doubles(target: *mut f64, value: Self::Doubles);
    /// Reads eight floats.
    unsafe fn widen(source: *const f32) -> Self::Doubles;
    /// Reads eight half-precision floats.
    unsafe fn widen_halves(source: *const u16) -> Self::Doubles;

    /// Asks for the cache line at an address, which need not be valid.
    unsafe fn prefetch(address: *const u8);

    /// Quantises 32 floats to as many bytes at `target`.
    unsafe fn quantize(source: *const f32, target: *mut i8) -> Quantized;
}

/// The factor that brings 32 activations, none larger than `largest`, to -127..=127,
/// and its inverse.
///
/// Values too small to have an inverse count as zero.
#[inline(always)]
pub(crate) fn quantization(largest: f32) -> (f32, f32) {
    if largest < 1e-30 { (0.0, 0.0) } else { (127.0 / largest, largest / 127.0) }
}
