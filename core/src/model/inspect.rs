//! What a model file holds, for people and tools.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Value as Json, json};

use super::file::{MappedFile, ModelFile};
use super::gguf::{Gguf, Value};
use super::kind::ModelKind;
use super::options::ModelOptions;
use super::{adapter, draft, projector, source, speech};
use crate::api::error::{Error, ErrorKind, Result};
use crate::backend;

/// What a GGUF file holds; see [`inspect`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ModelFileInfo {
    /// The file, or the first of a split model.
    pub path: PathBuf,
    /// Of how many files the model consists.
    pub files: usize,
    /// Bytes of all of them.
    pub file_size: u64,
    /// The format's version, 2 or 3.
    pub gguf_version: u32,
    /// The architecture, such as `llama` or `qwen2`.
    pub architecture: String,
    /// The name that the file gives itself.
    pub name: Option<String>,
    /// The quantisation, such as `Q4_K_M`; `None` where the file does not say.
    pub quantization: Option<String>,
    /// The number of parameters.
    pub parameters: u64,
    /// The context length the model was trained with, in tokens.
    pub trained_context_length: u32,
    /// The Jinja source of the chat template.
    pub chat_template: Option<String>,
    /// The memory that the model takes with the options it was inspected with.
    pub memory: MemoryEstimate,
    /// The metadata by key. An array is described, `{"type": "string", "length": 49152}`, and not
    /// written out: vocabularies are long.
    pub metadata: BTreeMap<String, Json>,
    /// The tensors of the first file, in its order.
    pub tensors: Vec<TensorDescription>,
}

/// The memory that a model takes at least, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MemoryEstimate {
    /// The weights. Those of a mapped file stay in the system's file cache, which it can take back.
    pub weights: u64,
    /// The KV cache.
    pub kv_cache: u64,
    /// The tokens that the KV cache holds.
    pub context_length: u32,
    /// What this process can have now, within the limits of its control groups; `None` where the
    /// system does not say.
    pub available: Option<u64>,
}

/// A tensor of a [`ModelFileInfo`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TensorDescription {
    /// The name, unique in the file.
    pub name: String,
    /// The numeric type as ggml calls it, such as `q4_K`.
    #[serde(rename = "type")]
    pub tensor_type: &'static str,
    /// Elements along each dimension, the contiguous one first.
    pub shape: Vec<u64>,
    /// Bytes of the data.
    pub bytes: u64,
}

/// Reads and checks the header of a GGUF file as [`EngineBuilder::build`](crate::EngineBuilder::build)
/// does, without loading the model. `options` is a path or [`ModelOptions`], of which
/// `context_length`, `parallel`, `kv_type`, the adapters and the projector matter, for the memory.
///
/// # Errors
///
/// `ModelFile` for what cannot be read, `InvalidModel` for what is no sound model, with the reason;
/// `InvalidArgument` for an option out of range.
///
/// ```no_run
/// let info = zerohop::inspect("qwen.gguf")?;
/// println!("{} with {} parameters", info.architecture, info.parameters);
/// # Ok::<(), zerohop::Error>(())
/// ```
pub fn inspect(options: impl Into<ModelOptions>) -> Result<ModelFileInfo> {
    let options = options.into();
    options.check()?;
    let path = source::resolve(&options.path, &options)?;
    let (adapters, draft_model) = (adapter::resolve(&options)?, draft::resolve(&options)?);
    let options = ModelOptions { path, adapters, draft_model, ..options };
    let mapped = MappedFile::open(&options.path)?;
    if speech::is_speech_model(mapped.bytes()) {
        let message = "this is a speech model in whisper.cpp's format, not GGUF; load it to learn what it is";
        return Err(
            Error::new(ErrorKind::InvalidModel, format!("{}: {message}", options.path.display())).with_code("not_gguf")
        );
    }
    let file = ModelFile::check(&options.path, &mapped)?;
    let adapters: u64 = adapter::check(&options.adapters, &file)?.iter().map(|adapter| adapter.data_len).sum();
    let (projector, draft) = if ModelKind::of(&file.checked.gguf, true) == ModelKind::Generative {
        (projector::find(&options.path, &options)?, draft::check(&options)?)
    } else {
        projector::refuse(&options)?;
        draft::refuse(&options)?;
        (None, None)
    };
    let projector = projector.map_or(0, |projector| projector.data_len);
    let (draft_weights, draft_cache) = draft.map_or((0, 0), |draft| {
        let need = draft.memory_need(false);
        (need.weights, need.cache)
    });
    // As if read into memory: that the system can take a mapped file's pages back does not make the
    // model smaller.
    let need = file.memory_need(&options.clone().mmap(false), options.sequences());
    let gguf = &file.checked.gguf;
    Ok(ModelFileInfo {
        files: file.files,
        file_size: file.size,
        gguf_version: gguf.version,
        architecture: gguf.architecture().unwrap_or_default().to_owned(),
        name: gguf.get_str("general.name").map(str::to_owned),
        quantization: file.quantization().map(str::to_owned),
        parameters: file.parameters,
        trained_context_length: file.checked.hparams.context_length,
        chat_template: gguf.get_str("tokenizer.chat_template").map(str::to_owned),
        memory: MemoryEstimate {
            weights: need.weights + adapters + projector + draft_weights,
            kv_cache: need.cache + draft_cache,
            context_length: file.context_length(&options),
            available: super::gate::free_memory(),
        },
        metadata: gguf.metadata.iter().map(|(key, value)| (key.clone(), to_json(value))).collect(),
        tensors: tensors(gguf),
        path: options.path,
    })
}

fn tensors(gguf: &Gguf) -> Vec<TensorDescription> {
    let describe = |tensor: &super::gguf::TensorInfo| TensorDescription {
        name: tensor.name.clone(),
        tensor_type: backend::tensor_type_name(tensor.type_id),
        shape: tensor.dims.clone(),
        bytes: tensor.size,
    };
    gguf.tensors.iter().map(describe).collect()
}

fn to_json(value: &Value) -> Json {
    match value {
        Value::U8(number) => json!(number),
        Value::I8(number) => json!(number),
        Value::U16(number) => json!(number),
        Value::I16(number) => json!(number),
        Value::U32(number) => json!(number),
        Value::I32(number) => json!(number),
        Value::U64(number) => json!(number),
        Value::I64(number) => json!(number),
        Value::F32(number) => json!(number),
        Value::F64(number) => json!(number),
        Value::Bool(value) => json!(value),
        Value::String(text) => json!(text),
        Value::Array { element, len, .. } => {
            json!({"type": format!("{element:?}").to_lowercase(), "length": len})
        }
    }
}
