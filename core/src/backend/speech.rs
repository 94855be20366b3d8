//! whisper.cpp, as `core/native/speech.h` declares it: models that write down speech.

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::Arc;
use std::time::Instant;

use llama_cpp_sys_2 as sys;

use super::{Abort, Backend, Token, logs, native};
use crate::api::error::{Error, ErrorKind, Result};

#[repr(C)]
struct NativeModel {
    _private: [u8; 0],
}

#[repr(C)]
struct NativeState {
    _private: [u8; 0],
}

#[repr(C)]
struct NativeOptions {
    language: *const c_char,
    translate: bool,
    words: bool,
    temperature: f32,
    temperature_step: f32,
    prompt: *const i32,
    prompt_length: i32,
    threads: i32,
    abort: unsafe extern "C" fn(*mut c_void) -> bool,
    abort_data: *mut c_void,
}

#[repr(C)]
struct NativeToken {
    id: i32,
    logprob: f32,
    end: i64,
}

#[repr(C)]
struct NativeSegment {
    start: i64,
    end: i64,
    no_speech: f32,
    token_count: usize,
}

#[repr(C)]
struct NativeWindow {
    segments: *const NativeSegment,
    segment_count: usize,
    tokens: *const NativeToken,
    token_count: usize,
    temperature: f32,
    avg_logprob: f32,
    advance: i64,
    language: i32,
}

type Log = unsafe extern "C" fn(sys::ggml_log_level, *const c_char, *mut c_void);

unsafe extern "C" {
    fn zerohop_speech_model_new(
        bytes: *const c_void,
        size: usize,
        use_gpu: bool,
        error: *mut *mut c_char,
    ) -> *mut NativeModel;
    fn zerohop_speech_model_free(model: *mut NativeModel);
    fn zerohop_speech_state_new(model: *mut NativeModel, error: *mut *mut c_char) -> *mut NativeState;
    fn zerohop_speech_state_free(state: *mut NativeState);
    fn zerohop_speech_is_multilingual(model: *const NativeModel) -> bool;
    fn zerohop_speech_language(model: *const NativeModel, number: i32, full: bool) -> *const c_char;
    fn zerohop_speech_token_text(model: *const NativeModel, token: i32, length: *mut usize) -> *const c_char;
    fn zerohop_speech_tokenize(
        model: *const NativeModel,
        text: *const c_char,
        tokens: *mut i32,
        capacity: i32,
        error: *mut *mut c_char,
    ) -> i32;
    fn zerohop_speech_compute(
        model: *mut NativeModel,
        state: *mut NativeState,
        samples: *const f32,
        count: i32,
        options: *const NativeOptions,
        error: *mut *mut c_char,
    ) -> *mut NativeWindow;
    fn zerohop_speech_window_free(window: *mut NativeWindow);
    pub(super) fn zerohop_speech_on_log(log: Log);
}

/// A model that writes down speech.
#[derive(Debug)]
pub(crate) struct SpeechModel {
    inner: NonNull<NativeModel>,
    _backend: Backend,
}

// SAFETY: once its states are made, nothing writes to a model; whisper.cpp shares one between threads, each
// with a state of its own.
unsafe impl Send for SpeechModel {}
// SAFETY: as above.
unsafe impl Sync for SpeechModel {}

/// What one thread computes with.
#[derive(Debug)]
pub(crate) struct SpeechState {
    inner: NonNull<NativeState>,
    model: Arc<SpeechModel>,
}

// SAFETY: a state belongs to no thread; who has it uses it alone.
unsafe impl Send for SpeechState {}

/// How to compute a window.
#[derive(Debug, Clone, Default)]
pub(crate) struct WindowOptions {
    /// Of [`SpeechModel::language`]; found out for `None`.
    pub(crate) language: Option<&'static str>,
    /// Whether to write English, whatever the language.
    pub(crate) translate: bool,
    /// Whether tokens get times.
    pub(crate) words: bool,
    /// The temperature of the first pass.
    pub(crate) temperature: f32,
    /// How much warmer the next pass is after one that went wrong; 0 for no other.
    pub(crate) temperature_step: f32,
    /// What comes before.
    pub(crate) prompt: Vec<Token>,
    pub(crate) threads: u32,
}

/// What ends a window before its time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop {
    pub(crate) abort: Abort,
    pub(crate) deadline: Option<Instant>,
}

impl Stop {
    pub(crate) fn is_reached(&self) -> bool {
        if self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            self.abort.abort();
        }
        self.abort.is_aborted()
    }
}

