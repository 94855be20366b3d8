//! The gate against files that are nearly right.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use memmap2::MmapOptions;

use super::*;
use crate::model::KvType;

#[path = "../../../tests/common/mutate.rs"]
mod mutate;

use mutate::{Layout, Random};

/// The folder that `make models` fills.
fn models() -> PathBuf {
    let folder = std::env::var_os("ZEROHOP_TEST_MODELS").map(PathBuf::from).or_else(|| {
        let cache = std::env::var_os("ZEROHOP_CACHE").map(PathBuf::from);
        Some(cache.or_else(|| std::env::home_dir().map(|home| home.join(".cache/zerohop")))?.join("models"))
    });
    folder.filter(|folder| folder.is_dir()).expect("the test models are missing: run `make models`")
}

pub(super) fn tiny(name: &str) -> Vec<u8> {
    std::fs::read(models().join("tiny").join(name)).expect("the tiny models are missing: run `make models`")
}

/// How many mutations to try: of tiny files, and of each real one.
fn counts() -> (u64, u64) {
    if std::env::var_os("ZEROHOP_TEST_FULL").is_some() { (980_000, 20_000) } else { (20_000, 100) }
}

/// A tiny file in which the value of `key`, found by its spelling, has been replaced from `skip`
/// bytes after its type on.
pub(super) fn patched(file: &str, key: &str, skip: usize, value: &[u8]) -> Vec<u8> {
    let mut bytes = tiny(file);
    let spelled = [&(key.len() as u64).to_le_bytes(), key.as_bytes()].concat();
    let at = bytes.windows(spelled.len()).position(|window| window == spelled).expect("the file has this key");
    let start = at + spelled.len() + 4 + skip;
    bytes[start..start + value.len()].copy_from_slice(value);
    bytes
}

#[track_caller]
fn refused(bytes: &[u8], part: &str) {
    let error = check(bytes).expect_err("this must not pass");
    assert!(error.to_string().contains(part), "{error}");
}

/// [`refused`], for `tiny-llama` with another number under this key.
#[track_caller]
fn refused_number(key: &str, number: u32, part: &str) {
    refused(&patched("tiny-llama.gguf", key, 0, &number.to_le_bytes()), part);
}

