use super::GgufErrorKind::{Invalid, NotGguf, Truncated, Unsupported};
use super::*;

/// A `gguf_string_t`.
fn string(text: impl AsRef<[u8]>) -> Vec<u8> {
    let text = text.as_ref();
    [&(text.len() as u64).to_le_bytes(), text].concat()
}

/// A metadata pair.
fn pair(key: &str, type_id: u32, value: &[u8]) -> Vec<u8> {
    [&string(key), &type_id.to_le_bytes()[..], value].concat()
}

/// The value of an array pair.
fn array(type_id: u32, len: u64, elements: &[u8]) -> Vec<u8> {
    [&type_id.to_le_bytes(), &len.to_le_bytes()[..], elements].concat()
}

/// A tensor info.
fn tensor(name: &str, dims: &[u64], type_id: u32, offset: u64) -> Vec<u8> {
    let rank = u32::try_from(dims.len()).unwrap().to_le_bytes();
    let dims: Vec<u8> = dims.iter().flat_map(|dim| dim.to_le_bytes()).collect();
    let tail = [&type_id.to_le_bytes(), &offset.to_le_bytes()[..]].concat();
    [&string(name), &rank[..], &dims, &tail].concat()
}

/// A file, its data section aligned to 32 bytes and full of zeros.
fn file(pairs: &[Vec<u8>], tensors: &[Vec<u8>], data_len: usize) -> Vec<u8> {
    let mut bytes = [MAGIC, &3_u32.to_le_bytes()].concat();
    bytes.extend((tensors.len() as u64).to_le_bytes());
    bytes.extend((pairs.len() as u64).to_le_bytes());
    bytes.extend(pairs.concat());
    bytes.extend(tensors.concat());
    bytes.resize(bytes.len().next_multiple_of(32) + data_len, 0);
    bytes
}

/// A sound file with every value type and two tensors.
fn good() -> Vec<u8> {
    let pairs = [
        pair("general.architecture", 8, &string("llama")),
        pair("general.file_type", 4, &2_u32.to_le_bytes()),
        pair("u8", 0, &[200]),
        pair("i8", 1, &[0xff]),
        pair("u16", 2, &[1, 2]),
        pair("i16", 3, &[1, 2]),
        pair("i32", 5, &7_i32.to_le_bytes()),
        pair("f32", 6, &1.5_f32.to_le_bytes()),
        pair("bool", 7, &[1]),
        pair("strings", 9, &array(8, 2, &[string("a"), string(b"\xff")].concat())),
        pair("u64", 10, &u64::MAX.to_le_bytes()),
        pair("i64", 11, &(-1_i64).to_le_bytes()),
        pair("f64", 12, &2.5_f64.to_le_bytes()),
        pair("bools", 9, &array(7, 3, &[0, 1, 0])),
        pair("i32s", 9, &array(5, 2, &[0; 8])),
    ];
    let tensors = [tensor("token_embd.weight", &[32, 3], 2, 0), tensor("output_norm.weight", &[5], 0, 64)];
    file(&pairs, &tensors, 64 + 20)
}

/// Asserts that `bytes` are refused with this kind and with `part` in the message.
#[track_caller]
fn refused(bytes: &[u8], kind: GgufErrorKind, part: &str) {
    let error = Gguf::read(bytes).unwrap_err();
    assert_eq!(error.kind, kind, "{error}");
    assert!(error.to_string().contains(part), "{error}");
}

/// [`refused`], for a file with only these metadata.
#[track_caller]
fn refused_pairs(pairs: &[Vec<u8>], kind: GgufErrorKind, part: &str) {
    refused(&file(pairs, &[], 0), kind, part);
}

/// [`refused`], for a file with only these tensors and a kibibyte of data.
#[track_caller]
fn refused_tensors(tensors: &[Vec<u8>], kind: GgufErrorKind, part: &str) {
    refused(&file(&[], tensors, 1024), kind, part);
}

