//! A context: the KV cache and the decoding of batches.

use std::ffi::c_void;
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use llama_cpp_sys_2 as sys;

use super::native;
use super::{Adapter, Model, Rows, Token, kernels, logs};
use crate::api::error::{Error, ErrorKind, Result};
use crate::model::{FlashAttention, KvType};

/// What [`Context::new`] needs to know.
#[derive(Debug, Clone)]
pub(crate) struct ContextOptions {
    /// Cells of the unified KV cache, shared by all sequences.
    pub(crate) cells: u32,
    /// Tokens of one batch at most.
    pub(crate) batch: u32,
    /// Sequences in a batch at most. Beside them, others up to number 255 may have cells.
    pub(crate) sequences: u32,
    /// Tokens of one batch whose logits are asked for at most.
    pub(crate) outputs: u32,
    /// Threads for computing.
    pub(crate) threads: u32,
    /// Type of the KV cache's cells.
    pub(crate) kv_type: KvType,
    /// Whether our kernels compute attention, where the processor and the type of the cells are such that
    /// they can.
    pub(crate) own_attention: bool,
    /// Whether attention is computed in one operation.
    pub(crate) flash_attention: FlashAttention,
    /// Whether layers are on another device than the processor.
    pub(crate) is_offloaded: bool,
    /// Whether to compute one vector for each sequence, as the model's file says,
    /// instead of the logits of tokens.
    pub(crate) embeddings: bool,
    /// The model's adapters that are applied.
    pub(crate) adapters: Vec<Arc<Adapter>>,
}

impl ContextOptions {
    /// Whether our kernels compute attention.
    pub(crate) fn has_own_attention(&self) -> bool {
        self.own_attention
            && self.flash_attention != FlashAttention::Off
            && !self.embeddings
            && self.kv_type == KvType::F16
            && kernels::are_available()
    }

    fn is_quantised(&self) -> bool {
        !matches!(self.kv_type, KvType::F16 | KvType::F32)
    }
}

/// Stops a decode that is running, from any thread. Serves closing only: it ends
/// the step of every sequence.
#[derive(Debug, Clone, Default)]
pub(crate) struct Abort(Arc<AtomicBool>);

impl Abort {
    pub(crate) fn abort(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether both stop the same.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// What [`should_abort`] is given.
    pub(super) fn flag(&self) -> *mut c_void {
        Arc::as_ptr(&self.0).cast_mut().cast()
    }

    pub(super) fn is_aborted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// How a decode ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decoded {
    /// All tokens are in the cache, and the logits asked for can be read.
    Done,
    /// The cache has no room for this batch; nothing was changed.
    CacheFull,
    /// Stopped by [`Abort`].
    Aborted,
}

/// A context over a model.
#[derive(Debug)]
pub(crate) struct Context {
    raw: NonNull<sys::llama_context>,
    cells: u32,
    abort: Abort,
    // They go after the context, which uses them.
    adapters: Vec<Arc<Adapter>>,
    model: Arc<Model>,
}

// SAFETY: a context may be used from any one thread at a time; it is not `Sync`,
// and every call that changes it takes `&mut self`.
unsafe impl Send for Context {}

impl Context {
    /// `abort` stops its decodes.
    pub(crate) fn new(model: Arc<Model>, options: &ContextOptions, abort: Abort) -> Result<Self> {
        let params = context_params(options, &abort);
        let shared = model.clone();
        let adapters_lock = shared.lock_adapters();
        // SAFETY: the model is live and kept by the new value, as is the flag
        // that the abort callback reads.
        let ((raw, error), logged) = logs::collect_errors(|| unsafe {
            native::with_error(|error| native::zerohop_native_context_new(model.raw(), params, error))
        });
        let raw = NonNull::new(raw)
            .ok_or_else(|| creation_failed(options.cells, &logged.into_iter().chain(error).collect::<Vec<_>>()))?;
        // SAFETY: the context is live.
        let cells = unsafe { sys::llama_n_ctx(raw.as_ptr()) };
        let mut context = Context { raw, cells, abort, adapters: options.adapters.clone(), model };
        // SAFETY: the context is live, known to nobody else, and keeps the adapters.
        unsafe { Adapter::set(context.raw, &context.adapters) }?;
        context.try_out(params.n_threads)?;
        drop(adapters_lock);
        Ok(context)
    }

