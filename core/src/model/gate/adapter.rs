//! LoRA adapters: what `llama_adapter_lora_init` asserts, and what it leaves to the kernels.

use std::collections::BTreeMap;

use crate::model::gguf::{Gguf, GgufError, TensorInfo, Value, invalid, quoted, unsupported};

const F32: u32 = 0;
/// What llama.cpp's converter writes: `F32`, `F16`, `Q8_0`, `BF16`.
const TYPES: [u32; 4] = [F32, 1, 8, 30];
/// The matrix of the embeddings is looked up and not multiplied, so that its pair is the other way
/// round.
const EMBEDDINGS: &str = "token_embd.weight";

/// A weight's two factors.
#[derive(Default, Clone, Copy)]
struct Pair<'a> {
    a: Option<&'a TensorInfo>,
    b: Option<&'a TensorInfo>,
}

/// Reads and checks an adapter for a model of this architecture with these tensors.
///
/// # Errors
///
/// [`GgufError`] with the first fault found.
pub(in crate::model) fn check_adapter<'a>(
    bytes: &[u8],
    architecture: &str,
    tensors: impl Iterator<Item = &'a TensorInfo>,
) -> Result<Gguf, GgufError> {
    let adapter = Gguf::read(bytes)?;
    check_metadata(&adapter, architecture)?;
    let pairs = pairs(&adapter)?;
    if pairs.is_empty() {
        return invalid("the adapter has no tensors".to_owned());
    }
    let base: BTreeMap<&str, &TensorInfo> = tensors.map(|tensor| (tensor.name.as_str(), tensor)).collect();
    for (name, pair) in pairs {
        let (Some(a), Some(b)) = (pair.a, pair.b) else {
            return invalid(format!("of the adapter's pair for tensor {}, one is missing", quoted(name)));
        };
        let Some(weight) = base.get(name) else {
            return invalid(format!("the model has no tensor {}: the adapter is for another model", quoted(name)));
        };
        check_pair(name, weight, a, b)?;
    }
    Ok(adapter)
}

fn check_metadata(adapter: &Gguf, architecture: &str) -> Result<(), GgufError> {
    for (key, expected) in [("general.type", "adapter"), ("adapter.type", "lora")] {
        match adapter.get_str(key) {
            Some(value) if value == expected => {}
            Some(value) => return unsupported(format!("{key} is {}, not \"{expected}\"", quoted(value))),
            None => return unsupported(format!("{key} is missing: the file is no adapter")),
        }
    }
    match adapter.architecture() {
        Some(own) if own == architecture => {}
        own => {
            let (own, model) = (quoted(own.unwrap_or_default()), quoted(architecture));
            return invalid(format!("the adapter is for models of architecture {own}, and this is {model}"));
        }
    }
    match adapter.metadata.get("adapter.lora.alpha") {
        None => {}
        Some(Value::F32(alpha)) if alpha.is_finite() => {}
        Some(_) => return invalid("adapter.lora.alpha is not a finite 32-bit float".to_owned()),
    }
    if adapter.metadata.contains_key("adapter.alora.invocation_tokens") {
        return unsupported("an activated LoRA, which a text switches on, cannot be applied".to_owned());
    }
    match adapter.get_u64("split.count") {
        None | Some(0 | 1) => Ok(()),
        Some(count) => unsupported(format!("the adapter is in {count} files")),
    }
}

/// The tensors of the adapter by the names of the weights that they belong to.
fn pairs(adapter: &Gguf) -> Result<BTreeMap<&str, Pair<'_>>, GgufError> {
    let mut pairs = BTreeMap::<&str, Pair<'_>>::new();
    for tensor in &adapter.tensors {
        let name = tensor.name.as_str();
        if !TYPES.contains(&tensor.type_id) {
            let type_id = tensor.type_id;
            return unsupported(format!("tensor {}: ggml type {type_id} is not for adapters", quoted(name)));
        }
        if let Some(weight) = name.strip_suffix(".lora_a") {
            pairs.entry(weight).or_default().a = Some(tensor);
        } else if let Some(weight) = name.strip_suffix(".lora_b") {
            pairs.entry(weight).or_default().b = Some(tensor);
        } else {
            // llama.cpp passes over trained norms.
            return unsupported(format!("tensor {} is none of a LoRA adapter's pairs", quoted(name)));
        }
    }
    Ok(pairs)
}

fn check_pair(name: &str, weight: &TensorInfo, a: &TensorInfo, b: &TensorInfo) -> Result<(), GgufError> {
    let dim = |tensor: &TensorInfo, axis: usize| tensor.dims.get(axis).copied().unwrap_or(1);
    let (input, output) = (dim(weight, 0), dim(weight, 1));
    let fits = if name.ends_with(EMBEDDINGS) {
        dim(b, 1) == input && dim(a, 1) == output && dim(a, 0) == dim(b, 0)
    } else {
        dim(a, 0) == input && dim(b, 1) == output && dim(a, 1) == dim(b, 0)
    };
    let is_each_alike = (2..4).all(|axis| dim(a, axis) == dim(weight, axis) && dim(b, axis) == dim(weight, axis));
    if weight.dims.len() < 2 || !fits || !is_each_alike {
        return invalid(format!(
            "the adapter's pair {:?} and {:?} does not fit tensor {}, which is {:?}: it may be for another model",
            a.dims,
            b.dims,
            quoted(name),
            weight.dims
        ));
    }
    Ok(())
}
