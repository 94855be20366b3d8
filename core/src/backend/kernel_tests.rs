//! Our kernels against llama.cpp's: the same weights, nearly the same logits.
#![expect(
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "the numbers are small"
)]

use std::ffi::c_void;
use std::path::PathBuf;
use std::ptr;
use std::sync::Arc;

use llama_cpp_sys_2 as sys;
use zerohop_kernels::Type;

use super::native::NativeProduct;
use super::{Abort, Batch, Context, ContextOptions, Decoded, Layout, LoadOptions, Model, Span, Token, kernels};
use crate::model::{FlashAttention, KvType};

const SMOLLM2: &str = "smollm2-135m-instruct-q4_1.gguf";
const MIXTURE: &str = "tiny/tiny-mixture.gguf";
const QWEN: &str = "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf";

pub(crate) fn load(name: &str, repack: bool) -> Arc<Model> {
    let folder = std::env::var_os("ZEROHOP_TEST_MODELS").expect("ZEROHOP_TEST_MODELS is not set: run `make test`");
    let path = PathBuf::from(folder).join(name);
    let options = LoadOptions { layout: Layout::host(), mmap: true, repack, progress: None };
    Arc::new(Model::load(&path, options).expect("the test model loads"))
}

pub(crate) fn context(model: &Arc<Model>, threads: u32, own_attention: bool) -> Context {
    Context::new(model.clone(), &options(threads, own_attention), Abort::default()).expect("the context is created")
}

pub(crate) fn options(threads: u32, own_attention: bool) -> ContextOptions {
    ContextOptions {
        cells: 2048,
        batch: 256,
        sequences: 33,
        outputs: 256,
        threads,
        kv_type: KvType::F16,
        own_attention,
        flash_attention: FlashAttention::Auto,
        is_offloaded: false,
        embeddings: false,
        adapters: Vec::new(),
    }
}

/// A text that stays as it is: how the documentation began once.
fn tokens(model: &Model) -> Vec<Token> {
    let text = include_str!("../../tests/texts/prose.md");
    model.vocab().tokenize(&[Span { text, parse_special: false }]).unwrap()
}

fn decode(context: &mut Context, batch: &mut Batch) {
    assert_eq!(context.decode(batch).unwrap(), Decoded::Done);
}

/// The negative logarithms of the tokens' probabilities, computed in slices.
fn surprises(model: &Arc<Model>, length: usize, own_attention: bool) -> Vec<f64> {
    const WINDOW: usize = 2000;
    let mut context = context(model, 2, own_attention);
    let tokens = &tokens(model)[..length];
    tokens.chunks(WINDOW).flat_map(|window| window_surprises(&mut context, window)).collect()
}