    /// Computes a token, on this thread alone: what the kernels do not take of a
    /// model then ends in an error and not, on one of their threads, the process.
    fn try_out(&mut self, threads: i32) -> Result<()> {
        let mut batch = Batch::new(1, self.model.vocab().len());
        batch.push(self.model.vocab().bos().unwrap_or(0), 0, 0, true);
        // SAFETY: the context is live and used by this thread alone.
        unsafe { sys::llama_set_n_threads(self.raw.as_ptr(), 1, 1) };
        let decoded = self.decode(&mut batch).map_err(|error| {
            Error::new(ErrorKind::InvalidModel, format!("the model cannot be computed: {}", error.message()))
        })?;
        // SAFETY: as above.
        unsafe { sys::llama_set_n_threads(self.raw.as_ptr(), threads, threads) };
        self.remove(0);
        match decoded {
            Decoded::Done => Ok(()),
            Decoded::CacheFull | Decoded::Aborted => {
                Err(Error::new(ErrorKind::InvalidModel, "the model's cache has no room for a single token"))
            }
        }
    }

    pub(super) fn raw(&self) -> *const sys::llama_context {
        self.raw.as_ptr()
    }

    pub(crate) fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// Cells of the KV cache: what was asked for, rounded up by llama.cpp.
    pub(crate) fn cells(&self) -> u32 {
        self.cells
    }

    /// Computes a batch.
    pub(crate) fn decode(&mut self, batch: &mut Batch) -> Result<Decoded> {
        // SAFETY: the context is live.
        let capacity = unsafe { sys::llama_n_batch(self.raw.as_ptr()) } as usize;
        if batch.len() > capacity {
            return Err(Error::internal(format!("a batch of {} tokens exceeds {capacity}", batch.len())));
        }
        let native_batch = batch.as_native();
        // SAFETY: the context is live and used by this thread alone; the batch's
        // arrays are as long as it says and outlive the call; its tokens and
        // sequences were checked when they were added.
        let (status, error) = logs::expecting(&self.abort, || unsafe {
            native::with_error(|error| native::zerohop_native_decode(self.raw.as_ptr(), native_batch, error))
        });
        decoded(status, error)
    }

    /// Computes rows in place of tokens, as many as a batch may have at most.
    pub(crate) fn decode_rows(&mut self, rows: &Rows<'_>) -> Result<Decoded> {
        // SAFETY: the context is live.
        let (capacity, width, numbers) = unsafe {
            let model = self.model.raw();
            let numbers = native::zerohop_native_position_size(model);
            (sys::llama_n_batch(self.raw.as_ptr()), sys::llama_model_n_embd_inp(model), numbers)
        };
        let size = |number: i32| usize::try_from(number).unwrap_or(0);
        if rows.count == 0
            || rows.count > capacity as usize
            || rows.floats.len() != rows.count * size(width)
            || rows.positions.len() != rows.count * size(numbers)
        {
            return Err(Error::internal(format!("{} rows do not fit into a batch of {capacity}", rows.count)));
        }
        let count = i32::try_from(rows.count).map_err(|_| Error::internal("there are too many rows"))?;
        // SAFETY: the context is live and used by this thread alone; rows and positions are as many as the
        // call reads.
        let (status, error) = logs::expecting(&self.abort, || unsafe {
            native::with_error(|error| {
                let (floats, positions) = (rows.floats.as_ptr(), rows.positions.as_ptr());
                let context = self.raw.as_ptr();
                let (sequence, is_causal) = (rows.sequence, rows.is_causal);
                native::zerohop_native_decode_rows(context, floats, count, positions, sequence, is_causal, error)
            })
        });
        decoded(status, error)
    }

