//! GELU against its definition in double precision.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    reason = "numbers are what is tested"
)]

mod common;

use common::{available, on_threads};
use zerohop_kernels::{Gelu, Isa};

fn compute(isa: Isa, numbers: &[f32], threads: usize) -> Vec<f32> {
    let mut results = vec![f32::NAN; numbers.len()];
    let target = results.as_mut_ptr() as usize;
    on_threads(threads, |worker| {
        let gelu = Gelu { source: numbers.as_ptr(), target: target as *mut f32, count: numbers.len() };
        // SAFETY: both have as many numbers, and outlive the threads.
        unsafe { gelu.compute(isa, worker) }
    });
    results
}

#[test]
fn results_are_those_of_double_precision_and_the_same_everywhere() {
    let mut numbers: Vec<f32> = (-4000i16..4011).map(|number| f32::from(number) / 300.0).collect();
    numbers.extend([1e-30, -1e-30, 1e4, -1e4, 3e38, -3e38, -0.0]);
    let expected: Vec<u32> = compute(Isa::Portable, &numbers, 1).into_iter().map(f32::to_bits).collect();
    for isa in available() {
        for threads in [1, 2, 3, 8] {
            let results = compute(isa, &numbers, threads);
            for (result, number) in results.iter().zip(&numbers) {
                let x = f64::from(*number);
                let exact =
                    0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3))).tanh());
                let error = (f64::from(*result) - exact).abs();
                assert!(error <= 1e-6 * exact.abs() + 2e-7, "{isa:?}: {result} for {exact}, of {number}");
            }
            let bits: Vec<u32> = results.into_iter().map(f32::to_bits).collect();
            assert!(bits == expected, "{isa:?}, {threads} threads");
        }
    }
}

#[test]
fn infinity_has_a_limit_and_what_is_no_number_stays_so() {
    for isa in available() {
        let results = compute(isa, &[f32::INFINITY, f32::NEG_INFINITY, f32::NAN], 1);
        assert_eq!(results[0].to_bits(), f32::INFINITY.to_bits(), "{isa:?}");
        assert!(results[1].abs() < 1e-30 && results[2].is_nan(), "{isa:?}: {results:?}");
    }
}

#[test]
fn few_numbers_and_none_are_computed() {
    assert!(compute(Isa::Portable, &[], 2).is_empty());
    for isa in available() {
        assert_eq!(compute(isa, &[0.0, 30.0], 3), [0.0, 30.0]);
    }
}
