//! What the models of an engine are.

use std::ptr;
use std::sync::{Arc, Mutex, PoisonError};

use zerohop::{Adapter, Engine, ModelInfo, Placement};

use crate::engine::zerohop_engine;
use crate::error::{Failure, ZEROHOP_OK, zerohop_error, zerohop_status};
use crate::growing;
use crate::guard::{guard, guard_or};
use crate::handle;
use crate::options::zerohop_adapter;
use crate::text::{Owned, required, zerohop_str};

/// What a model is. `zerohop_engine_model_info` fills it.
///
/// Its texts belong to the engine and are valid until that is freed, also after
/// `zerohop_engine_close` and when the model was unloaded; a NUL follows each.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct zerohop_model_info {
    /// The size of this struct as the caller knows it.
    pub struct_size: usize,
    /// The name that requests use in `"model"`.
    pub id: zerohop_str,
    /// The GGUF file.
    pub path: zerohop_str,
    /// The architecture, such as `llama` or `qwen2`.
    pub architecture: zerohop_str,
    /// The name the file gives itself; `{NULL, 0}` if it gives none.
    pub name: zerohop_str,
    /// The quantisation, such as `Q4_K_M`; `{NULL, 0}` where the file does not say.
    pub quantization: zerohop_str,
    /// More names that requests may use.
    pub aliases: *const zerohop_str,
    /// The number of `aliases`.
    pub alias_count: usize,
    /// The file's size in bytes.
    pub file_size: u64,
    /// The number of parameters.
    pub parameters: u64,
    /// When the file, or that of an adapter, was last changed, in seconds since 1970.
    pub created: u64,
    /// The number of tokens of the vocabulary.
    pub vocabulary_size: u64,
    /// The context length the model was trained with, in tokens.
    pub trained_context_length: u32,
    /// The context length in use, in tokens.
    pub context_length: u32,
    /// Whether the model can chat: the file or the options give a template.
    pub has_chat_template: bool,
    /// Whether it is in memory, which a model that is loaded lazily is not always.
    pub loaded: bool,
    /// The LoRA adapters that are applied.
    pub adapters: *const zerohop_adapter,
    /// The number of `adapters`.
    pub adapter_count: usize,
    /// The file of the draft model; NULL if there is none.
    pub draft_model: zerohop_str,
    /// What of the model and its KV cache lies where, the CPU first; none for a model that is not in
    /// memory, and for speech models. Draft models and projectors are not counted.
    pub placements: *const zerohop_placement,
    /// The number of `placements`.
    pub placement_count: usize,
    /// What makes an answer depend on what else is computed with it, where near ties may fall one way or
    /// the other. `{NULL, 0}` where a request is answered alike alone, in a crowd, and with what was kept
    /// of others. Known of models in memory.
    pub batch_variance: zerohop_str,
}

/// What a device has of a model in memory.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct zerohop_placement {
    /// The device's name; `CPU` for the host.
    pub device: zerohop_str,
    /// The layers that it computes. What is behind the last layer counts as one.
    pub layers: u32,
    /// Bytes of weights. On the CPU, of a mapped file too.
    pub weights: u64,
    /// Bytes of the KV cache.
    pub kv_cache: u64,
    /// Bytes that computing takes.
    pub compute: u64,
}

/// A model's texts, kept for the C caller, and its numbers.
#[derive(Debug)]
pub(crate) struct Model {
    info: ModelInfo,
    id: Owned,
    path: Owned,
    architecture: Owned,
    name: Option<Owned>,
    quantization: Option<Owned>,
    draft: Option<Owned>,
    variance: Option<Owned>,
    /// What the arrays point to.
    _texts: Vec<Owned>,
    aliases: Shared<zerohop_str>,
    adapters: Shared<zerohop_adapter>,
    placements: Shared<zerohop_placement>,
}

/// An array for C that points to texts of the same object's.
#[derive(Debug)]
struct Shared<T>(Box<[T]>);

// SAFETY: the texts it points to belong to the same `Model` and never change.
unsafe impl<T> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// NULL for an empty array.
    fn as_ptr(&self) -> *const T {
        if self.0.is_empty() { ptr::null() } else { self.0.as_ptr() }
    }
}

