//! Model files: checked, described and loaded.

mod adapter;
mod control;
mod diffusion;
mod draft;
mod file;
mod gate;
mod gguf;
mod gpu;
mod inspect;
mod kind;
mod load;
mod offload;
mod options;
mod projector;
mod safetensors;
mod source;
mod speech;
mod speech_file;
mod weights;

pub use adapter::Adapter;
pub(crate) use control::{ControlSpellings, PromptPiece};
pub(crate) use diffusion::{Family, PaintingModel, TILED_PIXELS, check_image_memory};
pub(crate) use gate::check_template;
pub use gpu::{FlashAttention, GpuLayers, Placement};
pub use inspect::{MemoryEstimate, ModelFileInfo, TensorDescription, inspect};
pub(crate) use kind::{ModelKind, Pooling, RankScore};
pub use load::ModelInfo;
pub(crate) use load::{CheckedModel, LoadedModel, MemoryUse};
pub(crate) use options::available_threads;
pub use options::{KvType, ModelOptions, Repack};
pub use source::{CachedModel, cached_models, pull};
pub(crate) use speech_file::SpokenModel;
pub(crate) use weights::WeightsKey;