    /// The logits of the batch's tokens at `indexes`, no two of them equal: a row
    /// for each, one number for each token of the vocabulary, valid until the
    /// next decode.
    pub(crate) fn logits(&mut self, indexes: &[usize]) -> Result<Vec<&mut [f32]>> {
        let mut sorted = indexes.to_vec();
        sorted.sort_unstable();
        if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(Error::internal("the rows of logits asked for are not different"));
        }
        let length = self.model.vocab().len();
        indexes
            .iter()
            .map(|&index| {
                let index = i32::try_from(index).map_err(|_| Error::internal("a batch index is out of range"))?;
                // SAFETY: the context is live; an index without logits gives NULL.
                let logits = unsafe { native::zerohop_native_logits(self.raw.as_ptr(), index) };
                if logits.is_null() {
                    return Err(Error::internal("llama.cpp has no logits for a token that asked for them"));
                }
                // SAFETY: llama.cpp keeps a row of vocabulary size there until the
                // next decode, which needs `&mut self`; different indexes have
                // different rows, and nobody else reads them.
                Ok(unsafe { slice::from_raw_parts_mut(logits, length) })
            })
            .collect()
    }

    /// How many numbers a sequence's vector has, in a context for embeddings.
    pub(crate) fn vector_length(&self) -> usize {
        // SAFETY: the context is live.
        match unsafe { sys::llama_pooling_type(self.raw.as_ptr()) } {
            sys::LLAMA_POOLING_TYPE_RANK => self.model.classifier_outputs(),
            _ => self.model.embedding_length(),
        }
    }

    /// The vector of a sequence of the last batch, in a context for embeddings; with a model that ranks
    /// texts, what its classifier puts out.
    pub(crate) fn embedding(&mut self, sequence: i32) -> Result<&[f32]> {
        // SAFETY: the context is live; a sequence without a vector gives NULL.
        let vector = unsafe { native::zerohop_native_embedding(self.raw.as_ptr(), sequence) };
        if vector.is_null() {
            return Err(Error::internal("llama.cpp has no vector for a text"));
        }
        // SAFETY: llama.cpp keeps a vector of this length there until the next
        // decode, which needs `&mut self`.
        Ok(unsafe { slice::from_raw_parts(vector, self.vector_length()) })
    }

    /// Whether tokens that were computed are remembered; otherwise, a sequence has to
    /// be computed in one batch.
    pub(crate) fn remembers(&self) -> bool {
        // SAFETY: the context is live.
        unsafe { !sys::llama_get_memory(self.raw.as_ptr()).is_null() }
    }

    /// Lets the sequence `to` begin with what `from` has in the cache, shared where the model's kind of cache
    /// can: all of it, or up to a position, for models that [`keeps_cells`](Model::keeps_cells) only. Of
    /// this, `to` must have nothing.
    pub(crate) fn copy(&mut self, from: i32, to: i32, end: Option<usize>) {
        let end = end.and_then(|end| i32::try_from(end).ok()).unwrap_or(-1);
        // SAFETY: the context is live, and both ids are below its maximum, because
        // the scheduler hands out no others.
        unsafe { native::zerohop_native_sequence_copy(self.raw.as_ptr(), from, to, end) };
    }

    /// The first position that the cache has of a sequence: one with a sliding window may have dropped
    /// those before. `None` where it has nothing.
    pub(crate) fn begin(&self, sequence: i32) -> Option<usize> {
        // SAFETY: the context is live, and the id is below its maximum.
        usize::try_from(unsafe { native::zerohop_native_sequence_begin(self.raw.as_ptr(), sequence) }).ok()
    }

    /// The last position that the cache has of a sequence. `None` where it has nothing.
    pub(crate) fn end(&self, sequence: i32) -> Option<usize> {
        // SAFETY: the context is live, and the id is below its maximum.
        usize::try_from(unsafe { native::zerohop_native_sequence_end(self.raw.as_ptr(), sequence) }).ok()
    }

    /// Forgets a sequence's tokens from `position` on. Only for models that
    /// [`keeps_cells`](Model::keeps_cells), and where nothing is to be computed after it for those that
    /// [`can_rewind`](Model::can_rewind).
    pub(crate) fn rewind(&mut self, sequence: i32, position: usize) -> Result<()> {
        let position = i32::try_from(position).map_err(|_| Error::internal("a position is out of range"))?;
        // SAFETY: the context is live; an impossible removal changes nothing and
        // gives false.
        let removed = unsafe { native::zerohop_native_sequence_remove(self.raw.as_ptr(), sequence, position, -1) };
        removed.then_some(()).ok_or_else(|| Error::internal("this model's cache cannot forget single tokens"))
    }

