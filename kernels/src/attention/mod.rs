//! Attention: what each token of a batch takes from the values of the tokens that it may see.
//!
//! Other tokens' keys and values in the cache cost next to nothing: they are skipped, not
//! computed and masked. A token's result is a sum in double precision, rounded once, so
//! that in practice it does not depend on the order in which the cache has what it sees; and it is
//! computed in the same way whether the token is alone in the batch or one of many.

mod passes;
mod room;
mod tokens;

use crate::product::Worker;
use crate::{Isa, simd};

use room::Room;

/// Queries that are computed together at most: heads that share keys and values, of
/// neighbouring tokens.
const ROWS: usize = 16;
/// What the cache's mask has for a cell that a token may not see: minus infinity.
const HIDDEN: u16 = 0xfc00;

/// Vectors in memory, one for each of some places (tokens, or cells of a cache) and heads.
#[derive(Debug, Clone, Copy)]
pub struct Heads<T> {
    /// The first place's vector of the first head.
    pub data: *const T,
    /// Numbers from one place to the next, and from one head to the next.
    pub strides: [usize; 2],
}

impl<T> Heads<T> {
    /// # Safety
    ///
    /// The vector exists.
    unsafe fn vector(&self, place: usize, head: usize) -> *const T {
        // SAFETY: who made the value vouches for all vectors.
        unsafe { self.data.add(place * self.strides[0] + head * self.strides[1]) }
    }
}

/// The attention of a batch's tokens to a cache. Half-precision floats are `u16`.
#[derive(Debug, Clone, Copy)]
pub struct Attention {
    /// Tokens of the batch.
    pub tokens: usize,
    /// Cells of the cache, or of the batch itself where there is none.
    pub cells: usize,
    /// Heads of the queries, a multiple of `kv_heads`.
    pub heads: usize,
    /// Heads of the keys and values, each shared by as many of the queries'.
    pub kv_heads: usize,
    /// Numbers of a key and a query, a multiple of 8.
    pub key_width: usize,
    /// Numbers of a value, a multiple of 8.
    pub value_width: usize,
    /// What products of queries and keys are multiplied by.
    pub scale: f32,
    /// The bound that a hyperbolic tangent keeps them to; 0 for none.
    pub softcap: f32,
    /// The largest factor of the mask (`ALiBi`); 0 where all heads take it as it is.
    pub max_bias: f32,
    /// One for each token.
    pub queries: Heads<f32>,
    /// One for each cell.
    pub keys: Heads<u16>,
    /// One for each cell.
    pub values: Heads<u16>,
    /// For each token and cell what is added: minus infinity where the token may not see the cell.
    pub mask: *const u16,
    /// Numbers of the mask from one token to the next.
    pub mask_stride: usize,
    /// For each head a logit that takes part and has no value; null for none.
    pub sinks: *const f32,
    /// For each token and head, one after another, the result.
    pub results: *mut f32,
}

impl Attention {
    /// Whether the sizes are such that it can be computed.
    pub fn is_supported(&self) -> bool {
        let Attention { tokens, cells, heads, kv_heads, key_width, value_width, .. } = *self;
        let sizes = [tokens, cells, heads, kv_heads, key_width, value_width];
        !sizes.contains(&0) && heads % kv_heads == 0 && key_width % 8 == 0 && value_width % 8 == 0
    }

    /// Bytes of memory that `threads` threads need to compute it.
    pub fn work_bytes(&self, threads: usize) -> usize {
        threads * Room::bytes(self)
    }

    /// Does this thread's part.
    ///
    /// # Safety
    ///
    /// The processor has the instruction set, the sizes [are supported](Attention::is_supported), all that
    /// is pointed to is there, and nobody else writes it; `work` has
    /// [`work_bytes`](Attention::work_bytes) bytes, aligned for `f64` and the same for all threads; `worker`
    /// is one of no more threads than those were asked for.
    pub unsafe fn compute(&self, isa: Isa, work: *mut u8, worker: &Worker<'_>) {
        let compute = match isa {
            Isa::Portable => portable,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => avx2,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => avx512,
        };
        // SAFETY: the caller vouches for as much.
        unsafe {
            let room = Room::new(self, work.add(worker.index * Room::bytes(self)));
            let units = Units::new(self, worker.count);
            let mut index = worker.index;
            while index < units.count() {
                compute(self, &room, units.unit(self, index));
                index = (worker.next)();
            }
        }
    }

    /// Heads of the queries that share keys and values.
    fn group(&self) -> usize {
        self.heads / self.kv_heads
    }

    /// A head's factor of the mask.
    #[expect(clippy::cast_precision_loss, reason = "a number of heads")]
    fn slope(&self, head: usize) -> f32 {
        if self.max_bias <= 0.0 {
            return 1.0;
        }
        let power = 1 << self.heads.ilog2();
        let (share, times) =
            if head < power { (self.max_bias, head + 1) } else { (self.max_bias / 2.0, 2 * (head - power) + 1) };
        (-share / power as f32).exp2().powf(times as f32)
    }
}

/// Neighbouring tokens, and heads that share keys and values: what is computed together.
#[derive(Debug, Clone, Copy)]
struct Unit {
    token: usize,
    tokens: usize,
    head: usize,
    heads: usize,
}

/// How the work is cut for some threads.
struct Units {
    heads: usize,
    tokens: usize,
    /// Units along the tokens, and along the heads of a group.
    along: [usize; 2],
    kv_heads: usize,
}

impl Units {
    fn new(attention: &Attention, threads: usize) -> Self {
        let group = attention.group();
        let parts = threads.div_ceil(attention.tokens * attention.kv_heads).min(group);
        let heads = group.div_ceil(parts).min(ROWS);
        let tokens = (ROWS / heads).min(attention.tokens);
        let along = [attention.tokens.div_ceil(tokens), group.div_ceil(heads)];
        Units { heads, tokens, along, kv_heads: attention.kv_heads }
    }

    fn count(&self) -> usize {
        self.along[0] * self.along[1] * self.kv_heads
    }

    fn unit(&self, attention: &Attention, index: usize) -> Unit {
        let (along, rest) = (index % self.along[0], index / self.along[0]);
        let (part, kv_head) = (rest % self.along[1], rest / self.along[1]);
        let (token, first) = (along * self.tokens, part * self.heads);
        let group = attention.group();
        Unit {
            token,
            tokens: self.tokens.min(attention.tokens - token),
            head: kv_head * group + first,
            heads: self.heads.min(group - first),
        }
    }
}

unsafe fn portable(attention: &Attention, room: &Room, unit: Unit) {
    // SAFETY: the caller vouches for what `compute` needs.
    unsafe { tokens::compute::<simd::portable::Portable>(attention, room, unit) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn avx2(attention: &Attention, room: &Room, unit: Unit) {
    // SAFETY: the caller vouches for what `compute` needs.
    unsafe { tokens::compute::<simd::avx2::Avx2>(attention, room, unit) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl")]
unsafe fn avx512(attention: &Attention, room: &Room, unit: Unit) {
    // SAFETY: the caller vouches for what `compute` needs.
    unsafe { tokens::compute::<simd::avx512::Avx512>(attention, room, unit) }
}
