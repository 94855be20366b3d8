//! Prints the speed of the kernels for each type of weights, beside what this machine
//! can do at all: products in registers, and reading memory.
//!
//! `cargo run --release -p zerohop-bench --bin kernels`
#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::cast_precision_loss, reason = "figures are printed with few digits")]

use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use zerohop_kernels::{Activations, Isa, Matrix, Product, Type, Worker};

const WIDTH: usize = 2048;
const ROWS: usize = 4096;
/// Copies of the matrix, so that it comes from memory and not from a cache.
const COPIES: usize = 12;
const COLUMNS: [usize; 6] = [1, 2, 4, 8, 16, 512];

fn main() {
    let isas: Vec<Isa> = match std::env::args().nth(1).as_deref() {
        Some("avx2") => vec![Isa::Avx2],
        _ => Isa::detect().into_iter().collect(),
    };
    let threads = thread::available_parallelism().map_or(1, Into::into);
    for isa in isas {
        let (products, floats) = (products_per_second(threads), floats_per_second(threads));
        let bandwidth = bytes_per_second(threads);
        println!(
            "{isa:?}, {threads} threads; this machine: {:.0} GOP/s in registers, {:.0} with floats, reads {:.1} GB/s",
            products / 1e9,
            floats / 1e9,
            bandwidth / 1e9
        );
        println!("{ROWS} x {WIDTH} times 1 to 512 columns: GOP/s, and of what is possible");
        for weights in Type::ALL {
            let Some(matrix) = Matrix::new(weights, isa, WIDTH, ROWS) else { continue };
            let packed = packed(&matrix);
            let possible = if matches!(weights, Type::F16 | Type::Bf16 | Type::F32) { floats } else { products };
            print!("  {:6}", format!("{weights:?}"));
            for columns in COLUMNS {
                let seconds = seconds_per_product(&matrix, &packed, columns, threads);
                let operations = (2 * ROWS * WIDTH * columns) as f64;
                let share = if columns <= 4 {
                    (matrix.bytes() as f64 / seconds) / bandwidth
                } else {
                    (operations / seconds) / possible
                };
                print!("  {columns:3}: {:5.0} {share:.2}", operations / seconds / 1e9);
            }
            println!();
        }
    }
}

fn packed(matrix: &Matrix) -> Vec<Vec<u8>> {
    let mut state = 1u32;
    let rows: Vec<u8> = (0..matrix.bytes())
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Small enough for half-precision floats made of it to be finite.
            (state >> 24) as u8 & 0x3f
        })
        .collect();
    let mut packed = vec![0; matrix.bytes()];
    matrix.pack(0..matrix.panels(), &rows, &mut packed);
    vec![packed; COPIES]
}

/// The best of some rounds, as others may be using the machine.
fn seconds_per_product(matrix: &Matrix, packed: &[Vec<u8>], columns: usize, threads: usize) -> f64 {
    let product = Product::new(*matrix, columns);
    let activations: Vec<f32> = (0..WIDTH * columns).map(|index| (index % 31) as f32 - 15.0).collect();
    let mut work = vec![0f32; product.work_bytes(threads) / 4];
    let mut results = vec![0f32; ROWS * columns];
    let (work, results) = (Shared(work.as_mut_ptr()), Shared(results.as_mut_ptr()));
    let rounds = if columns > 100 { 6 } else { 20 };
    let barrier = Barrier::new(threads);
    let next: Vec<AtomicUsize> = (0..rounds * COPIES).map(|_| AtomicUsize::new(threads)).collect();
    let (activations, barrier, next) = (&activations, &barrier, &next);
    let best = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|index| {
                scope.spawn(move || {
                    let (work, results) = (work.get().cast::<u8>(), results.get());
                    let mut best = Duration::MAX;
                    for round in 0..rounds {
                        barrier.wait();
                        let started = Instant::now();
                        for (copy, packed) in packed.iter().enumerate() {
                            let next = || next[round * COPIES + copy].fetch_add(1, Ordering::Relaxed);
                            let worker = Worker { index, count: threads, next: &next };
                            let activations = Activations {
                                data: activations.as_ptr(),
                                shape: [columns, 1, 1],
                                strides: [WIDTH, 0, 0],
                            };
                            // SAFETY: all buffers are as long as the product says.
                            unsafe {
                                product.prepare(&activations, work, &worker);
                                if product.is_shared() {
                                    barrier.wait();
                                }
                                product.multiply(packed.as_ptr(), work, results, &worker);
                            }
                            if product.is_shared() {
                                barrier.wait();
                            }
                        }
                        barrier.wait();
                        best = best.min(started.elapsed());
                    }
                    best
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().expect("no worker panics")).max()
    });
    best.unwrap_or_default().as_secs_f64() / COPIES as f64
}

