//! Reads the header of a safetensors file, checking everything that it claims.
//!
//! stable-diffusion.cpp trusts what the header says of shapes and places, so every file passes here first. As
//! with GGUF (`gguf.rs`), nothing here does I/O, and the input is hostile until proven otherwise.

use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};

/// The longest header, in bytes.
const MAX_HEADER: u64 = 100 << 20;
/// The longest name of a tensor, in bytes: `GGML_MAX_NAME` of stable-diffusion.cpp's build, less the NUL and what
/// it puts in front.
const MAX_NAME: usize = 96;
/// The most dimensions.
const MAX_RANK: usize = 5;
/// The most elements along a dimension.
const MAX_DIMENSION: u64 = 1 << 24;

/// A tensor of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredTensor {
    pub(super) name: String,
    /// The slowest dimension first.
    pub(super) shape: Vec<u64>,
    /// Bytes that it takes in memory: of 8-bit floats 16 bits are made.
    pub(super) memory: u64,
    pub(super) elements: u64,
}

/// Why a file was refused, and a stable word for programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SafetensorsError {
    pub(super) code: &'static str,
    message: String,
}

impl fmt::Display for SafetensorsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SafetensorsError {}

fn invalid(message: impl Into<String>) -> SafetensorsError {
    SafetensorsError { code: "invalid", message: message.into() }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Info {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

/// The tensors of a header, in its order.
struct Header(Vec<(String, Info)>);

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Tensors;

        impl<'de> Visitor<'de> for Tensors {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let (mut tensors, mut names) = (Vec::new(), HashSet::new());
                while let Some(name) = map.next_key::<String>()? {
                    if !names.insert(name.clone()) {
                        return Err(A::Error::custom(format!("tensor {name:?} occurs twice")));
                    }
                    if name == "__metadata__" {
                        map.next_value::<IgnoredAny>()?;
                    } else {
                        tensors.push((name, map.next_value()?));
                    }
                }
                Ok(Header(tensors))
            }
        }

        deserializer.deserialize_map(Tensors)
    }
}

/// Whether a file looks like one: eight bytes of length, and JSON.
pub(super) fn is_safetensors(bytes: &[u8]) -> bool {
    bytes.get(8) == Some(&b'{') && !bytes.starts_with(b"GGUF")
}

/// Reads and checks a whole file, of which only the header is touched.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<StoredTensor>, SafetensorsError> {
    let have = bytes.len() as u64;
    let length = bytes.first_chunk().map(|length| u64::from_le_bytes(*length));
    let length = length.ok_or_else(|| truncated(have, 8))?;
    if length > MAX_HEADER {
        return Err(invalid(format!("its header has {length} bytes; at most {MAX_HEADER} are read")));
    }
    let start = 8 + length;
    let header = usize::try_from(start).ok().and_then(|end| bytes.get(8..end));
    let header = header.ok_or_else(|| truncated(have, start))?;
    let Header(tensors) =
        serde_json::from_slice(header).map_err(|error| invalid(format!("its header is damaged: {error}")))?;
    let mut places = Vec::with_capacity(tensors.len());
    let mut stored = Vec::with_capacity(tensors.len());
    for (name, info) in tensors {
        let [begin, end] = info.data_offsets;
        stored.push(check(name, info)?);
        places.push((begin, end));
    }
    places.sort_unstable();
    let mut free = 0;
    for (begin, end) in places {
        if begin < free {
            return Err(invalid("its tensors overlap"));
        }
        free = end;
    }
    match have - start {
        data if free > data => Err(truncated(have, start.saturating_add(free))),
        _ => Ok(stored),
    }
}

