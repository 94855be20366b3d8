//! Files of projectors: which are found, served and refused, each type with tiny ones of random weights.

mod common;

use common::media::{ask, gemma3, image, picture, prompt_tokens, qwen2vl, refused, show, sound, text, told, tone};
use common::{engine, greedy, model, tiny};
use zerohop::types::ContentPart;
use zerohop::{Engine, ErrorKind, ModelOptions};

const KINDS_THAT_SEE: [&str; 8] = ["mlp", "idefics3", "internvl", "lfm2", "pixtral", "gemma4v", "qwen2.5o", "qwen3vl"];
const KINDS_THAT_HEAR: [&str; 5] = ["ultravox", "voxtral", "qwen2.5o", "qwen3a", "gemma4a"];

fn kind_file(kind: &str) -> std::path::PathBuf {
    model(&format!("tiny/kinds/mmproj-{kind}.gguf"))
}

/// A model with the marks that projectors look for, and a projector.
fn with_projector(projector: &std::path::Path) -> ModelOptions {
    ModelOptions::new(model("tiny/kinds/tiny-kinds.gguf")).projector(projector).threads(1)
}

#[test]
fn a_projector_is_found_beside_its_model() {
    let folder = tempfile::tempdir().unwrap();
    let copy = |name: &str, to: &str| std::fs::copy(model(name), folder.path().join(to)).unwrap();
    copy("tiny/qwen2vl/tiny-qwen2vl.gguf", "model.gguf");
    let load = |path: &std::path::Path| engine(ModelOptions::new(path).threads(1));
    assert_eq!(refused(&load(folder.path()), image(1)).code(), Some("unsupported_value"));
    copy("tiny/qwen2vl/mmproj-tiny-qwen2vl.gguf", "mmproj-model-f32.gguf");
    assert_eq!(ask(&load(folder.path()), vec![image(1)]).choices.len(), 1);
    assert_eq!(ask(&load(&folder.path().join("model.gguf")), vec![image(1)]).choices.len(), 1);
    // Beside two models, nobody knows whose it is.
    copy("tiny/tiny-llama.gguf", "other.gguf");
    assert!(
        engine(ModelOptions::new(folder.path().join("other.gguf")).threads(1)).chat().create(&greedy("a", 1)).is_ok()
    );
    assert_eq!(refused(&load(&folder.path().join("model.gguf")), image(1)).code(), Some("unsupported_value"));
}

#[test]
fn what_is_no_projector_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let load = |projector: &std::path::Path| {
        let options = ModelOptions::new(model("tiny/qwen2vl/tiny-qwen2vl.gguf")).projector(projector).threads(1);
        Engine::builder().model("m", options).build().map(drop)
    };
    let whole = std::fs::read(model("tiny/qwen2vl/mmproj-tiny-qwen2vl.gguf")).unwrap();
    let changed = |from: &[u8], to: &[u8]| {
        let at = whole.windows(from.len()).position(|window| window == from).unwrap();
        let mut bytes = whole.clone();
        bytes[at..at + to.len()].copy_from_slice(to);
        bytes
    };
    for (path, reason) in [
        (model("tiny/tiny-llama.gguf"), "not \"clip\""),
        (write("empty", b""), ""),
        (write("cut", &whole[..whole.len() / 2]), ""),
        (write("kind", &changed(b"qwen2vl_merger", b"deepseek4v\0\0\0\0")), "projector"),
        (write("tensor", &changed(b"v.patch_embd.weight.1", b"v.patch_embd.weight.2")), "patch_embd"),
        (write("flag", &changed(b"clip.has_vision_encoder", b"clip.has_vision_encodex")), "neither"),
    ] {
        let error = load(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidModel, "{error}");
        assert!(error.message().contains(reason), "{error}");
    }
    assert_eq!(load(&folder.path().join("missing")).unwrap_err().kind(), ErrorKind::ModelFile);
    // A projector for another width, and one where a model should be.
    let other = ModelOptions::new(model("smollm2-135m-instruct-q4_1.gguf"))
        .projector(model("tiny/qwen2vl/mmproj-tiny-qwen2vl.gguf"));
    let error = Engine::builder().model("m", other).build().unwrap_err();
    assert!(error.message().contains("mismatch between text model"), "{error}");
    let error = Engine::builder().model("m", model("tiny/qwen2vl/mmproj-tiny-qwen2vl.gguf")).build().unwrap_err();
    assert!(error.message().contains("is a projector"), "{error}");
}

