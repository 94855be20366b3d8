//! The types of projectors that are served: those whose graph, whose inputs and whose way with images were
//! read for what they take for granted.

/// What sees.
#[derive(Debug)]
pub(super) struct VisionKind {
    pub(super) name: &'static str,
    pub(super) merge: Merge,
    pub(super) size: Size,
    pub(super) attention: Attention,
    /// Whether places are rotated in two dimensions, so that a head falls into four parts.
    pub(super) rotates: bool,
    pub(super) needs: &'static [Need],
}

/// What hears.
#[derive(Debug)]
pub(super) struct AudioKind {
    pub(super) name: &'static str,
    /// Whether several frames become a row.
    pub(super) stacks: bool,
    pub(super) attention: Attention,
    pub(super) needs: &'static [Need],
}

/// How many patches, in each of both directions, become a row.
#[derive(Debug)]
pub(super) enum Merge {
    One,
    /// A key that may be missing, and what holds then.
    Optional(&'static str, u32),
    /// A key that has to say at least so much.
    Least(&'static str, u32),
    /// A key that must not say anything else than 2, for which inputs are written.
    Two(&'static str),
}

/// What becomes of images of any size.
#[derive(Debug)]
pub(super) enum Size {
    /// All are made squares of one size.
    Square,
    /// They are cut into squares of one size; where `is_limited`, their tokens can be limited.
    Tiles { is_limited: bool },
    /// They stay as they are, within limits, of which this is the lower one, in tokens.
    Any { least: u32 },
}

impl Size {
    pub(super) fn least_tokens(&self) -> Option<u32> {
        match self {
            Size::Any { least } => Some(*least),
            Size::Tiles { is_limited: true } => Some(1),
            Size::Square | Size::Tiles { is_limited: false } => None,
        }
    }
}

/// The tensors with which a block's attention is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attention {
    /// Three matrices.
    Split,
    SplitWithBias,
    /// All three in one.
    FusedWithBias,
    /// As the file has it.
    Either,
    /// What is missing is left out.
    Optional,
}

/// Tensors that mtmd computes with, and does not ask for.
#[derive(Debug)]
pub(super) enum Need {
    All(&'static [&'static str]),
    /// Where there is this one.
    With(&'static str, &'static [&'static str]),
    /// Where there is not.
    Without(&'static str, &'static [&'static str]),
}

const SCALE: &str = "vision.projector.scale_factor";
const SPATIAL: &str = "vision.spatial_merge_size";

const PATCHES: Need = Need::All(&["v.patch_embd.weight"]);
const PLACED_PATCHES: Need = Need::All(&["v.patch_embd.weight", "v.position_embd.weight"]);
const PATCHES_OF_TWO: Need = Need::All(&["v.patch_embd.weight", "v.patch_embd.weight.1"]);
const PLACED_SOUND: &[Need] = &[Need::All(&["a.position_embd.weight"])];

pub(super) const VISION: [VisionKind; 11] = [
    VisionKind {
        name: "mlp",
        merge: Merge::One,
        size: Size::Tiles { is_limited: false },
        attention: Attention::Split,
        rotates: false,
        needs: &[
            PLACED_PATCHES,
            Need::All(&["mm.0.weight", "mm.0.bias"]),
            Need::Without("mm.3.weight", &["mm.2.weight", "mm.2.bias"]),
            Need::With("mm.3.weight", &["mm.1.weight", "mm.1.bias", "mm.3.bias", "mm.4.weight", "mm.4.bias"]),
        ],
    },
    VisionKind {
        name: "resampler",
        merge: Merge::One,
        size: Size::Tiles { is_limited: false },
        attention: Attention::Either,
        rotates: false,
        needs: &[PLACED_PATCHES],
    },
    VisionKind {
        name: "gemma3",
        merge: Merge::Optional(SCALE, 4),
        size: Size::Square,
        attention: Attention::Either,
        rotates: false,
        needs: &[PLACED_PATCHES],
    },
    VisionKind {
        name: "gemma4v",
        merge: Merge::Optional(SCALE, 3),
        size: Size::Any { least: 70 },
        attention: Attention::Either,
        rotates: true,
        needs: &[PLACED_PATCHES],
    },
    VisionKind {
        name: "idefics3",
        merge: Merge::Least(SCALE, 2),
        size: Size::Tiles { is_limited: true },
        attention: Attention::Either,
        rotates: false,
        needs: &[PLACED_PATCHES],
    },
    VisionKind {
        name: "internvl",
        merge: Merge::Optional(SCALE, 1),
        size: Size::Tiles { is_limited: false },
        attention: Attention::Either,
        rotates: false,
        needs: &[PLACED_PATCHES, Need::All(&["v.class_embd"])],
    },
    VisionKind {
        name: "lfm2",
        merge: Merge::Least(SCALE, 2),
        size: Size::Any { least: 64 },
        attention: Attention::Either,
        rotates: false,
        needs: &[PLACED_PATCHES],
    },
    VisionKind {
        name: "pixtral",
        merge: Merge::Optional(SPATIAL, 1),
        size: Size::Any { least: 8 },
        attention: Attention::Either,
        rotates: true,
        needs: &[PATCHES, Need::With("mm.patch_merger.weight", &["mm.input_norm.weight"])],
    },
    VisionKind {
        name: "qwen2vl_merger",
        merge: Merge::Two(SPATIAL),
        size: Size::Any { least: 8 },
        attention: Attention::SplitWithBias,
        rotates: true,
        needs: &[PATCHES_OF_TWO],
    },
    VisionKind {
        name: "qwen2.5vl_merger",
        merge: Merge::Two(SPATIAL),
        size: Size::Any { least: 8 },
        attention: Attention::SplitWithBias,
        rotates: true,
        needs: &[PATCHES_OF_TWO],
    },
    VisionKind {
        name: "qwen3vl_merger",
        merge: Merge::Two(SPATIAL),
        size: Size::Any { least: 8 },
        attention: Attention::FusedWithBias,
        rotates: true,
        needs: &[PATCHES_OF_TWO, PLACED_PATCHES],
    },
];

const fn whisper(name: &'static str, stacks: bool) -> AudioKind {
    AudioKind { name, stacks, attention: Attention::Either, needs: PLACED_SOUND }
}

pub(super) const AUDIO: [AudioKind; 8] = [
    whisper("ultravox", true),
    whisper("voxtral", true),
    whisper("meralion", true),
    whisper("glma", true),
    whisper("qwen2a", false),
    whisper("qwen3a", false),
    whisper("musicflamingo", false),
    AudioKind {
        name: "gemma4a",
        stacks: false,
        attention: Attention::Optional,
        needs: &[Need::All(&["mm.a.input_projection.weight"])],
    },
];