impl Model {
    pub(crate) fn new(info: &ModelInfo) -> Self {
        let aliases: Vec<Owned> = info.aliases.iter().map(|alias| Owned::text(alias)).collect();
        let paths: Vec<Owned> =
            info.adapters.iter().map(|adapter| Owned::text(&adapter.path.to_string_lossy())).collect();
        let adapter = |(path, adapter): (&Owned, &Adapter)| {
            let path = zerohop_str::of(path);
            zerohop_adapter { path, scale: adapter.scale }
        };
        let devices: Vec<Owned> = info.placement.iter().map(|placement| Owned::text(&placement.device)).collect();
        let placement = |(device, placement): (&Owned, &Placement)| zerohop_placement {
            device: zerohop_str::of(device),
            layers: placement.layers,
            weights: placement.weights,
            kv_cache: placement.kv_cache,
            compute: placement.compute,
        };
        Model {
            id: Owned::text(&info.id),
            path: Owned::text(&info.path.to_string_lossy()),
            architecture: Owned::text(&info.architecture),
            name: info.name.as_deref().map(Owned::text),
            quantization: info.quantization.as_deref().map(Owned::text),
            draft: info.draft_model.as_ref().map(|path| Owned::text(&path.to_string_lossy())),
            variance: info.batch_variance.as_deref().map(Owned::text),
            aliases: Shared(aliases.iter().map(zerohop_str::of).collect()),
            adapters: Shared(paths.iter().zip(&info.adapters).map(adapter).collect()),
            placements: Shared(devices.iter().zip(&info.placement).map(placement).collect()),
            _texts: aliases.into_iter().chain(paths).chain(devices).collect(),
            info: info.clone(),
        }
    }

    fn describe(&self) -> zerohop_model_info {
        let optional = |text: &Option<Owned>| text.as_ref().map_or(zerohop_str::NONE, zerohop_str::of);
        zerohop_model_info {
            struct_size: size_of::<zerohop_model_info>(),
            id: zerohop_str::of(&self.id),
            path: zerohop_str::of(&self.path),
            architecture: zerohop_str::of(&self.architecture),
            name: optional(&self.name),
            quantization: optional(&self.quantization),
            aliases: self.aliases.as_ptr(),
            alias_count: self.aliases.0.len(),
            file_size: self.info.file_size,
            parameters: self.info.parameters,
            created: self.info.created,
            vocabulary_size: self.info.vocabulary_size as u64,
            trained_context_length: self.info.trained_context_length,
            context_length: self.info.context_length,
            has_chat_template: self.info.has_chat_template,
            loaded: self.info.loaded,
            adapters: self.adapters.as_ptr(),
            adapter_count: self.adapters.0.len(),
            draft_model: optional(&self.draft),
            placements: self.placements.as_ptr(),
            placement_count: self.placements.0.len(),
            batch_variance: optional(&self.variance),
        }
    }
}

/// The models that an engine has had: descriptions stay as long as the engine, since
/// callers have their texts.
#[derive(Debug, Default)]
pub(crate) struct Models(Mutex<Vec<Arc<Model>>>);

impl Models {
    /// The descriptions of an engine's models, in order.
    fn current(&self, engine: &Engine) -> Vec<Arc<Model>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut keep = |info: &ModelInfo| {
            if let Some(same) = kept.iter().find(|model| model.info == *info) {
                return same.clone();
            }
            let model = Arc::new(Model::new(info));
            kept.push(model.clone());
            model
        };
        engine.model_info().iter().map(&mut keep).collect()
    }
}

/// The number of models, in the order of the options, those of `zerohop_engine_load` last;
/// 0 for NULL.
///
/// Any thread, also while others use the engine, and after it was closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_engine_model_count(engine: *const zerohop_engine) -> usize {
    // SAFETY: the C caller passes NULL or an engine that it has not freed.
    let engine = unsafe { handle::borrow(engine) };
    guard_or(0, || engine.map_or(0, |engine| engine.models().current(engine.core()).len()))
}

/// Describes a model by its index, which changes when models before it are unloaded. `*out` is filled as far as `struct_size`, which
/// is `sizeof(zerohop_model_info)`.
///
/// Any thread, also while others use the engine, and after it was closed. The texts
/// are valid until the engine is freed.
///
/// Fails with `ZEROHOP_INVALID_ARGUMENT`: a NULL, no such index, no size of a
/// struct.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_engine_model_info(
    engine: *const zerohop_engine,
    index: usize,
    out: *mut zerohop_model_info,
    struct_size: usize,
    out_err: *mut *mut zerohop_error,
) -> zerohop_status {
    // SAFETY: the C caller passes NULLs, an engine that nobody frees during the
    // call, and a place that is writable in it.
    let (engine, out_err) = unsafe { (handle::borrow(engine), crate::text::Out::new(out_err)) };
    guard(out_err, || {
        let engine = required(engine, "engine")?;
        let models = engine.models().current(engine.core());
        let model = models.get(index).ok_or_else(|| {
            Failure::argument("index", &format!("is {index}; the number of models is {}", models.len()))
        })?;
        // SAFETY: the C caller passes NULL or `struct_size` writable bytes.
        unsafe { growing::fill(out, struct_size, &model.describe()) }?;
        Ok(ZEROHOP_OK)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_engine_has_no_models() {
        // SAFETY: NULL is allowed.
        unsafe {
            assert_eq!(zerohop_engine_model_count(ptr::null()), 0);
            let status = zerohop_engine_model_info(ptr::null(), 0, ptr::null_mut(), 0, ptr::null_mut());
            assert_eq!(status, crate::error::ZEROHOP_INVALID_ARGUMENT);
        }
    }
}