/// What was said in a window. Times are in hundredths of a second from its beginning.
#[derive(Debug, Clone, Default)]
pub(crate) struct SpeechWindow {
    pub(crate) segments: Vec<SpeechSegment>,
    /// The temperature of the pass that was taken.
    pub(crate) temperature: f32,
    pub(crate) avg_logprob: f32,
    /// Where the next window begins.
    pub(crate) advance: i64,
    /// The language's number.
    pub(crate) language: i32,
}

/// A stretch of speech.
#[derive(Debug, Clone)]
pub(crate) struct SpeechSegment {
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// How likely the window has no speech.
    pub(crate) no_speech: f32,
    pub(crate) tokens: Vec<SpeechToken>,
}

/// A token of a segment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SpeechToken {
    pub(crate) id: Token,
    pub(crate) logprob: f32,
    /// When it ends, if that was computed.
    pub(crate) end: Option<i64>,
}

impl SpeechModel {
    /// Reads a model from a file's bytes, which have passed the gate.
    pub(crate) fn load(bytes: &[u8], use_gpu: bool) -> Result<Self> {
        let backend = Backend::acquire()?;
        let ((model, message), errors) = logs::collect_errors(|| {
            // SAFETY: the bytes live for the call, which only reads them.
            unsafe {
                native::with_error(|error| zerohop_speech_model_new(bytes.as_ptr().cast(), bytes.len(), use_gpu, error))
            }
        });
        let inner = NonNull::new(model).ok_or_else(|| {
            let reason = errors.first().cloned().or(message).unwrap_or_default();
            Error::new(ErrorKind::InvalidModel, format!("whisper.cpp could not load this model: {reason}"))
        })?;
        Ok(SpeechModel { inner, _backend: backend })
    }

    /// Whether the model knows other languages than English.
    pub(crate) fn is_multilingual(&self) -> bool {
        // SAFETY: the model is live.
        unsafe { zerohop_speech_is_multilingual(self.inner.as_ptr()) }
    }

