//! Model files, read and checked by us before llama.cpp sees them.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::SystemTime;

use memmap2::Mmap;
use sha2::{Digest, Sha256};

use super::gate::{self, Checked, MemoryNeed};
use super::gguf::{GgufError, TensorInfo};
use super::options::ModelOptions;
use super::weights::FileIdentity;
use crate::api::error::{Error, ErrorKind, Result};
use crate::backend;

/// The context length taken when none is asked for and the model allows more.
const DEFAULT_CONTEXT: u32 = 8192;

/// The smallest context that is worth computing with.
pub(super) const MIN_CONTEXT: u32 = 16;

/// What our own reader found out about a model's file, or files.
#[derive(Debug)]
pub(super) struct ModelFile {
    /// What the first file's header says.
    pub(super) checked: Checked,
    /// Of how many files the model consists.
    pub(super) files: usize,
    /// Bytes of all of them.
    pub(super) size: u64,
    pub(super) parameters: u64,
    /// When the first was last changed, in seconds since 1970.
    pub(super) created: u64,
    /// The files as they were when they were checked.
    pub(super) identities: Vec<FileIdentity>,
    /// The tensors of all files but the first.
    other_tensors: Vec<TensorInfo>,
}

impl ModelFile {
    /// # Errors
    ///
    /// `ModelFile` for what cannot be read, `InvalidModel` for what is no sound model.
    pub(super) fn check(path: &Path, mapped: &MappedFile) -> Result<Self> {
        let checked = gate::check(mapped.bytes()).map_err(refused(path))?;
        let (mut size, mut parameters) = (mapped.size, checked.gguf.parameter_count());
        let (mut identities, mut other_tensors) = (vec![mapped.identity.clone()], Vec::new());
        let others = gate::split_paths(&checked.gguf, path).map_err(refused(path))?;
        for (index, other) in (1..).zip(&others) {
            let mapped = MappedFile::open(other)?;
            let count = others.len() as u64 + 1;
            let part = gate::check_split(mapped.bytes(), &checked, index, count).map_err(refused(other))?;
            size += mapped.size;
            parameters += part.parameter_count();
            identities.push(mapped.identity.clone());
            other_tensors.extend(part.tensors);
        }
        let (files, created) = (others.len() + 1, mapped.created);
        Ok(ModelFile { checked, files, size, parameters, created, identities, other_tensors })
    }

    /// What tells the model from others, from samples of its files and when they were last changed.
    ///
    /// # Errors
    ///
    /// `ModelFile` for a file that can no longer be read.
    pub(super) fn digest(&self, path: &Path) -> Result<[u8; 32]> {
        let mut digest = Sha256::new();
        let others = gate::split_paths(&self.checked.gguf, path).map_err(refused(path))?;
        for path in [path.to_path_buf()].iter().chain(&others) {
            MappedFile::open(path)?.sample(&mut digest);
        }
        for identity in &self.identities {
            identity.digest(&mut digest);
        }
        Ok(digest.finalize().into())
    }

    /// The tensors of all files.
    pub(super) fn tensors(&self) -> impl Iterator<Item = &TensorInfo> {
        self.checked.gguf.tensors.iter().chain(&self.other_tensors)
    }

    /// The least that the model takes with these options.
    pub(super) fn memory_need(&self, options: &ModelOptions, parallel: u32) -> MemoryNeed {
        let context_length = self.context_length(options);
        let first = MemoryNeed::estimate(&self.checked, context_length, parallel, options.kv_type, options.mmap);
        let others = if options.mmap { 0 } else { self.other_tensors.iter().map(|tensor| tensor.size).sum() };
        MemoryNeed { weights: first.weights.saturating_add(others), ..first }
    }

    pub(super) fn layers(&self) -> u32 {
        self.checked.hparams.layers
    }

    /// The context length in use with these options.
    pub(super) fn context_length(&self, options: &ModelOptions) -> u32 {
        context_length(options, self.checked.hparams.context_length)
    }

    /// What our kernels lack of the weight matrices that are multiplied with, if anything. Of a split model's other
    /// files it is not known.
    pub(super) fn lacking_kernel(&self) -> Option<String> {
        if self.files > 1 {
            return Some("of a model in several files it is not known what computes".to_owned());
        }
        let tensors = &self.checked.gguf.tensors;
        let has_output = tensors.iter().any(|tensor| tensor.name == "output.weight");
        let is_looked_up = |name: &str| match name {
            "token_embd.weight" => has_output,
            "position_embd.weight" | "token_types.weight" => true,
            _ => false,
        };
        let has_kernels = |tensor: &&TensorInfo| match tensor.dims[..] {
            // One row, by which a mixture of experts weighs those that all tokens share.
            [_] => !tensor.name.ends_with(".ffn_gate_inp_shexp.weight"),
            [width, rows] => {
                is_looked_up(&tensor.name) || backend::has_kernels(&tensor.name, tensor.type_id, width, rows)
            }
            [width, rows, _] => {
                tensor.name.ends_with("_exps.weight") && backend::has_kernels(&tensor.name, tensor.type_id, width, rows)
            }
            _ => false,
        };
        tensors.iter().find(|tensor| !has_kernels(tensor)).map(|tensor| {
            let of = backend::tensor_type_name(tensor.type_id);
            format!("llama.cpp's kernels compute with {:?} ({of}, {:?})", tensor.name, tensor.dims)
        })
    }

