//! The passes over the cells that some tokens see: products with the keys, weights, sums of the values.

use std::slice;

use super::room::{BLOCK, Room};
use super::{Attention, HIDDEN};
use crate::exp::exp;
use crate::simd::Simd;
use crate::simd::portable::half_to_float;

/// The queries that are computed together: some heads of some tokens, and how many cells are listed for
/// them.
pub(super) struct Rows {
    pub(super) token: usize,
    pub(super) tokens: usize,
    pub(super) head: usize,
    pub(super) heads: usize,
    pub(super) count: usize,
}

impl Rows {
    fn len(&self) -> usize {
        self.tokens * self.heads
    }

    /// The token and the head of one of them.
    fn at(&self, row: usize) -> (usize, usize) {
        (self.token + row / self.heads, self.head + row % self.heads)
    }
}

/// Computes the results of some queries.
///
/// # Safety
///
/// As for [`Attention::compute`]; the room's list has the cells.
#[inline(always)]
pub(super) unsafe fn compute<S: Simd>(attention: &Attention, room: &Room, rows: &Rows) {
    let width = attention.value_width;
    // SAFETY: the caller vouches for the memory.
    unsafe {
        multiply_keys::<S>(attention, room, rows);
        let mut sums = [0.0; super::ROWS];
        for (token, sums) in sums[..rows.len()].chunks_mut(rows.heads).enumerate() {
            read_mask(attention, room, rows.token + token, rows.count);
            for (head, sum) in sums.iter_mut().enumerate() {
                *sum = weigh::<S>(attention, room, rows, token * rows.heads + head);
            }
        }
        add_values::<S>(attention, room, rows);
        for (row, &sum) in sums[..rows.len()].iter().enumerate() {
            let (token, head) = rows.at(row);
            let inverse = if sum > 0.0 { sum.recip() } else { 0.0 };
            let result = attention.results.add((token * attention.heads + head) * width);
            for index in 0..width {
                #[expect(clippy::cast_possible_truncation, reason = "rounded here, and once")]
                result.add(index).write((*room.results.add(row * width + index) * inverse) as f32);
            }
        }
    }
}

/// Multiplies all queries with the listed cells' keys, 16 of these at a time.
///
/// A product is a sum in the order of the numbers of a key, whatever else is computed with it.
#[inline(always)]
unsafe fn multiply_keys<S: Simd>(attention: &Attention, room: &Room, rows: &Rows) {
    let kv_head = rows.head / attention.group();
    // SAFETY: the caller vouches for the keys of the listed cells, and for the room.
    unsafe {
        for first in (0..rows.count).step_by(16) {
            let mut sources = [std::ptr::null(); 16];
            for (index, source) in sources.iter_mut().enumerate() {
                *source = attention.keys.vector(*room.list.add(first + index) as usize, kv_head);
            }
            for at in (0..attention.key_width).step_by(8) {
                S::transpose(&sources.map(|source| source.wrapping_add(at)), room.keys.add(16 * at));
            }
            let mut row = 0;
            while row < rows.len() {
                row += match rows.len() - row {
                    8.. if S::SUMS == 8 => multiply_rows::<S, 8>(attention, room, rows, row, first),
                    4.. => multiply_rows::<S, 4>(attention, room, rows, row, first),
                    3 => multiply_rows::<S, 3>(attention, room, rows, row, first),
                    2 => multiply_rows::<S, 2>(attention, room, rows, row, first),
                    _ => multiply_rows::<S, 1>(attention, room, rows, row, first),
                };
            }
        }
    }
}

/// Multiplies some queries with 16 keys; gives how many queries.
#[inline(always)]
unsafe fn multiply_rows<S: Simd, const N: usize>(
    attention: &Attention,
    room: &Room,
    rows: &Rows,
    row: usize,
    first: usize,
) -> usize {
    // SAFETY: the caller vouches for the queries, the transposed keys and the room.
    unsafe {
        let queries: [*const f32; N] = std::array::from_fn(|index| {
            let (token, head) = rows.at(row + index);
            attention.queries.vector(token, head)
        });
        let mut sums = [S::splat(0.0); N];
        for at in 0..attention.key_width {
            let keys = S::load_floats(room.keys.add(16 * at));
            for (sum, query) in sums.iter_mut().zip(queries) {
                *sum = S::mul_add(keys, S::splat(*query.add(at)), *sum);
            }
        }
        for (index, sum) in sums.into_iter().enumerate() {
            S::store(room.scores.add((row + index) * room.stride + first), sum);
        }
    }
    N
}

/// Reads what a token's mask has for the listed cells. What was only listed to fill up is hidden.
#[inline(always)]
unsafe fn read_mask(attention: &Attention, room: &Room, token: usize, count: usize) {
    // SAFETY: the caller vouches for the mask, the list and the room.
    unsafe {
        let mask = attention.mask.add(token * attention.mask_stride);
        for index in 0..count {
            let bias = match *mask.add(*room.list.add(index) as usize) {
                0 => 0.0,
                HIDDEN => f32::NEG_INFINITY,
                other => half_to_float(other),
            };
            room.bias.add(index).write(bias);
        }
        for index in count..count.next_multiple_of(16) {
            room.bias.add(index).write(f32::NEG_INFINITY);
        }
    }
}

