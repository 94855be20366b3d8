//! What zerohop finds on this machine.

use std::num::NonZeroUsize;
use std::thread;

use serde::Serialize;

use crate::backend::{self, Device};

/// This build and the machine that it runs on, as [`system_info`] finds them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SystemInfo {
    /// The version of zerohop.
    pub version: &'static str,
    /// The version of the llama.cpp inside it.
    pub llama_cpp: String,
    /// Processors that this process may use, within its affinity and its control group's quota: how
    /// many threads a model computes with unless it is told otherwise.
    pub processors: usize,
    /// Features of the processor that there are kernels for, by Rust's names, such as `avx512vnni`.
    pub cpu_features: Vec<&'static str>,
    /// Those that this build needs and the processor lacks: where there are any, no model can be loaded.
    pub missing_cpu_features: Vec<&'static str>,
    /// The instruction set of the kernels that repacked weights are computed with (see
    /// [`Repack`](crate::Repack)): `avx512` or `avx2`; `None` where llama.cpp's own are used.
    pub kernels: Option<&'static str>,
    /// What this build has code for: `cpu`, and of `cuda`, `metal`, `rocm` and `vulkan` those that it was built with.
    pub backends: Vec<&'static str>,
    /// The devices that this build can compute on. [`ModelInfo`](crate::ModelInfo) says what each has of a model.
    pub devices: Vec<Device>,
}

/// This build and the machine that it runs on: what to add to a report about speed, and to look at when
/// a model does not load.
///
/// ```
/// let info = zerohop::system_info();
/// assert!(info.processors > 0 && info.missing_cpu_features.is_empty());
/// println!("{} kernels", info.kernels.unwrap_or("llama.cpp's"));
/// ```
pub fn system_info() -> SystemInfo {
    SystemInfo {
        version: env!("CARGO_PKG_VERSION"),
        llama_cpp: backend::version(),
        processors: thread::available_parallelism().map_or(1, NonZeroUsize::get),
        cpu_features: backend::cpu::features(),
        missing_cpu_features: backend::cpu::missing(),
        kernels: zerohop_kernels::Isa::detect().map(zerohop_kernels::Isa::name),
        backends: backend::backends(),
        devices: backend::devices().unwrap_or_default(),
    }
}
