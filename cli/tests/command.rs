//! The command as people call it.

use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

fn models() -> PathBuf {
    std::env::var_os("ZEROHOP_TEST_MODELS").map(PathBuf::from).expect("ZEROHOP_TEST_MODELS names the folder of models")
}

fn model(name: &str) -> String {
    let path = models().join(name);
    assert!(path.exists(), "{} is missing: run `make models`", path.display());
    path.display().to_string()
}

fn tiny() -> String {
    model("tiny/tiny-llama.gguf")
}

fn qwen() -> String {
    model("qwen2.5-coder-0.5b-instruct-q4_k_m.gguf")
}

/// Runs the command, with text on stdin.
fn zerohop(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_zerohop"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Who does not read it has gone before.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// What the command prints, which succeeds and says nothing else.
fn output(arguments: &[&str], input: &str) -> String {
    let output = zerohop(arguments, input);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    assert_eq!(errors, "");
    String::from_utf8(output.stdout).unwrap()
}

/// The exit code and message of a command that fails.
fn failure(arguments: &[&str]) -> (Option<i32>, String) {
    let output = zerohop(arguments, "");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn adapters_are_applied() {
    let ask = |model: &str, adapter: Option<&str>| {
        let options = adapter.map_or_else(Vec::new, |adapter| vec!["--adapter", adapter]);
        output(&[&["run", model, "Hello", "-t", "0", "-n", "16"], &options[..]].concat(), "")
    };
    let adapter = model("tiny/tiny-lora.gguf");
    let tuned = ask(&tiny(), Some(&adapter));
    assert_eq!(tuned, ask(&model("tiny/tiny-merged.gguf"), None));
    assert_eq!(ask(&tiny(), Some(&format!("{adapter}:0"))), ask(&tiny(), None));
    assert_ne!(tuned, ask(&tiny(), None));
    let (code, message) = failure(&["run", &tiny(), "Hello", "--adapter", &format!("m={adapter}")]);
    assert!(code == Some(1) && message.contains("is not m"), "{message}");
    let (_, message) = failure(&["run", &adapter, "Hello"]);
    let expected = "the file is an adapter and no model: apply it to the model that it is for";
    assert_eq!(message, format!("zerohop: {adapter}: {expected}\n"));
}

#[test]
fn run_answers_a_prompt() {
    let answer = output(&["run", &qwen(), "What is the capital of France?", "-t", "0", "-n", "20"], "");
    assert!(answer.contains("Paris"), "{answer}");
}

#[test]
fn run_reads_files_and_stdin() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("text");
    fs::write(&file, "b").unwrap();
    let prompt_tokens = |arguments: &[&str], input: &str| {
        let model = tiny();
        let arguments = [&["run", &model, "--json", "-n", "1"], arguments].concat();
        let reply: Value = serde_json::from_str(&output(&arguments, input)).unwrap();
        assert_eq!(reply["object"], "chat.completion");
        reply["usage"]["prompt_tokens"].as_u64().unwrap()
    };
    let file = file.to_str().unwrap();
    let one = prompt_tokens(&["a"], "");
    assert_eq!(prompt_tokens(&[], "a"), one);
    assert_eq!(prompt_tokens(&["-"], "a"), one);
    assert_eq!(prompt_tokens(&["--file", file], "ignored"), one);
    assert_eq!(prompt_tokens(&["-f", file, "-"], "a"), prompt_tokens(&["a", "-f", file], ""));
    assert!(prompt_tokens(&["a", "-f", file, "-s", "Be brief"], "") > one);
}

#[test]
fn run_holds_to_a_schema() {
    let folder = tempfile::tempdir().unwrap();
    let schema = folder.path().join("schema.json");
    let source = json!({
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"enum": ["x", "y"]}},
        "required": ["a", "b"],
        "additionalProperties": false,
    });
    fs::write(&schema, source.to_string()).unwrap();
    let text = output(&["run", &qwen(), "Any", "--schema", schema.to_str().unwrap(), "-t", "0"], "");
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert!(answer["a"].is_i64() && answer["b"].is_string(), "{answer}");
    fs::write(&schema, "{").unwrap();
    let (code, message) = failure(&["run", &tiny(), "a", "--schema", schema.to_str().unwrap()]);
    assert!(code == Some(1) && message.contains("no JSON"), "{message}");
}

#[test]
fn chat_remembers() {
    let talk = output(&["chat", &qwen(), "-t", "0", "-n", "30"], "My name is Zebedee.\nWhat is my name?\n");
    assert!(talk.lines().last().unwrap().contains("Zebedee"), "{talk}");
    let forgotten = "My name is Zebedee.\n/clear\nWhat is my name?\n";
    let talk = output(&["chat", &qwen(), "-t", "0", "-n", "30"], forgotten);
    assert!(!talk.lines().last().unwrap().contains("Zebedee"), "{talk}");
}

#[test]
fn embed_gives_a_vector_a_text() {
    let minilm = model("all-minilm-l6-v2-f16.gguf");
    let lines = output(&["embed", &minilm], "a cat\na kitten\na diesel engine\n");
    let vectors: Vec<Vec<f32>> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(vectors.iter().map(Vec::len).collect::<Vec<_>>(), [384, 384, 384]);
    let cosine = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    assert!(cosine(&vectors[0], &vectors[1]) > cosine(&vectors[0], &vectors[2]) + 0.2);
    let short: Value =
        serde_json::from_str(&output(&["embed", &minilm, "a cat", "--dimensions", "4", "--json"], "")).unwrap();
    assert_eq!((&short["text"], short["embedding"].as_array().unwrap().len()), (&json!("a cat"), 4));
}