#[test]
fn describes_a_good_file() {
    let bytes = good();
    let gguf = Gguf::read(&bytes).unwrap();
    assert_eq!((gguf.version, gguf.alignment), (3, 32));
    assert_eq!(gguf.architecture(), Some("llama"));
    assert_eq!(gguf.file_type(), Some(2));
    assert_eq!((gguf.tensors.len(), gguf.parameter_count()), (2, 101));
    assert_eq!((gguf.tensors[0].size, gguf.tensors[1].size), (54, 20));
    assert_eq!(gguf.data_offset + gguf.data_len, bytes.len() as u64);
    assert!(gguf.metadata.contains_key("f32") && !gguf.metadata.contains_key("f16"));
    assert_eq!(gguf.get_str("u8"), None);
    let integers = ["u8", "i8", "u16", "i16", "i32", "u64", "i64", "f32", "bool"];
    let values = integers.map(|key| gguf.get_u64(key));
    let expected = [Some(200), None, Some(513), Some(513), Some(7), Some(u64::MAX)];
    assert_eq!(values[..6], expected);
    assert_eq!(values[6..], [None; 3]);
    assert_eq!(["strings", "bools", "u8"].map(|key| array_len(&gguf, key)), [Some(2), Some(3), None]);
    let Value::Array { element, len, start } = gguf.metadata["i32s"] else { panic!("no array") };
    assert_eq!((element, len, &bytes[start - 12..start - 8]), (ValueType::I32, 2, &5_u32.to_le_bytes()[..]));
    assert_eq!(gguf.metadata["f32"], Value::F32(1.5));
    assert_eq!(gguf.metadata["f64"], Value::F64(2.5));
    assert_eq!(gguf.metadata["bool"], Value::Bool(true));
}

#[test]
fn accepts_the_corner_cases() {
    let text = pair("text", 8, &string(b"a\xffb"));
    let gguf = Gguf::read(&file(&[text], &[], 0)).unwrap();
    assert_eq!(gguf.get_str("text"), Some("a\u{fffd}b"));
    let alignment = pair(ALIGNMENT_KEY, 4, &128_u32.to_le_bytes());
    let infos = [tensor("a", &[1], 0, 0), tensor("b", &[1], 0, 128)];
    let gguf = Gguf::read(&file(&[alignment], &infos, 1024)).unwrap();
    assert_eq!((gguf.data_offset % 128, gguf.data_len), (0, 132));
    let name = "n".repeat(MAX_TENSOR_NAME_LEN);
    assert!(Gguf::read(&file(&[], &[tensor(&name, &[1, 1, 1, 1], 0, 0)], 4)).is_ok());
    let mut version_2 = good();
    version_2[4] = 2;
    assert_eq!(Gguf::read(&version_2).unwrap().version, 2);
}

#[test]
fn refuses_every_truncation() {
    let bytes = good();
    for len in 0..bytes.len() {
        refused(&bytes[..len], Truncated, &format!("ends after {len} of "));
    }
    let len = bytes.len();
    let part = format!("the file ends after {} of {len} bytes: the download may", len - 1);
    refused(&bytes[..len - 1], Truncated, &part);
}

#[test]
fn names_other_files() {
    let cases: [(&[u8], GgufErrorKind, &str); 8] = [
        (b"FUGG\0\0\0\x03", Unsupported, "big-endian"),
        (b"GGUF\0\0\0\x03", Unsupported, "big-endian"),
        (b"PK\x03\x04", NotGguf, "PyTorch"),
        (b"\x40\x9f\0\0\0\0\0\0{\"__metadata__\"", NotGguf, "safetensors"),
        (b"tjgg\x03\0\0\0", NotGguf, "old GGML"),
        (b"<!DOCTYPE html>", NotGguf, "web page"),
        (b"version https://git-lfs.github.com/spec/v1", NotGguf, "LFS"),
        (b"GGUX", NotGguf, "not a GGUF file"),
    ];
    for (bytes, kind, part) in cases {
        refused(bytes, kind, part);
    }
}

#[test]
fn refuses_bad_versions_and_counts() {
    for version in [0, 1, 4, u8::MAX] {
        let mut bytes = good();
        bytes[4] = version;
        refused(&bytes, Unsupported, &format!("GGUF version {version}:"));
    }
    for at in [8, 16] {
        for (count, kind) in [(u64::MAX, Invalid), (MAX_COUNT, Truncated), (99, Truncated)] {
            let mut bytes = good();
            bytes[at..at + 8].copy_from_slice(&count.to_le_bytes());
            refused(&bytes, kind, "");
        }
    }
}

