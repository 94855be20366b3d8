//! Attention, computed by the crate `zerohop-kernels` in ggml's threads.

use std::panic::{AssertUnwindSafe, catch_unwind};

use zerohop_kernels::{Attention, Heads, Worker};

use super::isa;
use crate::backend::native::{NativeAttention, NativeHeads};

pub(super) unsafe extern "C" fn attends(attention: *const NativeAttention) -> bool {
    // SAFETY: the seam passes what it has described.
    isa().is_some() && attention_of(unsafe { &*attention }).is_supported()
}

pub(super) unsafe extern "C" fn work_size(attention: *const NativeAttention, threads: i32) -> usize {
    // SAFETY: the seam passes what it has described.
    attention_of(unsafe { &*attention }).work_bytes(usize::try_from(threads).unwrap_or(1))
}

pub(super) unsafe extern "C" fn attend(attention: *const NativeAttention) {
    // SAFETY: the seam passes what it has described.
    let native = unsafe { &*attention };
    // SAFETY: the seam gives the function and what it needs; its numbers are never negative.
    let next = || usize::try_from(unsafe { (native.next)(native.pool) }).unwrap_or(usize::MAX);
    let (Some(isa), Ok(index), Ok(count)) = (isa(), usize::try_from(native.thread), usize::try_from(native.threads))
    else {
        return;
    };
    let _ = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the seam asked whether this is supported and how much memory it takes, and vouches for all
        // that ggml has described.
        unsafe { attention_of(native).compute(isa, native.work, &Worker { index, count, next: &next }) }
    }));
}

fn attention_of(native: &NativeAttention) -> Attention {
    Attention {
        tokens: native.tokens,
        cells: native.cells,
        heads: native.heads,
        kv_heads: native.kv_heads,
        key_width: native.key_width,
        value_width: native.value_width,
        scale: native.scale,
        softcap: native.softcap,
        max_bias: native.max_bias,
        queries: heads_of(&native.queries),
        keys: heads_of(&native.keys),
        values: heads_of(&native.values),
        mask: native.mask,
        mask_stride: native.mask_stride,
        sinks: native.sinks,
        results: native.results,
    }
}

fn heads_of<T>(native: &NativeHeads) -> Heads<T> {
    Heads { data: native.data.cast(), strides: native.strides }
}