#[test]
fn transcribe_writes_what_is_said() {
    let (whisper, garden) = (model("whisper-tiny.en-f16.bin"), model("speech/garden.mp3"));
    let text = output(&["transcribe", &whisper, &garden], "");
    assert!(text.contains("new car"), "{text}");
    let folder = tempfile::tempdir().unwrap();
    let srt = folder.path().join("garden.srt").display().to_string();
    assert_eq!(output(&["transcribe", &whisper, &garden, "--format", "srt", "-o", &srt, "--vad"], ""), "");
    assert!(fs::read_to_string(&srt).unwrap().starts_with("1\n00:00:0"));
    let json: Value =
        serde_json::from_str(&output(&["transcribe", &whisper, &garden, "-f", "json", "--words"], "")).unwrap();
    assert!(json["words"].as_array().unwrap().len() > 10 && json["segments"].is_array());
    let (code, message) = failure(&["transcribe", &whisper, &whisper]);
    assert!(code == Some(1) && message.contains("cannot be read"), "{message}");
}

#[test]
fn batch_counts_and_resumes() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let line = |id: u32, model: &str| {
        let body = json!({"model": model, "messages": [{"role": "user", "content": "a"}], "max_tokens": 2});
        json!({"custom_id": id.to_string(), "method": "POST", "url": "/v1/chat/completions", "body": body}).to_string()
    };
    fs::write(path("in.jsonl"), format!("{}\n{}\n", line(1, "m"), line(2, "m"))).unwrap();
    let model = format!("m={}", tiny());
    let (input, answers) = (path("in.jsonl"), path("out.jsonl"));
    let arguments = ["batch", &input, "-o", &answers, "-m", &model, "--json"];
    let counts: Value = serde_json::from_str(&output(&arguments, "")).unwrap();
    assert_eq!((&counts["completed"], &counts["failed"], &counts["resumed"]), (&json!(2), &json!(0), &json!(0)));
    let counts: Value = serde_json::from_str(&output(&arguments, "")).unwrap();
    assert_eq!(counts["resumed"], 2);
    fs::write(path("in.jsonl"), format!("{}\n", line(3, "other"))).unwrap();
    let failed = zerohop(&arguments, "");
    assert_eq!(failed.status.code(), Some(1));
    assert!(fs::read_to_string(path("out.errors.jsonl")).unwrap().contains("model_not_found"));
}

#[test]
fn inspect_describes_a_file() {
    let info: Value = serde_json::from_str(&output(&["inspect", &qwen(), "--json"], "")).unwrap();
    assert_eq!((&info["architecture"], &info["quantization"]), (&json!("qwen2"), &json!("Q4_K_M")));
    assert_eq!(info["tensors"].as_array().unwrap().len(), 291);
    assert!(info["memory"]["kv_cache"].as_u64().unwrap() > 1 << 20);
    assert!(output(&["inspect", &qwen()], "").contains("architecture    qwen2\n"));
    assert!(output(&["inspect", &qwen(), "--show", "tensors"], "").contains("output_norm.weight"));
    assert!(output(&["inspect", &qwen(), "--show", "metadata"], "").contains("qwen2.block_count = 24"));
    assert!(output(&["inspect", &qwen(), "--show", "template"], "").contains("<|im_start|>"));
}

#[test]
fn bench_measures() {
    let arguments = ["bench", &tiny(), "--rounds", "1", "--tokens", "4", "--prompt", "8", "--callers", "2", "--json"];
    let figures: Value = serde_json::from_str(&output(&arguments, "")).unwrap();
    assert!(figures["prompt"].as_f64().unwrap() > 0.0);
    assert_eq!(figures["callers"].as_array().unwrap().len(), 2);
}

#[test]
fn what_fails_says_why() {
    for (arguments, code, expected) in [
        (vec!["run", "/missing.gguf", "a"], 1, "/missing.gguf"),
        (vec!["inspect", "/etc/passwd"], 1, "not a GGUF file"),
        (vec!["embed", &tiny(), "a"], 1, "embedding model"),
        (vec!["bench", &tiny(), "--rounds", "0"], 1, "--rounds"),
        (vec!["run"], 2, "Usage"),
        (vec!["nonsense"], 2, "nonsense"),
        (vec![], 2, "Usage"),
    ] {
        let (status, message) = failure(&arguments);
        assert_eq!(status, Some(code), "{arguments:?}: {message}");
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }
}

#[test]
fn a_reader_that_has_had_enough_is_no_failure() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_zerohop"))
        .args(["inspect", &qwen(), "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(errors, "");
}

#[test]
fn image_writes_files_of_the_format_that_their_names_say() {
    let checkpoint = model("tiny/diffusion/sd1.safetensors");
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let fast = ["--size", "64x64", "--steps", "1", "--seed", "7", "--cfg-scale", "1"];
    for (name, format) in [("a.png", image::ImageFormat::Png), ("a.webp", image::ImageFormat::WebP)] {
        let out = path(name);
        let arguments = [&["image", "a b c", "-m", &checkpoint, "-n", "2", "-o", &out], &fast[..]].concat();
        // What is no terminal is shown nothing.
        assert_eq!(output(&arguments, ""), "");
        let second = path(name).replace("a.", "a-2.");
        let files = [fs::read(&out).unwrap(), fs::read(second).unwrap()];
        assert_ne!(files[0], files[1]);
        for file in files {
            let image = image::load_from_memory_with_format(&file, format).unwrap();
            assert_eq!((image.width(), image.height()), (64, 64));
        }
    }
    let (code, message) = failure(&["image", "a", "-m", &checkpoint, "-o", "a.tiff"]);
    assert!(code == Some(1) && message.contains(".png, .jpg or .webp"), "{message}");
    let (code, message) = failure(&["image", "a", "-m", &tiny(), "-o", &path("b.png")]);
    assert!(code == Some(1) && message.contains("makes no images"), "{message}");
}
