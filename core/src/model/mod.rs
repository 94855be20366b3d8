//! Model files: checked, described and loaded.

mod control;
mod gate;
mod gguf;
mod kind;
mod load;
mod options;

pub(crate) use control::ControlSpellings;
pub(crate) use gate::check_template;
pub(crate) use kind::{ModelKind, Pooling, RankScore};
pub(crate) use load::LoadedModel;
pub use load::ModelInfo;
pub use options::{GpuLayers, KvType, ModelOptions, Repack};
