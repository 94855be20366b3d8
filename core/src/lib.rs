#![doc = include_str!("../docs/crate.md")]

mod api;
mod backend;
mod chat;
mod constrain;
mod embed;
mod engine;
mod files;
mod generate;
mod model;
mod multipart;
mod places;
mod prepare;
mod promise;
mod router;
mod wait;

/// The API's requests, replies and chunks, in OpenAI's field names.
pub mod types {
    pub use crate::api::chat::*;
    pub use crate::api::chat_chunk::*;
    pub use crate::api::chat_options::*;
    pub use crate::api::chat_reply::*;
    pub use crate::api::content::*;
    pub use crate::api::embeddings::*;
    pub use crate::api::error::{ErrorBody, ErrorObject};
    pub use crate::api::files::*;
    pub use crate::api::logprobs::*;
    pub use crate::api::message::*;
    pub use crate::api::models::*;
    pub use crate::api::response_format::*;
    pub use crate::api::tool_calls::*;
    pub use crate::api::tool_choice::*;
    pub use crate::api::tools::*;
    pub use crate::api::usage::*;

    /// Parameters that OpenAI's API does not have. The SDK sends them through
    /// `extra_body`.
    pub mod ext {
        pub use crate::api::ext::*;
    }
}

pub use api::error::{Error, ErrorKind, Result};
pub use backend::{Device, DeviceKind, devices};
pub use chat::{ChatCompletionAsyncStream, ChatCompletionStream};
pub use engine::{Chat, Embeddings, Engine, EngineBuilder, Models};
pub use files::Files;
pub use generate::CancelHandle;
pub use model::{GpuLayers, KvType, ModelInfo, ModelOptions, Repack};
pub use router::{Body, EventStream, Pending};

/// The version of this crate and of the llama.cpp inside it, such as
/// `0.1.0 (llama.cpp b9000)`.
///
/// ```
/// assert!(zerohop::version().starts_with(env!("CARGO_PKG_VERSION")));
/// ```
pub fn version() -> String {
    format!("{} (llama.cpp {})", env!("CARGO_PKG_VERSION"), backend::version())
}

/// The README's Rust programs are compiled as documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
