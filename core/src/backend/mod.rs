//! The only module that names `llama_cpp_2` and its sys crate.
//!
//! `llama_cpp_2` serves process-wide initialisation, devices and model loading.
//! Everything that can throw at run time (contexts, decoding, tokenising, chat
//! templates) goes through the C++ seam in `core/native`, declared in
//! [`native`], because an exception must never unwind into Rust.

mod adapter;
mod context;
pub(crate) mod cpu;
mod diffusion;
mod diffusion_library;
mod forks;
#[cfg(test)]
pub(crate) mod kernel_tests;
mod kernels;
mod logs;
mod media;
mod model;
mod native;
mod placement;
mod speech;
mod stack;
mod templates;
mod vocab;

use std::ffi::CStr;
use std::num::NonZeroUsize;
use std::thread;

use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_sys_2 as sys;
use parking_lot::Mutex;
use serde::Serialize;

use crate::api::error::{Error, Result};

pub(crate) use adapter::Adapter;
pub(crate) use context::{Abort, Batch, Context, ContextOptions, Decoded};
pub(crate) use diffusion::{CheckpointFiles, DiffusionModel, Painting, Watcher, knows_sampler, knows_scheduler};
pub(crate) use forks::HeldForks;
pub(crate) use media::{CutMedia, MediaPart, Pixels, Projector, ProjectorOptions, Rows, RowsShape};
pub(crate) use model::{LoadOptions, Model};
pub(crate) use placement::{Fitting, Gpu, HAS_GPU_CODE, Layout, backends, gpus, has_first, none_there};
pub(crate) use speech::{SpeechModel, SpeechSegment, SpeechState, SpeechWindow, Stop, WindowOptions};
pub(crate) use templates::{
    CallMode, OutputFormat, OutputParser, ParsedMessage, ParsedToolCall, Placeholder, Rendered, SchemaStep, Skeleton,
    TemplateMessage, TemplateRequest, TemplateTool, TemplateToolCall, Templates, split_at_placeholder,
};
pub(crate) use vocab::{FillIn, SHORT_TEXT, Span, Token, Vocab};

/// llama.cpp's process-wide state, alive while any [`Backend`] is.
struct Process {
    users: usize,
    initialised: Option<LlamaBackend>,
}

static PROCESS: Mutex<Process> = Mutex::new(Process { users: 0, initialised: None });

/// A share in the process-wide initialisation; the last one to go ends it.
#[derive(Debug)]
pub(crate) struct Backend(());

impl Backend {
    /// Initialises llama.cpp for this process, or joins those who have.
    pub(crate) fn acquire() -> Result<Self> {
        cpu::check()?;
        let _held = HeldForks::new();
        let mut process = PROCESS.lock();
        if process.initialised.is_none() {
            logs::redirect();
            let backend = LlamaBackend::init()
                .map_err(|error| Error::internal("llama.cpp could not be initialised").with_source(error))?;
            kernels::register();
            let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
            // SAFETY: sets a number.
            unsafe { native::zerohop_native_set_processors(u32::try_from(processors).unwrap_or(u32::MAX)) };
            process.initialised = Some(backend);
        }
        process.users += 1;
        Ok(Backend(()))
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        let _held = HeldForks::new();
        let mut process = PROCESS.lock();
        process.users -= 1;
        if process.users == 0 {
            process.initialised = None;
        }
    }
}

/// ggml's name for a tensor's numeric type.
pub(crate) fn tensor_type_name(type_id: u32) -> &'static str {
    if type_id >= sys::GGML_TYPE_COUNT {
        return "unknown";
    }
    // SAFETY: the type is one that ggml knows, whose name is a constant.
    let name = unsafe { sys::ggml_type_name(type_id) };
    if name.is_null() {
        return "unknown";
    }
    // SAFETY: ggml's names are C texts in its static table.
    unsafe { CStr::from_ptr(name) }.to_str().unwrap_or("unknown")
}

/// What a [`Device`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DeviceKind {
    /// The host's processor.
    Cpu,
    /// A graphics card with memory of its own.
    Gpu,
    /// A graphics unit that shares the host's memory.
    IntegratedGpu,
    /// Another accelerator, such as a matrix library on the processor.
    Accelerator,
}

/// A device that this build can compute on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Device {
    /// The backend's short name, such as `CPU` or `CUDA0`.
    pub name: String,
    /// What the hardware calls itself.
    pub description: String,
    /// The kind of device.
    pub kind: DeviceKind,
    /// Total memory in bytes.
    pub memory_total: u64,
    /// Free memory in bytes.
    pub memory_free: u64,
}

/// The devices that this build can compute on, the host's processor among them.
///
/// # Errors
///
/// When the processor is too old for this build.
///
/// ```
/// let devices = zerohop::devices()?;
/// assert!(devices.iter().any(|device| device.kind == zerohop::DeviceKind::Cpu));
/// # Ok::<(), zerohop::Error>(())
/// ```
pub fn devices() -> Result<Vec<Device>> {
    use llama_cpp_2::LlamaBackendDeviceType as Type;

    let _backend = Backend::acquire()?;
    let devices = llama_cpp_2::list_llama_ggml_backend_devices()
        .into_iter()
        .map(|device| Device {
            name: device.name,
            description: device.description,
            kind: match device.device_type {
                Type::Gpu => DeviceKind::Gpu,
                Type::IntegratedGpu => DeviceKind::IntegratedGpu,
                Type::Cpu => DeviceKind::Cpu,
                Type::Accelerator | Type::Unknown => DeviceKind::Accelerator,
            },
            memory_total: device.memory_total as u64,
            memory_free: device.memory_free as u64,
        })
        .collect();
    Ok(devices)
}

/// Whether this processor has what our kernels need.
pub(crate) fn has_any_kernels() -> bool {
    kernels::are_available()
}

/// Whether our kernels compute products with a matrix of a type (ggml's), of rows so wide.
pub(crate) fn has_kernels(name: &str, type_id: u32, width: u64, rows: u64) -> bool {
    kernels::are_for(name, type_id, width, rows)
}

/// llama.cpp's own version text, part of what `system_fingerprint` stands for.
pub(crate) fn version() -> String {
    // SAFETY: llama.cpp returns a pointer to a static, NUL-terminated string.
    unsafe { std::ffi::CStr::from_ptr(sys::llama_version()) }.to_string_lossy().into_owned()
}
