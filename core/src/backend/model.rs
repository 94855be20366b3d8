//! Loading a model file.

use std::ffi::{CStr, c_void};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::ptr::{self, NonNull};

use llama_cpp_2::model::LlamaModel;
use llama_cpp_sys_2 as sys;
use parking_lot::{Mutex, MutexGuard};

use super::kernels::Offer;
use super::{Backend, Layout, Vocab, context, logs, native, placement};
use crate::api::error::{Error, ErrorKind, Result};

/// What [`Model::load`] needs to know beside the path.
pub(crate) struct LoadOptions {
    /// What goes where.
    pub(crate) layout: Layout,
    /// Whether to map the file instead of reading it.
    pub(crate) mmap: bool,
    /// Whether to repack weights for our kernels.
    pub(crate) repack: bool,
    /// Called with the loaded fraction, 0 to 1; `false` stops the loading.
    pub(crate) progress: Option<Box<dyn FnMut(f32) -> bool>>,
}

/// A loaded model: weights and vocabulary.
#[derive(Debug)]
pub(crate) struct Model {
    // Fields drop in this order: the vocabulary points into the model, and the
    // model needs the process-wide state.
    vocab: Vocab,
    inner: LlamaModel,
    /// Held while llama.cpp's set of the model's adapters changes or is read.
    adapters: Mutex<()>,
    /// What was to go where; llama.cpp keeps pointers to it.
    layout: Layout,
    _backend: Backend,
}

impl Model {
    /// Loads the weights of a GGUF file.
    ///
    /// The caller has checked the file with our own reader, since llama.cpp ends
    /// the process on some malformed files.
    pub(crate) fn load(path: &Path, options: LoadOptions) -> Result<Self> {
        let backend = Backend::acquire()?;
        let name = placement::c_path(path).map_err(|message| Error::new(ErrorKind::ModelFile, message))?;
        let _offer = options.repack.then(Offer::new);
        let LoadOptions { layout, mmap, progress, .. } = options;
        let mut progress = Progress { report: progress, is_stopped: false };
        let ((raw, error), errors) = logs::collect_errors(|| {
            layout.with_params(mmap, |mut params| {
                if progress.report.is_some() {
                    params.progress_callback = Some(report_progress);
                    params.progress_callback_user_data = ptr::from_mut(&mut progress).cast();
                }
                // SAFETY: the path ends with NUL, and what the parameters point to is live.
                unsafe { native::with_error(|error| native::zerohop_native_model_new(name.as_ptr(), params, error)) }
            })
        });
        let Some(raw) = NonNull::new(raw) else {
            return Err(if progress.is_stopped {
                Error::loading_stopped(path)
            } else {
                load_failed(path, errors, error)
            });
        };
        // SAFETY: `LlamaModel` is nothing but such a pointer (see `raw_model`), and owns it from here on.
        let inner = unsafe { mem::transmute::<NonNull<sys::llama_model>, LlamaModel>(raw) };
        // SAFETY: the model is loaded, and `Model` keeps it beside its vocabulary.
        let vocab = unsafe { Vocab::new(sys::llama_model_get_vocab(raw_model(&inner))) };
        Ok(Model { vocab, inner, adapters: Mutex::new(()), layout, _backend: backend })
    }

    pub(crate) fn vocab(&self) -> &Vocab {
        &self.vocab
    }

    /// What was to go where.
    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The context length the model was trained with.
    pub(crate) fn trained_context(&self) -> u32 {
        self.inner.n_ctx_train()
    }

    /// A chat template of the file: the default one for `None`.
    pub(crate) fn chat_template(&self) -> Option<String> {
        // SAFETY: the model is live; a NULL name asks for the default template,
        // and the answer is NULL or a string owned by the model.
        unsafe {
            let text = sys::llama_model_chat_template(self.raw(), std::ptr::null());
            (!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy().into_owned())
        }
    }

    /// The file's template for a query and a document, with `{query}` and `{document}` in their places.
    pub(crate) fn rerank_template(&self) -> Option<String> {
        // SAFETY: the model is live and the name is NUL-terminated; the answer is NULL or a string owned
        // by the model.
        unsafe {
            let text = sys::llama_model_chat_template(self.raw(), c"rerank".as_ptr());
            (!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy().into_owned())
        }
    }

    /// How many numbers the classifier of a model that ranks texts puts out.
    pub(super) fn classifier_outputs(&self) -> usize {
        // SAFETY: the model is live.
        unsafe { sys::llama_model_n_cls_out(self.raw()) as usize }
    }

    /// Whether the model is a decoder alone, without an encoder before it.
    pub(crate) fn is_decoder(&self) -> bool {
        // SAFETY: the model is live.
        unsafe { sys::llama_model_has_decoder(self.raw()) && !sys::llama_model_has_encoder(self.raw()) }
    }

