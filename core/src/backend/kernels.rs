//! Lets llama.cpp use the kernels of the crate `zerohop-kernels`.
//!
//! The C++ seam offers each weight matrix at load, and calls back to pack it and to
//! multiply, in ggml's own threads. Nothing here may unwind into C++: what could panic
//! is caught.

mod attention;
mod mixture;

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::slice;
use std::sync::OnceLock;
use std::thread;

use llama_cpp_sys_2 as sys;
use zerohop_kernels::{Activations, Gelu, Isa, Matrix, Product, Type, Worker};

use super::native::{self, NativeGelu, NativeKernels, NativeProduct};

/// Bytes below which packing a matrix is not worth another thread.
const PACKED_ALONE: usize = 1 << 20;

pub(super) static KERNELS: NativeKernels = NativeKernels {
    supports,
    pack,
    work_size,
    prepare,
    multiply,
    mixture_work_size: mixture::work_size,
    mixture_prepare: mixture::prepare,
    mixture_multiply: mixture::multiply,
    attends: attention::attends,
    attention_work_size: attention::work_size,
    attend: attention::attend,
    gelu,
};

/// Puts the kernels at llama.cpp's disposal, if this processor has any.
///
/// Only while no other thread uses llama.cpp.
pub(super) fn register() {
    if isa().is_some() {
        // SAFETY: the table is static, and the caller vouches for the rest.
        unsafe { native::zerohop_native_kernels_register(&raw const KERNELS) }
    }
}

/// While it lives, what this thread loads is offered to the kernels.
pub(super) struct Offer(());

impl Offer {
    pub(super) fn new() -> Self {
        // SAFETY: this sets a flag of this thread.
        unsafe { native::zerohop_native_kernels_offer(true) };
        Offer(())
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        // SAFETY: this sets a flag of this thread.
        unsafe { native::zerohop_native_kernels_offer(false) };
    }
}

/// Whether this processor has kernels.
pub(super) fn are_available() -> bool {
    isa().is_some()
}

/// Whether a matrix is given to the kernels: `is_taken` in native/kernels.cpp has the same rule for floats of 32 bits.
pub(super) fn are_for(name: &str, weights_type: u32, width: u64, rows: u64) -> bool {
    let to_signed = |number: u64| i64::try_from(number).unwrap_or(0);
    let is_taken = weights_type != sys::GGML_TYPE_F32 || name.ends_with(".ffn_gate_inp.weight");
    let is_one = |of| matrix(of, to_signed(width), to_signed(rows)).is_some();
    is_taken && i32::try_from(weights_type).is_ok_and(is_one)
}

fn isa() -> Option<Isa> {
    static ISA: OnceLock<Option<Isa>> = OnceLock::new();
    *ISA.get_or_init(Isa::detect)
}

fn matrix(weights_type: i32, width: i64, rows: i64) -> Option<Matrix> {
    let weights = Type::from_gguf(u32::try_from(weights_type).ok()?)?;
    Matrix::new(weights, isa()?, usize::try_from(width).ok()?, usize::try_from(rows).ok()?)
}

extern "C" fn supports(weights_type: i32, width: i64, rows: i64) -> bool {
    matrix(weights_type, width, rows).is_some()
}

unsafe extern "C" fn pack(weights_type: i32, width: i64, rows: i64, source: *const u8, target: *mut u8) -> bool {
    let Some(matrix) = matrix(weights_type, width, rows) else { return false };
    // SAFETY: the seam vouches for a whole matrix in both places, the target being new.
    let (source, target) =
        unsafe { (slice::from_raw_parts(source, matrix.bytes()), slice::from_raw_parts_mut(target, matrix.bytes())) };
    catch_unwind(AssertUnwindSafe(|| pack_together(&matrix, source, target))).is_ok()
}

/// Packs a matrix with as many threads as there are processors.
fn pack_together(matrix: &Matrix, source: &[u8], target: &mut [u8]) {
    let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let threads = processors.min(matrix.bytes() / PACKED_ALONE + 1);
    let panels = matrix.panels().div_ceil(threads);
    let bytes = panels * matrix.panel_bytes();
    thread::scope(|scope| {
        let parts = source.chunks(bytes).zip(target.chunks_mut(bytes)).enumerate();
        for (part, (source, target)) in parts {
            let first = part * panels;
            let mut work = move || matrix.pack(first..first + source.len() / matrix.panel_bytes(), source, target);
            if source.len() < bytes || threads == 1 {
                work();
            } else {
                scope.spawn(work);
            }
        }
    });
}

unsafe extern "C" fn work_size(product: *const NativeProduct, threads: i32) -> usize {
    // SAFETY: the seam passes a product that it has described.
    let job = unsafe { Job::new(&*product) };
    job.map_or(0, |job| job.product.work_bytes(usize::try_from(threads).unwrap_or(1)))
}

unsafe extern "C" fn prepare(product: *const NativeProduct) -> bool {
    // SAFETY: the seam passes a product that it has described.
    let native = unsafe { &*product };
    let Some(job) = Job::new(native) else { return false };
    let _ = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the seam vouches for the memory, whose size was asked of us.
        unsafe { job.product.prepare(&job.activations, native.work, &job.worker(&|| next(native))) }
    }));
    job.product.is_shared()
}

unsafe extern "C" fn multiply(product: *const NativeProduct) {
    // SAFETY: the seam passes a product that it has described.
    let native = unsafe { &*product };
    let Some(job) = Job::new(native) else { return };
    let _ = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the seam vouches for the memory, and has let all threads prepare.
        unsafe { job.product.multiply(native.weights, native.work, native.results, &job.worker(&|| next(native))) }
    }));
}

unsafe extern "C" fn gelu(gelu: *const NativeGelu) {
    // SAFETY: the seam passes what it has described.
    let native = unsafe { &*gelu };
    let (Some(isa), Ok(index), Ok(count)) = (isa(), usize::try_from(native.thread), usize::try_from(native.threads))
    else {
        return;
    };
    let gelu = Gelu { source: native.source, target: native.target, count: native.count };
    // SAFETY: the seam vouches for the numbers.
    unsafe { gelu.compute(isa, &Worker { index, count, next: &|| usize::MAX }) }
}

/// The next piece of work, whose number is never negative.
fn next(native: &NativeProduct) -> usize {
    // SAFETY: the seam gives the function and what it needs.
    usize::try_from(unsafe { (native.next)(native.pool) }).unwrap_or(usize::MAX)
}

/// A product in the kernels' terms.
struct Job {
    product: Product,
    activations: Activations,
    index: usize,
    count: usize,
}

impl Job {
    /// `None` never happens: the matrix was one of ours when it was packed.
    fn new(native: &NativeProduct) -> Option<Self> {
        let matrix = matrix(native.weights_type, native.width, native.rows)?;
        let shape = native.shape.map(|count| usize::try_from(count).unwrap_or(0));
        Some(Job {
            product: Product::new(matrix, shape.iter().product()),
            activations: Activations { data: native.activations, shape, strides: native.strides },
            index: usize::try_from(native.thread).ok()?,
            count: usize::try_from(native.threads).ok()?,
        })
    }

    fn worker<'a>(&self, next: &'a dyn Fn() -> usize) -> Worker<'a> {
        Worker { index: self.index, count: self.count, next }
    }
}
