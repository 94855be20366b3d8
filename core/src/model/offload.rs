//! Which of a model's layers go to GPUs, and what that takes of their memory.

use super::draft::DraftFile;
use super::file::ModelFile;
use super::gate::MemoryNeed;
use super::gpu::{FlashAttention, GpuLayers};
use super::kind::ModelKind;
use super::options::ModelOptions;
use crate::api::error::{Error, ErrorKind, Result};
use crate::backend::{self, ContextOptions, Fitting, Gpu, Layout};
use crate::embed::BATCH;
use crate::generate::{DRAFT, EXTRA, GPU_SLICE};

/// What is to have room on the devices beside a model and its context.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Beside<'a> {
    pub(super) draft: Option<&'a DraftFile>,
    /// Bytes of the projector and the adapters.
    pub(super) bytes: u64,
}

/// A part of what a model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Offloaded {
    pub(super) weights: u64,
    pub(super) cache: u64,
}

/// Where a model's weights go.
///
/// # Errors
///
/// `InvalidArgument` for devices that are not there, and options that mean nothing for the model.
pub(super) fn layout(file: &ModelFile, options: &ModelOptions, beside: Beside<'_>) -> Result<Layout> {
    let gpus = chosen(options)?;
    if gpus.is_empty() {
        if backend::HAS_GPU_CODE && options.gpu.layers == GpuLayers::Auto {
            let path = options.path.display();
            tracing::warn!(target: "zerohop", "{path}: computed on the CPU: {}", backend::none_there());
        }
        return Ok(Layout::host());
    }
    check_experts(file, options)?;
    let (split, experts) = (&options.gpu.tensor_split, options.gpu.cpu_moe_layers);
    Ok(match options.gpu.layers {
        GpuLayers::Auto => fitted(file, options, beside, gpus),
        GpuLayers::All => Layout::explicit(gpus, None, split, experts),
        GpuLayers::Count(layers) => Layout::explicit(gpus, Some(layers), split, experts),
    })
}

/// The GPUs that the options ask for; none for a model that keeps to the CPU.
///
/// # Errors
///
/// `InvalidArgument` where there is none and one must be.
pub(super) fn chosen(options: &ModelOptions) -> Result<Vec<Gpu>> {
    if options.gpu.layers == GpuLayers::Count(0) {
        return Ok(Vec::new());
    }
    let gpus = backend::gpus(&options.gpu.devices)?;
    let refuse = |what: String| Err(Error::new(ErrorKind::InvalidArgument, what));
    if gpus.is_empty() && options.gpu.needs_gpu() {
        let why = backend::none_there();
        return refuse(format!("gpu_layers asks for a GPU, and there is none: {why}; \"auto\" takes what there is"));
    }
    let parts = options.gpu.tensor_split.len();
    if parts > gpus.len() {
        return refuse(format!("tensor_split has {parts} parts, and there are {} devices", gpus.len()));
    }
    Ok(gpus)
}

fn check_experts(file: &ModelFile, options: &ModelOptions) -> Result<()> {
    let gguf = &file.checked.gguf;
    let experts = gguf.get_u64(&format!("{}.expert_count", gguf.architecture().unwrap_or_default())).unwrap_or(0);
    if options.gpu.cpu_moe_layers > 0 && experts == 0 {
        let message = format!("{}: cpu_moe_layers is given, and the model has no experts", options.path.display());
        return Err(Error::new(ErrorKind::InvalidArgument, message));
    }
    Ok(())
}

/// As many layers as fit, and a line in the log that says so.
fn fitted(file: &ModelFile, options: &ModelOptions, beside: Beside<'_>, gpus: Vec<Gpu>) -> Layout {
    let fitting = Fitting {
        path: &options.path,
        context: planned_context(file, options),
        companion: beside.draft.map(|draft| (draft.options.path.as_path(), planned_context(&draft.file, options))),
        margin: options.gpu.margin().saturating_add(beside.bytes),
    };
    let path = options.path.display();
    let free: u64 = gpus.iter().map(Gpu::free).sum();
    let names = gpus.iter().map(Gpu::name).collect::<Vec<_>>().join(", ");
    let all = file.layers() + 1;
    match fitting.fit(gpus) {
        Ok(layout) => {
            let layers = layout.layers().map_or(all, |layers| layers.min(all));
            let (free, margin) = (free >> 20, fitting.margin >> 20);
            let told = format!(
                "{layers} of {all} layers fit into {names} ({free} MiB free, of which {margin} MiB stay so on each device)"
            );
            if layers == 0 {
                tracing::warn!(target: "zerohop", "{path}: computed on the CPU: {told}");
                return Layout::host();
            }
            tracing::info!(target: "zerohop", "{path}: {told}");
            layout
        }
        Err(reason) => {
            tracing::warn!(target: "zerohop", "{path}: computed on the CPU: fitting it into {names} failed: {reason}");
            Layout::host()
        }
    }
}

