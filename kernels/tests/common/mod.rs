//! Random matrices, their values by the definition of each type, and a way to compute
//! products with threads.
#![allow(dead_code, reason = "each test file uses a part of this")]

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use zerohop_kernels::{Activations, Isa, Matrix, Product, Type, Worker};

/// The instruction sets that this processor has.
pub(crate) fn available() -> Vec<Isa> {
    #[cfg(target_arch = "x86_64")]
    let all = [Isa::Portable, Isa::Avx2, Isa::Avx512];
    #[cfg(not(target_arch = "x86_64"))]
    let all = [Isa::Portable];
    all.into_iter().filter(|isa| isa.is_available()).collect()
}

/// A small generator, so that a failure can be repeated.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn byte(&mut self) -> u8 {
        (self.next() >> 32) as u8
    }

    /// From -1 to 1.
    pub(crate) fn float(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u32 << 23) as f32 - 1.0
    }

    /// A half-precision float of ordinary size, now and then zero, the smallest or
    /// nearly the largest.
    fn half(&mut self) -> [u8; 2] {
        let bits = match self.next() % 64 {
            0 => 0,
            1 => 1,
            2 => 0x7bff,
            3 => 0xfbff,
            _ => (self.next() as u16 & 0x83ff) | ((8 + self.next() % 6) as u16) << 10,
        };
        bits.to_le_bytes()
    }

    /// The upper half of a float, of very different sizes, now and then zero.
    fn upper_half(&mut self) -> [u8; 2] {
        let bits = match self.next() % 64 {
            0 => 0,
            _ => (self.next() as u16 & 0x807f) | ((107 + self.next() % 40) as u16) << 7,
        };
        bits.to_le_bytes()
    }
}

/// Weights and bytes of a block, and where its half-precision floats are.
pub(crate) fn block(weights: Type) -> (usize, usize, &'static [usize]) {
    match weights {
        Type::Q4_0 | Type::Iq4Nl => (32, 18, &[0]),
        Type::Q4_1 => (32, 20, &[0, 2]),
        Type::Q5_0 => (32, 22, &[0]),
        Type::Q5_1 => (32, 24, &[0, 2]),
        Type::Q8_0 => (32, 34, &[0]),
        Type::Q4K => (256, 144, &[0, 2]),
        Type::Q5K => (256, 176, &[0, 2]),
        Type::Q6K => (256, 210, &[208]),
        Type::F16 | Type::Bf16 => (1, 2, &[0]),
        Type::F32 => (1, 4, &[2]),
        other => panic!("{other:?} is not tested"),
    }
}

/// Random rows of a type, as a file would hold them.
pub(crate) fn random_rows(random: &mut Random, weights: Type, width: usize, rows: usize) -> Vec<u8> {
    let (length, bytes, halves) = block(weights);
    let mut data = Vec::new();
    for _ in 0..width / length * rows {
        let mut block: Vec<u8> = (0..bytes).map(|_| random.byte()).collect();
        for &place in halves {
            let is_upper = matches!(weights, Type::Bf16 | Type::F32);
            let half = if is_upper { random.upper_half() } else { random.half() };
            block[place..place + 2].copy_from_slice(&half);
        }
        data.extend(block);
    }
    data
}

fn half(bytes: &[u8]) -> f64 {
    let bits = u16::from_le_bytes([bytes[0], bytes[1]]);
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023) / 1024.0);
    sign * match exponent {
        0 => fraction * 2f64.powi(-14),
        _ => (1.0 + fraction) * 2f64.powi(exponent - 15),
    }
}