fn window_surprises(context: &mut Context, tokens: &[Token]) -> Vec<f64> {
    const SLICE: usize = 64;
    let last = tokens.len() - 1;
    let mut batch = Batch::new(SLICE, context.model().vocab().len());
    let mut surprises = Vec::new();
    context.remove(0);
    for start in (0..last).step_by(SLICE) {
        let end = (start + SLICE).min(last);
        batch.clear();
        for (position, &token) in (start..end).zip(&tokens[start..]) {
            batch.push(token, position, 0, true);
        }
        decode(context, &mut batch);
        let indexes: Vec<usize> = (0..end - start).collect();
        for (logits, &next) in context.logits(&indexes).unwrap().into_iter().zip(&tokens[start + 1..]) {
            let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let total: f64 = logits.iter().map(|logit| f64::from(logit - largest).exp()).sum();
            surprises.push(total.ln() - f64::from(logits[usize::try_from(next).unwrap()] - largest));
        }
    }
    surprises
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// How much larger one perplexity is than another, and the standard error of that: both round, each token falls
/// out a little higher or lower, and a text has few tokens.
fn perplexity_difference(ours: &[f64], theirs: &[f64]) -> (f64, f64) {
    let differences: Vec<f64> = ours.iter().zip(theirs).map(|(ours, theirs)| ours - theirs).collect();
    let difference = mean(&differences);
    let squares: Vec<f64> = differences.iter().map(|one| (one - difference).powi(2)).collect();
    (difference.exp_m1(), (mean(&squares) / differences.len() as f64).sqrt())
}

#[test]
fn perplexity_is_llama_cpps() {
    let full = std::env::var_os("ZEROHOP_TEST_FULL").is_some();
    let (names, length, most): (&[&str], _, _) =
        if full { (&[SMOLLM2, QWEN], 6000, 0.001) } else { (&[SMOLLM2], 130, 0.01) };
    for &name in names {
        let [ours, theirs] = [true, false].map(|repack| load(name, repack));
        let expected = surprises(&theirs, length, false);
        assert!((0.5..6.0).contains(&mean(&expected)), "{name}: an ordinary text, {}", mean(&expected));
        // Both kinds of kernels are what an engine has by default; each by itself is for finding out which is wrong.
        for (model, own_attention, is_default) in [(&ours, true, true), (&ours, false, false), (&theirs, true, false)] {
            let computed = surprises(model, length, own_attention);
            assert!(computed != expected, "{name}: our kernels were not used");
            let (difference, error) = perplexity_difference(&computed, &expected);
            let told = format!("{name}, attention {own_attention}: {difference} +- {error}");
            assert!(difference < if is_default { most } else { most + 2.0 * error }, "{told}");
            // Of a single token.
            let deviation = error * (length as f64).sqrt();
            assert!(deviation < 0.3, "{told}: rounding makes no such differences");
        }
    }
}

#[test]
fn a_mixture_of_experts_is_computed_alike() {
    let [ours, theirs] = [true, false].map(|repack| surprises(&load(MIXTURE, repack), 600, false));
    assert!(ours != theirs, "our kernels were not used");
    // Random experts have nothing in common, and by rounding two that are equally likely may change places.
    let mut differences: Vec<f64> = ours.iter().zip(&theirs).map(|(ours, theirs)| (ours - theirs).abs()).collect();
    differences.sort_by(f64::total_cmp);
    let [median, most] = [differences.len() / 2, differences.len() * 9 / 10].map(|index| differences[index]);
    assert!(median < 0.1 && most < 0.3, "half of the tokens differ by {median}, nine of ten by {most} at most");
}

/// How a sequence's tokens are computed: slices of so many tokens each.
type Slices = &'static [usize];

/// The logits of one sequence's newest token, computed on some threads in some slices, the last of them
/// together with tokens of `others`, who were in the cache before.
fn newest_logits(model: &Arc<Model>, threads: u32, slices: Slices, others: i32) -> Vec<u32> {
    let tokens = &tokens(model)[..slices.iter().sum()];
    let mut context = context(model, threads, true);
    let mut batch = Batch::new(512, model.vocab().len());
    for sequence in 1..=others {
        batch.clear();
        for (position, &token) in tokens[..=sequence as usize % 9].iter().enumerate() {
            batch.push(token, position, sequence, false);
        }
        decode(&mut context, &mut batch);
    }
    // In the middle of the others' cells some are free: what comes next is not in order.
    for sequence in (1..=others).step_by(3) {
        context.remove(sequence);
    }
    let mut start = 0;
    for (index, &slice) in slices.iter().enumerate() {
        let is_last = index + 1 == slices.len();
        batch.clear();
        if is_last {
            for sequence in (1..=others).filter(|sequence| sequence % 3 != 1) {
                batch.push(tokens[0], 1 + sequence as usize % 9, sequence, true);
            }
        }
        for (offset, &token) in tokens[start..start + slice].iter().enumerate() {
            batch.push(token, start + offset, 0, is_last && offset + 1 == slice);
        }
        decode(&mut context, &mut batch);
        start += slice;
    }
    let newest = batch.len() - 1;
    context.logits(&[newest]).unwrap()[0].iter().map(|logit| logit.to_bits()).collect()
}

/// What caching, slicing, drafts and batching rest on: a token's logits depend on the tokens before it alone.
#[test]
fn logits_depend_neither_on_slices_nor_on_the_crowd_nor_on_threads() {
    let full = std::env::var_os("ZEROHOP_TEST_FULL").is_some();
    let (names, threads, crowds): (&[&str], &[u32], &[i32]) = if full {
        (&[SMOLLM2, QWEN, MIXTURE], &[1, 2, 3, 8], &[0, 1, 2, 5, 16, 32])
    } else {
        (&[SMOLLM2, MIXTURE], &[2], &[0, 32])
    };
    let ways: [Slices; 5] = [&[60], &[59, 1], &[30, 30], &[20, 3, 1, 1, 8, 1, 26], &[1; 60]];
    for &name in names {
        let model = load(name, true);
        let alone = newest_logits(&model, 1, ways[0], 0);
        for (&others, &threads) in crowds.iter().flat_map(|others| threads.iter().map(move |threads| (others, threads)))
        {
            for slices in ways {
                let logits = newest_logits(&model, threads, slices, others);
                assert!(logits == alone, "{name}: {threads} threads, {others} others, slices {slices:?}");
            }
        }
    }
}

#[test]
fn packed_weights_are_what_ggml_reads_from_the_file() {
    const WIDTH: usize = 256;
    const ROWS: usize = 16;
    let numbers = [2, 3, 6, 7, 8, 12, 13, 14, 20, 0, 1, 30];
    assert_eq!(numbers.map(|number| Type::from_gguf(number).unwrap()), Type::ALL);
    let floats: Vec<f32> = (0..ROWS * WIDTH).map(|index| ((index * index) % 997) as f32 / 500.0 - 1.0).collect();
    for number in numbers {
        let rows = quantize(number, &floats, ROWS, WIDTH);
        // SAFETY: ggml knows the type, and the rows are as long as it says.
        let expected = unsafe {
            let mut values = floats.clone();
            // There is none for floats that are as they are.
            if let Some(to_float) = (*sys::ggml_get_type_traits(number)).to_float {
                to_float(rows.as_ptr().cast(), values.as_mut_ptr(), (ROWS * WIDTH) as i64);
            }
            values
        };
        // Columns that are zero but for one activation of 1, which is quantised exactly.
        let columns: Vec<f32> = (0..WIDTH * WIDTH).map(|index| f32::from(index % (WIDTH + 1) == 0)).collect();
        let product = multiply(number, &rows, &columns, ROWS, WIDTH);
        for (index, expected) in expected.iter().enumerate() {
            let (row, column) = (index / WIDTH, index % WIDTH);
            let result = product[column * ROWS + row];
            assert!((result - expected).abs() <= 2e-6, "type {number}: {result} for {expected}");
        }
    }
}

fn quantize(number: u32, floats: &[f32], rows: usize, width: usize) -> Vec<u8> {
    let mut quantized = vec![0u8; 4 * floats.len()];
    // SAFETY: no type in question takes more than four bytes a weight.
    let bytes = unsafe {
        sys::ggml_quantize_chunk(
            number,
            floats.as_ptr(),
            quantized.as_mut_ptr().cast(),
            0,
            rows as i64,
            width as i64,
            ptr::null(),
        )
    };
    quantized.truncate(bytes);
    quantized
}

unsafe extern "C" fn next(pool: *mut c_void) -> i32 {
    // SAFETY: the pool is a number that this thread alone uses.
    unsafe {
        let next = pool.cast::<i32>();
        *next += 1;
        *next
    }
}

/// A product through the table of functions that the seam gets.
fn multiply(number: u32, rows: &[u8], columns: &[f32], row_count: usize, width: usize) -> Vec<f32> {
    let number = i32::try_from(number).unwrap();
    let (width, row_count) = (width as i64, row_count as i64);
    let count = columns.len() as i64 / width;
    let table = &kernels::KERNELS;
    assert!((table.supports)(number, width, row_count));
    let mut packed = vec![0u8; rows.len()];
    let mut results = vec![0f32; usize::try_from(row_count * count).unwrap()];
    let mut last = 0i32;
    let mut product = NativeProduct {
        weights_type: number,
        width,
        rows: row_count,
        weights: packed.as_ptr(),
        activations: columns.as_ptr(),
        shape: [count, 1, 1],
        strides: [usize::try_from(width).unwrap(), 0, 0],
        results: results.as_mut_ptr(),
        work: ptr::null_mut(),
        thread: 0,
        threads: 1,
        next,
        pool: (&raw mut last).cast(),
    };
    // SAFETY: all buffers are as long as the product says.
    unsafe {
        assert!((table.pack)(number, width, row_count, rows.as_ptr(), packed.as_mut_ptr()));
        let mut work = vec![0f32; (table.work_size)(&raw const product, 1) / 4];
        product.work = work.as_mut_ptr().cast();
        (table.prepare)(&raw const product);
        (table.multiply)(&raw const product);
    }
    results
}
