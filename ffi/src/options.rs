//! The options of models and engines.

use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr;
use std::time::Duration;

use zerohop::{EngineBuilder, FlashAttention, GpuLayers, Isolation, KvType, ModelOptions, Repack};

use crate::error::Failure;
use crate::growing::{self, Growing, is_set, read_array};
use crate::media::{Fetch, zerohop_fetch_callback};
use crate::text::{array, zerohop_str};

/// The numeric type of a model's KV cache. A quantised one takes less memory and
/// answers a little differently.
pub type zerohop_kv_type = i32;

/// 16-bit floats (the default).
pub const ZEROHOP_KV_TYPE_F16: zerohop_kv_type = 0;
/// 32-bit floats.
pub const ZEROHOP_KV_TYPE_F32: zerohop_kv_type = 1;
/// 8-bit blocks, about half of F16.
pub const ZEROHOP_KV_TYPE_Q8_0: zerohop_kv_type = 2;
/// 4-bit blocks, about a quarter of F16.
pub const ZEROHOP_KV_TYPE_Q4_0: zerohop_kv_type = 3;

/// Where an engine computes.
pub type zerohop_isolation = i32;

/// In the host's process (the default).
pub const ZEROHOP_ISOLATION_NONE: zerohop_isolation = 0;
/// In a worker process. Native code that fails ends the worker alone: the requests that it
/// was working on get a reply with status 503, and the next request starts another worker,
/// which loads the models again. All functions work as without.
pub const ZEROHOP_ISOLATION_PROCESS: zerohop_isolation = 1;

/// Whether weights are copied into the layout that the CPU kernels work best with.
/// That makes answers come faster, takes a moment at load, and memory: the weights of
/// a mapped file otherwise stay in the system's file cache, shared by all processes.
pub type zerohop_repack = i32;

/// Where half as much memory again as the file is large is free, or the file is not
/// mapped anyway (the default).
pub const ZEROHOP_REPACK_AUTO: zerohop_repack = 0;
/// Always.
pub const ZEROHOP_REPACK_ON: zerohop_repack = 1;
/// Never: zerohop's kernels stay unused. llama.cpp still repacks the few types that it
/// has kernels of its own for.
pub const ZEROHOP_REPACK_OFF: zerohop_repack = 2;

/// In `gpu_layers`: as many layers as fit into the free memory of the GPUs; none where there is none.
pub const ZEROHOP_GPU_LAYERS_AUTO: i32 = -1;
/// In `gpu_layers`: all layers. Without a GPU, or without the memory for it, loading fails.
pub const ZEROHOP_GPU_LAYERS_ALL: i32 = -2;

/// In `cpu_moe_layers`: all layers.
pub const ZEROHOP_CPU_MOE_LAYERS_ALL: u32 = 0xffff_ffff;

/// Whether attention is computed in one operation.
pub type zerohop_flash_attention = i32;

/// Where it is good: on GPUs that can, with zerohop's kernels, and where the KV cache needs it (the default).
pub const ZEROHOP_FLASH_ATTENTION_AUTO: zerohop_flash_attention = 0;
/// Always.
pub const ZEROHOP_FLASH_ATTENTION_ON: zerohop_flash_attention = 1;
/// Never, which rules out quantised KV caches.
pub const ZEROHOP_FLASH_ATTENTION_OFF: zerohop_flash_attention = 2;

/// Told how far loading is, `fraction` going from 0 to 1; returns false to stop
/// it.
///
/// Called on the thread that called `zerohop_engine_new` or `zerohop_engine_load`,
/// before that returns. May
/// call the library. Must not throw, `longjmp` or end its thread.
pub type zerohop_progress_callback = Option<unsafe extern "C" fn(user_data: *mut c_void, fraction: f32) -> bool>;

/// A LoRA adapter, and how strongly it is applied.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct zerohop_adapter {
    /// The GGUF file, as UTF-8.
    pub path: zerohop_str,
    /// 1: as it was trained; 0: not at all.
    pub scale: f32,
}