/// Turns a query's products into weights; gives their sum.
#[inline(always)]
unsafe fn weigh<S: Simd>(attention: &Attention, room: &Room, rows: &Rows, row: usize) -> f64 {
    let (_, head) = rows.at(row);
    // SAFETY: the caller vouches for the room and the sinks.
    unsafe {
        let scores = room.scores.add(row * room.stride);
        let sink = if attention.sinks.is_null() { f32::NEG_INFINITY } else { *attention.sinks.add(head) };
        let slope = S::splat(attention.slope(head));
        let mut largest = S::splat(sink);
        for first in (0..rows.count).step_by(16) {
            let mut score = S::mul(S::load_floats(scores.add(first)), S::splat(attention.scale));
            if attention.softcap > 0.0 {
                S::store(scores.add(first), score);
                for score in slice::from_raw_parts_mut(scores.add(first), 16) {
                    *score = attention.softcap * (*score / attention.softcap).tanh();
                }
                score = S::load_floats(scores.add(first));
            }
            score = S::mul_add(S::load_floats(room.bias.add(first)), slope, score);
            largest = S::max(score, largest);
            S::store(scores.add(first), score);
        }
        let mut lanes = [0.0; 16];
        S::store(lanes.as_mut_ptr(), largest);
        let largest = lanes.into_iter().fold(f32::NEG_INFINITY, f32::max);
        if largest == f32::NEG_INFINITY {
            // It sees nothing.
            scores.write_bytes(0, rows.count.next_multiple_of(16));
            return 0.0;
        }
        let mut sums = [S::splat_double(0.0); 2];
        for first in (0..rows.count).step_by(16) {
            let score = S::mul_add(S::load_floats(scores.add(first)), S::splat(1.0), S::splat(-largest));
            S::store(scores.add(first), exp::<S>(score));
            for (half, sum) in sums.iter_mut().enumerate() {
                *sum = S::mul_add_double(S::widen(scores.add(first + 8 * half)), S::splat_double(1.0), *sum);
            }
        }
        let mut lanes = [0.0; 16];
        S::store_doubles(lanes.as_mut_ptr(), sums[0]);
        S::store_doubles(lanes.as_mut_ptr().add(8), sums[1]);
        lanes.iter().sum::<f64>() + if sink == f32::NEG_INFINITY { 0.0 } else { f64::from((sink - largest).exp()) }
    }
}

/// Sums up the listed cells' values with each query's weights.
#[inline(always)]
unsafe fn add_values<S: Simd>(attention: &Attention, room: &Room, rows: &Rows) {
    let kv_head = rows.head / attention.group();
    let width = attention.value_width;
    // SAFETY: the caller vouches for the values of the listed cells, and for the room.
    unsafe {
        room.results.write_bytes(0, rows.len() * width);
        for first in (0..rows.count).step_by(BLOCK) {
            let cells = slice::from_raw_parts(room.list.add(first), BLOCK.min(rows.count - first));
            for row in 0..rows.len() {
                for part in (0..cells.len()).step_by(8) {
                    let weights = S::widen(room.scores.add(row * room.stride + first + part));
                    S::store_doubles(room.weights.add(row * BLOCK + part), weights);
                }
            }
            for at in (0..width).step_by(8) {
                for (index, &cell) in cells.iter().enumerate() {
                    let value = attention.values.vector(cell as usize, kv_head).add(at);
                    S::store_doubles(room.values.add(8 * index), S::widen_halves(value));
                }
                let mut row = 0;
                while row < rows.len() {
                    let results = room.results.add(row * width + at);
                    let weights = room.weights.add(row * BLOCK);
                    row += match rows.len() - row {
                        8.. if S::SUMS == 8 => add_rows::<S, 8>(room, weights, cells.len(), results, width),
                        4.. => add_rows::<S, 4>(room, weights, cells.len(), results, width),
                        3 => add_rows::<S, 3>(room, weights, cells.len(), results, width),
                        2 => add_rows::<S, 2>(room, weights, cells.len(), results, width),
                        _ => add_rows::<S, 1>(room, weights, cells.len(), results, width),
                    };
                }
            }
        }
    }
}

/// Adds eight numbers of a block's values for some queries; gives how many queries.
#[inline(always)]
unsafe fn add_rows<S: Simd, const N: usize>(
    room: &Room,
    weights: *const f64,
    cells: usize,
    results: *mut f64,
    width: usize,
) -> usize {
    // SAFETY: the caller vouches for the room, and for the queries' weights and results.
    unsafe {
        let mut sums = [S::splat_double(0.0); N];
        for (row, sum) in sums.iter_mut().enumerate() {
            *sum = S::load_doubles(results.add(row * width));
        }
        for cell in 0..cells {
            let value = S::load_doubles(room.values.add(8 * cell));
            for (row, sum) in sums.iter_mut().enumerate() {
                *sum = S::mul_add_double(value, S::splat_double(*weights.add(row * BLOCK + cell)), *sum);
            }
        }
        for (row, sum) in sums.into_iter().enumerate() {
            S::store_doubles(results.add(row * width), sum);
        }
    }
    N
}
