//! Numbers that an encoder and its images are made with.

use super::super::keys::Keys;
use super::find;
use super::kinds::{Merge, Size, VisionKind};
use crate::model::gguf::{GgufError, ValueType, invalid, quoted};

/// mtmd's graphs have room for 8,192 operations; the largest encoders have 63 blocks.
const MAX_BLOCKS: u32 = 128;
/// Pixels of a row's side. mtmd multiplies its square with numbers of tokens, in 32 bits.
const MAX_ROW_SIDE: u32 = 256;
/// The side of the smallest square that an image is cut into, lest there be millions.
const MIN_TILE: u32 = 64;
/// Squares of an image.
const MAX_TILES: u32 = 256;
/// The longest side that an image is made to have before it is cut.
const MAX_LONGEST_EDGE: u32 = 4096;
/// The windows of Qwen2.5-VL, in pixels.
const WINDOW: u32 = 112;

/// The numbers of an encoder's blocks.
pub(super) struct Encoder {
    pub(super) blocks: u32,
    pub(super) width: u32,
    pub(super) heads: u32,
    /// Numbers of a head.
    pub(super) head: u32,
}

pub(super) fn check_encoder(keys: &Keys<'_>, encoder: &str, least_blocks: u32) -> Result<Encoder, GgufError> {
    let key = |name: &str| format!("{encoder}.{name}");
    let width = keys.required(&key("embedding_length"), 1, 1 << 16)?;
    let heads = keys.required(&key("attention.head_count"), 1, 1 << 12)?;
    let head = match keys.within(&key("attention.head_dim"), 1, 1 << 12)? {
        Some(head) => head,
        None if width % heads == 0 => width / heads,
        None => return invalid(format!("clip.{encoder}: {width} numbers cannot be shared by {heads} heads")),
    };
    keys.within(&key("attention.head_count_kv"), 1, heads)?;
    keys.required(&key("feed_forward_length"), 0, 1 << 20)?;
    let blocks = keys.required(&key("block_count"), least_blocks, MAX_BLOCKS)?;
    keys.required(&key("projection_dim"), 0, 1 << 20)?;
    Ok(Encoder { blocks, width, heads, head })
}

pub(super) fn check_images(keys: &Keys<'_>, kind: &VisionKind) -> Result<(), GgufError> {
    let encoder = check_encoder(keys, "vision", 0)?;
    if kind.rotates && encoder.head % 4 != 0 {
        return invalid(format!("clip.vision: heads of {} numbers cannot be quartered", encoder.head));
    }
    let side = keys.required("vision.image_size", 0, 8192)?;
    let most = if kind.name == "qwen2.5vl_merger" { WINDOW / 2 } else { MAX_ROW_SIDE };
    let patch = keys.required("vision.patch_size", 1, most)?;
    check_patches(keys, kind, side, patch)?;
    let row = patch * merge(keys, &kind.merge)?;
    if row > MAX_ROW_SIDE {
        return invalid(format!("clip.vision: rows of {row} pixels are over {MAX_ROW_SIDE}"));
    }
    let is_cut = match kind.size {
        Size::Any { .. } => return check_colours(keys),
        Size::Square => false,
        Size::Tiles { .. } => kind.name != "mlp" || keys.array("clip.vision.image_grid_pinpoints")?.is_some(),
    };
    let least = if is_cut { row.max(MIN_TILE) } else { row };
    if side < least {
        return invalid(format!("\"clip.vision.image_size\" is {side}, and less than {least}"));
    }
    if is_cut {
        keys.within("minicpmv_query_num", 0, 4096)?;
        check_tiles(keys, side)?;
    }
    check_colours(keys)
}

/// Checks that the tensors are made for patches of this side, and for as many of them as an image has.
fn check_patches(keys: &Keys<'_>, kind: &VisionKind, side: u32, patch: u32) -> Result<(), GgufError> {
    let dims = |name: &str| find(keys.gguf, name).map_or(&[][..], |tensor| &tensor.dims);
    if let [width, height, _, _] = *dims("v.patch_embd.weight")
        && [width, height] != [u64::from(patch); 2]
    {
        return invalid(format!("clip.vision: patches of {patch} pixels' side, and a tensor for {width} x {height}"));
    }
    if let (Size::Square, [_, places]) = (&kind.size, dims("v.position_embd.weight"))
        && (!side.is_multiple_of(patch) || *places != u64::from(side / patch).pow(2))
    {
        return invalid(format!("clip.vision: {places} places do not make an image of {side} pixels' side"));
    }
    Ok(())
}

fn merge(keys: &Keys<'_>, merge: &Merge) -> Result<u32, GgufError> {
    match merge {
        Merge::One => Ok(1),
        Merge::Optional(key, otherwise) => Ok(keys.within(key, 1, 64)?.unwrap_or(*otherwise)),
        Merge::Least(key, least) => keys.required(key, *least, 64),
        Merge::Two(key) => Ok(keys.within(key, 2, 2)?.unwrap_or(2)),
    }
}

/// Checks into how many squares of this side images may be cut.
fn check_tiles(keys: &Keys<'_>, side: u32) -> Result<(), GgufError> {
    keys.within("vision.preproc_image_size", 0, MAX_LONGEST_EDGE)?;
    keys.within("vision.preproc_min_tiles", 1, MAX_TILES)?;
    let tiles = keys.within("vision.preproc_max_tiles", 1, MAX_TILES)?.unwrap_or(1);
    // mtmd counts pixels in 32 bits.
    let is_countable = |pixels: u64| i32::try_from(pixels).is_ok();
    if !is_countable(u64::from(tiles) * u64::from(side) * u64::from(side)) {
        return invalid(format!("clip.vision: {tiles} tiles of {side} pixels' side are too large"));
    }
    let name = "clip.vision.image_grid_pinpoints";
    let sides = match keys.array(name)? {
        None => return Ok(()),
        Some((ValueType::I32, len, start)) if (2..=512).contains(&len) && len % 2 == 0 => {
            keys.words(start, len).map(u32::from_le_bytes).collect::<Vec<_>>()
        }
        Some(_) => return invalid(format!("{} is no list of pairs", quoted(name))),
    };
    let fits = |pair: &[u32]| {
        let pixels = u64::from(pair[0]) * u64::from(pair[1]);
        let tiles = u64::from(pair[0].div_ceil(side)) * u64::from(pair[1].div_ceil(side));
        (1..=u64::from(MAX_TILES)).contains(&tiles) && is_countable(pixels)
    };
    if sides.chunks_exact(2).all(fits) {
        return Ok(());
    }
    invalid(format!("{} has a size that is not of 1 to {MAX_TILES} squares", quoted(name)))
}

/// Images are less the one, and divided by the other.
fn check_colours(keys: &Keys<'_>) -> Result<(), GgufError> {
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