    /// Forgets a sequence's tokens before `position`. Only for models that [`can_rewind`](Model::can_rewind).
    pub(crate) fn forget_before(&mut self, sequence: i32, position: usize) {
        let end = i32::try_from(position).unwrap_or(i32::MAX);
        // SAFETY: the context is live; an impossible removal changes nothing.
        unsafe { native::zerohop_native_sequence_remove(self.raw.as_ptr(), sequence, 0, end) };
    }

    /// What the cache has of a sequence, for [`restore`](Self::restore).
    pub(crate) fn state(&mut self, sequence: i32) -> Result<Vec<u8>> {
        let mut state = vec![0; self.read_state(sequence, &mut [])?];
        let size = self.read_state(sequence, &mut state)?;
        state.truncate(size);
        Ok(state)
    }

    /// Gives how many bytes there are; without a buffer, no more than that.
    fn read_state(&mut self, sequence: i32, buffer: &mut [u8]) -> Result<usize> {
        let start = if buffer.is_empty() { ptr::null_mut() } else { buffer.as_mut_ptr() };
        // SAFETY: the context is live and used by this thread alone, the id is below its maximum, and the
        // buffer as long as is said.
        let (size, error) = unsafe {
            native::with_error(|error| {
                native::zerohop_native_sequence_state(self.raw.as_ptr(), sequence, start, buffer.len(), error)
            })
        };
        match error {
            None if size > 0 => Ok(size),
            error => Err(Error::internal(format!("the cache cannot be read: {}", error.unwrap_or_default()))),
        }
    }

    /// Lets a sequence, of which the cache has nothing, have what [`state`](Self::state) gave in a context of the
    /// same model with cells of the same type. `false` where there is no room.
    pub(crate) fn restore(&mut self, sequence: i32, state: &[u8]) -> Result<bool> {
        // SAFETY: the context is live and used by this thread alone, the id is below its maximum, and the
        // state as long as is said.
        let (restored, error) = unsafe {
            native::with_error(|error| {
                let (context, start) = (self.raw.as_ptr(), state.as_ptr());
                native::zerohop_native_sequence_restore(context, sequence, start, state.len(), error)
            })
        };
        if !restored {
            self.remove(sequence);
        }
        match error {
            None => Ok(restored),
            Some(error) => Err(Error::internal(format!("the cache cannot be written: {error}"))),
        }
    }

    /// Forgets a sequence.
    pub(crate) fn remove(&mut self, sequence: i32) {
        // SAFETY: the context is live; removing a whole sequence never fails.
        unsafe { native::zerohop_native_sequence_remove(self.raw.as_ptr(), sequence, -1, -1) };
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: we own the context, and this runs once, before the model goes.
        unsafe { native::zerohop_native_context_free(self.raw.as_ptr()) }
    }
}

/// How a decode ended, from llama.cpp's answer.
fn decoded(status: i32, error: Option<String>) -> Result<Decoded> {
    match status {
        0 => Ok(Decoded::Done),
        1 => Ok(Decoded::CacheFull),
        2 => Ok(Decoded::Aborted),
        native::EXCEPTION => Err(Error::internal(format!("decoding failed: {}", error.unwrap_or_default()))),
        status => Err(Error::internal(format!("decoding failed: llama.cpp answered {status}"))),
    }
}

/// Whether llama.cpp's words are about a lack of memory.
pub(super) fn is_out_of_memory(reasons: &[String]) -> bool {
    const OUT_OF_MEMORY: [&str; 8] = [
        "failed to allocate",
        "failed to reserve",
        "insufficient memory",
        "bad_alloc",
        "unable to allocate",
        "out of memory",
        "ErrorOutOfDeviceMemory",
        "ErrorOutOfHostMemory",
    ];
    reasons.iter().any(|reason| OUT_OF_MEMORY.iter().any(|words| reason.contains(words)))
}