/// The context that the model will have, as far as it matters for memory.
fn planned_context(file: &ModelFile, options: &ModelOptions) -> ContextOptions {
    let size = |tokens: usize| u32::try_from(tokens).unwrap_or(u32::MAX);
    let embeddings = ModelKind::of(&file.checked.gguf, true) != ModelKind::Generative;
    let parallel = options.sequences();
    ContextOptions {
        cells: file.context_length(options),
        batch: if embeddings { size(BATCH) } else { size(GPU_SLICE + EXTRA) + parallel },
        sequences: parallel,
        outputs: if embeddings { size(BATCH) } else { parallel + size(DRAFT) },
        threads: 1,
        kv_type: options.kv_type,
        own_attention: false,
        flash_attention: options.flash_attention,
        is_offloaded: true,
        embeddings,
        adapters: Vec::new(),
    }
}

/// How much of what a model takes, by estimate, lies in memory that is not the host's.
///
/// # Errors
///
/// Those of [`chosen`], and `Unavailable` where explicit layers find too little.
pub(super) fn offloaded(file: &ModelFile, options: &ModelOptions, need: MemoryNeed) -> Result<Offloaded> {
    let gpus: Vec<_> = chosen(options)?.into_iter().filter(|gpu| !gpu.is_integrated).collect();
    if gpus.is_empty() {
        return Ok(Offloaded::default());
    }
    let whole = Offloaded { weights: need.weights.saturating_sub(experts_on_host(file, options)), cache: need.cache };
    let free: u64 = gpus.iter().map(Gpu::free).sum();
    let layers = u64::from(file.layers()) + 1;
    let part = match options.gpu.layers {
        GpuLayers::Auto => {
            let margins = options.gpu.margin().saturating_mul(gpus.len() as u64);
            return Ok(whole.share(free.saturating_sub(margins).min(whole.sum()), whole.sum()));
        }
        GpuLayers::All => whole,
        GpuLayers::Count(count) => whole.share(u64::from(count).min(layers), layers),
    };
    if part.sum() > free {
        let names = gpus.iter().map(Gpu::name).collect::<Vec<_>>().join(", ");
        let message = format!(
            "{}: no memory for so many layers on {names}: at least {} MiB are needed and {} MiB are free; \
             gpu_layers=\"auto\" takes as many as fit",
            options.path.display(),
            part.sum() >> 20,
            free >> 20
        );
        return Err(Error::new(ErrorKind::Unavailable, message));
    }
    Ok(part)
}

impl Offloaded {
    fn sum(self) -> u64 {
        self.weights.saturating_add(self.cache)
    }

    /// So many parts of `all`.
    fn share(self, parts: u64, all: u64) -> Self {
        let share = |bytes: u64| {
            let part = u128::from(bytes) * u128::from(parts) / u128::from(all.max(1));
            u64::try_from(part).unwrap_or(u64::MAX)
        };
        Offloaded { weights: share(self.weights), cache: share(self.cache) }
    }
}

/// Bytes of the experts that the options keep on the CPU.
fn experts_on_host(file: &ModelFile, options: &ModelOptions) -> u64 {
    let stays = |name: &str| {
        let layer = name.strip_prefix("blk.").and_then(|rest| rest.split('.').next()?.parse::<u32>().ok());
        name.contains("exps") && layer.is_some_and(|layer| layer < options.gpu.cpu_moe_layers)
    };
    file.tensors().filter(|tensor| stays(&tensor.name)).map(|tensor| tensor.size).sum()
}

/// Refuses what a speech model has no use for, and says whether it goes to a GPU.
pub(super) fn speech_uses_gpu(options: &ModelOptions) -> Result<bool> {
    let gpu = &options.gpu;
    if !gpu.tensor_split.is_empty()
        || gpu.cpu_moe_layers > 0
        || matches!(gpu.layers, GpuLayers::Count(1..))
        || options.flash_attention != FlashAttention::Auto
    {
        let message = format!(
            "{}: a speech model goes to a GPU as a whole: gpu_layers is \"auto\", \"all\" or 0, and there is no \
             tensor_split, cpu_moe_layers or flash_attention",
            options.path.display()
        );
        return Err(Error::new(ErrorKind::InvalidArgument, message));
    }
    let gpus = chosen(options)?;
    if !gpu.devices.is_empty() && !backend::has_first(&gpus) {
        let message = format!("{}: a speech model goes to the first GPU, or to none", options.path.display());
        return Err(Error::new(ErrorKind::InvalidArgument, message));
    }
    Ok(!gpus.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_parts_of_the_whole() {
        let whole = Offloaded { weights: 90, cache: 30 };
        assert_eq!(whole.share(1, 3), Offloaded { weights: 30, cache: 10 });
        assert_eq!(whole.share(120, whole.sum()), whole);
        assert_eq!(whole.share(0, 0), Offloaded::default());
        let most = Offloaded { weights: u64::MAX, cache: 0 };
        assert_eq!(most.share(u64::MAX, u64::MAX), most);
    }
}