/// A pointer that all workers may use, as the product tells them apart.
#[derive(Clone, Copy)]
struct Shared(*mut f32);

impl Shared {
    fn get(self) -> *mut f32 {
        self.0
    }
}

// SAFETY: the workers write to places of their own.
unsafe impl Send for Shared {}

/// How fast all threads do something, in units a second, by the best of some rounds.
fn best_rate(threads: usize, work: impl Fn() -> f64 + Sync) -> f64 {
    let mut best = 0f64;
    for _ in 0..12 {
        let barrier = Barrier::new(threads);
        let rate: f64 = thread::scope(|scope| {
            let workers: Vec<_> = (0..threads)
                .map(|_| {
                    scope.spawn(|| {
                        barrier.wait();
                        let started = Instant::now();
                        work() / started.elapsed().as_secs_f64()
                    })
                })
                .collect();
            workers.into_iter().map(|worker| worker.join().expect("no worker panics")).sum()
        });
        best = best.max(rate);
    }
    best
}

/// Operations (two a product) of 8-bit integers without any memory.
#[cfg(target_arch = "x86_64")]
fn products_per_second(threads: usize) -> f64 {
    use std::arch::x86_64::{_mm256_add_epi32, _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_set1_epi8};
    use std::arch::x86_64::{_mm512_dpbusd_epi32, _mm512_set1_epi8};

    const ROUNDS: usize = 2_000_000;

    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    fn wide() -> f64 {
        let values = black_box(_mm512_set1_epi8(3));
        let mut sums = [values; 12];
        for _ in 0..ROUNDS {
            for sum in &mut sums {
                *sum = _mm512_dpbusd_epi32(*sum, values, values);
            }
        }
        black_box(sums);
        (ROUNDS * 12 * 128) as f64
    }

    #[target_feature(enable = "avx2")]
    fn narrow() -> f64 {
        let values = black_box(_mm256_set1_epi8(1));
        let mut sums = [values; 8];
        for _ in 0..ROUNDS {
            for sum in &mut sums {
                let pairs = _mm256_maddubs_epi16(values, *sum);
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(pairs, values));
            }
        }
        black_box(sums);
        (ROUNDS * 8 * 64) as f64
    }

    // SAFETY: the processor has what is asked for.
    best_rate(threads, || unsafe { if Isa::Avx512.is_available() { wide() } else { narrow() } })
}

/// The same with 32-bit floats.
#[cfg(target_arch = "x86_64")]
fn floats_per_second(threads: usize) -> f64 {
    use std::arch::x86_64::{_mm256_fmadd_ps, _mm256_set1_ps, _mm512_fmadd_ps, _mm512_set1_ps};

    const ROUNDS: usize = 2_000_000;

    #[target_feature(enable = "avx512f")]
    fn wide() -> f64 {
        let values = black_box(_mm512_set1_ps(0.5));
        let mut sums = [values; 12];
        for _ in 0..ROUNDS {
            for sum in &mut sums {
                *sum = _mm512_fmadd_ps(*sum, values, values);
            }
        }
        black_box(sums);
        (ROUNDS * 12 * 32) as f64
    }

    #[target_feature(enable = "avx2,fma")]
    fn narrow() -> f64 {
        let values = black_box(_mm256_set1_ps(0.5));
        let mut sums = [values; 12];
        for _ in 0..ROUNDS {
            for sum in &mut sums {
                *sum = _mm256_fmadd_ps(*sum, values, values);
            }
        }
        black_box(sums);
        (ROUNDS * 12 * 16) as f64
    }

    // SAFETY: the processor has what is asked for.
    best_rate(threads, || unsafe { if Isa::Avx512.is_available() { wide() } else { narrow() } })
}

#[cfg(not(target_arch = "x86_64"))]
fn products_per_second(_threads: usize) -> f64 {
    f64::NAN
}

#[cfg(not(target_arch = "x86_64"))]
fn floats_per_second(_threads: usize) -> f64 {
    f64::NAN
}

/// Summing up memory that no cache holds.
fn bytes_per_second(threads: usize) -> f64 {
    let memory = vec![1u64; 24 << 20];
    best_rate(threads, || {
        let sums = memory.chunks_exact(64).fold([0u64; 64], |mut sums, chunk| {
            sums.iter_mut().zip(chunk).for_each(|(sum, value)| *sum = sum.wrapping_add(*value));
            sums
        });
        black_box(sums);
        (memory.len() * 8) as f64
    })
}
