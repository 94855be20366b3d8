//! Hyperparameters: what llama.cpp asserts, divides by, or sizes memory after.
//!
//! The rules are those of `llama_model_base::load_hparams` and of the architectures' own code in
//! `src/models`, stated once for all architectures.

use super::keys::Keys;
use crate::model::gguf::{GgufError, Value, invalid, quoted};

/// `LLAMA_MAX_LAYERS`.
const MAX_LAYERS: u32 = 512;
/// `LLAMA_MAX_EXPERTS`.
const MAX_EXPERTS: u32 = 1024;
/// No real model comes near these; below them llama.cpp's 32-bit products do not overflow.
const MAX_WIDTH: u32 = 1 << 20;
const MAX_HEADS: u32 = 1 << 14;
const MAX_HEAD: u32 = 1 << 14;
/// Positions are `int32_t`.
const MAX_CONTEXT: u32 = i32::MAX.cast_unsigned();
/// A sliding window times 256 sequences stays a `uint32_t`.
const MAX_WINDOW: u32 = 1 << 23;

/// Architectures with layers, or nothing but layers, that have no attention heads.
const HEADLESS: [&str; 26] = [
    "mamba",
    "mamba2",
    "rwkv6",
    "rwkv6qwen2",
    "rwkv7",
    "arwkv7",
    "jamba",
    "falcon-h1",
    "plamo2",
    "granitehybrid",
    "lfm2",
    "lfm2moe",
    "nemotron_h",
    "nemotron_h_moe",
    "qwen3next",
    "kimi-linear",
    "bailingmoe3",
    "kimi-k3",
    "glm5-next",
    "qwen35",
    "qwen35moe",
    "qwen4exp",
    "deepseek4",
    "minimax-01",
    "deci",
    "wavtokenizer-dec",
];

/// Hyperparameters that llama.cpp divides by.
const DIVISORS: [&str; 12] = [
    "wkv.head_size",
    "ssm.conv_kernel",
    "ssm.inner_size",
    "ssm.state_size",
    "ssm.time_step_rank",
    "shortconv.l_cache",
    "interleave_moe_layer_step",
    "experts_per_group",
    "full_attention_interval",
    "attention.output_group_count",
    "attention.group_norm_groups",
    "conv_group_size",
];

/// The values of `rope.scaling.type` that llama.cpp knows; it asserts any other away.
const ROPE_SCALINGS: [&str; 4] = ["none", "linear", "yarn", "longrope"];

/// What the rest of the gate needs to know.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::model) struct Hparams {
    pub(in crate::model) context_length: u32,
    pub(super) embedding_length: u32,
    pub(in crate::model) layers: u32,
    /// Of each layer, in elements of the KV cache per token.
    pub(super) key_width: Vec<u64>,
    pub(super) value_width: Vec<u64>,
    pub(super) sliding_window: Option<u32>,
}

pub(super) fn check(keys: &Keys<'_>) -> Result<Hparams, GgufError> {
    let context_length = keys.required("context_length", 1, MAX_CONTEXT)?;
    let embedding_length = keys.required("embedding_length", 1, MAX_WIDTH)?;
    let layers = keys.required("block_count", 1, MAX_LAYERS)?;
    // At least one layer has to be the model's own.
    keys.within("nextn_predict_layers", 0, layers - 1)?;
    keys.within("leading_dense_block_count", 0, layers)?;
    keys.per_layer("feed_forward_length", layers, MAX_WIDTH)?;
    for key in ["vocab_size", "embedding_length_out", "expert_feed_forward_length", "expert_shared_feed_forward_length"]
    {
        keys.within(key, 0, 1 << 24)?;
    }
    for key in DIVISORS {
        keys.within(key, 1, MAX_WIDTH)?;
    }
    check_experts(keys, layers)?;
    check_floats(keys)?;
    check_rope_scaling(keys)?;
    check_state_space(keys, embedding_length)?;
    let (heads, kv_heads) = check_heads(keys, layers)?;
    let (key_length, value_length) = check_head_sizes(keys, embedding_length, &heads)?;
    let widths = |length: u32| kv_heads.iter().map(|heads| u64::from(*heads) * u64::from(length)).collect();
    // Models with a latent cache (MLA) keep no values beside it.
    let is_latent = keys.u32("attention.key_length_mla")?.is_some();
    Ok(Hparams {
        context_length,
        embedding_length,
        layers,
        key_width: widths(key_length),
        value_width: widths(if is_latent { 0 } else { value_length }),
        sliding_window: keys.within("attention.sliding_window", 0, MAX_WINDOW)?.filter(|window| *window > 0),
    })
}

