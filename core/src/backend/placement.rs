//! Which devices there are beside the processor, and what goes where.

use std::ffi::{CStr, CString};
use std::path::Path;
use std::ptr;

use llama_cpp_sys_2 as sys;
use parking_lot::Mutex;

use super::native::{self, NativeCompanion, NativeShare};
use super::{Abort, Backend, Context, ContextOptions, context, logs};
use crate::api::error::{Error, ErrorKind, Result};
use crate::model::Placement;

/// Whether this build has code for devices beside the processor.
pub(crate) const HAS_GPU_CODE: bool =
    cfg!(any(feature = "cuda", feature = "metal", feature = "rocm", feature = "vulkan"));

/// The backends of this build.
pub(crate) fn backends() -> Vec<&'static str> {
    let gpu = [
        ("cuda", cfg!(feature = "cuda")),
        ("metal", cfg!(feature = "metal")),
        ("rocm", cfg!(feature = "rocm")),
        ("vulkan", cfg!(feature = "vulkan")),
    ];
    let gpu = gpu.into_iter().filter_map(|(name, is_there)| is_there.then_some(name));
    ["cpu"].into_iter().chain(gpu).collect()
}

/// Fitting uses tables of llama.cpp's that it does not lock.
static FITTING: Mutex<()> = Mutex::new(());

/// A device beside the processor. It stays for as long as the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gpu {
    raw: sys::ggml_backend_dev_t,
    /// Whether its memory is the host's.
    pub(crate) is_integrated: bool,
}

// SAFETY: ggml's devices are descriptions in static tables, which any thread may ask.
unsafe impl Send for Gpu {}
// SAFETY: as above.
unsafe impl Sync for Gpu {}

impl Gpu {
    pub(crate) fn name(&self) -> &'static str {
        // SAFETY: the device stays, and so does its name.
        unsafe { CStr::from_ptr(sys::ggml_backend_dev_name(self.raw)) }.to_str().unwrap_or("unknown")
    }

    /// Free memory in bytes.
    pub(crate) fn free(&self) -> u64 {
        let (mut free, mut total) = (0, 0);
        // SAFETY: the device stays, and the places can be written to.
        unsafe { sys::ggml_backend_dev_memory(self.raw, &raw mut free, &raw mut total) };
        free as u64
    }
}

/// All devices beside the processor, in ggml's order.
fn all_gpus() -> Result<Vec<Gpu>> {
    if !HAS_GPU_CODE {
        return Ok(Vec::new());
    }
    let _backend = Backend::acquire()?;
    // SAFETY: ggml's table of devices is complete once it is initialised, and its indexes are below its length.
    let devices = unsafe { (0..sys::ggml_backend_dev_count()).map(|index| sys::ggml_backend_dev_get(index)) };
    let gpus = devices.filter_map(|raw| {
        // SAFETY: the device is one of the table's.
        let kind = unsafe { sys::ggml_backend_dev_type(raw) };
        let is_integrated = kind == sys::GGML_BACKEND_DEVICE_TYPE_IGPU;
        (is_integrated || kind == sys::GGML_BACKEND_DEVICE_TYPE_GPU).then_some(Gpu { raw, is_integrated })
    });
    Ok(gpus.collect())
}

/// The GPUs of these names, or, without any, all that have memory of their own, or else all.
///
/// # Errors
///
/// `InvalidArgument` for a name that no GPU has, or that is given twice.
pub(crate) fn gpus(names: &[String]) -> Result<Vec<Gpu>> {
    let all = all_gpus()?;
    if names.is_empty() {
        let (shared, own): (Vec<_>, Vec<_>) = all.into_iter().partition(|gpu| gpu.is_integrated);
        return Ok(if own.is_empty() { shared } else { own });
    }
    let mut chosen = Vec::new();
    for name in names {
        let Some(gpu) = all.iter().find(|gpu| gpu.name() == name) else {
            let there: Vec<_> = all.iter().map(Gpu::name).collect();
            let there = if there.is_empty() { none_there() } else { format!("there are {}", there.join(", ")) };
            let message = format!("devices: there is no GPU called '{name}'; {there}");
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        };
        if chosen.contains(gpu) {
            return Err(Error::new(ErrorKind::InvalidArgument, format!("devices: '{name}' is given twice")));
        }
        chosen.push(*gpu);
    }
    Ok(chosen)
}

/// Why there is no GPU.
pub(crate) fn none_there() -> String {
    if HAS_GPU_CODE {
        format!("this build is for {}, and no such GPU, or no driver for it, was found", backends()[1..].join(" and "))
    } else {
        "this build computes on the CPU alone (docs/gpu.md says how to get another)".to_owned()
    }
}

