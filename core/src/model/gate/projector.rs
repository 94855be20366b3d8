//! Projectors: what mtmd's loader asserts or divides by, and what it leaves to the kernels.

use super::keys::Keys;
use super::tensors;
use crate::model::gguf::{Gguf, GgufError, TensorInfo, Value, ValueType, invalid, quoted, unsupported};

/// `F32`, `F16`, `BF16`, and the types of quantised matrices that converters write.
const MATRIX_TYPES: [u32; 11] = [0, 1, 30, 2, 3, 6, 7, 8, 12, 13, 14];
/// What convolutions are computed with.
const CONVOLUTION_TYPES: [u32; 2] = [0, 1];

/// Projectors whose rows depend on where in a prompt they stand, so that they cannot be computed by
/// themselves; and those that make sound instead of hearing it.
const UNSERVED: [&str; 6] =
    ["deepseek4v", "hunyuanvl", "qwen3tts_gen", "qwen3tts_spkenc", "pockettts_gen", "pockettts_spkenc"];

/// Tensors that mtmd computes with and does not ask for, of the kinds that are met most.
const REQUIRED: [(&str, &[&str]); 13] = [
    ("mlp", &["v.patch_embd.weight", "mm.0.weight"]),
    ("gemma3", &["v.patch_embd.weight", "v.position_embd.weight", "v.blk.0.ln1.weight"]),
    ("idefics3", &["v.patch_embd.weight", "v.position_embd.weight"]),
    ("internvl", &["v.patch_embd.weight", "v.position_embd.weight"]),
    ("pixtral", &["v.patch_embd.weight"]),
    ("qwen2vl_merger", &["v.patch_embd.weight", "v.patch_embd.weight.1", "v.blk.0.attn_q.bias"]),
    ("qwen2.5vl_merger", &["v.patch_embd.weight", "v.patch_embd.weight.1", "v.blk.0.attn_q.bias"]),
    ("qwen3vl_merger", &["v.patch_embd.weight", "v.patch_embd.weight.1", "v.position_embd.weight"]),
    ("ultravox", &["a.position_embd.weight", "a.blk.0.ln1.weight"]),
    ("qwen2a", &["a.position_embd.weight", "a.blk.0.ln1.weight"]),
    ("voxtral", &["a.position_embd.weight", "a.blk.0.ln1.weight"]),
    ("glma", &["a.position_embd.weight", "a.blk.0.ln1.weight"]),
    ("meralion", &["a.position_embd.weight", "a.blk.0.ln1.weight"]),
];

/// Reads and checks a projector.
///
/// # Errors
///
/// [`GgufError`] with the first fault found.
pub(in crate::model) fn check_projector(bytes: &[u8]) -> Result<Gguf, GgufError> {
    let gguf = Gguf::read(bytes)?;
    if gguf.architecture() != Some("clip") {
        let own = quoted(gguf.architecture().unwrap_or_default());
        return unsupported(format!("general.architecture is {own}, not \"clip\": the file is no projector"));
    }
    let keys = Keys::new(&gguf, bytes)?;
    if flag(&gguf, "clip.has_gen_audio_encoder")? {
        return unsupported("a projector that makes sound is not served".to_owned());
    }
    let encoders = [("vision", "clip.has_vision_encoder"), ("audio", "clip.has_audio_encoder")];
    let mut found = false;
    for (encoder, key) in encoders {
        if flag(&gguf, key)? {
            found = true;
            check_kind(&gguf, encoder)?;
            check_encoder(&keys, encoder)?;
        }
    }
    if !found {
        return invalid("the projector has neither a vision nor an audio encoder".to_owned());
    }
    check_tensors(&gguf)?;
    Ok(gguf)
}

fn flag(gguf: &Gguf, key: &str) -> Result<bool, GgufError> {
    match gguf.metadata.get(key) {
        None => Ok(false),
        Some(Value::Bool(value)) => Ok(*value),
        Some(_) => invalid(format!("{} is not a truth value", quoted(key))),
    }
}