    /// The quantisation, such as `Q4_K_M`.
    pub(super) fn quantization(&self) -> Option<&'static str> {
        self.checked.gguf.file_type().and_then(file_type_name)
    }
}

/// A file in memory.
pub(super) struct MappedFile {
    /// `None` for an empty file, which cannot be mapped.
    map: Option<Mmap>,
    pub(super) size: u64,
    /// When it was last changed, in seconds since 1970.
    pub(super) created: u64,
    pub(super) identity: FileIdentity,
}

impl MappedFile {
    /// # Errors
    ///
    /// `ModelFile`.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let open_failed = |error: io::Error| unreadable(path, error);
        let not_a_file = |kind, what: &'static str| unreadable(path, io::Error::new(kind, what));
        // Asked before opening, which for a pipe would wait until somebody writes to it.
        let metadata = fs::metadata(path).map_err(open_failed)?;
        if metadata.is_dir() {
            return Err(not_a_file(io::ErrorKind::IsADirectory, "it is a folder"));
        }
        if !metadata.is_file() {
            return Err(not_a_file(io::ErrorKind::InvalidInput, "it is a device or a pipe"));
        }
        let file = File::open(path).map_err(open_failed)?;
        let map = if metadata.len() == 0 {
            None
        } else {
            // SAFETY: the map is read-only and dropped when the file has been
            // checked. Who truncates the file meanwhile faults us; the
            // documentation tells hosts not to change a model file while it is
            // being loaded.
            Some(unsafe { Mmap::map(&file) }.map_err(open_failed)?)
        };
        let created = metadata
            .modified()
            .ok()
            .and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok())
            .map_or(0, |age| age.as_secs());
        Ok(MappedFile { map, size: metadata.len(), created, identity: FileIdentity::of(&metadata) })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.map.as_deref().unwrap_or_default()
    }

    /// What tells the file from others of its size: the beginning of each megabyte, since training changes all
    /// weights.
    fn sample(&self, digest: &mut Sha256) {
        digest.update(self.size.to_le_bytes());
        for part in self.bytes().chunks(1 << 20) {
            digest.update(&part[..part.len().min(4096)]);
        }
    }
}

/// The context length in use for a model that was trained with `trained` tokens.
pub(super) fn context_length(options: &ModelOptions, trained: u32) -> u32 {
    let default = trained.clamp(MIN_CONTEXT, DEFAULT_CONTEXT);
    options.context_length.map_or(default, |tokens| tokens.get().max(MIN_CONTEXT))
}

/// What becomes of a fault that was found in a file.
pub(super) fn refused(path: &Path) -> impl Fn(GgufError) -> Error {
    move |error| {
        Error::new(ErrorKind::InvalidModel, format!("{}: {error}", path.display()))
            .with_code(error.code())
            .with_source(error)
    }
}

fn unreadable(path: &Path, error: io::Error) -> Error {
    Error::new(ErrorKind::ModelFile, format!("{}: the model file cannot be read: {error}", path.display()))
        .with_path(path)
        .with_source(error)
}

/// The name of llama.cpp's `llama_ftype`, as people know it from file names.
pub(super) fn file_type_name(file_type: u64) -> Option<&'static str> {
    let name = match file_type {
        0 => "F32",
        1 => "F16",
        2 => "Q4_0",
        3 => "Q4_1",
        7 => "Q8_0",
        8 => "Q5_0",
        9 => "Q5_1",
        10 => "Q2_K",
        11 => "Q3_K_S",
        12 => "Q3_K_M",
        13 => "Q3_K_L",
        14 => "Q4_K_S",
        15 => "Q4_K_M",
        16 => "Q5_K_S",
        17 => "Q5_K_M",
        18 => "Q6_K",
        19 => "IQ2_XXS",
        20 => "IQ2_XS",
        21 => "Q2_K_S",
        22 => "IQ3_XS",
        23 => "IQ3_XXS",
        24 => "IQ1_S",
        25 => "IQ4_NL",
        26 => "IQ3_S",
        27 => "IQ3_M",
        28 => "IQ2_S",
        29 => "IQ2_M",
        30 => "IQ4_XS",
        31 => "IQ1_M",
        32 => "BF16",
        36 => "TQ1_0",
        37 => "TQ2_0",
        38 => "MXFP4",
        _ => return None,
    };
    Some(name)
}
