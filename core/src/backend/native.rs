//! Declarations of `core/native/seam.h` and `placement.h`, and error strings.

use std::ffi::{CStr, c_char, c_void};
use std::ptr;

use llama_cpp_sys_2 as sys;

/// What [`zerohop_native_decode`] and [`zerohop_native_tokenize`] return when a
/// C++ exception was caught.
pub(super) const EXCEPTION: i32 = i32::MIN;

/// An opaque set of chat templates.
#[repr(C)]
pub(super) struct NativeTemplates {
    _private: [u8; 0],
}

/// An opaque parser of one request's output.
#[repr(C)]
pub(super) struct NativeOutputParser {
    _private: [u8; 0],
}

/// A product of a weight matrix with columns, as one of several threads sees it.
#[repr(C)]
pub(super) struct NativeProduct {
    pub(super) weights_type: i32,
    pub(super) width: i64,
    pub(super) rows: i64,
    pub(super) weights: *const u8,
    pub(super) activations: *const f32,
    pub(super) shape: [i64; 3],
    pub(super) strides: [usize; 3],
    pub(super) results: *mut f32,
    pub(super) work: *mut u8,
    pub(super) thread: i32,
    pub(super) threads: i32,
    pub(super) next: unsafe extern "C" fn(*mut c_void) -> i32,
    pub(super) pool: *mut c_void,
}

/// The products of a mixture of experts, as one of several threads sees them.
#[repr(C)]
pub(super) struct NativeMixture {
    pub(super) weights_type: i32,
    pub(super) width: i64,
    pub(super) rows: i64,
    pub(super) experts: i64,
    pub(super) weights: *const u8,
    pub(super) activations: *const f32,
    pub(super) shape: [i64; 2],
    pub(super) strides: [usize; 2],
    pub(super) choices: *const i32,
    pub(super) used: i64,
    pub(super) choice_strides: [usize; 2],
    pub(super) results: *mut f32,
    pub(super) work: *mut u8,
    pub(super) thread: i32,
    pub(super) threads: i32,
    pub(super) next: unsafe extern "C" fn(*mut c_void) -> i32,
    pub(super) pool: *mut c_void,
}

/// Vectors of some places and heads.
#[repr(C)]
pub(super) struct NativeHeads {
    pub(super) data: *const c_void,
    pub(super) strides: [usize; 2],
}

/// The attention of a batch's tokens to a cache, as one of several threads sees it.
#[repr(C)]
pub(super) struct NativeAttention {
    pub(super) tokens: usize,
    pub(super) cells: usize,
    pub(super) heads: usize,
    pub(super) kv_heads: usize,
    pub(super) key_width: usize,
    pub(super) value_width: usize,
    pub(super) scale: f32,
    pub(super) softcap: f32,
    pub(super) max_bias: f32,
    pub(super) queries: NativeHeads,
    pub(super) keys: NativeHeads,
    pub(super) values: NativeHeads,
    pub(super) mask: *const u16,
    pub(super) mask_stride: usize,
    pub(super) sinks: *const f32,
    pub(super) results: *mut f32,
    pub(super) work: *mut u8,
    pub(super) thread: i32,
    pub(super) threads: i32,
    pub(super) next: unsafe extern "C" fn(*mut c_void) -> i32,
    pub(super) pool: *mut c_void,
}

/// `zerohop_gelu`.
#[repr(C)]
pub(super) struct NativeGelu {
    pub(super) source: *const f32,
    pub(super) target: *mut f32,
    pub(super) count: usize,
    pub(super) thread: i32,
    pub(super) threads: i32,
}

