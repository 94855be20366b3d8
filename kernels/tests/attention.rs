//! Attention against its definition in double precision, and that a result depends on nothing else.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "numbers are what is tested"
)]

mod common;

use std::ptr;

use common::{Random, available, on_threads};
use zerohop_kernels::{Attention, Heads, Isa};

/// A batch and a cache. Positions are 0, 1, 2 and so on; cell `cells[p]` has position `p` of the sequence.
#[derive(Clone)]
struct Case {
    heads: usize,
    kv_heads: usize,
    widths: [usize; 2],
    /// Cells of the cache.
    size: usize,
    cells: Vec<usize>,
    /// The positions of the tokens, each of which sees those before it and itself.
    tokens: Vec<usize>,
    softcap: f32,
    max_bias: f32,
    sinks: Option<Vec<f32>>,
    seed: u64,
}

/// A half-precision float between -2 and 2, and its value.
fn half(random: &mut Random) -> (u16, f64) {
    let (fraction, exponent) = (random.next() % 1024, random.next() % 4 + 12);
    let sign = random.next() & 1;
    let value = (1.0 + fraction as f64 / 1024.0) * 2f64.powi(exponent as i32 - 15);
    ((sign << 15 | exponent << 10 | fraction) as u16, if sign == 1 { -value } else { value })
}

impl Case {
    fn new(heads: usize, kv_heads: usize, widths: [usize; 2], length: usize) -> Self {
        Case {
            heads,
            kv_heads,
            widths,
            size: length + 40,
            cells: (0..length).collect(),
            tokens: vec![length - 1],
            softcap: 0.0,
            max_bias: 0.0,
            sinks: None,
            seed: length as u64,
        }
    }