/// The error for a context that could not be made, from all that llama.cpp said:
/// whether memory was short or the options do not fit the model is known from its
/// words alone.
fn creation_failed(cells: u32, reasons: &[String]) -> Error {
    let reason = reasons.first().map_or("llama.cpp gave no reason", String::as_str);
    if is_out_of_memory(reasons) {
        let message = format!("no memory for a context of {cells} tokens: {reason}; try a smaller context_length");
        Error::new(ErrorKind::Unavailable, message)
    } else {
        Error::new(ErrorKind::InvalidArgument, format!("the model cannot run with these options: {reason}"))
    }
}

pub(super) unsafe extern "C" fn should_abort(flag: *mut c_void) -> bool {
    // SAFETY: `flag` is the `AtomicBool` of an `Abort`, which the context or
    // projector keeps alive.
    unsafe { &*flag.cast::<AtomicBool>() }.load(Ordering::Relaxed)
}

pub(super) fn context_params(options: &ContextOptions, abort: &Abort) -> sys::llama_context_params {
    let threads = i32::try_from(options.threads).unwrap_or(i32::MAX);
    // SAFETY: returns a plain struct.
    let mut params = unsafe { sys::llama_context_default_params() };
    // llama.cpp rounds cells up to 256, but bounds the batch by what was asked
    // for, and ends the process when a batch is larger.
    params.n_ctx = options.cells.max(options.batch).next_multiple_of(256);
    params.n_batch = options.batch;
    params.n_ubatch = options.batch;
    params.n_seq_max = options.sequences;
    params.embeddings = options.embeddings;
    params.n_outputs_max = options.outputs;
    params.n_threads = threads;
    params.n_threads_batch = threads;
    params.kv_unified = true;
    params.no_perf = true;
    params.type_k = options.kv_type.to_ggml();
    params.type_v = options.kv_type.to_ggml();
    // llama.cpp's flash attention makes a prompt's logits depend on how it is cut into
    // slices; without it they do not. Only a quantised cache needs it. Ours, which
    // takes its place, does not have that fault. Vectors gain much by it: half of the
    // time without it goes into attention, every token being compared with all of its batch.
    // On GPUs logits depend on the slices anyway.
    params.flash_attn_type = match options.flash_attention {
        FlashAttention::On => sys::LLAMA_FLASH_ATTN_TYPE_ENABLED,
        FlashAttention::Auto if options.embeddings => sys::LLAMA_FLASH_ATTN_TYPE_AUTO,
        FlashAttention::Auto if options.is_quantised() || options.has_own_attention() => {
            sys::LLAMA_FLASH_ATTN_TYPE_ENABLED
        }
        FlashAttention::Auto if options.is_offloaded => sys::LLAMA_FLASH_ATTN_TYPE_AUTO,
        FlashAttention::Off | FlashAttention::Auto => sys::LLAMA_FLASH_ATTN_TYPE_DISABLED,
    };
    params.abort_callback = Some(should_abort);
    params.abort_callback_data = abort.flag();
    params
}

impl KvType {
    fn to_ggml(self) -> sys::ggml_type {
        match self {
            KvType::F32 => sys::GGML_TYPE_F32,
            KvType::F16 => sys::GGML_TYPE_F16,
            KvType::Q8_0 => sys::GGML_TYPE_Q8_0,
            KvType::Q4_0 => sys::GGML_TYPE_Q4_0,
        }
    }
}

/// Tokens to compute in one go, for several sequences.
#[derive(Debug)]
pub(crate) struct Batch {
    tokens: Vec<sys::llama_token>,
    positions: Vec<sys::llama_pos>,
    sequences: Vec<sys::llama_seq_id>,
    sequence_counts: Vec<i32>,
    sequence_pointers: Vec<*mut sys::llama_seq_id>,
    wants_logits: Vec<i8>,
    vocab_size: usize,
}

// SAFETY: the pointers are made anew from `sequences` before each use.
unsafe impl Send for Batch {}

impl Batch {
    /// An empty batch for up to `capacity` tokens of a vocabulary.
    pub(crate) fn new(capacity: usize, vocab_size: usize) -> Self {
        Batch {
            tokens: Vec::with_capacity(capacity),
            positions: Vec::with_capacity(capacity),
            sequences: Vec::with_capacity(capacity),
            sequence_counts: Vec::with_capacity(capacity),
            sequence_pointers: Vec::with_capacity(capacity),
            wants_logits: Vec::with_capacity(capacity),
            vocab_size,
        }
    }

