//! Tensors: types that llama.cpp's kernels compute with, shapes that agree with the rest.

use std::collections::HashSet;

use super::hparams::Hparams;
use crate::model::gguf::{Gguf, GgufError, TensorInfo, invalid, quoted, unsupported};

const F32: u32 = 0;
/// `I8`, `I16`, `I32`, `I64`, `F64`; `Q8_1`, `Q8_K`, which only activations have.
const NO_WEIGHTS: [u32; 7] = [24, 25, 26, 27, 28, 9, 15];
/// Models of sounds, which embed something else than text.
const SOUNDS: [&str; 3] = ["wavtokenizer-dec", "qwen3tts", "pockettts"];

pub(super) fn check(gguf: &Gguf, hparams: &Hparams, tokens: u64) -> Result<(), GgufError> {
    check_types(gguf)?;
    let is_text = gguf.architecture().is_none_or(|architecture| !SOUNDS.contains(&architecture));
    let embedding = gguf.tensors.iter().find(|tensor| tensor.name == "token_embd.weight");
    let expected = [u64::from(hparams.embedding_length), tokens];
    match embedding {
        Some(tensor) if is_text && !has_shape(tensor, &expected) => invalid(format!(
            "token_embd.weight is {:?}, but the metadata speak of {expected:?}: embedding length and tokens",
            tensor.dims
        )),
        _ => Ok(()),
    }
}

/// Trailing dimensions of 1 mean nothing.
fn has_shape(tensor: &TensorInfo, expected: &[u64]) -> bool {
    let (head, tail) = tensor.dims.split_at(tensor.dims.len().min(expected.len()));
    head == expected && tail.iter().all(|dim| *dim == 1)
}

/// llama.cpp asks of a tensor's type only what its kernels then do not check.
pub(super) fn check_types(gguf: &Gguf) -> Result<(), GgufError> {
    for tensor in &gguf.tensors {
        let TensorInfo { name, dims, type_id, .. } = tensor;
        let is_weight = name.rsplit_once('.').is_some_and(|(_, suffix)| matches!(suffix, "weight" | "bias"));
        if is_weight && NO_WEIGHTS.contains(type_id) {
            return unsupported(format!("tensor {}: ggml type {type_id} is not for weights", quoted(name)));
        }
        // These are added or multiplied element by element, which kernels do with 32-bit floats only.
        let is_vector = is_weight && dims.iter().skip(1).all(|dim| *dim == 1);
        if *type_id != F32 && (is_vector || needs_f32(name)) {
            return unsupported(format!("tensor {} has ggml type {type_id} instead of 32-bit floats", quoted(name)));
        }
    }
    Ok(())
}

fn needs_f32(name: &str) -> bool {
    let name = name.rsplit_once('.').map_or(name, |(stem, suffix)| match suffix {
        "weight" | "bias" | "scale" => stem,
        _ => name,
    });
    let last = name.rsplit('.').next().unwrap_or(name);
    last.ends_with("_norm") || matches!(last, "ssm_conv1d" | "ssm_a" | "ssm_d" | "shortconv.conv" | "rope_freqs")
}

/// Split files are one model, whose tensors have one name each.
pub(super) fn check_names_differ(first: &Gguf, other: &Gguf) -> Result<(), GgufError> {
    let names: HashSet<&str> = first.tensors.iter().map(|tensor| tensor.name.as_str()).collect();
    match other.tensors.iter().find(|tensor| names.contains(tensor.name.as_str())) {
        Some(tensor) => invalid(format!("tensor {} is in the first file too", quoted(&tensor.name))),
        None => Ok(()),
    }
}