/// What to load and how. Fill it with `zerohop_model_options_init`, then set `name`
/// and `path`, and what should differ from the defaults.
///
/// Only read, and only during `zerohop_engine_new` or `zerohop_engine_load`: it, its
/// texts and arrays may go afterwards.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct zerohop_model_options {
    /// The size of this struct as the caller knows it; set by the init function.
    pub struct_size: usize,
    /// The name that requests use in `"model"`. Required.
    pub name: zerohop_str,
    /// The GGUF file, as UTF-8. Required.
    pub path: zerohop_str,
    /// Tokens that all running requests share, and at most one request's prompt
    /// and answer together. 0: the model's own context, at most 8192.
    pub context_length: u32,
    /// Threads to compute with. 0: the processors available to this process.
    pub threads: u32,
    /// Layers to put on GPUs, counted from the end of the model; what is behind the last counts as one.
    /// `ZEROHOP_GPU_LAYERS_AUTO` (the default): as many as fit; `ZEROHOP_GPU_LAYERS_ALL`; 0: none.
    pub gpu_layers: i32,
    /// Requests computed together, 1 to 256. 0: 16. Others wait in the queue.
    pub parallel: u32,
    /// Requests that may wait; one more gets a reply with status 429. 0: 512.
    pub queue: u32,
    /// The numeric type of the KV cache.
    pub kv_type: zerohop_kv_type,
    /// Whether to map the file into memory instead of reading it. Default: true.
    // A C caller may leave any byte here, which a Rust `bool` must not hold.
    pub use_mmap: MaybeUninit<bool>,
    /// A Jinja chat template in place of the file's own. Not set: the file's.
    pub chat_template: zerohop_str,
    /// More names that requests may use.
    pub aliases: *const zerohop_str,
    /// The number of `aliases`.
    pub alias_count: usize,
    /// Passed to `progress`.
    pub progress_user_data: *mut c_void,
    /// Called while loading; NULL for nothing.
    pub progress: zerohop_progress_callback,
    /// Whether weights are repacked for the CPU kernels.
    pub repack: zerohop_repack,
    /// Whether the model is loaded when the first request for it comes, which waits, as do
    /// others for the same model. Its file is found and checked at once. When memory is
    /// needed for another model, it is unloaded while it has no requests, the model that was
    /// not used for longest first, and loaded again when it is asked for. Of its loading,
    /// `progress` hears a download only. Default: false.
    pub lazy: MaybeUninit<bool>,
    /// Whether what was computed stays in the KV cache for requests that begin alike: the next
    /// turn of a conversation, the same instructions before another question. Kept cells are
    /// given up when running requests need them; `cached_tokens` in a reply's usage says how much
    /// of a prompt was not computed again. Default: true.
    pub prefix_cache: MaybeUninit<bool>,
    /// Whether tokens that came before, in the prompt or the answer, are drafted where the newest
    /// ones come again, and checked together. No answer changes; it is left alone where it does
    /// not pay. Default: true.
    pub speculation: MaybeUninit<bool>,
    /// LoRA adapters to apply. Models that are loaded from the same file with the same
    /// `use_mmap`, `repack` and options about GPUs share its weights, so that adapted variants of
    /// a model, each under a name of its own, together take little more memory than one.
    pub adapters: *const zerohop_adapter,
    /// The number of `adapters`.
    pub adapter_count: usize,
    /// The projector with which the model sees or hears, a GGUF file, as UTF-8. Not set: the
    /// only `mmproj*.gguf` in the model's folder, if the model is the only one there too;
    /// without one, images and audio in messages get a reply with status 400.
    pub projector: zerohop_str,
    /// A folder whose images requests may name with `file:` URLs. Not set: none.
    pub media_folder: zerohop_str,
    /// Passed to `media_fetcher`; must stay for as long as that may be called.
    pub media_fetcher_user_data: *mut c_void,
    /// Fetches the images that requests name with http(s) URLs; NULL for none. Not with
    /// `ZEROHOP_ISOLATION_PROCESS`.
    pub media_fetcher: zerohop_fetch_callback,
    /// The most tokens that an image has, up to 8192, for projectors whose images have as many as
    /// their size says: larger ones are scaled down. 0: the projector's own.
    pub image_max_tokens: u32,
    /// A smaller model with the same vocabulary that drafts what this one will say, a GGUF file, as
    /// UTF-8: its drafts are checked together with the next token, and no answer changes. It pays
    /// where it is many times faster and often right, and is asked only while it does. Not set: none.
    pub draft_model: zerohop_str,
    /// A folder in which what the prefix cache keeps is saved when the model is unloaded or the engine
    /// closed, and from which it is read when the model is loaded the next time; made if it is not
    /// there. Not set: nothing is saved.
    pub prefix_cache_folder: zerohop_str,
    /// The GPUs to use, by the names that `zerohop_system_info` gives. None: all graphics cards, or else
    /// all graphics units that share the host's memory.
    pub devices: *const zerohop_str,
    /// The number of `devices`.
    pub device_count: usize,
    /// How much of what is offloaded each of these gets, in any unit. Only with explicit
    /// `gpu_layers`. None: by free memory.
    pub tensor_split: *const f32,
    /// The number of parts in `tensor_split`.
    pub tensor_split_count: usize,
    /// Bytes that `ZEROHOP_GPU_LAYERS_AUTO` leaves free on each device. 0: 1 GiB.
    pub gpu_margin: u64,
    /// Layers, counted from the first, whose experts stay on the CPU, or
    /// `ZEROHOP_CPU_MOE_LAYERS_ALL`. Only with explicit `gpu_layers`. Default: 0.
    pub cpu_moe_layers: u32,
    /// Whether attention is computed in one operation.
    pub flash_attention: zerohop_flash_attention,
}