#[test]
fn refuses_bad_metadata() {
    let value = |type_id, bytes: &[u8]| [pair("key", type_id, bytes)];
    refused_pairs(&[pair("", 0, &[1])], Invalid, "key 0 is empty");
    refused_pairs(&[pair("a\0b", 0, &[1])], Invalid, "NUL");
    refused_pairs(&[pair(&"k".repeat(65_536), 0, &[1])], Invalid, "65536 bytes");
    refused_pairs(&[[string(b"\xff"), vec![0; 8]].concat()], Invalid, "UTF-8");
    refused_pairs(&[pair("a", 0, &[1]), pair("a", 1, &[1])], Invalid, "\"a\" occurs twice");
    refused_pairs(&value(13, &[0; 8]), Invalid, "no value type 13");
    refused_pairs(&value(7, &[2]), Invalid, "a boolean is 2");
    refused_pairs(&value(8, &[0xff; 8]), Invalid, "a count of");
    refused_pairs(&value(8, &[0xff, 0, 0, 0, 0, 0, 0, 0]), Truncated, "in metadata key \"key\"");
    refused_pairs(&value(9, &array(9, 1, &[0; 16])), Unsupported, "arrays of arrays");
    refused_pairs(&value(9, &array(7, 2, &[1, 9])), Invalid, "a boolean is 9");
    refused_pairs(&value(9, &array(8, 1, &[0xff; 8])), Invalid, "a count of");
    refused_pairs(&value(9, &array(10, 99, &[])), Truncated, "in metadata");
    let long = pair(&"k".repeat(60_000), 13, &[]);
    let message = Gguf::read(&file(&[long], &[], 0)).unwrap_err().to_string();
    assert!(message.len() < 200, "{message}");
}

#[test]
fn refuses_bad_alignments() {
    for alignment in [0, 4, 16, 24, 33, u32::MAX] {
        let bad = pair(ALIGNMENT_KEY, 4, &u32::to_le_bytes(alignment));
        refused_pairs(&[bad], Invalid, &format!("is {alignment}, which"));
    }
    refused_pairs(&[pair(ALIGNMENT_KEY, 10, &[32; 8])], Invalid, "32-bit");
}

#[test]
fn refuses_bad_tensors() {
    let shape = |dims: &[u64], type_id| [tensor("t", dims, type_id, 0)];
    let pair = |name, offset| [tensor("a", &[9], 0, 0), tensor(name, &[1], 0, offset)];
    refused_tensors(&[tensor(&"n".repeat(64), &[1], 0, 0)], Invalid, "64 bytes, over 63");
    refused_tensors(&shape(&[], 0), Invalid, "0 dimensions");
    refused_tensors(&shape(&[1; 5], 0), Invalid, "5 dimensions");
    refused_tensors(&shape(&[4, 0], 0), Invalid, "zero or too large");
    refused_tensors(&shape(&[u64::MAX, 2], 0), Invalid, "zero or too large");
    refused_tensors(&shape(&[1 << 63], 24), Invalid, "zero or too large");
    refused_tensors(&shape(&[1 << 62], 0), Invalid, "too large");
    refused_tensors(&shape(&[33], 2), Invalid, "no multiple of 32");
    refused_tensors(&shape(&[16, 2], 2), Invalid, "no multiple of 32");
    refused_tensors(&pair("a", 64), Invalid, "\"a\" occurs twice");
    refused_tensors(&pair("b", 65), Invalid, "not aligned to 32");
    refused_tensors(&pair("b", 32), Invalid, "overlaps others, which end at 36");
    refused_tensors(&pair("b", 96), Unsupported, "leaves a gap");
    refused_tensors(&pair("b", u64::MAX - 31), Unsupported, "leaves a gap");
    refused_tensors(&shape(&[257], 0), Truncated, "ends after 1088 of 1092 bytes");
    refused_tensors(&shape(&[(1 << 63) - 1], 24), Truncated, "ends after 1088 of");
}

#[test]
fn knows_the_types_of_ggml() {
    let withdrawn = [4, 5, 31, 32, 33, 36, 37, 38];
    for type_id in 0..64 {
        let known = type_id <= 42 && !withdrawn.contains(&type_id);
        assert_eq!(block_layout(type_id).is_some(), known, "{type_id}");
        if !known {
            let unknown = tensor("t", &[256], type_id, 0);
            refused_tensors(&[unknown], Unsupported, &format!("ggml type {type_id} is"));
        }
    }
}

#[test]
fn survives_random_mutations() {
    let original = good();
    // The linear congruential generator of Knuth's MMIX, whose high bits are the random ones.
    let mut state = 1_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    let mut accepted = 0;
    for _ in 0..20_000 {
        let mut bytes = original.clone();
        for _ in 0..=random(4) {
            let at = random(bytes.len());
            bytes[at] = [0, 1, 0x7f, 0x80, 0xff, bytes[at] ^ 1, bytes[at] ^ 0x80][random(7)];
        }
        if let Ok(gguf) = Gguf::read(&bytes) {
            accepted += 1;
            assert!(gguf.data_offset + gguf.data_len <= bytes.len() as u64);
            assert!(gguf.parameter_count() <= 8 * gguf.data_len);
        }
    }
    assert!((1_000..19_000).contains(&accepted), "{accepted} accepted");
}

fn array_len(gguf: &Gguf, key: &str) -> Option<u64> {
    match gguf.metadata[key] {
        Value::Array { len, .. } => Some(len),
        _ => None,
    }
}