fn check_experts(keys: &Keys<'_>, layers: u32) -> Result<(), GgufError> {
    let experts = keys.within("expert_count", 0, MAX_EXPERTS)?.unwrap_or(0);
    let used = keys.per_layer("expert_used_count", layers, experts)?.unwrap_or_default();
    // Both of these llama.cpp takes for no experts at all.
    let is_dense = experts <= 1 && keys.architecture.starts_with("hunyuan");
    let most_used = used.into_iter().max().unwrap_or(0);
    if experts > 0 && most_used == 0 && !is_dense {
        return invalid(format!("{} is 0 for {experts} experts", quoted(&keys.name("expert_used_count"))));
    }
    let groups = keys.within("expert_group_count", 0, experts.saturating_sub(1))?.unwrap_or(0);
    if groups > 1 {
        if !experts.is_multiple_of(groups) {
            return invalid(format!("{experts} experts do not make {groups} equal groups"));
        }
        keys.required("expert_group_used_count", 1, groups - 1)?;
    }
    Ok(())
}

/// No number may be NaN, and no epsilon negative: normalisation asserts it.
pub(super) fn check_floats(keys: &Keys<'_>) -> Result<(), GgufError> {
    let prefix = keys.name("");
    for (key, value) in keys.gguf.metadata.range(prefix.clone()..).take_while(|(key, _)| key.starts_with(&prefix)) {
        let Value::F32(number) = value else { continue };
        let is_epsilon = key.ends_with("epsilon");
        if number.is_nan() || is_epsilon && !(0.0..=1.0).contains(number) {
            return invalid(format!("{} is {number}", quoted(key)));
        }
    }
    Ok(())
}

fn check_rope_scaling(keys: &Keys<'_>) -> Result<(), GgufError> {
    match keys.gguf.get_str(&keys.name("rope.scaling.type")) {
        Some(name) if !ROPE_SCALINGS.contains(&name) => {
            invalid(format!("{} is {}, which is unknown", quoted(&keys.name("rope.scaling.type")), quoted(name)))
        }
        _ => Ok(()),
    }
}

/// State-space models reshape their state by these, and the `RWKV` family its width.
fn check_state_space(keys: &Keys<'_>, embedding_length: u32) -> Result<(), GgufError> {
    if let Some(inner) = keys.u32("ssm.inner_size")? {
        let groups = keys.within("ssm.group_count", 0, MAX_WIDTH)?.unwrap_or(0);
        if groups > 0 && !inner.is_multiple_of(groups) {
            return invalid(format!("{} is {inner}, no multiple of {groups} groups", keys.name("ssm.inner_size")));
        }
    }
    match keys.u32("wkv.head_size")? {
        Some(size) if !embedding_length.is_multiple_of(size) => {
            invalid(format!("{} is {size}, which does not divide {embedding_length}", keys.name("wkv.head_size")))
        }
        _ => Ok(()),
    }
}

/// Query heads and key-value heads of each layer; queries share the latter evenly.
fn check_heads(keys: &Keys<'_>, layers: u32) -> Result<(Vec<u32>, Vec<u32>), GgufError> {
    const KEY: &str = "attention.head_count";
    let is_headless = HEADLESS.contains(&keys.architecture);
    let heads = match keys.per_layer(KEY, layers, MAX_HEADS)? {
        Some(heads) if !is_headless && heads.contains(&0) => {
            return invalid(format!("{} is 0", quoted(&keys.name(KEY))));
        }
        Some(heads) => heads,
        None if is_headless => vec![0; layers as usize],
        None => return invalid(format!("{} is missing", quoted(&keys.name(KEY)))),
    };
    let kv_heads = keys.per_layer("attention.head_count_kv", layers, MAX_HEADS)?.unwrap_or_else(|| heads.clone());
    match heads.iter().zip(&kv_heads).find(|(heads, kv)| **kv > 0 && !heads.is_multiple_of(**kv)) {
        Some((heads, kv)) => invalid(format!("{heads} attention heads do not share {kv} key-value heads evenly")),
        None => Ok((heads, kv_heads)),
    }
}

/// The sizes of a key and of a value head.
fn check_head_sizes(keys: &Keys<'_>, embedding_length: u32, heads: &[u32]) -> Result<(u32, u32), GgufError> {
    let derived = match heads.first() {
        Some(&first) if first > 0 => embedding_length / first,
        _ => 0,
    };
    let key_length = keys.within("attention.key_length", 1, MAX_HEAD)?;
    if derived == 0 && key_length.is_none() && heads.first().is_some_and(|first| *first > 0) {
        return invalid(format!("an embedding of {embedding_length} is too small for its attention heads"));
    }
    let key_length = key_length.unwrap_or(derived);
    let value_length = keys.within("attention.value_length", 1, MAX_HEAD)?.unwrap_or(derived);
    let window_key_length = keys.within("attention.key_length_swa", 1, MAX_HEAD)?.unwrap_or(key_length);
    keys.within("attention.value_length_swa", 1, MAX_HEAD)?;
    for (key, length) in [("rope.dimension_count", key_length), ("rope.dimension_count_swa", window_key_length)] {
        // Rotation goes by pairs, within a head.
        let rotated = if length > 0 { keys.within(key, 0, length)? } else { None };
        if rotated.is_some_and(|count| !count.is_multiple_of(2)) {
            return invalid(format!("{} is odd", quoted(&keys.name(key))));
        }
    }
    Ok((key_length, value_length))
}