/// What an engine should serve. Fill it with `zerohop_engine_options_init`, then
/// set `models` and `model_count`.
///
/// Only read, and only during `zerohop_engine_new`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct zerohop_engine_options {
    /// The size of this struct as the caller knows it; set by the init function.
    pub struct_size: usize,
    /// The models, at least one, with different names. All must have been filled
    /// by `zerohop_model_options_init` with the same size.
    pub models: *const zerohop_model_options,
    /// The number of `models`.
    pub model_count: usize,
    /// API keys. With any, each request has to show one in a header `authorization`,
    /// `Bearer KEY`, or gets a reply with status 401. Default: none, and whatever key a
    /// request shows is accepted.
    pub api_keys: *const zerohop_str,
    /// The number of `api_keys`.
    pub api_key_count: usize,
    /// Requests in a minute, for each API key, or in all if there are no keys; one more
    /// gets a reply with status 429 whose `retry-after` says when to come again. They
    /// come back evenly, and `x-ratelimit-` headers tell of them. 0: no limit.
    pub requests_per_minute: u32,
    /// Tokens in a minute, in the same way: a request takes its prompt's and as many as it
    /// asks for; what it did not use comes back when it ends. 0: no limit.
    pub tokens_per_minute: u32,
    /// How long a request may take, in milliseconds, from its arrival to its last token;
    /// then it ends with status 408, or an error event in a stream. The header
    /// `x-request-timeout` (seconds) shortens it for one request. 0: no limit.
    pub timeout_ms: u64,
    /// Where the models are computed with.
    pub isolation: zerohop_isolation,
    /// With `ZEROHOP_ISOLATION_PROCESS`, the program to start. Default (also for an
    /// empty text): `zerohop` beside the host's program, or else in the folders of `PATH`.
    pub worker: zerohop_str,
    /// The bytes that all models together may take, by estimate. Where the next model would go
    /// beyond, models that are loaded lazily and have no requests are unloaded, the one that
    /// was not used for longest first; if that is not enough, it is refused with status 503,
    /// `memory_budget_exceeded`. 0: no limit but the system's.
    pub memory_budget: u64,
}

