//! From a path to a checkpoint of a model that makes images: which files have which parts, and what it is.
//!
//! Parts are told by their tensors, not by the names of files.

use std::fs;
use std::path::{Path, PathBuf};

use super::file::{MappedFile, refused};
use super::gate;
use super::gguf::Gguf;
use super::load::ModelInfo;
use super::options::ModelOptions;
use super::safetensors;
use super::weights::FileIdentity;
use crate::api::error::{Error, ErrorKind, Result};
use crate::backend::{CheckpointFiles, DiffusionModel};

/// Bytes that a pixel takes while images are decoded; above [`TILED_PIXELS`], parts are decoded one by one.
const PIXEL_BYTES: u64 = 8 << 10;
/// Above so many pixels, an image is encoded and decoded in parts.
pub(crate) const TILED_PIXELS: u64 = 768 * 768;
/// The largest number of channels that a `UNet` begins with, and what it is a multiple of: its groups.
const MAX_CHANNELS: u64 = 1280;
const GROUPS: u64 = 32;

/// What a checkpoint is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// Stable Diffusion 1.
    Sd1,
    /// Stable Diffusion 2.
    Sd2,
    /// Stable Diffusion XL.
    Sdxl,
    /// Stable Diffusion 3 and 3.5.
    Sd3,
    /// FLUX.1: `dev` is guided, `schnell` is not.
    Flux {
        guided: bool,
    },
    QwenImage,
    ZImage,
}

/// A part of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Diffusion,
    ClipL,
    ClipG,
    T5,
    Llm,
    Vae,
}

impl Family {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Family::Sd1 => "sd1",
            Family::Sd2 => "sd2",
            Family::Sdxl => "sdxl",
            Family::Sd3 => "sd3",
            Family::Flux { .. } => "flux",
            Family::QwenImage => "qwen_image",
            Family::ZImage => "z_image",
        }
    }

    /// The side of the images that it was trained with, in pixels.
    pub(crate) fn side(self) -> u32 {
        match self {
            Family::Sd1 => 512,
            Family::Sd2 => 768,
            _ => 1024,
        }
    }

    /// What sides are multiples of.
    pub(crate) fn multiple(self) -> u32 {
        match self {
            Family::Sd1 | Family::Sd2 | Family::Sdxl => 64,
            _ => 16,
        }
    }

    pub(crate) fn steps(self) -> u32 {
        match self {
            Family::Sd3 => 28,
            Family::Flux { guided: false } => 4,
            Family::ZImage => 8,
            _ => 20,
        }
    }

    pub(crate) fn cfg_scale(self) -> f32 {
        match self {
            Family::Sd1 | Family::Sd2 | Family::Sdxl => 7.0,
            Family::Sd3 => 4.5,
            Family::QwenImage => 2.5,
            Family::Flux { .. } | Family::ZImage => 1.0,
        }
    }

    /// Whether images that are sent are what the prompt speaks of, and not what the image begins as.
    pub(crate) fn has_references(self) -> bool {
        matches!(self, Family::Flux { .. } | Family::QwenImage)
    }

    fn parts(self) -> &'static [Part] {
        match self {
            Family::Sd1 | Family::Sd2 => &[Part::ClipL, Part::Vae],
            Family::Sdxl | Family::Sd3 => &[Part::ClipL, Part::ClipG, Part::Vae],
            Family::Flux { .. } => &[Part::ClipL, Part::T5, Part::Vae],
            Family::QwenImage | Family::ZImage => &[Part::Llm, Part::Vae],
        }
    }
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Part::Diffusion => "diffusion model",
            Part::ClipL => "text encoder (CLIP-L)",
            Part::ClipG => "second text encoder (CLIP-G)",
            Part::T5 => "text encoder T5-XXL",
            Part::Llm => "text encoder (a Qwen language model)",
            Part::Vae => "VAE, which makes pixels",
        }
    }
}

