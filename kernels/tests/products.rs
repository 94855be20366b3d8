//! Every kernel against a product in double precision, and against the others.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    reason = "numbers are what is tested"
)]

mod common;

use common::{Random, all_values, available, multiply, pack, prepared, random_rows};
use zerohop_kernels::{Isa, Matrix, Type};

fn columns(random: &mut Random, width: usize, count: usize) -> Vec<f32> {
    let mut columns: Vec<f32> = (0..width * count).map(|_| random.float()).collect();
    // Groups of very different sizes, and one of zeros.
    for (group, values) in columns.chunks_exact_mut(32).enumerate() {
        let factor = [1.0, 1000.0, 1e-3, 0.0, 1e-20, 7.0][group % 6];
        for value in values {
            *value *= factor;
        }
    }
    columns
}

#[test]
fn results_are_those_of_double_precision() {
    for weights in Type::ALL {
        for (width, rows, count) in [(256, 16, 1), (512, 48, 5), (1280, 32, 17)] {
            let mut random = Random(width as u64);
            let data = random_rows(&mut random, weights, width, rows);
            let values = all_values(weights, &data);
            let columns = columns(&mut random, width, count);
            let prepared: Vec<f64> = columns.chunks_exact(width).flat_map(|column| prepared(weights, column)).collect();
            for isa in available() {
                let matrix = Matrix::new(weights, isa, width, rows).unwrap();
                let results = multiply(&matrix, &pack(&matrix, &data), &columns, width, 1);
                for (column, results) in prepared.chunks_exact(width).zip(results.chunks_exact(rows)) {
                    for (row, result) in values.chunks_exact(width).zip(results) {
                        let exact: f64 = row.iter().zip(column).map(|(a, b)| a * b).sum();
                        let size: f64 = row.iter().zip(column).map(|(a, b)| (a * b).abs()).sum();
                        // Weights with a minimum are a difference of larger numbers.
                        let error = (f64::from(*result) - exact).abs();
                        assert!(error <= 2e-5 * size + 1e-30, "{weights:?} {isa:?} {width}: {result} for {exact}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_column_depends_on_nothing_else() {
    let full = std::env::var_os("ZEROHOP_TEST_FULL").is_some();
    for weights in Type::ALL {
        for (width, rows) in [(256, 16), (768, 80), (2560, 48)] {
            let mut random = Random(rows as u64);
            let data = random_rows(&mut random, weights, width, rows);
            let columns = columns(&mut random, width, 33);
            let portable = Matrix::new(weights, Isa::Portable, width, rows).unwrap();
            let packed = pack(&portable, &data);
            let alone: Vec<u32> = columns
                .chunks_exact(width)
                .flat_map(|column| multiply(&portable, &packed, column, width, 1))
                .map(f32::to_bits)
                .collect();
            for isa in available() {
                let matrix = Matrix::new(weights, isa, width, rows).unwrap();
                assert_eq!(pack(&matrix, &data), packed, "{weights:?} is packed alike everywhere");
                let counts: Vec<usize> =
                    if full && isa != Isa::Portable { (1..=33).collect() } else { vec![1, 2, 7, 16, 29, 33] };
                for count in counts {
                    for threads in [1, 2, 3, 8] {
                        let results = multiply(&matrix, &packed, &columns[..count * width], width, threads);
                        let results: Vec<u32> = results.into_iter().map(f32::to_bits).collect();
                        assert!(
                            results == alone[..count * rows],
                            "{weights:?} {isa:?} {width} x {rows}, {count} columns, {threads} threads"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn large_products_are_cut_into_parts_alike() {
    let (width, rows, count) = (2048, 112, 150);
    for weights in [Type::Q4K, Type::F16] {
        let mut random = Random(9);
        let data = random_rows(&mut random, weights, width, rows);
        let columns = columns(&mut random, width, count);
        let matrix = Matrix::new(weights, Isa::detect().unwrap_or(Isa::Portable), width, rows).unwrap();
        let packed = pack(&matrix, &data);
        let together = multiply(&matrix, &packed, &columns, width, 3);
        for (column, results) in columns.chunks_exact(width).zip(together.chunks_exact(rows)) {
            assert_eq!(multiply(&matrix, &packed, column, width, 2), results, "{weights:?}");
        }
    }
}

#[test]
fn any_bits_are_safe() {
    let mut random = Random(3);
    for weights in Type::ALL {
        for isa in available() {
            let matrix = Matrix::new(weights, isa, 256, 16).unwrap();
            let data: Vec<u8> = (0..matrix.bytes()).map(|_| random.byte()).collect();
            let mut columns: Vec<f32> = (0..512).map(|_| f32::from_bits(random.next() as u32)).collect();
            columns[3] = f32::NAN;
            columns[40] = f32::INFINITY;
            let results = multiply(&matrix, &pack(&matrix, &data), &columns, 256, 2);
            assert_eq!(results.len(), 32);
        }
    }
}

#[test]
fn shapes_without_kernels_are_refused() {
    let new = |weights, width, rows| Matrix::new(weights, Isa::Portable, width, rows).is_some();
    assert!(new(Type::Q5_0, 32, 16));
    assert!(!new(Type::Q5_0, 0, 16) && !new(Type::Q5_0, 32, 0));
    assert!(!new(Type::Q5_0, 48, 16) && !new(Type::Q5_0, 32, 24));
    assert!(new(Type::Q6K, 256, 16) && !new(Type::Q6K, 128, 16));
    assert!(new(Type::F16, 32, 16) && !new(Type::F16, 40, 16) && !new(Type::Bf16, 32, 8));
    assert!(!new(Type::Q8_0, usize::MAX - 31, 16) && !new(Type::Q8_0, 32, usize::MAX - 15));
}