#[test]
fn all_types_of_projectors_compute() {
    // CQ5, CQ6
    for kind in KINDS_THAT_SEE {
        let engine = engine(with_projector(&kind_file(kind)));
        let seen = |seed: u8| told(&ask(&engine, vec![text("What is this?"), image(seed)]));
        assert_ne!(seen(1), seen(2), "{kind}");
    }
    for kind in KINDS_THAT_HEAR {
        let engine = engine(with_projector(&kind_file(kind)));
        let heard = |hertz: f32| told(&ask(&engine, vec![text("What is this?"), sound(&tone(hertz, 1.0))]));
        assert_ne!(heard(220.0), heard(880.0), "{kind}");
    }
}

#[test]
fn stacked_frames_are_as_many_as_with_a_real_width() {
    // As many as of 1,500 frames of 1,280 numbers.
    for kind in ["ultravox", "voxtral"] {
        let engine = engine(with_projector(&kind_file(kind)));
        let reply = ask(&engine, vec![sound(&tone(220.0, 1.0))]);
        assert_eq!(reply.usage.prompt_tokens_details.audio_tokens, 187, "{kind}");
    }
}

#[test]
fn more_rows_of_a_wide_image_see_each_other_than_of_a_square() {
    let engine = engine(with_projector(&kind_file("gemma4v")));
    let tokens = |part: ContentPart| prompt_tokens(&ask(&engine, vec![part]));
    // 35 times 32 patches; of a square 33 times 33 is the most.
    let wide = tokens(ContentPart::image_bytes(picture(1, 140, 128)));
    let square = tokens(ContentPart::image_bytes(picture(1, 400, 400)));
    assert_eq!(wide - square, 1120 - 1089);
}

/// What comes of each tensor of a projector's file having another name: an engine or an error.
fn without_each_tensor(kind: &str, folder: &std::path::Path) {
    let whole = std::fs::read(kind_file(kind)).unwrap();
    let names = tensor_names(&whole);
    assert!(names.len() > 20, "{kind}");
    for (at, name) in names {
        let path = folder.join("mmproj.gguf");
        let mut bytes = whole.clone();
        bytes[at + name.len() - 1] = b'_';
        std::fs::write(&path, bytes).unwrap();
        let Ok(engine) = Engine::builder().model("m", with_projector(&path).context_length(1024)).build() else {
            continue;
        };
        let part = if KINDS_THAT_SEE.contains(&kind) { image(1) } else { sound(&tone(220.0, 0.5)) };
        let answer = engine.chat().create(&show(vec![part]));
        assert!(answer.is_ok() || answer.is_err_and(|error| error.status() == Some(500)), "{kind}: {name}");
        assert!(engine.chat().create(&greedy("Still there?", 1)).is_ok(), "{kind}: {name}");
    }
}

/// The tensors' names and where they are, found by how all of them begin.
fn tensor_names(file: &[u8]) -> Vec<(usize, String)> {
    let starts: [&[u8]; 3] = [b"v.", b"a.", b"mm."];
    let is_name = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._".contains(byte);
    (8..file.len().min(16_000))
        .filter(|at| starts.iter().any(|start| file[*at..].starts_with(start)))
        .filter_map(|at| {
            let len = usize::try_from(u64::from_le_bytes(file[at - 8..at].try_into().unwrap())).ok()?;
            let name = file[at..].get(..len).filter(|name| len < 64 && name.iter().all(is_name))?;
            Some((at, String::from_utf8(name.to_vec()).unwrap()))
        })
        .collect()
}

#[test]
fn a_missing_tensor_is_an_error_at_worst() {
    let folder = tempfile::tempdir().unwrap();
    for kind in KINDS_THAT_SEE.into_iter().chain(KINDS_THAT_HEAR) {
        without_each_tensor(kind, folder.path());
    }
}

#[test]
fn a_vocabulary_without_a_projectors_marks_is_refused() {
    let options = ModelOptions::new(model("tiny/qwen2vl/tiny-qwen2vl.gguf")).projector(kind_file("idefics3"));
    let error = Engine::builder().model("m", options).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidModel);
    assert!(error.message().contains("vocabulary lacks tokens"), "{error}");
}