/// The values of a block, by the type's definition.
fn values(weights: Type, block: &[u8]) -> Vec<f64> {
    const IQ4_NL: [i8; 16] = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];
    let nibble = |bytes: &[u8], index: usize| {
        if index < 16 { bytes[index] & 15 } else { bytes[index - 16] >> 4 }
    };
    let five = |bytes: &[u8], index: usize| {
        let high = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        f64::from(nibble(&bytes[4..], index)) + 16.0 * f64::from(high >> index & 1)
    };
    let small = |value: &dyn Fn(usize) -> f64| (0..32).map(value).collect();
    match weights {
        Type::Q4_0 => small(&|index| half(block) * (f64::from(nibble(&block[2..], index)) - 8.0)),
        Type::Iq4Nl => small(&|index| half(block) * f64::from(IQ4_NL[usize::from(nibble(&block[2..], index))])),
        Type::Q4_1 => small(&|index| half(block) * f64::from(nibble(&block[4..], index)) + half(&block[2..])),
        Type::Q5_0 => small(&|index| half(block) * (five(&block[2..], index) - 16.0)),
        Type::Q5_1 => small(&|index| half(block) * five(&block[4..], index) + half(&block[2..])),
        Type::Q8_0 => small(&|index| half(block) * f64::from(block[2 + index] as i8)),
        Type::Q4K | Type::Q5K => (0..256)
            .map(|index| {
                let group = index / 32;
                let (scale, min) = six_bits(&block[4..16], group);
                let values = &block[if weights == Type::Q4K { 16 } else { 48 }..];
                let byte = values[32 * (group / 2) + index % 32];
                let mut value = f64::from(if group % 2 == 0 { byte & 15 } else { byte >> 4 });
                if weights == Type::Q5K {
                    value += 16.0 * f64::from(block[16 + index % 32] >> group & 1);
                }
                half(block) * f64::from(scale) * value - half(&block[2..]) * f64::from(min)
            })
            .collect(),
        Type::Q6K => (0..256)
            .map(|index| {
                let (part, quarter, place) = (index / 128, index / 32 % 4, index % 32);
                let low = block[64 * part + 32 * (quarter % 2) + place] >> (4 * (quarter / 2)) & 15;
                let high = block[128 + 32 * part + place] >> (2 * quarter) & 3;
                let scale = block[192 + index / 16] as i8;
                half(&block[208..]) * f64::from(scale) * (f64::from(low) + 16.0 * f64::from(high) - 32.0)
            })
            .collect(),
        Type::F16 => vec![half(block)],
        Type::F32 => vec![f64::from(f32::from_le_bytes([block[0], block[1], block[2], block[3]]))],
        Type::Bf16 => vec![f64::from(f32::from_bits(u32::from(u16::from_le_bytes([block[0], block[1]])) << 16))],
        other => panic!("{other:?} is not tested"),
    }
}

/// The scale and minimum of a group of `Q4_K` or `Q5_K`.
fn six_bits(bytes: &[u8], group: usize) -> (u8, u8) {
    if group < 4 {
        (bytes[group] & 63, bytes[group + 4] & 63)
    } else {
        ((bytes[group + 4] & 15) | (bytes[group - 4] >> 6) << 4, (bytes[group + 4] >> 4) | (bytes[group] >> 6) << 4)
    }
}

/// The values of a whole matrix, row by row.
pub(crate) fn all_values(weights: Type, rows: &[u8]) -> Vec<f64> {
    rows.chunks_exact(block(weights).1).flat_map(|block| values(weights, block)).collect()
}

/// What a column is computed as: quantised, unless the weights are floats.
pub(crate) fn prepared(weights: Type, column: &[f32]) -> Vec<f64> {
    if matches!(weights, Type::F16 | Type::Bf16 | Type::F32) {
        return column.iter().copied().map(f64::from).collect();
    }
    column
        .chunks_exact(32)
        .flat_map(|group| {
            let largest = group.iter().fold(0f32, |largest, value| largest.max(value.abs()));
            let factor = if largest < 1e-30 { 0.0 } else { 127.0 / largest };
            group.iter().map(move |value| f64::from((value * factor).round_ties_even()) * f64::from(largest / 127.0))
        })
        .collect()
}

/// Packs a matrix.
pub(crate) fn pack(matrix: &Matrix, rows: &[u8]) -> Vec<u8> {
    let mut packed = vec![0; matrix.bytes()];
    matrix.pack(0..matrix.panels(), rows, &mut packed);
    packed
}

/// Computes a product with so many threads.
pub(crate) fn multiply(matrix: &Matrix, packed: &[u8], columns: &[f32], width: usize, threads: usize) -> Vec<f32> {
    let count = columns.len() / width;
    let product = Product::new(*matrix, count);
    let rows = matrix.panels() * 16;
    let mut work = vec![0f32; product.work_bytes(threads) / 4];
    let mut results = vec![f32::NAN; rows * count];
    let barrier = Barrier::new(threads);
    let (work, out) = (work.as_mut_ptr() as usize, results.as_mut_ptr() as usize);
    on_threads(threads, |worker| {
        let activations = Activations { data: columns.as_ptr(), shape: [count, 1, 1], strides: [width, 0, 0] };
        // SAFETY: the vectors are as long as the product says.
        unsafe { product.prepare(&activations, work as *mut u8, worker) };
        if product.is_shared() {
            barrier.wait();
        }
        // SAFETY: as before; all have quantised.
        unsafe { product.multiply(packed.as_ptr(), work as *mut u8, out as *mut f32, worker) };
    });
    results
}

/// Lets so many threads work together.
pub(crate) fn on_threads(threads: usize, work: impl Fn(&Worker<'_>) + Sync) {
    let next = AtomicUsize::new(threads);
    thread::scope(|scope| {
        for index in 0..threads {
            let (next, work) = (&next, &work);
            scope.spawn(move || {
                let next = || next.fetch_add(1, Ordering::Relaxed);
                work(&Worker { index, count: threads, next: &next });
            });
        }
    });
}