/// A tensor as both formats have it, the slowest dimension first.
struct Tensor {
    name: String,
    shape: Vec<u64>,
    memory: u64,
    elements: u64,
}

/// A file of a checkpoint.
struct Contents {
    path: PathBuf,
    tensors: Vec<Tensor>,
    size: u64,
    created: u64,
    identity: FileIdentity,
}

/// A checkpoint that was found and checked.
#[derive(Debug)]
pub(super) struct Checkpoint {
    pub(super) family: Family,
    pub(super) identities: Vec<FileIdentity>,
    files: CheckpointFiles,
    size: u64,
    memory: u64,
    parameters: u64,
    created: u64,
}

/// A checkpoint in memory.
#[derive(Debug)]
pub(crate) struct PaintingModel {
    pub(crate) info: ModelInfo,
    pub(crate) family: Family,
    pub(crate) backend: DiffusionModel,
}

impl Contents {
    /// Reads a file's header; `None` for one of another format.
    fn read(path: &Path) -> Result<Option<Self>> {
        let mapped = MappedFile::open(path)?;
        let bytes = mapped.bytes();
        let tensors = if bytes.starts_with(b"GGUF") {
            let gguf = Gguf::read_image_model(bytes).map_err(refused(path))?;
            let tensor = |tensor: super::gguf::TensorInfo| Tensor {
                shape: tensor.dims.iter().rev().copied().collect(),
                name: tensor.name,
                memory: tensor.size,
                elements: tensor.dims.iter().fold(1, |all, size| all.saturating_mul(*size)),
            };
            gguf.tensors.into_iter().map(tensor).collect()
        } else if safetensors::is_safetensors(bytes) {
            let read = safetensors::read(bytes).map_err(|error| {
                Error::new(ErrorKind::InvalidModel, format!("{}: {error}", path.display()))
                    .with_code(error.code)
                    .with_source(error)
            })?;
            let tensor = |tensor: safetensors::StoredTensor| {
                let safetensors::StoredTensor { name, shape, memory, elements } = tensor;
                Tensor { name, shape, memory, elements }
            };
            read.into_iter().map(tensor).collect()
        } else {
            return Ok(None);
        };
        Ok(Some(Contents {
            path: path.to_path_buf(),
            tensors,
            size: mapped.size,
            created: mapped.created,
            identity: mapped.identity.clone(),
        }))
    }

    fn has(&self, is_part: impl Fn(&str) -> bool) -> bool {
        self.tensors.iter().any(|tensor| is_part(&tensor.name))
    }

    fn find(&self, end: &str) -> Option<&Tensor> {
        self.tensors.iter().find(|tensor| tensor.name.ends_with(end))
    }

    fn parts(&self) -> Vec<Part> {
        // The rows of a text encoder's matrix that stands alone in its file.
        let alone = "text_model.encoder.layers.0.self_attn.q_proj.weight";
        let width = self.tensors.iter().find(|tensor| tensor.name == alone).and_then(|tensor| tensor.shape.first());
        let begins = |starts: &[&str]| self.has(|name| starts.iter().any(|start| name.starts_with(start)));
        let mut parts = Vec::new();
        if self.family().is_some() {
            parts.push(Part::Diffusion);
        }
        if begins(&["cond_stage_model.", "conditioner.embedders.0.", "text_encoders.clip_l."])
            || width.is_some_and(|width| [768, 1024].contains(width))
        {
            parts.push(Part::ClipL);
        }
        if begins(&["conditioner.embedders.1.", "text_encoders.clip_g."]) || width == Some(&1280) {
            parts.push(Part::ClipG);
        }
        if begins(&["text_encoders.t5xxl.", "encoder.block.0.", "enc.blk.0."]) {
            parts.push(Part::T5);
        }
        if begins(&["text_encoders.llm.", "model.layers.0.", "blk.0."]) {
            parts.push(Part::Llm);
        }
        if begins(&["first_stage_model.", "vae.", "decoder.conv_in."]) {
            parts.push(Part::Vae);
        }
        parts
    }