fn check_kind(gguf: &Gguf, encoder: &str) -> Result<(), GgufError> {
    let own = format!("clip.{encoder}.projector_type");
    let kind = gguf.get_str("clip.projector_type").filter(|kind| !kind.is_empty()).or_else(|| gguf.get_str(&own));
    match kind {
        None => invalid(format!("clip.projector_type is missing, and so is {}", quoted(&own))),
        Some(kind) if UNSERVED.contains(&kind) => {
            unsupported(format!("projectors of the type {} are not served", quoted(kind)))
        }
        Some(kind) => check_required(gguf, kind),
    }
}

fn check_required(gguf: &Gguf, kind: &str) -> Result<(), GgufError> {
    let required = REQUIRED.iter().find(|(name, _)| *name == kind).map_or(&[][..], |(_, tensors)| tensors);
    let has = |name: &str| gguf.tensors.iter().any(|tensor| tensor.name == name);
    match required.iter().find(|name| !has(name)) {
        Some(missing) => invalid(format!("tensor {} is missing", quoted(missing))),
        None => Ok(()),
    }
}

fn check_encoder(keys: &Keys<'_>, encoder: &str) -> Result<(), GgufError> {
    let key = |name: &str| format!("{encoder}.{name}");
    let width = keys.required(&key("embedding_length"), 1, 1 << 16)?;
    let heads = keys.required(&key("attention.head_count"), 1, 1 << 12)?;
    let head = keys.within(&key("attention.head_dim"), 1, 1 << 12)?;
    if head.is_none() && width % heads != 0 {
        return invalid(format!("clip.{encoder}: {width} numbers cannot be shared by {heads} heads"));
    }
    keys.within(&key("attention.head_count_kv"), 1, heads)?;
    keys.required(&key("feed_forward_length"), 0, 1 << 20)?;
    keys.required(&key("block_count"), 0, 512)?;
    keys.required(&key("projection_dim"), 0, 1 << 20)?;
    if encoder == "audio" {
        keys.required("audio.num_mel_bins", 1, 256)?;
        return Ok(());
    }
    keys.required("vision.image_size", 0, 8192)?;
    keys.required("vision.patch_size", 1, 1024)?;
    for name in ["vision.spatial_merge_size", "vision.projector.scale_factor"] {
        keys.within(name, 1, 64)?;
    }
    // Images are less the one, and divided by the other.
    numbers(keys, "clip.vision.image_mean", f32::is_finite)?;
    numbers(keys, "clip.vision.image_std", |number| number.is_finite() && number != 0.0)
}

/// Checks three numbers or more.
fn numbers(keys: &Keys<'_>, name: &str, fits: impl Fn(f32) -> bool) -> Result<(), GgufError> {
    match keys.array(name)? {
        Some((ValueType::F32, len, start)) if (3..=16).contains(&len) => {
            if keys.words(start, len).map(f32::from_le_bytes).all(fits) {
                return Ok(());
            }
            invalid(format!("{} has a number that cannot be computed with", quoted(name)))
        }
        _ => invalid(format!("{} is no list of three numbers", quoted(name))),
    }
}

fn check_tensors(gguf: &Gguf) -> Result<(), GgufError> {
    if gguf.tensors.is_empty() {
        return invalid("the projector has no tensors".to_owned());
    }
    tensors::check_types(gguf)?;
    for TensorInfo { name, dims, type_id, .. } in &gguf.tensors {
        let is_convolution = dims.iter().skip(2).any(|dim| *dim > 1);
        let types = if is_convolution { &CONVOLUTION_TYPES[..] } else { &MATRIX_TYPES[..] };
        if !types.contains(type_id) {
            return unsupported(format!("tensor {}: ggml type {type_id} is not for projectors", quoted(name)));
        }
    }
    Ok(())
}
