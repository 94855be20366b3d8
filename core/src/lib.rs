#![doc = include_str!("../docs/crate.md")]

mod api;
mod audio;
mod backend;
mod batch;
mod batches;
mod call;
mod cancel;
mod chat;
mod clock;
mod completions;
mod constrain;
mod door;
mod embed;
mod engine;
mod files;
mod generate;
mod images;
mod isolate;
mod jobs;
mod media;
mod metrics;
mod model;
mod models;
mod multipart;
mod places;
mod prepare;
mod promise;
mod responses;
mod router;
mod store;
mod system;
mod threads;
mod tokenize;
mod transcribe;
mod wait;

/// The API's requests, replies and chunks, in OpenAI's field names.
pub mod types {
    pub use crate::api::audio::{
        AudioFile, AudioResponseFormat, ChunkingStrategy, CreateTranscriptionRequest, CreateTranslationRequest,
        TimestampGranularity, TranscriptionInclude,
    };
    pub use crate::api::audio_reply::*;
    pub use crate::api::batches::*;
    pub use crate::api::chat::*;
    pub use crate::api::chat_chunk::*;
    pub use crate::api::chat_options::*;
    pub use crate::api::chat_reply::*;
    pub use crate::api::completions::*;
    pub use crate::api::completions_reply::*;
    pub use crate::api::content::*;
    pub use crate::api::embeddings::*;
    pub use crate::api::error::{ErrorBody, ErrorObject};
    pub use crate::api::files::*;
    pub use crate::api::images::*;
    pub use crate::api::images_reply::*;
    pub use crate::api::logprobs::*;
    pub use crate::api::message::*;
    pub use crate::api::models::*;
    pub use crate::api::rerank::*;
    pub use crate::api::response_format::*;
    pub use crate::api::stored::*;
    pub use crate::api::tokenize::*;
    pub use crate::api::tool_calls::*;
    pub use crate::api::tool_choice::*;
    pub use crate::api::tools::*;
    pub use crate::api::usage::*;

    /// The requests, items, answers and events of the Responses API.
    pub mod responses {
        pub use crate::api::responses::content::*;
        pub use crate::api::responses::event::*;
        pub use crate::api::responses::item::*;
        pub use crate::api::responses::options::*;
        pub use crate::api::responses::reply::*;
        pub use crate::api::responses::request::{CreateResponse, Input, ResponseStreamOptions};
    }

    /// Parameters that OpenAI's API does not have. The SDK sends them through
    /// `extra_body`.
    pub mod ext {
        pub use crate::api::ext::*;
    }
}

pub use api::error::{Error, ErrorKind, Result};
pub use backend::{Device, DeviceKind, devices};
pub use batch::{BatchCounts, BatchOptions};
pub use batches::Batches;
pub use cancel::CancelHandle;
pub use chat::{ChatCompletionAsyncStream, ChatCompletionStream};
pub use completions::{CompletionAsyncStream, CompletionStream, Completions};
pub use engine::{Chat, Embeddings, Engine, EngineBuilder, Images, Transcriptions, Translations};
pub use files::Files;
pub use images::{ImageAsyncStream, ImageStream};
pub use isolate::{Isolation, run_worker};
pub use metrics::{Bucket, Histogram, Metrics, ModelMetrics};
pub use model::{
    Adapter, CachedModel, FlashAttention, GpuLayers, KvType, MemoryEstimate, ModelFileInfo, ModelInfo, ModelOptions,
    Placement, Repack, TensorDescription, cached_models, inspect, pull,
};
pub use models::Models;
pub use multipart::FormWriter;
pub use responses::{ResponseAsyncStream, ResponseStream, Responses};
pub use router::{Body, EventStream, Pending};
pub use system::{SystemInfo, system_info};
pub use transcribe::{TranscriptionAsyncStream, TranscriptionStream};

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
