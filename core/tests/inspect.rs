//! Describing a file without loading it.

mod common;

use common::{model, qwen};
use serde_json::json;
use zerohop::{Engine, ErrorKind, ModelOptions, inspect};

#[test]
fn a_file_is_described_as_when_it_is_loaded() {
    let info = inspect(qwen().context_length(512)).unwrap();
    let engine = Engine::builder().model("m", qwen().context_length(512)).build().unwrap();
    let loaded = &engine.model_info()[0];
    assert_eq!(info.architecture, loaded.architecture);
    assert_eq!((info.parameters, info.file_size), (loaded.parameters, loaded.file_size));
    assert_eq!((&info.name, &info.quantization), (&loaded.name, &loaded.quantization));
    assert_eq!(info.trained_context_length, loaded.trained_context_length);
    assert!(info.chat_template.unwrap().contains("tool_call"));
    assert_eq!((info.files, info.gguf_version), (1, 3));
    assert_eq!(info.metadata["qwen2.block_count"], 24);
    assert_eq!(info.metadata["tokenizer.ggml.tokens"], json!({"type": "string", "length": 151_936}));
    let tensor = info.tensors.iter().find(|tensor| tensor.name == "blk.0.attn_q.weight").unwrap();
    assert_eq!((tensor.tensor_type, &tensor.shape[..]), ("q5_0", &[896, 896][..]));
    // Two of a layer's vectors, 24 layers, 128 numbers of 2 bytes, 512 tokens.
    assert_eq!(info.memory.kv_cache, 2 * 24 * 128 * 2 * 512);
    assert_eq!(info.memory.context_length, 512);
    assert!(info.memory.weights > info.file_size * 9 / 10 && info.memory.weights < info.file_size);
}

#[test]
fn what_is_no_model_is_refused_with_a_reason() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "GGUF").unwrap();
    for (path, kind) in [(file.path(), ErrorKind::InvalidModel), (&model("tiny"), ErrorKind::ModelFile)] {
        let error = inspect(ModelOptions::new(path)).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.message().contains(path.to_str().unwrap()), "{error}");
    }
}
