//! Projectors: what mtmd's loader asserts or divides by, and what it leaves to the kernels.

mod blocks;
mod kinds;
mod sizes;

use super::hparams::check_floats;
use super::keys::Keys;
use super::tensors;
use crate::model::gguf::{Gguf, GgufError, TensorInfo, Value, invalid, quoted, unsupported};
use kinds::{AUDIO, AudioKind, Need, VISION, VisionKind};

/// `F32`, `F16`, `BF16`, and the types of quantised matrices that converters write.
const MATRIX_TYPES: [u32; 11] = [0, 1, 30, 2, 3, 6, 7, 8, 12, 13, 14];
/// What convolutions are computed with.
const CONVOLUTION_TYPES: [u32; 2] = [0, 1];

/// What the gate found out about a projector that it lets through.
#[derive(Debug)]
pub(in crate::model) struct CheckedProjector {
    pub(in crate::model) gguf: Gguf,
    /// The type of the part that sees.
    pub(in crate::model) vision_kind: Option<&'static str>,
    /// The fewest tokens to which an image can be limited, if it can be.
    pub(in crate::model) least_image_tokens: Option<u32>,
}

/// Reads and checks a projector.
///
/// # Errors
///
/// [`GgufError`] with the first fault found.
pub(in crate::model) fn check_projector(bytes: &[u8]) -> Result<CheckedProjector, GgufError> {
    let gguf = Gguf::read(bytes)?;
    if gguf.architecture() != Some("clip") {
        let own = quoted(gguf.architecture().unwrap_or_default());
        return unsupported(format!("general.architecture is {own}, not \"clip\": the file is no projector"));
    }
    let keys = Keys::new(&gguf, bytes)?;
    check_floats(&keys)?;
    if flag(&gguf, "clip.has_gen_audio_encoder")? {
        return unsupported("a projector that makes sound is not served".to_owned());
    }
    let (mut vision, mut audio) = (None, None);
    if flag(&gguf, "clip.has_vision_encoder")? {
        let kind = served(kind_name(&gguf, "vision")?, &VISION, |kind| kind.name)?;
        check_vision(&keys, kind)?;
        vision = Some(kind);
    }
    if flag(&gguf, "clip.has_audio_encoder")? {
        let kind = served(kind_name(&gguf, "audio")?, &AUDIO, |kind| kind.name)?;
        check_audio(&keys, kind)?;
        audio = Some(kind);
    }
    if vision.is_none() && audio.is_none() {
        return invalid("the projector has neither a vision nor an audio encoder".to_owned());
    }
    check_tensors(&gguf)?;
    Ok(CheckedProjector {
        vision_kind: vision.map(|kind| kind.name),
        least_image_tokens: vision.and_then(|kind| kind.size.least_tokens()),
        gguf,
    })
}

fn flag(gguf: &Gguf, key: &str) -> Result<bool, GgufError> {
    match gguf.metadata.get(key) {
        None => Ok(false),
        Some(Value::Bool(value)) => Ok(*value),
        Some(_) => invalid(format!("{} is not a truth value", quoted(key))),
    }
}

/// The type of one of the encoders, as mtmd finds it.
fn kind_name<'a>(gguf: &'a Gguf, encoder: &str) -> Result<&'a str, GgufError> {
    let own = format!("clip.{encoder}.projector_type");
    let kind = gguf.get_str("clip.projector_type").filter(|kind| !kind.is_empty()).or_else(|| gguf.get_str(&own));
    match (kind, encoder) {
        (None, _) => invalid(format!("clip.projector_type is missing, and so is {}", quoted(&own))),
        (Some("qwen2.5o"), "vision") => Ok("qwen2.5vl_merger"),
        (Some("qwen2.5o"), _) => Ok("qwen2a"),
        (Some(kind), _) => Ok(kind),
    }
}

/// The kind of this name.
fn served<'a, K>(name: &str, kinds: &'a [K], name_of: impl Fn(&'a K) -> &'static str) -> Result<&'a K, GgufError> {
    if let Some(kind) = kinds.iter().find(|kind| name_of(kind) == name) {
        return Ok(kind);
    }
    let served = kinds.iter().map(name_of).collect::<Vec<_>>().join(", ");
    unsupported(format!("projectors of the type {} are not served; these are: {served}", quoted(name)))
}

fn check_vision(keys: &Keys<'_>, kind: &VisionKind) -> Result<(), GgufError> {
    let encoder = sizes::check_encoder(keys, "vision", 0)?;
    sizes::check_images(keys, kind)?;
    check_needs(keys.gguf, kind.needs)?;
    blocks::check(keys.gguf, "v", &encoder, kind.attention)
}

fn check_audio(keys: &Keys<'_>, kind: &AudioKind) -> Result<(), GgufError> {
    // One block is looked at without asking whether there is any.
    let encoder = sizes::check_encoder(keys, "audio", 1)?;
    keys.required("audio.num_mel_bins", 1, 256)?;
    if kind.stacks {
        keys.required("audio.projector.stack_factor", 1, 64)?;
    }
    check_needs(keys.gguf, kind.needs)?;
    blocks::check(keys.gguf, "a", &encoder, kind.attention)
}

fn find<'a>(gguf: &'a Gguf, name: &str) -> Option<&'a TensorInfo> {
    gguf.tensors.iter().find(|tensor| tensor.name == name)
}

fn require(gguf: &Gguf, name: &str) -> Result<(), GgufError> {
    if find(gguf, name).is_some() { Ok(()) } else { invalid(format!("tensor {} is missing", quoted(name))) }
}

fn check_needs(gguf: &Gguf, needs: &[Need]) -> Result<(), GgufError> {
    for need in needs {
        let names = match need {
            Need::All(names) => names,
            Need::With(name, names) if find(gguf, name).is_some() => names,
            Need::Without(name, names) if find(gguf, name).is_none() => names,
            Need::With(..) | Need::Without(..) => continue,
        };
        names.iter().try_for_each(|name| require(gguf, name))?;
    }
    Ok(())
}

fn check_tensors(gguf: &Gguf) -> Result<(), GgufError> {
    tensors::check_types(gguf)?;
    for TensorInfo { name, dims, type_id, .. } in &gguf.tensors {
        let is_kernel = dims.iter().skip(2).any(|dim| *dim > 1);
        let is_convolution = is_kernel && ["patch_embd", "conv"].iter().any(|part| name.contains(part));
        let types = if is_convolution { &CONVOLUTION_TYPES[..] } else { &MATRIX_TYPES[..] };
        if !types.contains(type_id) {
            return unsupported(format!("tensor {}: ggml type {type_id} is not for projectors", quoted(name)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
