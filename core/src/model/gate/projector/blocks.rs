//! The blocks of an encoder: what attention is computed with.

use super::kinds::Attention;
use super::sizes::Encoder;
use super::{find, require};
use crate::model::gguf::{Gguf, GgufError, TensorInfo, invalid, quoted};

/// Checks all blocks of an encoder whose tensors' names begin with `prefix`.
pub(super) fn check(gguf: &Gguf, prefix: &str, encoder: &Encoder, attention: Attention) -> Result<(), GgufError> {
    (0..encoder.blocks).try_for_each(|block| {
        let name = |part: &str| format!("{prefix}.blk.{block}.attn_{part}");
        let fused = find(gguf, &name("qkv.weight"));
        match attention {
            Attention::Optional => Ok(()),
            Attention::Split => check_split(gguf, name, false),
            Attention::SplitWithBias => check_split(gguf, name, true),
            Attention::Either => fused.map_or_else(
                || check_split(gguf, name, false),
                |fused| check_fused(fused, u64::from(encoder.heads) * u64::from(encoder.head)),
            ),
            Attention::FusedWithBias => {
                require(gguf, &name("qkv.weight"))?;
                require(gguf, &name("qkv.bias"))?;
                if encoder.heads * encoder.head != encoder.width {
                    return invalid(format!("clip: {} heads do not make {} numbers", encoder.heads, encoder.width));
                }
                fused.map_or(Ok(()), |fused| check_fused(fused, u64::from(encoder.width)))
            }
        }
    })
}

fn check_split(gguf: &Gguf, name: impl Fn(&str) -> String, with_bias: bool) -> Result<(), GgufError> {
    for part in ["q", "k", "v"] {
        require(gguf, &name(&format!("{part}.weight")))?;
        if with_bias {
            require(gguf, &name(&format!("{part}.bias")))?;
        }
    }
    Ok(())
}

/// Queries, keys and values are looked for at a third each.
fn check_fused(tensor: &TensorInfo, width: u64) -> Result<(), GgufError> {
    if tensor.dims.get(1) == Some(&(3 * width)) {
        return Ok(());
    }
    invalid(format!("tensor {} is {:?}, without {} rows", quoted(&tensor.name), tensor.dims, 3 * width))
}
