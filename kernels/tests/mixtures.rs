//! A mixture's products against those of its matrices alone.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    reason = "numbers are what is tested"
)]

mod common;

use std::sync::Barrier;

use common::{Random, available, multiply, on_threads, pack, random_rows};
use zerohop_kernels::{Activations, Choices, Isa, Matrix, Mixture, Type};

/// Who takes what, and from which columns.
struct Batch {
    experts: usize,
    used: usize,
    /// Columns of a token: one for all of its choices, or one for each.
    each: usize,
    choices: Vec<i32>,
    columns: Vec<f32>,
}

impl Batch {
    fn new(random: &mut Random, width: usize, experts: usize, used: usize, each: usize, tokens: usize) -> Self {
        // An expert that is everybody's, others that are somebody's, and one that is nobody's.
        let choice = |choice: usize, random: &mut Random| match choice {
            0 => 1,
            _ => 2 + (random.next() % (experts as u64 - 2)) as i32,
        };
        let choices = (0..tokens * used).map(|index| choice(index % used, random)).collect();
        let columns = (0..width * each * tokens).map(|_| random.float()).collect();
        Batch { experts, used, each, choices, columns }
    }

    fn tokens(&self) -> usize {
        self.choices.len() / self.used
    }
}

fn compute(matrix: &Matrix, packed: &[u8], batch: &Batch, width: usize, threads: usize) -> Vec<f32> {
    let (tokens, rows) = (batch.tokens(), matrix.panels() * 16);
    let mixture = Mixture::new(*matrix, batch.experts, tokens, batch.used).unwrap();
    let mut work = vec![f32::NAN; mixture.work_bytes(threads) / 4];
    let mut results = vec![f32::NAN; rows * batch.choices.len()];
    let barrier = Barrier::new(threads);
    let (work, out) = (work.as_mut_ptr() as usize, results.as_mut_ptr() as usize);
    on_threads(threads, |worker| {
        let strides = [width, width * batch.each, 0];
        let activations = Activations { data: batch.columns.as_ptr(), shape: [batch.each, tokens, 1], strides };
        let choices = Choices { data: batch.choices.as_ptr(), strides: [1, batch.used] };
        // SAFETY: the vectors are as long as the mixture says.
        unsafe { mixture.prepare(&activations, &choices, work as *mut u8, worker) };
        barrier.wait();
        // SAFETY: as before; all have prepared.
        unsafe { mixture.multiply(packed.as_ptr(), work as *mut u8, out as *mut f32, worker) };
    });
    results
}

/// Each token's columns times its experts, one by one.
fn one_by_one(matrix: &Matrix, packed: &[u8], batch: &Batch, width: usize) -> Vec<f32> {
    let columns = |index: usize| {
        let (token, choice) = (index / batch.used, index % batch.used);
        &batch.columns[(token * batch.each + choice % batch.each) * width..][..width]
    };
    let expert = |index: usize| &packed[usize::try_from(batch.choices[index]).unwrap() * matrix.bytes()..];
    let products = (0..batch.choices.len())
        .map(|index| multiply(matrix, &expert(index)[..matrix.bytes()], columns(index), width, 1));
    products.flatten().collect()
}

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|number| number.to_bits()).collect()
}

#[test]
fn results_are_those_of_the_experts_alone() {
    for weights in Type::ALL {
        for (width, rows, used, each, tokens) in
            [(256, 16, 1, 1, 1), (512, 144, 3, 1, 7), (256, 48, 2, 2, 130), (768, 272, 4, 4, 20)]
        {
            let mut random = Random(width as u64);
            let batch = Batch::new(&mut random, width, 6, used, each, tokens);
            let data = random_rows(&mut random, weights, width, rows * batch.experts);
            for isa in available() {
                let matrix = Matrix::new(weights, isa, width, rows).unwrap();
                // One tall matrix: the rows of the experts come in sixteens.
                let packed = pack(&Matrix::new(weights, isa, width, rows * batch.experts).unwrap(), &data);
                let expected = bits(&one_by_one(&matrix, &packed, &batch, width));
                let counts: &[usize] = if isa == Isa::Portable { &[2] } else { &[1, 2, 3, 8] };
                for &threads in counts {
                    let results = bits(&compute(&matrix, &packed, &batch, width, threads));
                    assert!(results == expected, "{weights:?} {isa:?} {width} x {rows}, {threads} threads");
                }
            }
        }
    }
}

#[test]
fn choices_that_are_no_experts_are_passed_over() {
    let (width, rows) = (64, 32);
    let mut random = Random(5);
    let mut batch = Batch::new(&mut random, width, 4, 2, 1, 5);
    let data = random_rows(&mut random, Type::Q8_0, width, rows * 4);
    let matrix = Matrix::new(Type::Q8_0, Isa::Portable, width, rows).unwrap();
    let packed = pack(&Matrix::new(Type::Q8_0, Isa::Portable, width, rows * 4).unwrap(), &data);
    let expected = compute(&matrix, &packed, &batch, width, 2);
    let wrong = [(3, -1), (4, 4), (7, i32::MAX), (8, i32::MIN)];
    for (index, choice) in wrong {
        batch.choices[index] = choice;
    }
    let results = compute(&matrix, &packed, &batch, width, 2);
    for (index, (results, expected)) in results.chunks(rows).zip(expected.chunks(rows)).enumerate() {
        if wrong.iter().any(|(wrong, _)| *wrong == index) {
            assert!(results.iter().all(|result| result.is_nan()), "nothing was written");
        } else {
            assert_eq!(results, expected);
        }
    }
    batch.choices.fill(-1);
    assert!(compute(&matrix, &packed, &batch, width, 2).iter().all(|result| result.is_nan()));
}

#[test]
fn too_many_columns_are_refused() {
    let matrix = Matrix::new(Type::Q8_0, Isa::Portable, 32, 16).unwrap();
    assert!(Mixture::new(matrix, 8, usize::MAX / 2, 4).is_none());
    assert!(Mixture::new(matrix, usize::MAX, 1, 1).is_none());
    assert!(Mixture::new(matrix, 1, 1, 1).is_some());
}