    pub(crate) fn clear(&mut self) {
        self.tokens.clear();
        self.positions.clear();
        self.sequences.clear();
        self.sequence_counts.clear();
        self.wants_logits.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.tokens.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Adds a token and gives back its index, by which its logits are read.
    ///
    /// # Panics
    ///
    /// When the token is not of the vocabulary: llama.cpp would read outside of
    /// its tables. Tokens come from our tokeniser and sampler, so this is a
    /// fault of ours and is caught at the scheduler's edge.
    pub(crate) fn push(&mut self, token: Token, position: usize, sequence: i32, wants_logits: bool) -> usize {
        assert!(
            usize::try_from(token).is_ok_and(|token| token < self.vocab_size),
            "token {token} is not in the vocabulary"
        );
        self.tokens.push(token);
        self.positions.push(i32::try_from(position).expect("positions are bounded by the context"));
        self.sequences.push(sequence);
        self.sequence_counts.push(1);
        self.wants_logits.push(i8::from(wants_logits));
        self.tokens.len() - 1
    }

    fn as_native(&mut self) -> sys::llama_batch {
        self.sequence_pointers.clear();
        self.sequence_pointers.extend(self.sequences.iter_mut().map(std::ptr::from_mut));
        sys::llama_batch {
            n_tokens: i32::try_from(self.tokens.len()).expect("a batch is bounded by its capacity"),
            token: self.tokens.as_mut_ptr(),
            embd: std::ptr::null_mut(),
            pos: self.positions.as_mut_ptr(),
            n_seq_id: self.sequence_counts.as_mut_ptr(),
            seq_id: self.sequence_pointers.as_mut_ptr(),
            logits: self.wants_logits.as_mut_ptr(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::{c_char, c_int};
    use std::mem;

    use super::*;
    use crate::backend::kernel_tests;

    unsafe extern "C-unwind" {
        fn ggml_abort(file: *const c_char, line: c_int, format: *const c_char, ...) -> !;
    }

    /// Asked between two steps of a computation by one of the threads that compute it.
    unsafe extern "C-unwind" fn assertion_fails(_data: *mut c_void) -> bool {
        // SAFETY: the texts end with NUL, and the second names no arguments.
        unsafe { ggml_abort(c"test.c".as_ptr(), 1, c"a test's assertion".as_ptr()) }
    }

    #[test]
    fn an_assertion_on_a_computing_thread_is_an_error() {
        let model = kernel_tests::load("tiny/tiny-llama.gguf", false);
        let mut context = kernel_tests::context(&model, 3, false);
        let mut batch = Batch::new(8, model.vocab().len());
        for position in 0..8 {
            batch.push(1, position, 0, position == 7);
        }
        assert!(matches!(context.decode(&mut batch).unwrap(), Decoded::Done));
        let fine = context.logits(&[7]).unwrap()[0].to_vec();
        for _ in 0..3 {
            type Unwinding = unsafe extern "C-unwind" fn(*mut c_void) -> bool;
            type Asked = unsafe extern "C" fn(*mut c_void) -> bool;
            // SAFETY: the two types differ in what may leave the function, which C++ does not look at.
            let fails = unsafe { mem::transmute::<Unwinding, Asked>(assertion_fails) };
            // SAFETY: the context is live, and the function a static one.
            unsafe { sys::llama_set_abort_callback(context.raw.as_ptr(), Some(fails), ptr::null_mut()) };
            context.remove(0);
            let error = context.decode(&mut batch).unwrap_err();
            assert!(error.message().contains("a test's assertion"), "{error}");
            // SAFETY: as above.
            unsafe { sys::llama_set_abort_callback(context.raw.as_ptr(), None, ptr::null_mut()) };
            context.remove(0);
            assert!(matches!(context.decode(&mut batch).unwrap(), Decoded::Done));
            assert!(context.logits(&[7]).unwrap()[0] == fine);
        }
    }
}
