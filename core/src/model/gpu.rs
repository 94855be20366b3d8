//! Options about devices beside the processor, and what they came to.

use serde::{Deserialize, Serialize};

use super::options::{KvType, ModelOptions};
use crate::api::error::{Error, ErrorKind, Result};

/// Bytes that fitting leaves free on each device unless the options say otherwise, as in llama.cpp.
const DEFAULT_MARGIN: u64 = 1 << 30;

/// How many of a model's layers go to GPUs, counted from the end of the model. What is behind the last layer
/// counts as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GpuLayers {
    /// As many as fit into the devices' free memory, with the KV cache and what computing takes; the log says how
    /// many and why. None where there is no GPU (the default).
    #[default]
    Auto,
    /// All. Without a GPU, or without the memory for it, loading fails.
    All,
    /// This many, or all if the model has fewer; 0 keeps to the CPU. Fails like [`All`](Self::All).
    Count(u32),
}

/// Whether attention is computed in one operation, without the whole table of how much each token attends to each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FlashAttention {
    /// Where it is good: on GPUs that can, with our kernels on the CPU, and where the KV cache needs it (the default).
    #[default]
    Auto,
    /// Always.
    On,
    /// Never, which rules out quantised KV caches.
    Off,
}

/// What a device has of a model in memory; see [`ModelInfo`](crate::ModelInfo).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Placement {
    /// The device as [`devices`](crate::devices) names it; `CPU` for the host.
    pub device: String,
    /// The layers that it computes. What is behind the last layer counts as one.
    pub layers: u32,
    /// Bytes of weights. On the CPU, of a mapped file too.
    pub weights: u64,
    /// Bytes of the KV cache.
    pub kv_cache: u64,
    /// Bytes that computing takes.
    pub compute: u64,
}

/// The options that say where weights go.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct GpuOptions {
    pub(crate) layers: GpuLayers,
    /// Names; empty for the choice of all.
    pub(crate) devices: Vec<String>,
    /// Empty for a split by free memory.
    pub(crate) tensor_split: Vec<f32>,
    pub(crate) margin: Option<u64>,
    pub(crate) cpu_moe_layers: u32,
}

impl GpuOptions {
    /// Bytes to leave free on each device.
    pub(crate) fn margin(&self) -> u64 {
        self.margin.unwrap_or(DEFAULT_MARGIN)
    }

    /// Whether layers must go to a GPU.
    pub(crate) fn needs_gpu(&self) -> bool {
        match self.layers {
            GpuLayers::Auto => !self.devices.is_empty(),
            GpuLayers::All => true,
            GpuLayers::Count(layers) => layers > 0,
        }
    }
}

impl ModelOptions {
    /// Layers to put on GPUs. Default: [`GpuLayers::Auto`].
    #[must_use]
    pub fn gpu_layers(mut self, layers: GpuLayers) -> Self {
        self.gpu.layers = layers;
        self
    }

    /// The GPUs to use, by the names that [`devices`](crate::devices) gives them, such as `Vulkan0`. One that is not
    /// there is an error. Default (also for none): all graphics cards, or else all graphics units that share the
    /// host's memory.
    #[must_use]
    pub fn devices(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.gpu.devices = names.into_iter().map(Into::into).collect();
        self
    }

    /// How much of what is offloaded each of the [`devices`](Self::devices) gets, in any unit: 3 and 1 for three
    /// quarters and one. Only with explicit [`gpu_layers`](Self::gpu_layers), since fitting splits by itself.
    /// Default (also for none): by free memory.
    #[must_use]
    pub fn tensor_split(mut self, parts: impl Into<Vec<f32>>) -> Self {
        self.gpu.tensor_split = parts.into();
        self
    }

    /// Bytes that [`GpuLayers::Auto`] leaves free on each device, for the rest of the program and others. Default:
    /// 1 GiB.
    #[must_use]
    pub fn gpu_margin(mut self, bytes: u64) -> Self {
        self.gpu.margin = Some(bytes);
        self
    }

    /// Layers, counted from the first, whose experts stay on the CPU though the layers go to a GPU: most of the
    /// bytes of a mixture of experts, and little of its work. `u32::MAX` for all. Only with explicit
    /// [`gpu_layers`](Self::gpu_layers), since fitting does the same by itself. Default: 0.
    #[must_use]
    pub fn cpu_moe_layers(mut self, layers: u32) -> Self {
        self.gpu.cpu_moe_layers = layers;
        self
    }

    /// Whether attention is computed in one operation. Default: [`FlashAttention::Auto`].
    #[must_use]
    pub fn flash_attention(mut self, policy: FlashAttention) -> Self {
        self.flash_attention = policy;
        self
    }

    /// # Errors
    ///
    /// `InvalidArgument` for options that do not go together.
    pub(super) fn check_gpu(&self) -> Result<()> {
        let refuse = |what: &str| Err(Error::new(ErrorKind::InvalidArgument, what));
        let GpuOptions { layers, devices, tensor_split, cpu_moe_layers, .. } = &self.gpu;
        let fits = *layers == GpuLayers::Auto;
        if *layers == GpuLayers::Count(0) && !devices.is_empty() {
            return refuse("devices are given, and gpu_layers is 0");
        }
        if !tensor_split.is_empty() {
            if tensor_split.iter().any(|part| !part.is_finite() || *part < 0.0)
                || tensor_split.iter().sum::<f32>() <= 0.0
            {
                return refuse("tensor_split: parts from 0 on are wanted, not all of them 0");
            }
            if fits {
                return refuse(
                    "tensor_split is given, and gpu_layers is \"auto\", which splits by itself: give a number",
                );
            }
        }
        if *cpu_moe_layers > 0 && fits {
            let what = "cpu_moe_layers is given, and gpu_layers is \"auto\", which keeps experts on the CPU by itself";
            return refuse(&format!("{what}: give a number, or \"all\""));
        }
        if self.flash_attention == FlashAttention::Off && !matches!(self.kv_type, KvType::F16 | KvType::F32) {
            return refuse("flash_attention is off, which a quantised KV cache (kv_type) cannot do without");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_go_together_is_refused() {
        let model = || ModelOptions::new("m.gguf");
        let split = |parts: &[f32]| model().gpu_layers(GpuLayers::All).tensor_split(parts);
        for (options, named) in [
            (model().gpu_layers(GpuLayers::Count(0)).devices(["Vulkan0"]), "devices"),
            (model().tensor_split([1.0]), "tensor_split"),
            (split(&[0.0, 0.0]), "tensor_split"),
            (split(&[-1.0, 2.0]), "tensor_split"),
            (split(&[f32::NAN]), "tensor_split"),
            (model().cpu_moe_layers(1), "cpu_moe_layers"),
            (model().flash_attention(FlashAttention::Off).kv_type(KvType::Q8_0), "flash_attention"),
        ] {
            let error = options.check().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            assert!(error.message().starts_with(named), "{error}");
        }
        split(&[3.0, 1.0]).check().unwrap();
        model().gpu_layers(GpuLayers::All).cpu_moe_layers(u32::MAX).check().unwrap();
    }
}
