//! Vectors of texts, into the caller's memory.

use std::ffi::c_char;
use std::ptr;

use zerohop::types::CreateEmbeddingRequest;

use crate::engine::zerohop_engine;
use crate::error::{Failure, ZEROHOP_OK, zerohop_error, zerohop_status};
use crate::growing::{self, Growing};
use crate::guard::guard;
use crate::handle;
use crate::text::{Out, array, array_mut, required, zerohop_str};

/// Texts to turn into vectors. Fill it with `zerohop_embedding_request_init`, then
/// set `model`, `texts` and `text_count`.
///
/// Only read, and only during the call it is passed to.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct zerohop_embedding_request {
    /// The size of this struct as the caller knows it; set by the init function.
    pub struct_size: usize,
    /// The name of the model. Required.
    pub model: zerohop_str,
    /// The texts, none of them empty. Required.
    pub texts: *const zerohop_str,
    /// The number of `texts`, 1 to 2048.
    pub text_count: usize,
    /// Keeps this many numbers of each vector, which is then scaled to length 1
    /// again. 0: all.
    pub dimensions: u32,
}

// SAFETY: `repr(C)`, size first; integers and pointers.
unsafe impl Growing for zerohop_embedding_request {
    const DEFAULT: Self = zerohop_embedding_request {
        struct_size: size_of::<Self>(),
        model: zerohop_str::NONE,
        texts: ptr::null(),
        text_count: 0,
        dimensions: 0,
    };
    const FIRST_SIZE: usize = size_of::<Self>();
}

/// Fills a request with its defaults. `struct_size` is
/// `sizeof(zerohop_embedding_request)`. Does nothing for NULL.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_embedding_request_init(request: *mut zerohop_embedding_request, struct_size: usize) {
    // SAFETY: the C caller passes NULL or `struct_size` writable bytes.
    unsafe { growing::init(request, struct_size) };
}

/// The number of numbers in a model's vectors, for the memory that
/// `zerohop_embeddings` needs.
///
/// Any thread, also while others use the engine.
///
/// Fails with `ZEROHOP_INVALID_ARGUMENT` (a NULL), `ZEROHOP_NOT_FOUND` (no such
/// model), `ZEROHOP_INVALID_REQUEST` (the model generates text) or `ZEROHOP_CLOSED`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_embedding_dimensions(
    engine: *const zerohop_engine,
    model: *const c_char,
    model_len: usize,
    out: *mut usize,
    out_err: *mut *mut zerohop_error,
) -> zerohop_status {
    // SAFETY: the C caller passes NULLs, an engine that nobody frees during the
    // call, and places that are writable in it.
    let (engine, out, out_err) = unsafe { (handle::borrow(engine), Out::new(out), Out::new(out_err)) };
    guard(out_err, || {
        let engine = required(engine, "engine")?;
        let out = required(out, "out")?;
        // SAFETY: the C caller passes NULL or `model_len` bytes that stay as they are.
        let model = unsafe { zerohop_str { data: model, len: model_len }.text("model") }?;
        out.write(engine.core().embeddings().dimensions(model)?);
        Ok(ZEROHOP_OK)
    })
}

/// Turns texts into vectors of length 1 and writes them into the caller's memory:
/// that of text `i` begins at `out[i * dimensions]`, where `dimensions` is the
/// request's, or else what `zerohop_embedding_dimensions` says. Texts that mean
/// similar things have similar vectors: their dot product is near 1. Blocks until all
/// are there.
///
/// `out` has room for `capacity` floats; what is beyond the vectors stays as it is.
/// After a failure, what the vectors' place holds is unspecified. No text is cut off:
/// one that is longer than the model takes is an error.
///
/// Any thread, also while others use the engine: the texts of all callers are
/// computed together. `out` must be nobody else's during the call.
/// `zerohop_engine_close` ends it.
///
/// Fails with `ZEROHOP_INVALID_ARGUMENT` (a NULL, `out` is too small),
/// `ZEROHOP_NOT_FOUND` (no such model), `ZEROHOP_INVALID_REQUEST` (the error's param
/// names the text as `input[3]`, or `model` or `dimensions`), `ZEROHOP_RATE_LIMIT`
/// (the queue is full) or `ZEROHOP_CLOSED`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_embeddings(
    engine: *const zerohop_engine,
    request: *const zerohop_embedding_request,
    out: *mut f32,
    capacity: usize,
    out_err: *mut *mut zerohop_error,
) -> zerohop_status {
    // SAFETY: the C caller passes NULLs, an engine that nobody frees during the
    // call, and a place that is writable in it.
    let (engine, out_err) = unsafe { (handle::borrow(engine), Out::new(out_err)) };
    guard(out_err, || {
        let engine = required(engine, "engine")?;
        // SAFETY: the C caller passes NULL or a request as the header describes it,
        // which stays as it is during the call.
        let request = unsafe { growing::read(request, "request")?.to_request() }?;
        // SAFETY: the C caller passes NULL or `capacity` floats that are nobody
        // else's during the call.
        let out = unsafe { array_mut(out, capacity, "out") }?;
        engine.core().embeddings().create_into(&request, out)?;
        Ok(ZEROHOP_OK)
    })
}

impl zerohop_embedding_request {
    /// # Safety
    ///
    /// What the struct points to is as the header says, and stays so during the call.
    unsafe fn to_request(self) -> Result<CreateEmbeddingRequest, Failure> {
        // SAFETY: the caller's promise.
        let (model, texts) = unsafe { (self.model.text("model")?, array(self.texts, self.text_count, "texts")?) };
        let text = |(index, text): (usize, &zerohop_str)| {
            // SAFETY: the caller's promise.
            unsafe { text.text(&format!("texts[{index}]")) }.map(str::to_owned)
        };
        let texts: Vec<String> = texts.iter().enumerate().map(text).collect::<Result<_, _>>()?;
        let request = CreateEmbeddingRequest::new(model, texts);
        Ok(if self.dimensions == 0 { request } else { request.dimensions(self.dimensions) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to_request(change: impl FnOnce(&mut zerohop_embedding_request)) -> Result<CreateEmbeddingRequest, Failure> {
        const TEXTS: [zerohop_str; 2] = [zerohop_str::literal("a cat"), zerohop_str::literal("a dog")];
        let mut request = zerohop_embedding_request {
            model: zerohop_str::literal("m"),
            texts: TEXTS.as_ptr(),
            text_count: TEXTS.len(),
            ..zerohop_embedding_request::DEFAULT
        };
        change(&mut request);
        // SAFETY: the tests use literals only.
        unsafe { request.to_request() }
    }

    #[test]
    fn texts_and_dimensions_pass_through() {
        let expected = CreateEmbeddingRequest::new("m", ["a cat", "a dog"]);
        assert_eq!(to_request(|_| ()).unwrap(), expected);
        assert_eq!(to_request(|request| request.dimensions = 3).unwrap(), expected.dimensions(3));
    }

    #[test]
    fn a_bad_text_is_named() {
        const BAD: [zerohop_str; 2] = [zerohop_str::literal("a"), zerohop_str { data: c"\xff".as_ptr(), len: 1 }];
        let failure = to_request(|request| request.texts = BAD.as_ptr()).unwrap_err();
        assert_eq!(failure.param.as_deref(), Some(c"texts[1]"));
        let failure = to_request(|request| request.texts = ptr::null()).unwrap_err();
        assert_eq!(failure.param.as_deref(), Some(c"texts"));
    }
}
