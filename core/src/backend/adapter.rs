//! LoRA adapters: small matrices that change what a model's weights compute.

use std::ffi::CString;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::Arc;

use llama_cpp_sys_2 as sys;

use super::{Model, logs, native};
use crate::api::error::{Error, ErrorKind, Result};

/// An adapter in memory, and how strongly it is applied.
#[derive(Debug)]
pub(crate) struct Adapter {
    raw: NonNull<sys::llama_adapter_lora>,
    scale: f32,
    model: Arc<Model>,
}

// SAFETY: contexts only read an adapter, and nobody changes it before it is dropped.
unsafe impl Send for Adapter {}
// SAFETY: as above.
unsafe impl Sync for Adapter {}

impl Adapter {
    /// Loads an adapter that the caller has checked with our own reader.
    pub(crate) fn load(model: &Arc<Model>, path: &Path, scale: f32) -> Result<Self> {
        let refused = |reason: String| {
            let message = format!("{}: llama.cpp could not load this adapter: {reason}", path.display());
            Error::new(ErrorKind::InvalidModel, message)
        };
        let name = CString::new(path.as_os_str().as_encoded_bytes()).map_err(|error| refused(error.to_string()))?;
        let _alone = model.lock_adapters();
        // SAFETY: the model is live and kept by the new value; its set of adapters is ours alone.
        let ((raw, error), logged) = logs::collect_errors(|| unsafe {
            native::with_error(|error| native::zerohop_native_adapter_new(model.raw(), name.as_ptr(), error))
        });
        match NonNull::new(raw) {
            Some(raw) => Ok(Adapter { raw, scale, model: model.clone() }),
            None => Err(refused(error.or_else(|| logged.into_iter().next()).unwrap_or_default())),
        }
    }

    /// Has a context compute with adapters of its model from now on.
    ///
    /// # Safety
    ///
    /// The context is live, used by this thread alone, and goes before the adapters.
    pub(super) unsafe fn set(context: NonNull<sys::llama_context>, adapters: &[Arc<Adapter>]) -> Result<()> {
        let mut pointers: Vec<_> = adapters.iter().map(|adapter| adapter.raw.as_ptr()).collect();
        let mut scales: Vec<_> = adapters.iter().map(|adapter| adapter.scale).collect();
        let count = adapters.len();
        // SAFETY: the caller's promise; the arrays are as long as is said.
        let (is_set, error) = unsafe {
            native::with_error(|error| {
                let (pointers, scales) = (pointers.as_mut_ptr(), scales.as_mut_ptr());
                native::zerohop_native_context_set_adapters(context.as_ptr(), pointers, scales, count, error)
            })
        };
        let refused = || Error::internal(format!("the adapters cannot be set: {}", error.unwrap_or_default()));
        is_set.then_some(()).ok_or_else(refused)
    }
}

impl Drop for Adapter {
    fn drop(&mut self) {
        let _alone = self.model.lock_adapters();
        // SAFETY: we own the adapter, contexts that use it keep it, and this runs once, before the
        // model goes.
        unsafe { native::zerohop_native_adapter_free(self.raw.as_ptr()) };
    }
}