    /// The code of a language, such as `en`, and its name, such as `english`.
    pub(crate) fn language(&self, number: i32) -> Option<(&'static str, &'static str)> {
        let text = |full| {
            // SAFETY: the model is live; the answer is NULL or a text of whisper.cpp's static table.
            let text = unsafe { zerohop_speech_language(self.inner.as_ptr(), number, full) };
            // SAFETY: as above.
            (!text.is_null()).then(|| unsafe { CStr::from_ptr::<'static>(text) }.to_str().ok()).flatten()
        };
        Some((text(false)?, text(true)?))
    }

    /// The bytes of a token's text; `None` for one that stands for no text.
    pub(crate) fn token_text(&self, token: Token) -> Option<&[u8]> {
        let mut length = 0;
        // SAFETY: the model is live, and so is the place for the length.
        let text = unsafe { zerohop_speech_token_text(self.inner.as_ptr(), token, &raw mut length) };
        // SAFETY: the text has so many bytes and lives as long as the model.
        (!text.is_null()).then(|| unsafe { slice::from_raw_parts(text.cast(), length) })
    }

    /// The tokens of a text. It must be short: whisper.cpp splits it with a regular expression, which takes
    /// the stack of long ones.
    pub(crate) fn tokenize(&self, text: &str) -> Result<Vec<Token>> {
        let Ok(c_text) = CString::new(text) else { return Err(Error::internal("the text has a NUL")) };
        let mut tokens: Vec<Token> = vec![0; text.len()];
        let capacity = i32::try_from(tokens.len()).map_err(|_| Error::internal("the text is too long"))?;
        // SAFETY: the model is live, the text ends with a NUL, and there is room for so many tokens.
        let (count, message) = unsafe {
            native::with_error(|error| {
                zerohop_speech_tokenize(self.inner.as_ptr(), c_text.as_ptr(), tokens.as_mut_ptr(), capacity, error)
            })
        };
        match usize::try_from(count) {
            Ok(count) if count <= tokens.len() => {
                tokens.truncate(count);
                Ok(tokens)
            }
            _ => Err(failure("tokenise", message)),
        }
    }
}

impl Drop for SpeechModel {
    fn drop(&mut self) {
        // SAFETY: the states, which hold the model, have gone.
        unsafe { zerohop_speech_model_free(self.inner.as_ptr()) }
    }
}

impl SpeechState {
    /// A state for each of `count` threads.
    pub(crate) fn of(model: &Arc<SpeechModel>, count: usize) -> Result<Vec<Self>> {
        let state = |_| {
            let ((state, message), errors) = logs::collect_errors(|| {
                // SAFETY: the model is live, and nobody computes with it yet.
                unsafe { native::with_error(|error| zerohop_speech_state_new(model.inner.as_ptr(), error)) }
            });
            let inner = NonNull::new(state).ok_or_else(|| {
                let reason = errors.first().cloned().or(message).unwrap_or_default();
                let message = format!("no memory for computing with the speech model: {reason}");
                Error::new(ErrorKind::Unavailable, message)
            })?;
            Ok(SpeechState { inner, model: model.clone() })
        };
        (0..count).map(state).collect()
    }

    /// Computes one window of at most 30 seconds of 16,000 samples; `None` when `stop` has ended it.
    pub(crate) fn compute(
        &mut self,
        samples: &[f32],
        options: &WindowOptions,
        stop: &Stop,
    ) -> Result<Option<SpeechWindow>> {
        let language = options.language.and_then(|language| CString::new(language).ok());
        let count = |length: usize| i32::try_from(length).map_err(|_| Error::internal("the window is too long"));
        let native = NativeOptions {
            language: language.as_ref().map_or(ptr::null(), |language| language.as_ptr()),
            translate: options.translate,
            words: options.words,
            temperature: options.temperature,
            temperature_step: options.temperature_step,
            prompt: options.prompt.as_ptr(),
            prompt_length: count(options.prompt.len())?,
            threads: i32::try_from(options.threads).unwrap_or(i32::MAX),
            abort: is_aborted,
            abort_data: ptr::from_ref(stop).cast_mut().cast(),
        };
        let count = count(samples.len())?;
        let (window, message) = logs::expecting(&stop.abort, || {
            // SAFETY: model, state, samples and options live for the call, and nobody else uses the state.
            unsafe {
                native::with_error(|error| {
                    zerohop_speech_compute(
                        self.model.inner.as_ptr(),
                        self.inner.as_ptr(),
                        samples.as_ptr(),
                        count,
                        &raw const native,
                        error,
                    )
                })
            }
        });
        if stop.is_reached() {
            if !window.is_null() {
                // SAFETY: we own it, and nothing points into it.
                unsafe { zerohop_speech_window_free(window) };
            }
            return Ok(None);
        }
        let Some(window) = NonNull::new(window) else { return Err(failure("compute a window", message)) };
        // SAFETY: it is ours, with as many segments and tokens as it says.
        let copied = unsafe { copy(window.as_ref()) };
        // SAFETY: as above, and the copy does not point into it.
        unsafe { zerohop_speech_window_free(window.as_ptr()) };
        Ok(Some(copied))
    }
}

impl Drop for SpeechState {
    fn drop(&mut self) {
        // SAFETY: it is ours, and its model is still there.
        unsafe { zerohop_speech_state_free(self.inner.as_ptr()) }
    }
}

/// # Safety
///
/// The lists are as long as the window says.
unsafe fn copy(window: &NativeWindow) -> SpeechWindow {
    // SAFETY: the caller vouches for the lists.
    let (segments, mut tokens) = unsafe {
        (
            slice::from_raw_parts(window.segments, window.segment_count),
            slice::from_raw_parts(window.tokens, window.token_count),
        )
    };
    let segments = segments.iter().map(|segment| {
        let (own, others) = tokens.split_at(segment.token_count.min(tokens.len()));
        tokens = others;
        let token = |token: &NativeToken| SpeechToken {
            id: token.id,
            logprob: token.logprob,
            end: (token.end >= 0).then_some(token.end),
        };
        SpeechSegment {
            start: segment.start,
            end: segment.end,
            no_speech: segment.no_speech,
            tokens: own.iter().map(token).collect(),
        }
    });
    SpeechWindow {
        segments: segments.collect(),
        temperature: window.temperature,
        avg_logprob: window.avg_logprob,
        advance: window.advance,
        language: window.language,
    }
}

fn failure(what: &str, message: Option<String>) -> Error {
    Error::internal(format!("whisper.cpp could not {what}: {}", message.unwrap_or_default()))
}

unsafe extern "C" fn is_aborted(stop: *mut c_void) -> bool {
    // SAFETY: it is the `Stop` that `compute` has, which waits for the call.
    unsafe { &*stop.cast::<Stop>() }.is_reached()
}