// SAFETY: `repr(C)`, size first; integers, pointers, nullable function pointers
// and `MaybeUninit`s.
unsafe impl Growing for zerohop_model_options {
    const DEFAULT: Self = zerohop_model_options {
        struct_size: size_of::<Self>(),
        name: zerohop_str::NONE,
        path: zerohop_str::NONE,
        context_length: 0,
        threads: 0,
        gpu_layers: ZEROHOP_GPU_LAYERS_AUTO,
        parallel: 0,
        queue: 0,
        kv_type: ZEROHOP_KV_TYPE_F16,
        use_mmap: MaybeUninit::new(true),
        chat_template: zerohop_str::NONE,
        aliases: ptr::null(),
        alias_count: 0,
        progress_user_data: ptr::null_mut(),
        progress: None,
        repack: ZEROHOP_REPACK_AUTO,
        lazy: MaybeUninit::new(false),
        prefix_cache: MaybeUninit::new(true),
        speculation: MaybeUninit::new(true),
        adapters: ptr::null(),
        adapter_count: 0,
        projector: zerohop_str::NONE,
        media_folder: zerohop_str::NONE,
        media_fetcher_user_data: ptr::null_mut(),
        media_fetcher: None,
        image_max_tokens: 0,
        draft_model: zerohop_str::NONE,
        prefix_cache_folder: zerohop_str::NONE,
        devices: ptr::null(),
        device_count: 0,
        tensor_split: ptr::null(),
        tensor_split_count: 0,
        gpu_margin: 0,
        cpu_moe_layers: 0,
        flash_attention: ZEROHOP_FLASH_ATTENTION_AUTO,
    };
    const FIRST_SIZE: usize = size_of::<Self>();
}

// SAFETY: `repr(C)`, size first; integers and a pointer.
unsafe impl Growing for zerohop_engine_options {
    const DEFAULT: Self = zerohop_engine_options {
        struct_size: size_of::<Self>(),
        models: ptr::null(),
        model_count: 0,
        api_keys: ptr::null(),
        api_key_count: 0,
        requests_per_minute: 0,
        tokens_per_minute: 0,
        timeout_ms: 0,
        isolation: ZEROHOP_ISOLATION_NONE,
        worker: zerohop_str::NONE,
        memory_budget: 0,
    };
    const FIRST_SIZE: usize = size_of::<Self>();
}

/// Fills model options with their defaults. `struct_size` is
/// `sizeof(zerohop_model_options)`, so that the library fills what the caller has,
/// whichever of them is newer. Does nothing for NULL.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_model_options_init(options: *mut zerohop_model_options, struct_size: usize) {
    // SAFETY: the C caller passes NULL or `struct_size` writable bytes.
    unsafe { growing::init(options, struct_size) };
}

/// Fills engine options with their defaults. `struct_size` is
/// `sizeof(zerohop_engine_options)`. Does nothing for NULL.
///
/// Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_engine_options_init(options: *mut zerohop_engine_options, struct_size: usize) {
    // SAFETY: the C caller passes NULL or `struct_size` writable bytes.
    unsafe { growing::init(options, struct_size) };
}

/// A progress callback of the C caller's.
struct Progress {
    callback: unsafe extern "C" fn(*mut c_void, f32) -> bool,
    user_data: *mut c_void,
}

// SAFETY: the core calls it on the thread that builds the engine or loads the model and
// on no other, and drops it before that is done; so the C caller's data never leaves
// its thread.
unsafe impl Send for Progress {}

impl Progress {
    fn call(&self, fraction: f32) -> bool {
        // SAFETY: the C caller set a function of this type and the data it wants.
        unsafe { (self.callback)(self.user_data, fraction) }
    }
}

impl zerohop_engine_options {
    /// The engine to build.
    ///
    /// # Safety
    ///
    /// What the struct points to is as the header says.
    pub(crate) unsafe fn to_core(self) -> Result<EngineBuilder, Failure> {
        let mut builder = EngineBuilder::default()
            .requests_per_minute(self.requests_per_minute)
            .tokens_per_minute(self.tokens_per_minute)
            .timeout(Duration::from_millis(self.timeout_ms))
            .memory_budget(self.memory_budget);
        // SAFETY: the caller's promise, here and in the other reads.
        let (models, keys) = unsafe { (self.models()?, array(self.api_keys, self.api_key_count, "api_keys")?) };
        for (index, key) in keys.iter().enumerate() {
            // SAFETY: as above.
            builder = builder.api_key(unsafe { key.text(&format!("api_keys[{index}]")) }?);
        }
        // SAFETY: as above.
        if let Some(isolation) = unsafe { self.isolation() }? {
            builder = builder.isolation(isolation);
        }
        Ok(models.into_iter().fold(builder, |builder, (name, model)| builder.model(name, model)))
    }