/// What the seam calls to pack and to compute.
#[repr(C)]
pub(super) struct NativeKernels {
    pub(super) supports: extern "C" fn(weights_type: i32, width: i64, rows: i64) -> bool,
    pub(super) pack:
        unsafe extern "C" fn(weights_type: i32, width: i64, rows: i64, source: *const u8, target: *mut u8) -> bool,
    pub(super) work_size: unsafe extern "C" fn(product: *const NativeProduct, threads: i32) -> usize,
    pub(super) prepare: unsafe extern "C" fn(product: *const NativeProduct) -> bool,
    pub(super) multiply: unsafe extern "C" fn(product: *const NativeProduct),
    pub(super) mixture_work_size: unsafe extern "C" fn(mixture: *const NativeMixture, threads: i32) -> usize,
    pub(super) mixture_prepare: unsafe extern "C" fn(mixture: *const NativeMixture),
    pub(super) mixture_multiply: unsafe extern "C" fn(mixture: *const NativeMixture),
    pub(super) attends: unsafe extern "C" fn(attention: *const NativeAttention) -> bool,
    pub(super) attention_work_size: unsafe extern "C" fn(attention: *const NativeAttention, threads: i32) -> usize,
    pub(super) attend: unsafe extern "C" fn(attention: *const NativeAttention),
    pub(super) gelu: unsafe extern "C" fn(gelu: *const NativeGelu),
}

/// `zerohop_native_companion`.
#[repr(C)]
pub(super) struct NativeCompanion {
    pub(super) path: *const c_char,
    pub(super) model: *mut sys::llama_model_params,
    pub(super) context: *mut sys::llama_context_params,
}

/// `zerohop_native_share`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct NativeShare {
    pub(super) device: *const c_char,
    pub(super) layers: u32,
    pub(super) weights: u64,
    pub(super) cache: u64,
    pub(super) compute: u64,
}

unsafe extern "C" {
    pub(super) fn zerohop_native_kernels_register(table: *const NativeKernels);
    pub(super) fn zerohop_native_kernels_offer(offer: bool);
    pub(super) fn zerohop_native_string_free(text: *mut c_char);
    pub(super) fn zerohop_native_silence_common();
    pub(super) fn zerohop_native_on_fault(report: unsafe extern "C" fn(message: *const c_char, is_fatal: bool));
    pub(super) fn zerohop_native_set_processors(number: u32);
    pub(super) fn zerohop_native_heed_forks();
    pub(super) fn zerohop_native_hold_forks();
    pub(super) fn zerohop_native_release_forks();
    pub(super) fn zerohop_native_context_new(
        model: *mut sys::llama_model,
        params: sys::llama_context_params,
        error: *mut *mut c_char,
    ) -> *mut sys::llama_context;
    pub(super) fn zerohop_native_model_new(
        path: *const c_char,
        params: sys::llama_model_params,
        error: *mut *mut c_char,
    ) -> *mut sys::llama_model;
    pub(super) fn zerohop_native_fit(
        path: *const c_char,
        model: *mut sys::llama_model_params,
        context: *mut sys::llama_context_params,
        tensor_split: *mut f32,
        overrides: *mut sys::llama_model_tensor_buft_override,
        margins: *mut usize,
        companion: *const NativeCompanion,
        error: *mut *mut c_char,
    ) -> i32;
    pub(super) fn zerohop_native_shares(
        context: *const sys::llama_context,
        shares: *mut NativeShare,
        capacity: usize,
        error: *mut *mut c_char,
    ) -> usize;
    pub(super) fn zerohop_native_context_free(context: *mut sys::llama_context);
    pub(super) fn zerohop_native_adapter_new(
        model: *mut sys::llama_model,
        path: *const c_char,
        error: *mut *mut c_char,
    ) -> *mut sys::llama_adapter_lora;
    pub(super) fn zerohop_native_adapter_free(adapter: *mut sys::llama_adapter_lora);
    pub(super) fn zerohop_native_context_set_adapters(
        context: *mut sys::llama_context,
        adapters: *mut *mut sys::llama_adapter_lora,
        scales: *mut f32,
        count: usize,
        error: *mut *mut c_char,
    ) -> bool;
    pub(super) fn zerohop_native_decode(
        context: *mut sys::llama_context,
        batch: sys::llama_batch,
        error: *mut *mut c_char,
    ) -> i32;
    pub(super) fn zerohop_native_logits(context: *mut sys::llama_context, index: i32) -> *mut f32;
    pub(super) fn zerohop_native_embedding(context: *mut sys::llama_context, sequence: i32) -> *const f32;
    pub(super) fn zerohop_native_sequence_remove(
        context: *mut sys::llama_context,
        sequence: i32,
        from: i32,
        end: i32,
    ) -> bool;
    pub(super) fn zerohop_native_sequence_begin(context: *mut sys::llama_context, sequence: i32) -> i32;
    pub(super) fn zerohop_native_sequence_end(context: *mut sys::llama_context, sequence: i32) -> i32;
    pub(super) fn zerohop_native_sequence_copy(context: *mut sys::llama_context, from: i32, to: i32, end: i32);
    pub(super) fn zerohop_native_sequence_state(
        context: *mut sys::llama_context,
        sequence: i32,
        buffer: *mut u8,
        size: usize,
        error: *mut *mut c_char,
    ) -> usize;
    pub(super) fn zerohop_native_sequence_restore(
        context: *mut sys::llama_context,
        sequence: i32,
        state: *const u8,
        size: usize,
        error: *mut *mut c_char,
    ) -> bool;
    pub(super) fn zerohop_native_tokenize(
        vocab: *const sys::llama_vocab,
        text: *const c_char,
        text_len: i32,
        tokens: *mut i32,
        capacity: i32,
        add_special: bool,
        parse_special: bool,
        error: *mut *mut c_char,
    ) -> i32;
    pub(super) fn zerohop_native_decode_rows(
        context: *mut sys::llama_context,
        rows: *const f32,
        count: i32,
        positions: *const sys::llama_pos,
        sequence: sys::llama_seq_id,
        is_causal: bool,
        error: *mut *mut c_char,
    ) -> i32;
    pub(super) fn zerohop_native_position_size(model: *const sys::llama_model) -> i32;
    pub(super) fn zerohop_native_token_to_piece(
        vocab: *const sys::llama_vocab,
        token: i32,
        buffer: *mut c_char,
        capacity: i32,
        special: bool,
    ) -> i32;
    pub(super) fn zerohop_native_templates_new(
        model: *const sys::llama_model,
        override_source: *const c_char,
        bos: *const c_char,
        eos: *const c_char,
        error: *mut *mut c_char,
    ) -> *mut NativeTemplates;
    pub(super) fn zerohop_native_templates_free(templates: *mut NativeTemplates);
    pub(super) fn zerohop_native_templates_describe(
        templates: *const NativeTemplates,
        with_tools: bool,
        error: *mut *mut c_char,
    ) -> *mut c_char;
    pub(super) fn zerohop_native_templates_apply(
        templates: *const NativeTemplates,
        request: *const c_char,
        request_len: usize,
        error: *mut *mut c_char,
    ) -> *mut c_char;
    pub(super) fn zerohop_native_output_parser_new(
        request: *const c_char,
        request_len: usize,
        error: *mut *mut c_char,
    ) -> *mut NativeOutputParser;
    pub(super) fn zerohop_native_output_parser_free(parser: *mut NativeOutputParser);
    pub(super) fn zerohop_native_output_parser_parse(
        parser: *const NativeOutputParser,
        text: *const c_char,
        text_len: usize,
        is_partial: bool,
        error: *mut *mut c_char,
    ) -> *mut c_char;
}