    /// What the diffusion model is, if there is one that is served.
    fn family(&self) -> Option<Family> {
        let has = |middle: &str| self.has(|name| name.contains(middle));
        let is_flux2 = has("double_stream_modulation_img");
        if has("joint_blocks.0.") {
            return Some(Family::Sd3);
        }
        if has("double_blocks.0.img_attn.") && !is_flux2 {
            return Some(Family::Flux { guided: has("guidance_in.") });
        }
        if has("transformer_blocks.0.img_mod.1.") {
            return Some(Family::QwenImage);
        }
        if has("cap_embedder.0.weight") {
            return Some(Family::ZImage);
        }
        if !has("input_blocks.0.0.weight") && !has("down_blocks.0.resnets.0.time_emb_proj.") {
            return None;
        }
        match self.find("attn2.to_k.weight")?.shape.last()? {
            768 => Some(Family::Sd1),
            1024 => Some(Family::Sd2),
            2048 => Some(Family::Sdxl),
            _ => None,
        }
    }

    /// What stable-diffusion.cpp takes a `UNet`'s sizes from, held to what it can compute.
    fn check_unet(&self) -> Result<()> {
        let shape = |end: &str| self.find(end).map(|tensor| tensor.shape.clone()).unwrap_or_default();
        let (input, time) = (shape("input_blocks.0.0.weight"), shape("time_embed.0.weight"));
        if input.is_empty() && time.is_empty() {
            // diffusers' names, whose sizes are not taken from the file.
            return Ok(());
        }
        let (&[channels, inputs, 3, 3], &[wide, narrow]) = (&input[..], &time[..]) else {
            return Err(self.refuse("the diffusion model's first tensors are of other shapes than a UNet's"));
        };
        let is_sound = channels % GROUPS == 0
            && (GROUPS..=MAX_CHANNELS).contains(&channels)
            && narrow == channels
            && wide == 4 * channels
            && [4, 8, 9].contains(&inputs)
            && shape("model.diffusion_model.out.2.weight").first().is_none_or(|outputs| *outputs == 4);
        if is_sound { Ok(()) } else { Err(self.refuse("the diffusion model's sizes are not a UNet's")) }
    }

    fn refuse(&self, what: &str) -> Error {
        Error::new(ErrorKind::InvalidModel, format!("{}: {what}", self.path.display())).with_code("unsupported")
    }
}

