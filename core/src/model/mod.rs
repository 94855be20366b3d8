//! Model files: checked, described and loaded.

mod control;
mod gguf;
mod load;
mod memory;
mod options;

pub(crate) use control::ControlSpellings;
pub(crate) use load::LoadedModel;
pub use load::ModelInfo;
pub use options::{GpuLayers, KvType, ModelOptions, Repack};