/// A string that the seam allocated.
pub(super) struct NativeString(*mut c_char);

impl NativeString {
    /// Takes ownership of `text`, which may be NULL.
    ///
    /// # Safety
    ///
    /// `text` is NULL or comes from a seam function that hands over ownership.
    pub(super) unsafe fn new(text: *mut c_char) -> Option<Self> {
        (!text.is_null()).then_some(NativeString(text))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        // SAFETY: the constructor's caller vouches for a NUL-terminated string
        // that we own.
        unsafe { CStr::from_ptr(self.0) }.to_bytes()
    }
}

impl Drop for NativeString {
    fn drop(&mut self) {
        // SAFETY: we own the string, and this runs once.
        unsafe { zerohop_native_string_free(self.0) }
    }
}

/// Runs a seam call with a place for its error message.
///
/// # Safety
///
/// `call` must pass the pointer it is given as the seam function's `error`, or
/// leave it alone.
pub(super) unsafe fn with_error<T>(call: impl FnOnce(*mut *mut c_char) -> T) -> (T, Option<String>) {
    let mut error = ptr::null_mut();
    let value = call(&raw mut error);
    // SAFETY: the seam either left `error` NULL or stored an owned string.
    let message = unsafe { NativeString::new(error) };
    (value, message.map(|text| String::from_utf8_lossy(text.as_bytes()).into_owned()))
}