fn check(name: String, info: Info) -> Result<StoredTensor, SafetensorsError> {
    // What a message shows of it.
    let shown: String = name.chars().take(MAX_NAME).collect();
    if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(invalid(format!("the name of tensor {shown:?} is none")));
    }
    // Bytes in the file and in memory.
    let (width, memory) = match info.dtype.as_str() {
        "F64" | "I64" => (8, 4),
        "F32" | "I32" => (4, 4),
        "F16" | "BF16" => (2, 2),
        "F8_E4M3" | "F8_E5M2" => (1, 2),
        "U8" => (1, 0),
        _ => {
            let dtype: String = info.dtype.chars().take(16).collect();
            let message = format!("tensor {shown:?} is of the type {dtype:?}, which is not computed with");
            return Err(SafetensorsError { code: "unsupported", message });
        }
    };
    if info.shape.len() > MAX_RANK {
        return Err(invalid(format!(
            "tensor {shown:?} has {} dimensions instead of 0 to {MAX_RANK}",
            info.shape.len()
        )));
    }
    if let Some(size) = info.shape.iter().find(|size| !(1..=MAX_DIMENSION).contains(size)) {
        return Err(invalid(format!("tensor {shown:?} has a dimension of {size}")));
    }
    let elements = info.shape.iter().try_fold(1_u64, |all, size| all.checked_mul(*size));
    let [begin, end] = info.data_offsets;
    let taken = end.checked_sub(begin);
    match elements.and_then(|elements| elements.checked_mul(width)) {
        Some(size) if taken == Some(size) => {}
        _ => return Err(invalid(format!("tensor {shown:?} has another size than its shape says"))),
    }
    let elements = elements.unwrap_or_default();
    Ok(StoredTensor { name, shape: info.shape, memory: elements.saturating_mul(memory), elements })
}

fn truncated(have: u64, need: u64) -> SafetensorsError {
    let message = format!("the file ends after {have} of {need} bytes: the download may be incomplete");
    SafetensorsError { code: "truncated", message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, data: usize) -> Vec<u8> {
        let length = (header.len() as u64).to_le_bytes();
        [&length[..], header.as_bytes(), &vec![0; data]].concat()
    }

    fn tensor(dtype: &str, shape: &str, offsets: &str) -> String {
        format!(r#""dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}"#)
    }

    #[test]
    fn sound_files_are_read() {
        let (a, b) = (tensor("F16", "[2,3]", "[0,12]"), tensor("F8_E4M3", "[]", "[12,13]"));
        let bytes = file(&format!(r#"{{"__metadata__":{{"format":"pt"}},"a":{{{a}}},"b":{{{b}}}}}  "#), 13);
        assert!(is_safetensors(&bytes));
        let tensors = read(&bytes).unwrap();
        assert_eq!((tensors[0].shape.as_slice(), tensors[0].memory, tensors[1].memory), (&[2, 3][..], 12, 2));
        for length in 0..bytes.len() {
            assert!(read(&bytes[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let huge = format!("[{}]", u64::MAX);
        let bad = [
            (tensor("F16", "[2,3]", "[0,11]"), "invalid"),
            (tensor("F16", "[2,3]", "[12,0]"), "invalid"),
            (tensor("F16", "[2,3]", "[-12,0]"), "invalid"),
            (tensor("F16", "[0]", "[0,0]"), "invalid"),
            (tensor("F16", "[1,1,1,1,1,6]", "[0,12]"), "invalid"),
            (tensor("F16", &huge, "[0,12]"), "invalid"),
            (tensor("F16", "[16777216,16777216,16777216]", "[0,0]"), "invalid"),
            (tensor("F16", "[6]", "[100,112]"), "truncated"),
            (tensor("F16", "[6]", "[18446744073709551604,18446744073709551615]"), "invalid"),
            (tensor("I3", "[6]", "[0,12]"), "unsupported"),
            (r#""dtype":"F16","shape":[6]"#.to_owned(), "invalid"),
            (format!("{},\"more\":1", tensor("F16", "[6]", "[0,12]")), "invalid"),
        ];
        for (info, code) in bad {
            let error = read(&file(&format!(r#"{{"a":{{{info}}}}}"#), 12)).expect_err(&info);
            assert_eq!(error.code, code, "{info}: {error}");
        }
        let twice = tensor("F16", "[6]", "[0,12]");
        let headers = [
            format!(r#"{{"a":{{{twice}}},"a":{{{twice}}}}}"#),
            format!(r#"{{"a":{{{twice}}},"b":{{{twice}}}}}"#),
            format!(r#"{{"{}":{{{twice}}}}}"#, "n".repeat(MAX_NAME + 1)),
            format!(r#"{{"a\u0000b":{{{twice}}}}}"#),
            "[".repeat(100_000),
            format!(r#"{{"a":{}"#, "{\"a\":".repeat(10_000)),
            "{".to_owned(),
        ];
        for header in headers {
            assert_eq!(read(&file(&header, 12)).unwrap_err().code, "invalid");
        }
        assert_eq!(read(&u64::MAX.to_le_bytes()).unwrap_err().code, "invalid");
    }
}