/// Whether the projectors and speech models that llama.cpp puts on its first GPU would go to one of these.
pub(crate) fn has_first(gpus: &[Gpu]) -> bool {
    all_gpus().is_ok_and(|all| all.first().is_some_and(|first| gpus.contains(first)))
}

/// Where a model's layers go.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layout {
    gpus: Vec<Gpu>,
    /// Layers on them, the one behind the last included; `None` for all.
    layers: Option<u32>,
    /// Empty, or a number for each device that llama.cpp can have.
    tensor_split: Vec<f32>,
    /// Tensors that go elsewhere, with an empty one at the end.
    overrides: Vec<sys::llama_model_tensor_buft_override>,
    /// The patterns of those that are ours; llama.cpp's own are in static tables.
    patterns: Vec<CString>,
}

// SAFETY: the patterns pointed to are static or `patterns`, which nothing changes; buffer types are static.
unsafe impl Send for Layout {}
// SAFETY: as above.
unsafe impl Sync for Layout {}

impl Layout {
    /// Everything on the host.
    pub(crate) fn host() -> Self {
        Layout { layers: Some(0), ..Layout::default() }
    }

    /// So many layers on these devices.
    pub(crate) fn explicit(gpus: Vec<Gpu>, layers: Option<u32>, tensor_split: &[f32], cpu_moe_layers: u32) -> Self {
        let mut layout = Layout { gpus, layers, ..Layout::default() };
        if !tensor_split.is_empty() {
            layout.tensor_split = vec![0.0; max_devices()];
            layout.tensor_split.iter_mut().zip(tensor_split).for_each(|(place, part)| *place = *part);
        }
        let experts = r"ffn_(up|down|gate_up|gate)_(ch|)exps";
        let pattern = |layer: u32| CString::new(format!(r"blk\.{layer}\.{experts}"));
        let patterns = match cpu_moe_layers {
            u32::MAX => vec![CString::new(experts)],
            layers => (0..layers).map(pattern).collect(),
        };
        layout.patterns = patterns.into_iter().filter_map(std::result::Result::ok).collect();
        if !layout.patterns.is_empty() {
            let to_cpu = |pattern: &CString| sys::llama_model_tensor_buft_override {
                pattern: pattern.as_ptr(),
                // SAFETY: gives a pointer to a static description.
                buft: unsafe { sys::ggml_backend_cpu_buffer_type() },
            };
            layout.overrides = layout.patterns.iter().map(to_cpu).chain([no_override()]).collect();
        }
        layout
    }

    /// Layers on devices beside the processor, if not all.
    pub(crate) fn layers(&self) -> Option<u32> {
        if self.gpus.is_empty() { Some(0) } else { self.layers }
    }

    /// Whether anything goes to another device than the processor.
    pub(crate) fn is_offloaded(&self) -> bool {
        self.layers() != Some(0)
    }

    pub(crate) fn gpus(&self) -> &[Gpu] {
        &self.gpus
    }

    /// Calls `run` with llama.cpp's parameters for this layout; the pointers in them are valid meanwhile.
    pub(super) fn with_params<T>(&self, mmap: bool, run: impl FnOnce(sys::llama_model_params) -> T) -> T {
        // None for what stays on the host: llama.cpp computes large products on any device that it is given.
        let gpus = if self.is_offloaded() { &self.gpus[..] } else { &[] };
        let mut devices: Vec<_> = gpus.iter().map(|gpu| gpu.raw).chain([ptr::null_mut()]).collect();
        // SAFETY: returns a plain struct.
        let mut params = unsafe { sys::llama_model_default_params() };
        params.devices = devices.as_mut_ptr();
        params.n_gpu_layers = self.layers().map_or(-1, |layers| i32::try_from(layers).unwrap_or(i32::MAX));
        params.load_mode = if mmap { sys::LLAMA_LOAD_MODE_MMAP } else { sys::LLAMA_LOAD_MODE_NONE };
        if !self.tensor_split.is_empty() {
            params.tensor_split = self.tensor_split.as_ptr();
        }
        if !self.overrides.is_empty() {
            params.tensor_buft_overrides = self.overrides.as_ptr();
        }
        run(params)
    }
}

/// More than any device has, in bytes: llama.cpp adds margins to what is needed, and has no room for what overflows.
const MAX_MARGIN: u64 = 1 << 50;