#[test]
fn a_projector_that_lies_about_and_does_not_fit_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::copy(model("tiny/qwen2vl/tiny-qwen2vl.gguf"), path("model.gguf")).unwrap();
    let load = |options: ModelOptions| Engine::builder().model("m", options.threads(1)).build();
    let found = || ModelOptions::new(folder.path());
    let unfit = std::fs::read(kind_file("idefics3")).unwrap();
    for bytes in [&b"no projector"[..], &unfit[..unfit.len() / 2], &unfit] {
        std::fs::write(path("mmproj.gguf"), bytes).unwrap();
        let engine = load(found()).unwrap();
        assert!(engine.chat().create(&greedy("Hello", 1)).is_ok());
        assert_eq!(refused(&engine, image(1)).code(), Some("unsupported_value"));
        assert!(zerohop::inspect(folder.path()).is_ok());
        assert_eq!(load(found().projector(path("mmproj.gguf"))).unwrap_err().kind(), ErrorKind::InvalidModel);
    }
    // Beside a model that makes vectors, nobody looks for one.
    std::fs::copy(model("tiny/tiny-embedding-mean.gguf"), path("model.gguf")).unwrap();
    assert!(zerohop::inspect(folder.path()).is_ok());
    assert!(zerohop::inspect(found().projector(path("mmproj.gguf"))).is_err());
}

#[test]
fn images_can_be_limited_to_fewer_tokens() {
    let tokens = |options: ModelOptions| prompt_tokens(&ask(&engine(options), vec![image(1)]));
    assert_eq!(tokens(qwen2vl()) - tokens(qwen2vl().image_max_tokens(8)), 12 - 6);
    let idefics3 = || with_projector(&kind_file("idefics3"));
    assert!(tokens(idefics3().image_max_tokens(16)) <= tokens(idefics3()));
    let refused = |options: ModelOptions| {
        let error = Engine::builder().model("m", options).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
        error.message().to_owned()
    };
    assert!(refused(qwen2vl().image_max_tokens(7)).contains("have 8 or more"));
    assert!(refused(qwen2vl().image_max_tokens(8193)).contains("at most 8192"));
    assert!(refused(gemma3().image_max_tokens(8)).contains("as many tokens as projectors of the type gemma3"));
    assert!(refused(tiny().image_max_tokens(8)).contains("no projector that sees"));
    assert!(refused(with_projector(&kind_file("voxtral")).image_max_tokens(8)).contains("no projector that sees"));
}

#[test]
fn another_projector_has_another_fingerprint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mmproj.gguf");
    let mut bytes = std::fs::read(model("tiny/qwen2vl/mmproj-tiny-qwen2vl.gguf")).unwrap();
    let print = |options: ModelOptions| engine(options).chat().create(&greedy("a", 1)).unwrap().system_fingerprint;
    // The last number of the last bias.
    *bytes.last_mut().unwrap() ^= 0x80;
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(print(qwen2vl()), print(qwen2vl()));
    assert_ne!(print(qwen2vl()), print(qwen2vl().projector(&path)));
    assert_ne!(print(qwen2vl()), print(qwen2vl().image_max_tokens(64)));
}

#[test]
fn the_environment_has_no_file_written() {
    let folder = tempfile::tempdir().unwrap();
    let dump = folder.path().join("rows");
    let test = ["--exact", "stacked_frames_are_as_many_as_with_a_real_width"];
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    let output = again.args(test).env("MTMD_DEBUG_EMBEDDINGS", &dump).output().unwrap();
    assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("1 passed"), "{output:?}");
    assert!(!dump.exists());
}

#[test]
fn only_convolutions_are_held_to_their_types() {
    let folder = tempfile::tempdir().unwrap();
    // 16-bit floats of the other kind, in the file's directory.
    let with_bf16 = |kind: &str, tensor: &str, dims: usize| {
        let mut bytes = std::fs::read(kind_file(kind)).unwrap();
        let at = bytes.windows(tensor.len()).position(|window| window == tensor.as_bytes()).unwrap();
        let at = at + tensor.len() + 4 + 8 * dims;
        assert_eq!(bytes[at..at + 4], 1_u32.to_le_bytes());
        bytes[at..at + 4].copy_from_slice(&30_u32.to_le_bytes());
        let path = folder.path().join(kind);
        std::fs::write(&path, bytes).unwrap();
        Engine::builder().model("m", with_projector(&path)).build()
    };
    // A table for two directions.
    let engine = with_bf16("gemma4v", "v.position_embd.weight", 3).unwrap();
    assert_eq!(ask(&engine, vec![image(1)]).choices.len(), 1);
    let error = with_bf16("voxtral", "a.conv1d.1.weight", 3).unwrap_err();
    assert!(error.message().contains("ggml type 30 is not for projectors"), "{error}");
}