    /// A position's key, value or query of a head.
    fn vector(&self, kind: u64, position: usize, head: usize, width: usize) -> Vec<(u16, f64)> {
        let seed = self.seed ^ (kind << 60 | (position as u64) << 20 | head as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut random = Random(seed);
        (0..width).map(|_| half(&mut random)).collect()
    }

    fn scale(&self) -> f32 {
        (self.widths[0] as f32).sqrt().recip()
    }

    /// What the mask has: with a bias, minus the distance.
    fn mask(&self, distance: usize) -> (u16, f64) {
        match (self.max_bias > 0.0, distance) {
            (false, _) | (_, 0) => (0, 0.0),
            _ => {
                let exponent = distance.ilog2();
                let fraction = ((distance as f64 / 2f64.powi(exponent as i32) - 1.0) * 1024.0) as u16;
                let value = -(1.0 + f64::from(fraction) / 1024.0) * 2f64.powi(exponent as i32);
                (1 << 15 | (exponent as u16 + 15) << 10 | fraction, value)
            }
        }
    }

    fn slope(&self, head: usize) -> f64 {
        let (power, bias) = (1 << self.heads.ilog2(), f64::from(self.max_bias));
        match (self.max_bias > 0.0, head < power) {
            (false, _) => 1.0,
            (_, true) => (-bias / power as f64).exp2().powi(head as i32 + 1),
            (_, false) => (-bias / 2.0 / power as f64).exp2().powi(2 * (head - power) as i32 + 1),
        }
    }

    /// By the definition.
    fn exact(&self) -> Vec<f64> {
        let mut results = Vec::new();
        for &token in &self.tokens {
            for head in 0..self.heads {
                let query = self.vector(0, token, head, self.widths[0]);
                let kv_head = head * self.kv_heads / self.heads;
                let mut sum = self.sinks.as_ref().map_or(0.0, |sinks| f64::from(sinks[head]).exp());
                let mut result = vec![0.0; self.widths[1]];
                for position in 0..=token {
                    let key = self.vector(1, position, kv_head, self.widths[0]);
                    let product: f64 = key.iter().zip(&query).map(|(key, query)| key.1 * query.1).sum();
                    let mut score = product * f64::from(self.scale());
                    if self.softcap > 0.0 {
                        score = f64::from(self.softcap) * (score / f64::from(self.softcap)).tanh();
                    }
                    let weight = (score + self.slope(head) * self.mask(token - position).1).exp();
                    sum += weight;
                    let value = self.vector(2, position, kv_head, self.widths[1]);
                    result.iter_mut().zip(value).for_each(|(result, value)| *result += weight * value.1);
                }
                results.extend(result.into_iter().map(|result| result / sum));
            }
        }
        results
    }

    fn compute(&self, isa: Isa, threads: usize) -> Vec<f32> {
        let [key_width, value_width] = self.widths;
        let cache = |kind, width: usize| {
            // Cells of others hold something too.
            let mut cache = vec![0x3c01u16; self.size * self.kv_heads * width];
            for (position, cell) in self.cells.iter().enumerate() {
                for head in 0..self.kv_heads {
                    let vector = self.vector(kind, position, head, width);
                    let at = (cell * self.kv_heads + head) * width;
                    cache[at..at + width].iter_mut().zip(vector).for_each(|(to, from)| *to = from.0);
                }
            }
            cache
        };
        let (keys, values) = (cache(1, key_width), cache(2, value_width));
        // As in ggml, a head's queries lie side by side.
        let mut queries = Vec::new();
        for head in 0..self.heads {
            for &token in &self.tokens {
                queries.extend(self.vector(0, token, head, key_width).iter().map(|number| number.1 as f32));
            }
        }
        let mut mask = vec![0xfc00u16; self.size * self.tokens.len()];
        for (row, &token) in mask.chunks_mut(self.size).zip(&self.tokens) {
            for position in 0..=token {
                row[self.cells[position]] = self.mask(token - position).0;
            }
        }
        let mut results = vec![f32::NAN; self.tokens.len() * self.heads * value_width];
        let attention = Attention {
            tokens: self.tokens.len(),
            cells: self.size,
            heads: self.heads,
            kv_heads: self.kv_heads,
            key_width,
            value_width,
            scale: self.scale(),
            softcap: self.softcap,
            max_bias: self.max_bias,
            queries: Heads { data: queries.as_ptr(), strides: [key_width, key_width * self.tokens.len()] },
            keys: Heads { data: keys.as_ptr(), strides: [key_width * self.kv_heads, key_width] },
            values: Heads { data: values.as_ptr(), strides: [value_width * self.kv_heads, value_width] },
            mask: mask.as_ptr(),
            mask_stride: self.size,
            sinks: self.sinks.as_ref().map_or(ptr::null(), Vec::as_ptr),
            results: results.as_mut_ptr(),
        };
        assert!(attention.is_supported());
        let mut work = vec![f64::NAN; attention.work_bytes(threads) / 8];
        let (attention, work) = (&raw const attention as usize, work.as_mut_ptr() as usize);
        on_threads(threads, |worker| {
            // SAFETY: all is as large as the sizes say, and outlives the threads.
            unsafe { (*(attention as *const Attention)).compute(isa, work as *mut u8, worker) }
        });
        results
    }
}

fn bits(results: &[f32]) -> Vec<u32> {
    results.iter().map(|result| result.to_bits()).collect()
}

#[test]
fn results_are_those_of_double_precision() {
    let sinks = Some((0..12).map(|head| head as f32 / 3.0 - 2.0).collect());
    let cases = [
        Case::new(14, 2, [64, 64], 150),
        Case { tokens: (60..77).collect(), ..Case::new(4, 4, [32, 40], 77) },
        Case { tokens: vec![0, 1, 40], softcap: 5.0, ..Case::new(6, 1, [80, 64], 41) },
        Case { tokens: vec![3, 90], max_bias: 8.0, ..Case::new(12, 12, [16, 16], 91) },
        Case { tokens: vec![17, 18, 19], sinks, ..Case::new(12, 3, [128, 128], 20) },
        Case { tokens: (0..9).collect(), ..Case::new(20, 1, [72, 8], 9) },
    ];
    for (index, case) in cases.iter().enumerate() {
        let exact = case.exact();
        let expected = bits(&case.compute(Isa::Portable, 1));
        for isa in available() {
            let results = case.compute(isa, 3);
            for (result, exact) in results.iter().zip(&exact) {
                assert!((f64::from(*result) - exact).abs() < 2e-6, "case {index}, {isa:?}: {result} for {exact}");
            }
            // A hyperbolic tangent is the system's.
            assert!(bits(&results) == expected, "case {index}: {isa:?} differs");
        }
    }
}

#[test]
fn a_result_depends_on_what_its_token_sees_alone() {
    let isa = Isa::detect().unwrap_or(Isa::Portable);
    for (heads, kv_heads) in [(14, 2), (3, 3), (32, 1)] {
        let case = Case { tokens: (0..200).collect(), ..Case::new(heads, kv_heads, [64, 64], 200) };
        let together = bits(&case.compute(isa, 2));
        let width = heads * 64;
        for token in [0, 1, 57, 199] {
            for threads in [1, 7] {
                let alone = Case { tokens: vec![token], ..case.clone() };
                let expected = &together[token * width..(token + 1) * width];
                assert!(bits(&alone.compute(isa, threads)) == expected, "{heads} heads, token {token} alone");
                // Elsewhere in a larger cache, in another order, beside a token that sees little.
                let mut cells: Vec<usize> = (0..200).map(|position| position * 7 % 199 + 100).collect();
                cells[199] = 3;
                let moved = Case { cells, size: 643, tokens: vec![2, token], ..case.clone() };
                assert!(bits(&moved.compute(isa, threads))[width..] == *expected, "{heads} heads, token {token} moved");
            }
        }
    }
}
