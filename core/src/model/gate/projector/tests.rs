//! Projectors that are nearly right.

use super::super::tests::{patched, rename, tiny};
use super::*;

fn file(kind: &str) -> String {
    format!("kinds/mmproj-{kind}.gguf")
}

#[track_caller]
fn refused(bytes: &[u8], part: &str) {
    let error = check_projector(bytes).expect_err("this must not pass");
    assert!(error.to_string().contains(part), "{error}");
}

/// [`refused`], with another number under a key.
#[track_caller]
fn refused_number(kind: &str, key: &str, number: u32, part: &str) {
    refused(&patched(&file(kind), &format!("clip.{key}"), 0, &number.to_le_bytes()), part);
}

#[test]
fn what_is_served_passes() {
    let kinds = ["mlp", "idefics3", "internvl", "lfm2", "pixtral", "gemma4v", "qwen2.5o", "qwen3vl"];
    let ears = ["ultravox", "voxtral", "qwen3a", "gemma4a"];
    for file in kinds.into_iter().chain(ears).map(file).chain(["mmproj-tiny-gemma3.gguf".to_owned()]) {
        check_projector(&tiny(&file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    }
}

#[test]
fn what_graphs_take_for_granted_must_be_there() {
    for (kind, tensor) in [
        ("mlp", "v.patch_embd.weight"),
        ("mlp", "v.position_embd.weight"),
        ("mlp", "v.blk.1.attn_q.weight"),
        ("mlp", "mm.0.bias"),
        ("mlp", "mm.2.weight"),
        ("mlp", "mm.2.bias"),
        ("idefics3", "v.blk.1.attn_v.weight"),
        ("internvl", "v.class_embd"),
        ("lfm2", "v.position_embd.weight"),
        ("pixtral", "mm.input_norm.weight"),
        ("gemma4v", "v.blk.0.attn_k.weight"),
        ("qwen2.5o", "v.patch_embd.weight.1"),
        ("qwen2.5o", "v.blk.1.attn_k.bias"),
        ("qwen2.5o", "a.blk.0.attn_q.weight"),
        ("qwen3vl", "v.blk.0.attn_qkv.weight"),
        ("qwen3vl", "v.blk.1.attn_qkv.bias"),
        ("voxtral", "a.position_embd.weight"),
        ("gemma4a", "mm.a.input_projection.weight"),
    ] {
        let other = format!("{}_", &tensor[..tensor.len() - 1]);
        refused(&rename(tiny(&file(kind)), tensor, &other), &format!("tensor \"{tensor}\" is missing"));
    }
    // Of Yi's kind, which has two norms.
    refused(&rename(tiny(&file("mlp")), "mm.2.weight", "mm.3.weight"), "tensor \"mm.1.weight\" is missing");
}

#[test]
fn numbers_are_held_to_what_is_computed() {
    refused_number("qwen2.5o", "vision.spatial_merge_size", 1, "from 2 to 2");
    refused_number("qwen2.5o", "vision.patch_size", 57, "from 1 to 56");
    refused_number("qwen3vl", "vision.embedding_length", 64, "without");
    refused_number("qwen2.5o", "vision.patch_size", 7, "patches of 7 pixels' side");
    for (epsilon, says) in [(-1.0_f32, "is -1"), (f32::NAN, "is NaN"), (f32::INFINITY, "is inf")] {
        refused_number("qwen3vl", "vision.attention.layer_norm_epsilon", epsilon.to_bits(), says);
    }
    let square = |key: &str, number: u32, says: &str| {
        refused(&patched("mmproj-tiny-gemma3.gguf", key, 0, &number.to_le_bytes()), says);
    };
    square("clip.vision.image_size", 512, "places do not make an image of 512 pixels' side");
    square("clip.vision.image_size", 129, "places do not make an image of 129 pixels' side");
    refused_number("voxtral", "audio.block_count", 0, "from 1");
    refused_number("voxtral", "audio.block_count", 1000, "from 1 to 128");
    refused_number("voxtral", "audio.projector.stack_factor", 0, "from 1");
    refused_number("idefics3", "vision.image_size", 0, "less than 64");
    refused_number("idefics3", "vision.projector.scale_factor", 1, "from 2");
    refused_number("internvl", "vision.image_size", 16, "less than 64");
    refused_number("internvl", "vision.projector.scale_factor", 64, "rows of 896 pixels are over 256");
    refused_number("internvl", "vision.preproc_min_tiles", 0, "from 1");
    refused_number("internvl", "vision.preproc_max_tiles", i32::MAX.cast_unsigned() - 1, "from 1 to 256");
    refused_number("gemma4v", "vision.attention.head_count", 16, "heads of 2 numbers cannot be quartered");
    let pinpoint = |side: u32| patched(&file("mlp"), "clip.vision.image_grid_pinpoints", 12, &side.to_le_bytes());
    refused(&pinpoint(1 << 30), "1 to 256 squares");
    refused(&pinpoint(0), "1 to 256 squares");
    refused(&pinpoint(u32::MAX), "1 to 256 squares");
    assert!(check_projector(&pinpoint(336)).is_ok());
}

#[test]
fn types_that_were_not_read_are_refused() {
    let bytes = patched(&file("mlp"), "clip.vision.projector_type", 8, b"ldp");
    refused(&bytes, "projectors of the type \"ldp\" are not served; these are: mlp, resampler, gemma3");
    let bytes = patched(&file("voxtral"), "clip.audio.projector_type", 8, b"mlp\0\0\0\0");
    refused(&bytes, "are not served; these are: ultravox");
}
