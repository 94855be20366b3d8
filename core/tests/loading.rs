//! Loading models: files that cannot be loaded, options, descriptions.

mod common;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use common::{engine, greedy, model, tiny};
use zerohop::{Engine, ErrorKind, FlashAttention, GpuLayers, KvType, ModelOptions, Repack};

fn load_error(path: impl Into<ModelOptions>) -> zerohop::Error {
    Engine::builder().model("m", path).build().expect_err("this must not load")
}

#[test]
fn a_missing_file_is_named() {
    let error = load_error("/no/such/folder/model.gguf");
    assert_eq!(error.kind(), ErrorKind::ModelFile);
    assert!(error.message().contains("/no/such/folder/model.gguf"), "{error}");
    assert_eq!(error.path(), Some(Path::new("/no/such/folder/model.gguf")));
    assert!(std::error::Error::source(&error).is_some());
}

#[test]
fn a_folder_is_no_model() {
    assert_eq!(load_error(std::env::temp_dir()).kind(), ErrorKind::ModelFile);
}

#[test]
fn hostile_files_give_the_reason() {
    // ER8
    for (file, code, reason) in [
        ("empty.gguf", "truncated", "after 0 of"),
        ("not-gguf.gguf", "not_gguf", "GGUF"),
        ("truncated-header.gguf", "truncated", "incomplete"),
        ("truncated-tensors.gguf", "truncated", "incomplete"),
        ("bad-version.gguf", "unsupported", "version"),
        ("huge-counts.gguf", "invalid", "metadata"),
    ] {
        let error = load_error(model("hostile").join(file));
        assert_eq!(error.kind(), ErrorKind::InvalidModel, "{file}: {error}");
        assert_eq!(error.code(), Some(code), "{file}: {error}");
        assert!(error.message().contains(file) && error.message().contains(reason), "{file}: {error}");
    }
}

#[test]
fn models_are_described() {
    let engine = engine(tiny().alias("other").context_length(512));
    let info = &engine.model_info()[0];
    assert_eq!((info.id.as_str(), info.architecture.as_str()), ("m", "llama"));
    assert_eq!(info.aliases, ["other"]);
    assert_eq!((info.context_length, info.trained_context_length), (512, 2048));
    assert!(info.parameters > 10_000 && info.vocabulary_size > 256 && info.file_size > 10_000);
    assert!(info.has_chat_template);
}

#[test]
fn the_quantisation_is_known() {
    let engine = engine(common::smollm2().context_length(64));
    assert_eq!(engine.model_info()[0].quantization.as_deref(), Some("Q4_1"));
}

#[test]
fn progress_is_reported_and_can_stop_the_loading() {
    let calls = Arc::new(AtomicU32::new(0));
    let counter = calls.clone();
    let options = tiny().progress(move |fraction| {
        assert!((0.0..=1.0).contains(&fraction));
        counter.fetch_add(1, Ordering::Relaxed);
        true
    });
    engine(options);
    assert!(calls.load(Ordering::Relaxed) > 0);

    assert_eq!(load_error(tiny().progress(|_| false)).kind(), ErrorKind::Cancelled);
    assert_eq!(load_error(tiny().progress(|_| panic!("the host's fault"))).kind(), ErrorKind::Cancelled);
}

#[test]
fn options_out_of_range_are_refused() {
    assert_eq!(load_error(tiny().parallel(257)).kind(), ErrorKind::InvalidArgument);
    let twice = Engine::builder().model("a", tiny()).model("a", tiny()).build();
    assert_eq!(twice.unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(Engine::builder().build().unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(load_error(tiny().chat_template("{% for")).kind(), ErrorKind::InvalidModel);
    assert_eq!(load_error(tiny().chat_template("")).kind(), ErrorKind::InvalidArgument);
    assert_eq!(load_error(tiny().threads(100_000)).kind(), ErrorKind::InvalidArgument);
    assert_eq!(load_error(tiny().context_length(u32::MAX)).kind(), ErrorKind::InvalidArgument);
}

#[test]
fn options_that_do_not_fit_the_model_are_refused() {
    // The tiny model's heads are smaller than a block of this type.
    let error = load_error(tiny().kv_type(KvType::Q8_0));
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    assert!(error.message().contains("q8_0"), "{error}");
}

#[cfg(not(any(feature = "cuda", feature = "metal", feature = "rocm", feature = "vulkan")))]
#[test]
fn a_build_for_the_cpu_alone_refuses_what_needs_a_gpu() {
    for options in
        [tiny().gpu_layers(GpuLayers::All), tiny().gpu_layers(GpuLayers::Count(1)), tiny().devices(["Vulkan0"])]
    {
        let error = load_error(options);
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
        assert!(error.message().contains("CPU alone"), "{error}");
    }
    let engine = engine(tiny());
    let info = engine.model_info().remove(0);
    let [placed] = &info.placement[..] else { panic!("{info:?}") };
    assert_eq!(placed.device, "CPU");
    assert!(placed.layers > 1 && placed.weights > 0 && placed.kv_cache > 0 && placed.compute > 0, "{placed:?}");
    assert_eq!(zerohop::system_info().backends, ["cpu"]);
}

#[test]
fn every_option_gives_a_working_engine() {
    for options in [
        tiny().threads(1),
        tiny().gpu_layers(GpuLayers::Count(0)),
        tiny().mmap(false),
        common::smollm2().repack(Repack::On),
        common::smollm2().repack(Repack::On).mmap(false),
        common::smollm2().repack(Repack::Off),
        tiny().parallel(1),
        tiny().parallel(256),
        tiny().flash_attention(FlashAttention::On),
        tiny().flash_attention(FlashAttention::Off),
        tiny().kv_type(KvType::F32),
        common::smollm2().kv_type(KvType::Q8_0),
        common::smollm2().kv_type(KvType::Q4_0),
        tiny().context_length(64),
        tiny().chat_template("{{ messages[0]['content'] }}"),
    ] {
        let what = format!("{options:?}");
        let reply =
            engine(options).chat().create(&greedy("Hello", 4)).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(reply.usage.completion_tokens, 4, "{what}");
    }
}

#[test]
fn other_architectures_generate() {
    for file in ["tiny-spm.gguf", "tiny-gemma3.gguf", "tiny-mamba.gguf"] {
        let engine = engine(ModelOptions::new(model("tiny").join(file)));
        let reply = engine.chat().create(&greedy("Hello there", 8)).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(reply.usage.completion_tokens > 0, "{file}");
    }
}

#[test]
fn a_model_without_template_says_so() {
    let engine = engine(ModelOptions::new(model("tiny/tiny-no-template.gguf")));
    let error = engine.chat().create(&greedy("Hello", 4)).unwrap_err();
    assert_eq!((error.status(), error.param()), (Some(400), Some("model")));
    assert!(error.message().contains("chat_template"), "{error}");
}

#[test]
fn several_engines_share_the_process() {
    let first = engine(tiny());
    let second = engine(tiny());
    drop(first);
    assert!(second.chat().create(&greedy("Hello", 4)).is_ok());
    drop(second);
    assert!(engine(tiny()).chat().create(&greedy("Hello", 4)).is_ok());
}

#[test]
fn devices_include_the_processor() {
    let devices = zerohop::devices().unwrap();
    assert!(devices.iter().any(|device| device.kind == zerohop::DeviceKind::Cpu && device.memory_total > 0));
}
