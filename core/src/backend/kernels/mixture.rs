//! The products of mixtures of experts, computed by the crate `zerohop-kernels` in ggml's threads.

use std::panic::{AssertUnwindSafe, catch_unwind};

use zerohop_kernels::{Activations, Choices, Mixture, Worker};

use super::matrix;
use crate::backend::native::NativeMixture;

pub(super) unsafe extern "C" fn work_size(mixture: *const NativeMixture, threads: i32) -> usize {
    // SAFETY: the seam passes a mixture that it has described.
    let mixture = unsafe { mixture_of(&*mixture) };
    mixture.map_or(0, |mixture| mixture.work_bytes(usize::try_from(threads).unwrap_or(1)))
}

pub(super) unsafe extern "C" fn prepare(mixture: *const NativeMixture) {
    // SAFETY: the seam passes a mixture that it has described.
    let native = unsafe { &*mixture };
    let choices = Choices { data: native.choices, strides: native.choice_strides };
    let [each, tokens] = native.shape.map(|count| usize::try_from(count).unwrap_or(0));
    let [column, token] = native.strides;
    let activations = Activations { data: native.activations, shape: [each, tokens, 1], strides: [column, token, 0] };
    share(native, |mixture, worker| {
        // SAFETY: the seam vouches for the memory, whose size was asked of us, and for what ggml has described.
        unsafe { mixture.prepare(&activations, &choices, native.work, worker) }
    });
}

pub(super) unsafe extern "C" fn multiply(mixture: *const NativeMixture) {
    // SAFETY: the seam passes a mixture that it has described.
    let native = unsafe { &*mixture };
    share(native, |mixture, worker| {
        // SAFETY: the seam vouches for the memory, and has let all threads prepare.
        unsafe { mixture.multiply(native.weights, native.work, native.results, worker) }
    });
}

/// `None` never happens: the matrices were ours when they were packed.
fn mixture_of(native: &NativeMixture) -> Option<Mixture> {
    let matrix = matrix(native.weights_type, native.width, native.rows)?;
    let [experts, tokens, used] =
        [native.experts, native.shape[1], native.used].map(|count| usize::try_from(count).unwrap_or(0));
    Mixture::new(matrix, experts, tokens, used)
}

/// Does one of the threads' part of something.
fn share(native: &NativeMixture, part: impl FnOnce(&Mixture, &Worker<'_>)) {
    // SAFETY: the seam gives the function and what it needs; its numbers are never negative.
    let next = || usize::try_from(unsafe { (native.next)(native.pool) }).unwrap_or(usize::MAX);
    let (Some(mixture), Ok(index), Ok(count)) =
        (mixture_of(native), usize::try_from(native.thread), usize::try_from(native.threads))
    else {
        return;
    };
    let _ = catch_unwind(AssertUnwindSafe(|| part(&mixture, &Worker { index, count, next: &next })));
}