    /// How many numbers the vector of a text has.
    pub(crate) fn embedding_length(&self) -> usize {
        // SAFETY: the model is live.
        usize::try_from(unsafe { sys::llama_model_n_embd_out(self.raw()) }).unwrap_or(0)
    }

    /// Whether a sequence's newest tokens can be taken back from the cache: not
    /// from a recurrent state, and not where a sliding window may have dropped
    /// the old tokens that would be needed again.
    pub(crate) fn can_rewind(&self) -> bool {
        self.keeps_cells() && self.window().is_none()
    }

    /// Whether the cache has a cell for each token, and no state that has taken all of them in.
    pub(crate) fn keeps_cells(&self) -> bool {
        // SAFETY: the model is live.
        unsafe { !sys::llama_model_is_recurrent(self.raw()) && !sys::llama_model_is_hybrid(self.raw()) }
    }

    /// How many tokens back some layers see, if not all.
    pub(crate) fn window(&self) -> Option<usize> {
        // SAFETY: the model is live.
        usize::try_from(unsafe { sys::llama_model_n_swa(self.raw()) }).ok().filter(|window| *window > 0)
    }

    /// Keeps the model's adapters as they are: llama.cpp counts them when a context is made or first
    /// used, whosever they are, and does not lock them.
    pub(super) fn lock_adapters(&self) -> MutexGuard<'_, ()> {
        self.adapters.lock()
    }

    pub(super) fn raw(&self) -> *mut sys::llama_model {
        raw_model(&self.inner)
    }
}

/// The model's pointer, which llama-cpp-2 does not hand out.
fn raw_model(model: &LlamaModel) -> *mut sys::llama_model {
    const {
        assert!(size_of::<LlamaModel>() == size_of::<*mut sys::llama_model>());
    }
    // SAFETY: `LlamaModel` is `repr(transparent)` over a non-null pointer to
    // `llama_model`; the pinned version was read, and the assertion above would
    // notice most changes.
    unsafe { *std::ptr::from_ref(model).cast::<*mut sys::llama_model>() }
}

/// Whoever is told how far the loading is.
struct Progress {
    report: Option<Box<dyn FnMut(f32) -> bool>>,
    /// Whether it ended the loading, which llama.cpp reports like any other failure.
    is_stopped: bool,
}

unsafe extern "C" fn report_progress(fraction: f32, progress: *mut c_void) -> bool {
    // SAFETY: it is the `Progress` of the loading that calls, which nobody else uses meanwhile.
    let progress = unsafe { &mut *progress.cast::<Progress>() };
    let Some(report) = &mut progress.report else { return true };
    let goes_on = catch_unwind(AssertUnwindSafe(|| report(fraction))).unwrap_or(false);
    progress.is_stopped = !goes_on;
    goes_on
}

/// The error for a model that was not loaded, from all that llama.cpp said: whether memory was short is known from its
/// words alone.
fn load_failed(path: &Path, said: Vec<String>, error: Option<String>) -> Error {
    let reasons: Vec<_> = said.into_iter().chain(error).collect();
    let reason = reasons.first().map_or("llama.cpp gave no reason", String::as_str);
    let kind = if context::is_out_of_memory(&reasons) { ErrorKind::Unavailable } else { ErrorKind::InvalidModel };
    Error::new(kind, format!("{}: llama.cpp could not load this model: {reason}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tiny model without layers, which llama.cpp asserts that there are. The
    /// gate would not let it through.
    fn without_layers() -> std::path::PathBuf {
        let models = std::env::var_os("ZEROHOP_TEST_MODELS").map(std::path::PathBuf::from);
        let models = models.or_else(|| Some(std::env::home_dir()?.join(".cache/zerohop/models"))).unwrap();
        let mut bytes = std::fs::read(models.join("tiny/tiny-llama.gguf")).expect("run `make models`");
        let key = b"llama.block_count";
        let at = bytes.windows(key.len()).position(|window| window == key).unwrap() + key.len() + 4;
        bytes[at..at + 4].fill(0);
        let path = std::env::temp_dir().join(format!("zerohop-without-layers-{}.gguf", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        path
    }

    #[test]
    fn a_failing_assertion_is_an_error() {
        let path = without_layers();
        for _ in 0..3 {
            let error =
                Model::load(&path, LoadOptions { layout: Layout::host(), mmap: true, repack: false, progress: None })
                    .unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidModel);
            assert!(error.message().contains("GGML_ASSERT(hparams.n_layer_all > 0"), "{error}");
        }
        std::fs::remove_file(path).unwrap();
    }
}