#[test]
fn good_files_pass() {
    for file in ["tiny-llama.gguf", "tiny-gemma3.gguf", "tiny-mamba.gguf", "tiny-spm.gguf", "tiny-no-template.gguf"] {
        let checked = check(&tiny(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!((checked.hparams.context_length, checked.hparams.layers), (2048, 2), "{file}");
    }
}

#[test]
fn hyperparameters_are_held_to_what_is_asserted() {
    refused_number("llama.block_count", 0, "from 1 to 512");
    refused_number("llama.block_count", 513, "from 1 to 512");
    refused_number("llama.context_length", 0, "from 1");
    refused_number("llama.embedding_length", 0, "from 1");
    refused_number("llama.embedding_length", 65, "token_embd.weight is");
    refused_number("llama.attention.head_count", 0, "is 0");
    refused_number("llama.attention.head_count", u32::MAX, "over");
    refused_number("llama.attention.head_count_kv", 3, "share 3 key-value heads evenly");
    refused_number("llama.feed_forward_length", u32::MAX, "over");
    refused_number("llama.attention.layer_norm_rms_epsilon", f32::NAN.to_bits(), "NaN");
    refused_number("llama.attention.layer_norm_rms_epsilon", (-1.0_f32).to_bits(), "is -1");
    refused(&patched("tiny-gemma3.gguf", "gemma3.attention.key_length", 0, &[0; 4]), "from 1");
    refused(&patched("tiny-gemma3.gguf", "gemma3.attention.sliding_window", 0, &[0xff; 4]), "from 0");
    refused(&patched("tiny-mamba.gguf", "mamba.ssm.time_step_rank", 0, &[0; 4]), "from 1");
    refused(&patched("tiny-mamba.gguf", "mamba.ssm.inner_size", 0, &[0; 4]), "from 1");
}

#[test]
fn keys_have_the_type_that_is_read() {
    let key = "llama.block_count";
    let mut bytes = tiny("tiny-llama.gguf");
    let at = bytes.windows(key.len()).position(|window| window == key.as_bytes()).unwrap() + key.len();
    bytes[at..at + 4].copy_from_slice(&5_u32.to_le_bytes());
    refused(&bytes, "not a 32-bit unsigned integer");
    let mut bytes = tiny("tiny-llama.gguf");
    bytes[at - 1] = b'x';
    refused(&bytes, "\"llama.block_count\" is missing");
}

#[test]
fn vocabularies_are_held_together() {
    let file = "tiny-llama.gguf";
    refused(&patched(file, "tokenizer.ggml.model", 8, b"gptX"), "tokenizer \"gptX\" is unknown");
    refused(&patched(file, "tokenizer.ggml.model", 8, b"none"), "unknown or has no vocabulary");
    refused(&patched(file, "tokenizer.ggml.eos_token_id", 0, &9999_u32.to_le_bytes()), "eos_token_id is 9999");
    // The first two tokens are a byte each.
    let mut bytes = tiny(file);
    let key = b"tokenizer.ggml.tokens";
    let at = bytes.windows(key.len()).position(|window| window == key).unwrap() + key.len();
    let first = at + 4 + 4 + 8 + 8;
    let len = usize::try_from(u64::from_le_bytes(bytes[first - 8..first].try_into().unwrap())).unwrap();
    let second = first + len + 8;
    bytes.copy_within(first..first + len, second);
    refused(&bytes, "token 1 repeats");
    // "h e"
    refused(&patched(file, "tokenizer.ggml.merges", 4 + 8 + 8 + 1, b"x"), "merge 0 is not two texts");
    let element_type = |kind: u32| patched("tiny-spm.gguf", "tokenizer.ggml.scores", 0, &kind.to_le_bytes());
    refused(&element_type(4), "another type than llama.cpp reads");
}

#[test]
fn tensor_types_are_held_to_what_is_computed() {
    let set_type = |name: &str, dims: usize, kind: u32| {
        let mut bytes = tiny("tiny-llama.gguf");
        let at = bytes.windows(name.len()).position(|window| window == name.as_bytes()).unwrap();
        let at = at + name.len() + 4 + 8 * dims;
        bytes[at..at + 4].copy_from_slice(&kind.to_le_bytes());
        bytes
    };
    // Of the same size, so that only the type is wrong.
    refused(&set_type("output_norm.weight", 1, 26), "is not for weights");
    refused(&set_type("blk.0.attn_q.weight", 2, 26), "is not for weights");
}

#[test]
fn split_files_are_named_and_numbered() {
    let parts = |pairs: &[(&str, u16)], path: &str| {
        let mut gguf = check(&tiny("tiny-llama.gguf")).unwrap().gguf;
        for (key, value) in pairs {
            gguf.metadata.insert((*key).to_owned(), super::super::gguf::Value::U16(*value));
        }
        split_paths(&gguf, Path::new(path)).map_err(|error| error.to_string())
    };
    assert_eq!(parts(&[], "m.gguf"), Ok(Vec::new()));
    let two = [("split.no", 0), ("split.count", 2)];
    assert_eq!(parts(&two, "a/m-00001-of-00002.gguf"), Ok(vec![PathBuf::from("a/m-00002-of-00002.gguf")]));
    assert!(parts(&two, "m.gguf").unwrap_err().contains("must end in -00001-of-00002.gguf"));
    assert!(parts(&[("split.no", 1), ("split.count", 2)], "m").unwrap_err().contains("split.no is 1"));
    assert!(parts(&[("split.count", 2)], "m").unwrap_err().contains("split.no is missing"));
}

#[test]
fn memory_is_estimated_from_below() {
    let checked = check(&tiny("tiny-llama.gguf")).unwrap();
    let need = |kv_type, mapped| MemoryNeed::estimate(&checked, 512, 4, kv_type, mapped);
    // Keys and values of two layers, two heads of 16 each.
    let elements = 2 * 2 * 2 * 16 * 512;
    assert_eq!(need(KvType::F16, true), MemoryNeed { weights: 0, cache: elements * 2 });
    assert_eq!(need(KvType::F32, true).cache, elements * 4);
    assert_eq!(need(KvType::Q8_0, false), MemoryNeed { weights: checked.gguf.data_len, cache: elements / 32 * 34 });
    let window = check(&tiny("tiny-gemma3.gguf")).unwrap();
    let need = MemoryNeed::estimate(&window, 512, 4, KvType::F16, true);
    assert_eq!(need.cache, 2 * 2 * 2 * 16 * (16 * 4) * 2);
}

/// Runs the gate over `count` damaged copies of a file, and says what came of it.
fn mutate_in_place(file: &mut [u8], count: u64, seed: u64, is_sound: impl Fn(&[u8]) -> bool) -> u64 {
    let layout = Layout::of(file);
    let mut passed = 0;
    for round in 0..count {
        let mut random = Random::new(seed + round);
        let edits = layout.edits(file, &mut random);
        let cut = if random.below(20) == 0 { random.below(file.len()) } else { file.len() };
        let mut old = Vec::new();
        for edit in &edits {
            let range = edit.at..edit.at + edit.bytes.len();
            old.push((range.start, file[range.clone()].to_vec()));
            file[range].copy_from_slice(&edit.bytes);
        }
        passed += u64::from(is_sound(&file[..cut]));
        for (at, bytes) in old.into_iter().rev() {
            file[at..at + bytes.len()].copy_from_slice(&bytes);
        }
    }
    passed
}

/// The same with bytes put in or taken out.
fn mutate_lengths(file: &[u8], count: u64, seed: u64) {
    let header_len = Layout::of(file).header_len;
    for round in 0..count {
        let mut random = Random::new(seed + round);
        let mut bytes = file.to_vec();
        let at = random.below(header_len);
        let len = 1 + random.below(40);
        if random.below(2) == 0 {
            bytes.splice(at..at, (0..len).map(|_| (random.bits() & 0xff) as u8));
        } else {
            bytes.drain(at..(at + len).min(file.len()));
        }
        // It may pass: most of a file is text.
        let _ = check(&bytes);
    }
}

#[test]
fn damaged_headers_never_get_the_better_of_the_gate() {
    let (tiny_count, real_count) = counts();
    let files = ["tiny-llama.gguf", "tiny-gemma3.gguf", "tiny-mamba.gguf", "tiny-spm.gguf"];
    let each = tiny_count / files.len() as u64;
    for file in files {
        let mut bytes = tiny(file);
        let passed = mutate_in_place(&mut bytes, each - each / 50, 1, |bytes| check(bytes).is_ok());
        mutate_lengths(&bytes, each / 50, 2);
        // Both a gate that lets nothing through and one that lets all through would be useless here.
        assert!((each / 20..each).contains(&passed), "{file}: {passed} of {each} passed");
    }
    let real = std::fs::read_dir(models()).unwrap().map(|entry| entry.unwrap().path());
    for path in real.filter(|path| path.extension().is_some_and(|extension| extension == "gguf")) {
        let file = std::fs::File::open(&path).unwrap();
        // SAFETY: a private copy; nobody changes the models while tests run.
        let mut bytes = unsafe { MmapOptions::new().map_copy(&file) }.unwrap();
        mutate_in_place(&mut bytes, real_count, 3, |bytes| check(bytes).is_ok());
        check(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

const ADAPTER: &str = "tiny-lora.gguf";

/// Runs the gate over an adapter for `tiny-llama`.
fn check_for_llama(bytes: &[u8]) -> Result<Gguf, GgufError> {
    static BASE: OnceLock<Gguf> = OnceLock::new();
    let base = BASE.get_or_init(|| check(&tiny("tiny-llama.gguf")).unwrap().gguf);
    check_adapter(bytes, "llama", base.tensors.iter())
}

#[track_caller]
fn refused_adapter(bytes: &[u8], part: &str) {
    let error = check_for_llama(bytes).expect_err("this must not pass");
    assert!(error.to_string().contains(part), "{error}");
}

/// The adapter with other bytes so far behind the end of a tensor's name.
fn with_tensor(name: &str, skip: usize, value: &[u8]) -> Vec<u8> {
    let mut bytes = tiny(ADAPTER);
    let at = bytes.windows(name.len()).position(|window| window == name.as_bytes()).unwrap() + name.len();
    bytes[at + skip..at + skip + value.len()].copy_from_slice(value);
    bytes
}

#[test]
fn good_adapters_pass() {
    for file in [ADAPTER, "tiny-lora-other.gguf"] {
        check_for_llama(&tiny(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    }
}

#[test]
fn an_adapter_is_no_model() {
    refused(&tiny(ADAPTER), "apply it to the model that it is for");
}

#[test]
fn adapters_are_held_to_their_model() {
    refused_adapter(&tiny("tiny-llama.gguf"), "general.type is missing");
    refused_adapter(&patched(ADAPTER, "general.type", 8, b"adoptee"), "general.type is \"adoptee\"");
    refused_adapter(&patched(ADAPTER, "adapter.type", 8, b"loha"), "adapter.type is \"loha\"");
    refused_adapter(&patched(ADAPTER, "general.architecture", 8, b"gemma"), "and this is \"llama\"");
    refused_adapter(&patched(ADAPTER, "adapter.lora.alpha", 0, &f32::NAN.to_le_bytes()), "alpha is not a finite");
    let mut bytes = tiny(ADAPTER);
    let key = b"adapter.lora.alpha";
    let at = bytes.windows(key.len()).position(|window| window == key).unwrap() + key.len();
    bytes[at..at + 4].copy_from_slice(&4_u32.to_le_bytes());
    refused_adapter(&bytes, "alpha is not a finite");
    // A name's last letters, a dimension, a type.
    let name = "blk.0.attn_q.weight.lora_b";
    refused_adapter(&renamed(name, "blk.0.attn_q.weight.lora_c"), "is none of a LoRA adapter's pairs");
    refused_adapter(&renamed(name, "blk.0.attn_k.weight.lora_b"), "one is missing");
    let other = |bytes: Vec<u8>| rename(bytes, "blk.0.attn_q.weight.lora_a", "blk.7.attn_q.weight.lora_a");
    refused_adapter(&other(renamed(name, "blk.7.attn_q.weight.lora_b")), "no tensor \"blk.7.attn_q.weight\"");
    // Swapped, which keeps the sizes.
    let dims = [64_u64.to_le_bytes(), 4_u64.to_le_bytes()].concat();
    refused_adapter(&with_tensor(name, 4, &dims), "does not fit tensor \"blk.0.attn_q.weight\"");
    refused_adapter(&with_tensor(name, 4 + 16, &26_u32.to_le_bytes()), "ggml type 26 is not for adapters");
}

fn renamed(name: &str, to: &str) -> Vec<u8> {
    rename(tiny(ADAPTER), name, to)
}

pub(super) fn rename(mut bytes: Vec<u8>, name: &str, to: &str) -> Vec<u8> {
    let at = bytes.windows(name.len()).position(|window| window == name.as_bytes()).unwrap();
    bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    bytes
}

#[test]
fn damaged_adapters_never_get_the_better_of_the_gate() {
    let count = counts().0 / 10;
    for file in [ADAPTER, "tiny-lora-other.gguf"] {
        let passed = mutate_in_place(&mut tiny(file), count, 4, |bytes| check_for_llama(bytes).is_ok());
        assert!((count / 50..count).contains(&passed), "{file}: {passed} of {count} passed");
    }
}