    /// Where to compute, if not here.
    ///
    /// # Safety
    ///
    /// What the struct points to is as the header says.
    unsafe fn isolation(&self) -> Result<Option<Isolation>, Failure> {
        // SAFETY: the caller's promise.
        let worker = unsafe { self.worker.text("worker") }?;
        match self.isolation {
            ZEROHOP_ISOLATION_NONE if worker.is_empty() => Ok(None),
            ZEROHOP_ISOLATION_NONE => Err(Failure::argument("worker", "needs ZEROHOP_ISOLATION_PROCESS")),
            ZEROHOP_ISOLATION_PROCESS if worker.is_empty() => Ok(Some(Isolation::process())),
            ZEROHOP_ISOLATION_PROCESS => Ok(Some(Isolation::process().worker(worker))),
            other => Err(Failure::argument("isolation", &format!("is {other}, which is no zerohop_isolation"))),
        }
    }

    /// The models' options, each with the model's name.
    ///
    /// # Safety
    ///
    /// What the struct points to is as the header says.
    unsafe fn models(&self) -> Result<Vec<(String, ModelOptions)>, Failure> {
        // SAFETY: the caller's promise.
        let models = unsafe { read_array(self.models, self.model_count, "models") }?;
        let named = models.iter().enumerate().map(|(index, model)| {
            // SAFETY: the caller's promise.
            unsafe { model.to_core(&format!("models[{index}]")) }
        });
        named.collect()
    }
}

impl zerohop_model_options {
    /// # Safety
    ///
    /// What the struct points to is as the header says.
    pub(crate) unsafe fn to_core(self, at: &str) -> Result<(String, ModelOptions), Failure> {
        let field = |name: &str| format!("{at}.{name}");
        // SAFETY: the caller's promise, here and in the other reads.
        let (name, path, template) = unsafe {
            (
                self.name.text(&field("name"))?,
                self.path.text(&field("path"))?,
                self.chat_template.text(&field("chat_template"))?,
            )
        };
        let mut options = ModelOptions::new(path)
            .context_length(self.context_length)
            .threads(self.threads)
            .gpu_layers(gpu_layers(self.gpu_layers, &field("gpu_layers"))?)
            .parallel(self.parallel)
            .queue(self.queue)
            .kv_type(kv_type(self.kv_type, &field("kv_type"))?)
            .mmap(is_set(&self.use_mmap))
            .lazy(is_set(&self.lazy))
            .prefix_cache(is_set(&self.prefix_cache))
            .speculation(is_set(&self.speculation))
            .repack(repack(self.repack, &field("repack"))?)
            .cpu_moe_layers(self.cpu_moe_layers)
            .flash_attention(flash_attention(self.flash_attention, &field("flash_attention"))?);
        if self.gpu_margin > 0 {
            options = options.gpu_margin(self.gpu_margin);
        }
        // SAFETY: the caller's promise.
        let (devices, split) = unsafe {
            (
                array(self.devices, self.device_count, &field("devices"))?,
                array(self.tensor_split, self.tensor_split_count, &field("tensor_split"))?,
            )
        };
        let mut names = Vec::with_capacity(devices.len());
        for (index, device) in devices.iter().enumerate() {
            // SAFETY: the caller's promise.
            names.push(unsafe { device.text(&field(&format!("devices[{index}]"))) }?);
        }
        options = options.devices(names).tensor_split(split);
        if !template.is_empty() {
            options = options.chat_template(template);
        }
        // SAFETY: the caller's promise.
        let aliases = unsafe { array(self.aliases, self.alias_count, &field("aliases")) }?;
        for (index, alias) in aliases.iter().enumerate() {
            // SAFETY: the caller's promise.
            options = options.alias(unsafe { alias.text(&field(&format!("aliases[{index}]"))) }?);
        }
        // SAFETY: the caller's promise.
        let adapters = unsafe { array(self.adapters, self.adapter_count, &field("adapters")) }?;
        for (index, adapter) in adapters.iter().enumerate() {
            // SAFETY: the caller's promise.
            let path = unsafe { adapter.path.text(&field(&format!("adapters[{index}].path"))) }?;
            options = options.adapter(path, adapter.scale);
        }
        // SAFETY: the caller's promise.
        let (projector, folder) =
            unsafe { (self.projector.text(&field("projector"))?, self.media_folder.text(&field("media_folder"))?) };
        if !projector.is_empty() {
            options = options.projector(projector);
        }
        if !folder.is_empty() {
            options = options.media_folder(folder);
        }
        options = options.image_max_tokens(self.image_max_tokens);
        // SAFETY: the caller's promise.
        let (draft, folder) = unsafe {
            (
                self.draft_model.text(&field("draft_model"))?,
                self.prefix_cache_folder.text(&field("prefix_cache_folder"))?,
            )
        };
        if !draft.is_empty() {
            options = options.draft_model(draft);
        }
        if !folder.is_empty() {
            options = options.prefix_cache_folder(folder);
        }
        if let Some(callback) = self.media_fetcher {
            let fetch = Fetch { callback, user_data: self.media_fetcher_user_data };
            options = options.media_fetcher(move |url| fetch.call(url));
        }
        if let Some(callback) = self.progress {
            let progress = Progress { callback, user_data: self.progress_user_data };
            options = options.progress(move |fraction| progress.call(fraction));
        }
        Ok((name.to_owned(), options))
    }
}