impl Checkpoint {
    /// The checkpoint at a path; `None` for what is none, so that it may be a model of another kind.
    ///
    /// # Errors
    ///
    /// `InvalidModel` for one that is damaged or lacks a part.
    pub(super) fn find(options: &ModelOptions) -> Result<Option<Self>> {
        let path = &options.path;
        let found = if path.join("unet").is_dir() {
            Self::of_diffusers(path)?
        } else if path.is_dir() {
            Self::of_folder(path)?
        } else {
            Self::of_file(path)?
        };
        let Some(checkpoint) = found else { return Ok(None) };
        options.refuse_text_options("a model that makes images")?;
        if options.parallel.is_some() {
            let message = format!("{}: images are computed one by one: leave 'parallel' away", path.display());
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        Ok(Some(checkpoint))
    }

    fn of_file(path: &Path) -> Result<Option<Self>> {
        // A name on the hub is none, and what is wrong with a path others say.
        if !path.is_file() {
            return Ok(None);
        }
        let beginning = MappedFile::open(path)?;
        let is_gguf = beginning.bytes().starts_with(b"GGUF");
        if !is_gguf && !safetensors::is_safetensors(beginning.bytes()) {
            return Ok(None);
        }
        let contents = match Contents::read(path) {
            // What a GGUF file is refused for, the gate for models of texts says.
            Err(_) if is_gguf => return Ok(None),
            contents => contents?,
        };
        let Some(contents) = contents else { return Ok(None) };
        if contents.family().is_none() {
            let message = "it has no diffusion model of a kind that is served (Stable Diffusion 1, 2, XL and 3, Flux, \
                           Qwen-Image, Z-Image)";
            return if is_gguf { Ok(None) } else { Err(contents.refuse(message)) };
        }
        Self::of_contents(path, vec![contents]).map(Some)
    }

    fn of_folder(folder: &Path) -> Result<Option<Self>> {
        let Ok(entries) = fs::read_dir(folder) else { return Ok(None) };
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths
            .retain(|path| path.extension().is_some_and(|extension| extension == "gguf" || extension == "safetensors"));
        paths.sort();
        let mut all = Vec::new();
        for path in &paths {
            match Contents::read(path) {
                Ok(contents) => all.extend(contents),
                Err(error) if path.extension().is_some_and(|extension| extension == "safetensors") => {
                    return Err(error);
                }
                // Perhaps a model of texts, whose gate says more.
                Err(_) => return Ok(None),
            }
        }
        if !all.iter().any(|contents| contents.family().is_some()) {
            return Ok(None);
        }
        Self::of_contents(folder, all).map(Some)
    }

    /// A folder as the library diffusers writes it.
    fn of_diffusers(folder: &Path) -> Result<Option<Self>> {
        let mut all = Vec::new();
        for (part, file) in [
            ("diffusion model", "unet/diffusion_pytorch_model.safetensors"),
            ("text encoder", "text_encoder/model.safetensors"),
            ("VAE", "vae/diffusion_pytorch_model.safetensors"),
            ("", "text_encoder_2/model.safetensors"),
        ] {
            let path = folder.join(file);
            if path.is_file() {
                all.extend(Contents::read(&path)?);
            } else if !part.is_empty() {
                let message = format!("{}: the checkpoint has no {part}: {file} is missing", folder.display());
                return Err(Error::new(ErrorKind::InvalidModel, message).with_code("missing_part"));
            }
        }
        let family = all.first().and_then(Contents::family);
        let family = family.filter(|family| matches!(family, Family::Sd1 | Family::Sd2 | Family::Sdxl));
        let Some(family) = family else {
            let message =
                format!("{}: of diffusers' folders, Stable Diffusion 1, 2 and XL are served", folder.display());
            return Err(Error::new(ErrorKind::InvalidModel, message).with_code("unsupported"));
        };
        let files = CheckpointFiles { model: Some(folder.to_path_buf()), ..CheckpointFiles::default() };
        Ok(Some(Self::sum_up(family, files, &all)))
    }

    fn of_contents(path: &Path, all: Vec<Contents>) -> Result<Self> {
        let mut files = CheckpointFiles::default();
        let (mut family, mut there) = (None, Vec::new());
        let twice = |part: Part| {
            let message = format!("{}: several files have a {}; keep one of them", path.display(), part.name());
            Err(Error::new(ErrorKind::InvalidModel, message).with_code("ambiguous_part"))
        };
        let mut used = Vec::new();
        for contents in all {
            let parts = contents.parts();
            if parts.is_empty() {
                continue;
            }
            let place = match parts[..] {
                [Part::Diffusion] => &mut files.diffusion_model,
                [Part::Diffusion, ..] => &mut files.model,
                [Part::ClipL] => &mut files.clip_l,
                [Part::ClipG] => &mut files.clip_g,
                [Part::T5] => &mut files.t5xxl,
                [Part::Llm] => &mut files.llm,
                [Part::Vae] => &mut files.vae,
                _ => return Err(contents.refuse("it has several parts of a checkpoint, but no diffusion model")),
            };
            if let Some(part) = parts.iter().find(|part| there.contains(*part)) {
                return twice(*part);
            }
            *place = Some(contents.path.clone());
            there.extend(parts);
            if let Some(found) = contents.family() {
                if matches!(found, Family::Sd1 | Family::Sd2 | Family::Sdxl) {
                    contents.check_unet()?;
                }
                family = Some(found);
            }
            used.push(contents);
        }
        let Some(family) = family else { return Err(Error::internal("the checkpoint has no diffusion model")) };
        if let Some(missing) = family.parts().iter().find(|part| !there.contains(part)) {
            let message = format!(
                "{}: the checkpoint ({}) has no {}: put its file into one folder with the other parts, and name the \
                 folder",
                path.display(),
                family.name(),
                missing.name()
            );
            return Err(Error::new(ErrorKind::InvalidModel, message).with_code("missing_part"));
        }
        Ok(Self::sum_up(family, files, &used))
    }

    fn sum_up(family: Family, files: CheckpointFiles, all: &[Contents]) -> Self {
        let tensors = || all.iter().flat_map(|contents| &contents.tensors);
        Checkpoint {
            family,
            files,
            identities: all.iter().map(|contents| contents.identity.clone()).collect(),
            size: all.iter().map(|contents| contents.size).sum(),
            memory: tensors().fold(0, |all, tensor| all.saturating_add(tensor.memory)),
            parameters: tensors().fold(0, |all, tensor| all.saturating_add(tensor.elements)),
            created: all.iter().map(|contents| contents.created).max().unwrap_or_default(),
        }
    }

    /// The bytes that the model takes at least: its weights, and computing an image of its usual size.
    pub(super) fn memory_need(&self) -> u64 {
        let side = self.family.side();
        self.memory.saturating_add(image_memory(side, side))
    }

    pub(super) fn check_memory(&self, options: &ModelOptions) -> Result<()> {
        gate::check_free_memory(self.memory, || format!("{}: no memory for the checkpoint", options.path.display()))
    }

    /// Loads the checkpoint that the options name.
    pub(super) fn load(id: &str, options: &ModelOptions, threads: u32) -> Result<PaintingModel> {
        // What is checked is what is loaded, whatever has become of the files since they were looked at.
        let checkpoint = Self::find(options)?.ok_or_else(|| {
            Error::new(ErrorKind::ModelFile, format!("{}: the checkpoint has gone", options.path.display()))
        })?;
        if !options.report(0.0) {
            return Err(Error::loading_stopped(&options.path));
        }
        let backend = DiffusionModel::load(&checkpoint.files, threads)
            .map_err(|error| error.with_message_prefix(&options.path.display().to_string()))?;
        if !options.report(1.0) {
            return Err(Error::loading_stopped(&options.path));
        }
        Ok(PaintingModel { info: checkpoint.describe(id, options), family: checkpoint.family, backend })
    }

    /// What the model is.
    pub(super) fn describe(&self, id: &str, options: &ModelOptions) -> ModelInfo {
        ModelInfo {
            id: id.to_owned(),
            aliases: options.aliases.clone(),
            path: options.path.clone(),
            file_size: self.size,
            architecture: self.family.name().to_owned(),
            name: None,
            parameters: self.parameters,
            quantization: None,
            trained_context_length: 0,
            context_length: 0,
            vocabulary_size: 0,
            has_chat_template: false,
            embedding_dimensions: None,
            adapters: Vec::new(),
            draft_model: None,
            placement: Vec::new(),
            batch_variance: None,
            created: self.created,
            loaded: true,
        }
    }
}

/// The bytes that computing an image takes beside the weights, by estimate.
fn image_memory(width: u32, height: u32) -> u64 {
    (u64::from(width) * u64::from(height)).min(TILED_PIXELS) * PIXEL_BYTES
}

/// Refuses an image that the memory which is free has no room for.
///
/// # Errors
///
/// `Unavailable`.
pub(crate) fn check_image_memory(width: u32, height: u32) -> Result<()> {
    gate::check_free_memory(image_memory(width, height), || {
        format!("no memory for an image of {width}x{height} pixels")
    })
}