/// A model whose layers are to be fitted into devices, with its context.
#[derive(Debug)]
pub(crate) struct Fitting<'a> {
    pub(crate) path: &'a Path,
    pub(crate) context: ContextOptions,
    /// Another model that is to have room there too, and its context.
    pub(crate) companion: Option<(&'a Path, ContextOptions)>,
    /// Bytes that stay free on each device.
    pub(crate) margin: u64,
}

impl Fitting<'_> {
    /// As many layers on these devices as fit.
    ///
    /// # Errors
    ///
    /// Why llama.cpp could not tell.
    pub(crate) fn fit(&self, gpus: Vec<Gpu>) -> Result<Layout, String> {
        let _backend = Backend::acquire().map_err(|error| error.to_string())?;
        let path = c_path(self.path)?;
        let whole = Layout { gpus, ..Layout::default() };
        let mut tensor_split = vec![0.0_f32; max_devices()];
        // SAFETY: gives a constant.
        let mut overrides = vec![no_override(); unsafe { sys::llama_max_tensor_buft_overrides() }];
        let margin = usize::try_from(self.margin.min(MAX_MARGIN)).unwrap_or(usize::MAX >> 2);
        let mut margins = vec![margin; max_devices()];
        let abort = Abort::default();
        let mut context = context::context_params(&self.context, &abort);
        let companion_path = self.companion.as_ref().map(|(path, _)| c_path(path)).transpose()?;
        let mut companion_context =
            self.companion.as_ref().map(|(_, options)| context::context_params(options, &abort));
        let _fitting = FITTING.lock();
        let (status, layers, said) = whole.with_params(false, |mut params| {
            let mut companion_params = params;
            let companion = companion_path.as_ref().zip(companion_context.as_mut()).map(|(path, context)| {
                NativeCompanion { path: path.as_ptr(), model: &raw mut companion_params, context }
            });
            let companion = companion.as_ref().map_or(ptr::null(), ptr::from_ref);
            let ((status, error), mut said) = logs::collect_errors(|| {
                // SAFETY: all pointers are to live values, the buffers as long as llama.cpp says, and the lock
                // keeps other threads out.
                unsafe {
                    native::with_error(|error| {
                        native::zerohop_native_fit(
                            path.as_ptr(),
                            &raw mut params,
                            &raw mut context,
                            tensor_split.as_mut_ptr(),
                            overrides.as_mut_ptr(),
                            margins.as_mut_ptr(),
                            companion,
                            error,
                        )
                    })
                }
            });
            said.extend(error);
            (status, params.n_gpu_layers, said)
        });
        if status != 0 {
            return Err(said.into_iter().next().unwrap_or_else(|| "no part of it fits".to_owned()));
        }
        Ok(Layout {
            layers: u32::try_from(layers).ok(),
            tensor_split: if tensor_split.iter().any(|part| *part > 0.0) { tensor_split } else { Vec::new() },
            overrides: if overrides[0].pattern.is_null() { Vec::new() } else { overrides },
            ..whole
        })
    }
}

impl Context {
    /// What lies where: the host first.
    pub(crate) fn placement(&self) -> Vec<Placement> {
        let none = NativeShare { device: ptr::null(), layers: 0, weights: 0, cache: 0, compute: 0 };
        let mut shares = vec![none; max_devices() + 1];
        // SAFETY: the context is live, and the buffer as long as is said.
        let (found, error) = unsafe {
            native::with_error(|error| {
                native::zerohop_native_shares(self.raw(), shares.as_mut_ptr(), shares.len(), error)
            })
        };
        if let Some(error) = error {
            tracing::warn!(target: "zerohop", %error, "llama.cpp does not say what lies where");
        }
        shares.truncate(found);
        shares.iter().map(placement).collect()
    }
}

fn placement(share: &NativeShare) -> Placement {
    let device = if share.device.is_null() {
        "CPU".to_owned()
    } else {
        // SAFETY: it is the name of a device, which stays.
        unsafe { CStr::from_ptr(share.device) }.to_string_lossy().into_owned()
    };
    let NativeShare { layers, weights, cache, compute, .. } = *share;
    Placement { device, layers, weights, kv_cache: cache, compute }
}

fn no_override() -> sys::llama_model_tensor_buft_override {
    sys::llama_model_tensor_buft_override { pattern: ptr::null(), buft: ptr::null_mut() }
}

fn max_devices() -> usize {
    // SAFETY: gives a constant.
    unsafe { sys::llama_max_devices() }
}

pub(super) fn c_path(path: &Path) -> Result<CString, String> {
    let text = path.to_str().ok_or_else(|| format!("{}: the path is no UTF-8", path.display()))?;
    CString::new(text).map_err(|_| format!("{}: the path has a NUL in it", path.display()))
}