fn gpu_layers(layers: i32, name: &str) -> Result<GpuLayers, Failure> {
    if layers == ZEROHOP_GPU_LAYERS_AUTO {
        return Ok(GpuLayers::Auto);
    }
    if layers == ZEROHOP_GPU_LAYERS_ALL {
        return Ok(GpuLayers::All);
    }
    let count = u32::try_from(layers);
    count.map(GpuLayers::Count).map_err(|_| {
        Failure::argument(
            name,
            &format!(
                "is {layers}; a number of layers, ZEROHOP_GPU_LAYERS_AUTO (-1) or ZEROHOP_GPU_LAYERS_ALL (-2) is wanted"
            ),
        )
    })
}

fn flash_attention(value: zerohop_flash_attention, name: &str) -> Result<FlashAttention, Failure> {
    match value {
        ZEROHOP_FLASH_ATTENTION_AUTO => Ok(FlashAttention::Auto),
        ZEROHOP_FLASH_ATTENTION_ON => Ok(FlashAttention::On),
        ZEROHOP_FLASH_ATTENTION_OFF => Ok(FlashAttention::Off),
        _ => Err(Failure::argument(name, &format!("is {value}, which is no zerohop_flash_attention"))),
    }
}

fn kv_type(value: zerohop_kv_type, name: &str) -> Result<KvType, Failure> {
    match value {
        ZEROHOP_KV_TYPE_F16 => Ok(KvType::F16),
        ZEROHOP_KV_TYPE_F32 => Ok(KvType::F32),
        ZEROHOP_KV_TYPE_Q8_0 => Ok(KvType::Q8_0),
        ZEROHOP_KV_TYPE_Q4_0 => Ok(KvType::Q4_0),
        _ => Err(Failure::argument(name, &format!("is {value}, which is no zerohop_kv_type"))),
    }
}

fn repack(value: zerohop_repack, name: &str) -> Result<Repack, Failure> {
    match value {
        ZEROHOP_REPACK_AUTO => Ok(Repack::Auto),
        ZEROHOP_REPACK_ON => Ok(Repack::On),
        ZEROHOP_REPACK_OFF => Ok(Repack::Off),
        _ => Err(Failure::argument(name, &format!("is {value}, which is no zerohop_repack"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_byte_is_a_truth_value() {
        let mut options = zerohop_model_options::DEFAULT;
        assert!(is_set(&options.use_mmap) && !is_set(&options.lazy));
        // SAFETY: a `MaybeUninit` may hold any byte.
        unsafe { (&raw mut options.use_mmap).cast::<u8>().write(0xA5) };
        assert!(is_set(&options.use_mmap));
    }

    #[test]
    fn numbers_that_are_no_choice_are_refused() {
        assert!(gpu_layers(-3, "x").is_err());
        assert_eq!(gpu_layers(-2, "x").unwrap(), GpuLayers::All);
        assert!(flash_attention(3, "x").is_err());
        assert_eq!(gpu_layers(3, "x").unwrap(), GpuLayers::Count(3));
        assert!(kv_type(4, "x").is_err() && kv_type(-1, "x").is_err());
    }
}
