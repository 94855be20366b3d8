//! Reads the header of a GGUF file, checking everything that it claims.
//!
//! llama.cpp has a reader too, but it says why it refuses a file only in its log, and what it lets
//! through may still end in an assertion, which takes the host program down. So every file passes
//! here first: a bad one is refused with a precise reason before C++ sees it, and a good one is
//! described without being loaded.
//!
//! "The specification" below is <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>. Where
//! llama.cpp (`ggml/src/gguf.cpp`) accepts less than it allows, we refuse what llama.cpp refuses.
//!
//! Nothing here does I/O. The input is hostile until proven otherwise: reading never panics, and
//! allocates at most a small multiple of the file's size, since every count is held against the
//! bytes that are left before anything is made of it.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::ops::RangeInclusive;

/// The first four bytes of every GGUF file, whatever its byte order.
const MAGIC: &[u8] = b"GGUF";
/// The versions with 64-bit counts; 3 differs from 2 only in admitting big-endian files.
const VERSIONS: RangeInclusive<u32> = 2..=3;
/// The metadata key that overrides [`DEFAULT_ALIGNMENT`].
const ALIGNMENT_KEY: &str = "general.alignment";
/// The alignment of a file that does not state one.
const DEFAULT_ALIGNMENT: u32 = 32;
/// The specification's limit on a key, in bytes.
const MAX_KEY_LEN: usize = 65_535;
/// `GGML_MAX_NAME` less its terminating NUL. The specification says 64, which llama.cpp refuses.
const MAX_TENSOR_NAME_LEN: usize = 63;
/// The same of the ggml that stable-diffusion.cpp is built with, less what that puts in front of names.
const MAX_IMAGE_TENSOR_NAME_LEN: usize = 96;
/// The numbers of dimensions a tensor may have, up to `GGML_MAX_DIMS`.
const RANKS: RangeInclusive<u32> = 1..=4;
/// llama.cpp's limit on a string's bytes and on an array's elements. No real file comes near it:
/// a larger count is a corrupt one and not a sign of a truncated file.
const MAX_COUNT: u64 = 1 << 30;
/// The least a metadata pair takes: key length, one byte of key, type, one byte of value.
const MIN_PAIR_SIZE: u64 = 8 + 1 + 4 + 1;
/// The least a tensor info takes: name length, rank, one dimension, type, offset.
const MIN_TENSOR_SIZE: u64 = 8 + 4 + 8 + 4 + 8;

/// What is known of a GGUF file once its header has been read and found sound.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Gguf {
    /// The format version, 2 or 3.
    pub(crate) version: u32,
    /// The metadata pairs by key.
    pub(crate) metadata: BTreeMap<String, Value>,
    /// The tensor infos, in file order.
    pub(crate) tensors: Vec<TensorInfo>,
    /// What the data section and every tensor in it are aligned to, in bytes.
    pub(crate) alignment: u32,
    /// Where the data section begins in the file.
    pub(crate) data_offset: u64,
    /// Bytes from the data section's beginning to the end of the last tensor.
    pub(crate) data_len: u64,
}

/// A metadata value, one variant for each `gguf_metadata_value_type` of the specification.
///
/// A string that is not UTF-8 has its bad bytes replaced, since llama.cpp loads such files. Of an
/// array only the elements' type and number are kept, and where in the file they begin: a vocabulary
/// has 150,000 strings, which only C++ needs as such.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    U8(u8),
    I8(i8),
    U16(u16),
    I16(i16),
    U32(u32),
    I32(i32),
    F32(f32),
    Bool(bool),
    String(String),
    Array { element: ValueType, len: u64, start: usize },
    U64(u64),
    I64(i64),
    F64(f64),
}

/// The specification's `gguf_metadata_value_type`, in its numbering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[rustfmt::skip]
pub(crate) enum ValueType { U8, I8, U16, I16, U32, I32, F32, Bool, String, Array, U64, I64, F64 }

/// The specification's `gguf_tensor_info_t`, with the size that follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TensorInfo {
    /// The tensor's name, unique in its file.
    pub(crate) name: String,
    /// Elements along each dimension, the contiguous one first: 1 to 4 of them, none zero.
    pub(crate) dims: Vec<u64>,
    /// The `ggml_type`, one that [`block_layout`] knows.
    pub(crate) type_id: u32,
    /// Where the data begins, counted from [`Gguf::data_offset`].
    pub(crate) offset: u64,
    /// The bytes the data takes.
    pub(crate) size: u64,
}

/// Why a file was refused; `Display` gives a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GgufError {
    kind: GgufErrorKind,
    message: String,
}

/// The classes of fault that callers tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GgufErrorKind {
    /// Another kind of file.
    NotGguf,
    /// A GGUF file that ends too early, as after an interrupted download.
    Truncated,
    /// A file that may well be sound, but not one that llama.cpp can load.
    Unsupported,
    /// A file that contradicts the specification or itself.
    Invalid,
}

impl GgufError {
    /// A stable word for programs.
    pub(crate) fn code(&self) -> &'static str {
        match self.kind {
            GgufErrorKind::NotGguf => "not_gguf",
            GgufErrorKind::Truncated => "truncated",
            GgufErrorKind::Unsupported => "unsupported",
            GgufErrorKind::Invalid => "invalid",
        }
    }

    /// For a file of `have` bytes that by what was read of it has `need`.
    fn truncated(have: u64, need: impl fmt::Display) -> Self {
        let kind = GgufErrorKind::Truncated;
        let message = format!("the file ends after {have} of {need} bytes: the download may be incomplete");
        Self { kind, message }
    }
}

impl fmt::Display for GgufError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for GgufError {}

/// A [`GgufErrorKind::Invalid`] failure.
pub(super) fn invalid<T>(message: String) -> Result<T, GgufError> {
    let kind = GgufErrorKind::Invalid;
    Err(GgufError { kind, message })
}

/// A [`GgufErrorKind::Unsupported`] failure.
pub(super) fn unsupported<T>(message: String) -> Result<T, GgufError> {
    let kind = GgufErrorKind::Unsupported;
    Err(GgufError { kind, message })
}

impl Gguf {
    /// Reads and checks a whole file, of which only the header is touched.
    ///
    /// # Errors
    ///
    /// [`GgufError`] with the first fault found, in file order.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, GgufError> {
        Self::read_with(bytes, MAX_TENSOR_NAME_LEN)
    }

    /// The same for a model that makes images, whose tensors have longer names.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub(super) fn read_image_model(bytes: &[u8]) -> Result<Self, GgufError> {
        Self::read_with(bytes, MAX_IMAGE_TENSOR_NAME_LEN)
    }

    fn read_with(bytes: &[u8], max_name: usize) -> Result<Self, GgufError> {
        check_magic(bytes)?;
        let mut reader = Reader::new(bytes);
        reader.take(MAGIC.len() as u64, "the magic")?;
        let version = read_version(&mut reader)?;
        let tensor_count = reader.count(MIN_TENSOR_SIZE, "the tensors")?;
        let pair_count = reader.count(MIN_PAIR_SIZE, "the metadata")?;
        let metadata = read_metadata(&mut reader, pair_count)?;
        let alignment = read_alignment(&metadata)?;
        let tensors = read_tensors(&mut reader, tensor_count, max_name)?;
        let data_offset = reader.position().next_multiple_of(u64::from(alignment));
        let data_len = check_layout(&tensors, u64::from(alignment))?;
        check_extent(bytes.len() as u64, data_offset, data_len)?;
        Ok(Self { version, metadata, tensors, alignment, data_offset, data_len })
    }

    /// The string under `key`; `None` if there is none or it is of another type.
    pub(crate) fn get_str(&self, key: &str) -> Option<&str> {
        match self.metadata.get(key)? {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The integer under `key`, of whatever width; `None` if it is negative or no integer.
    pub(crate) fn get_u64(&self, key: &str) -> Option<u64> {
        match *self.metadata.get(key)? {
            Value::U8(n) => Some(n.into()),
            Value::U16(n) => Some(n.into()),
            Value::U32(n) => Some(n.into()),
            Value::U64(n) => Some(n),
            Value::I8(n) => n.try_into().ok(),
            Value::I16(n) => n.try_into().ok(),
            Value::I32(n) => n.try_into().ok(),
            Value::I64(n) => n.try_into().ok(),
            _ => None,
        }
    }

    /// `general.architecture`, which also prefixes the keys of the model's hyperparameters.
    pub(crate) fn architecture(&self) -> Option<&str> {
        self.get_str("general.architecture")
    }

    /// `general.file_type`, the `llama_ftype` that most of the tensors are quantized to.
    pub(crate) fn file_type(&self) -> Option<u64> {
        self.get_u64("general.file_type")
    }

    /// The number of elements in all tensors together.
    pub(crate) fn parameter_count(&self) -> u64 {
        // Cannot saturate in fact: no type packs more than eight elements into a byte, and the
        // tensors lie side by side within the file.
        let counts = self.tensors.iter().filter_map(|t| element_count(&t.dims));
        counts.fold(0, u64::saturating_add)
    }
}

impl ValueType {
    /// The type with the specification's number `id`.
    fn from_id(id: u32) -> Option<Self> {
        use ValueType::{Array, Bool, F32, F64, I8, I16, I32, I64, String, U8, U16, U32, U64};
        #[rustfmt::skip]
        let by_id = [U8, I8, U16, I16, U32, I32, F32, Bool, String, Array, U64, I64, F64];
        by_id.get(usize::try_from(id).ok()?).copied()
    }

    /// The bytes a value takes; for strings and arrays the least, which is their length field.
    fn min_size(self) -> u64 {
        match self {
            Self::U8 | Self::I8 | Self::Bool => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 | Self::String | Self::Array => 8,
        }
    }
}

/// A cursor over the file that cannot run past its end. `what` names, for the error message, the
/// part of the file that is being read.
struct Reader<'a> {
    rest: &'a [u8],
    file_len: u64,
}

impl<'a> Reader<'a> {
    /// A cursor at the file's beginning.
    fn new(bytes: &'a [u8]) -> Self {
        let file_len = bytes.len() as u64;
        let rest = bytes;
        Self { rest, file_len }
    }

    /// How many bytes have been read.
    fn position(&self) -> u64 {
        self.file_len - self.rest.len() as u64
    }

    /// The error for a file that ends although `what` needs `need` more bytes.
    fn ended(&self, need: u64, what: &str) -> GgufError {
        let end = self.position().saturating_add(need);
        GgufError::truncated(self.file_len, format!("at least {end} (in {what})"))
    }

    /// The next `len` bytes.
    fn take(&mut self, len: u64, what: &str) -> Result<&'a [u8], GgufError> {
        let split = usize::try_from(len).ok();
        let split = split.and_then(|len| self.rest.split_at_checked(len));
        let (head, rest) = split.ok_or_else(|| self.ended(len, what))?;
        self.rest = rest;
        Ok(head)
    }

    /// The next `N` bytes, for the numbers' `from_le_bytes`.
    fn chunk<const N: usize>(&mut self, what: &str) -> Result<[u8; N], GgufError> {
        let split = self.rest.split_first_chunk();
        let (head, rest) = split.ok_or_else(|| self.ended(N as u64, what))?;
        self.rest = rest;
        Ok(*head)
    }

    /// A `uint32_t`.
    fn u32(&mut self, what: &str) -> Result<u32, GgufError> {
        self.chunk(what).map(u32::from_le_bytes)
    }

    /// A `uint64_t`.
    fn u64(&mut self, what: &str) -> Result<u64, GgufError> {
        self.chunk(what).map(u64::from_le_bytes)
    }

    /// A count of things that take at least `min_size` bytes each and must fit in the file.
    fn count(&mut self, min_size: u64, what: &str) -> Result<u64, GgufError> {
        let count = self.u64(what)?;
        if count > MAX_COUNT {
            return invalid(format!("{what}: a count of {count} is over {MAX_COUNT}"));
        }
        let need = count.saturating_mul(min_size);
        if need > self.rest.len() as u64 {
            return Err(self.ended(need, what));
        }
        Ok(count)
    }

    /// The bytes of a `gguf_string_t`, which nobody promises to be UTF-8.
    fn string(&mut self, what: &str) -> Result<&'a [u8], GgufError> {
        let len = self.count(1, what)?;
        self.take(len, what)
    }

    /// A `gguf_string_t` that names something. A NUL is refused because C++ would read a shorter,
    /// perhaps no longer unique name.
    fn name(&mut self, max_len: usize, what: &str) -> Result<&'a str, GgufError> {
        let bytes = self.string(what)?;
        let len = bytes.len();
        if len > max_len {
            return invalid(format!("{what} has {len} bytes, over {max_len}"));
        }
        match std::str::from_utf8(bytes) {
            Ok(name) if name.contains('\0') => invalid(format!("{what} contains a NUL byte")),
            Ok(name) => Ok(name),
            Err(_) => invalid(format!("{what} is not UTF-8")),
        }
    }
}

/// Checks the first bytes, and where they are wrong says what the file seems to be.
fn check_magic(bytes: &[u8]) -> Result<(), GgufError> {
    if bytes.starts_with(MAGIC) {
        return Ok(());
    }
    if MAGIC.starts_with(bytes) {
        return Err(Reader::new(bytes).ended(24, "the header"));
    }
    if bytes.starts_with(b"FUGG") {
        return refuse_big_endian();
    }
    let kind = GgufErrorKind::NotGguf;
    let hint = other_format(bytes).map_or_else(String::new, |name| format!(": it is {name}"));
    let message = format!("not a GGUF file{hint}");
    Err(GgufError { kind, message })
}

/// Names the other kinds of file that people mistake for models, or get in place of one.
fn other_format(bytes: &[u8]) -> Option<&'static str> {
    const GGML: &str = "an old GGML file, from before GGUF; convert the original model anew";
    const HTML: &str = "a web page; the download went to a page and not to the file";
    const PICKLE: &str = "a PyTorch file; convert it with llama.cpp's convert_hf_to_gguf.py";
    const LFS: &str = "a Git LFS pointer; fetch the file itself with `git lfs pull`";
    const SAFETENSORS: &str = "a safetensors file; convert it with llama.cpp's convert_hf_to_gguf.py";
    // The GGML family's magics are numbers ("ggml", "ggmf", "ggjt", "ggla"), stored little-endian.
    const PREFIXES: [(&[u8], &str); 10] = [
        (b"lmgg", GGML),
        (b"fmgg", GGML),
        (b"tjgg", GGML),
        (b"algg", GGML),
        (b"PK\x03\x04", PICKLE),
        (b"\x80\x02", PICKLE),
        (b"<!DOCTYPE", HTML),
        (b"<!doctype", HTML),
        (b"<html", HTML),
        (b"version https://git-lfs", LFS),
    ];
    // safetensors: a 64-bit length, which four bytes would hold, and then a JSON object.
    if bytes.get(4..9) == Some(b"\0\0\0\0{") {
        return Some(SAFETENSORS);
    }
    let mut matches = PREFIXES.iter().filter(|(prefix, _)| bytes.starts_with(prefix));
    matches.next().map(|(_, name)| *name)
}

/// The failure for a file written for the other byte order.
fn refuse_big_endian<T>() -> Result<T, GgufError> {
    unsupported("a big-endian GGUF file; get or convert a little-endian one".to_owned())
}

/// The version field. A big-endian file has the same magic and shows itself only here.
fn read_version(reader: &mut Reader<'_>) -> Result<u32, GgufError> {
    let version = reader.u32("the version")?;
    if VERSIONS.contains(&version) {
        return Ok(version);
    }
    if VERSIONS.contains(&version.swap_bytes()) {
        return refuse_big_endian();
    }
    unsupported(format!("GGUF version {version}: only 2 and 3 can be read"))
}

/// `count` of the specification's `gguf_metadata_kv_t`.
fn read_metadata(reader: &mut Reader<'_>, count: u64) -> Result<BTreeMap<String, Value>, GgufError> {
    let mut metadata = BTreeMap::new();
    for index in 0..count {
        let key = reader.name(MAX_KEY_LEN, &format!("metadata key {index}"))?;
        if key.is_empty() {
            return invalid(format!("metadata key {index} is empty"));
        }
        let what = format!("metadata key {}", quoted(key));
        let value = read_value(reader, &what)?;
        if metadata.insert(key.to_owned(), value).is_some() {
            return invalid(format!("{what} occurs twice"));
        }
    }
    Ok(metadata)
}

/// A value, with its type before it.
fn read_value(reader: &mut Reader<'_>, what: &str) -> Result<Value, GgufError> {
    Ok(match read_value_type(reader, what)? {
        ValueType::U8 => Value::U8(u8::from_le_bytes(reader.chunk(what)?)),
        ValueType::I8 => Value::I8(i8::from_le_bytes(reader.chunk(what)?)),
        ValueType::U16 => Value::U16(u16::from_le_bytes(reader.chunk(what)?)),
        ValueType::I16 => Value::I16(i16::from_le_bytes(reader.chunk(what)?)),
        ValueType::U32 => Value::U32(reader.u32(what)?),
        ValueType::I32 => Value::I32(i32::from_le_bytes(reader.chunk(what)?)),
        ValueType::F32 => Value::F32(f32::from_le_bytes(reader.chunk(what)?)),
        ValueType::Bool => Value::Bool(read_bools(reader, 1, what)? == [1]),
        ValueType::String => Value::String(String::from_utf8_lossy(reader.string(what)?).into_owned()),
        ValueType::Array => read_array(reader, what)?,
        ValueType::U64 => Value::U64(reader.u64(what)?),
        ValueType::I64 => Value::I64(i64::from_le_bytes(reader.chunk(what)?)),
        ValueType::F64 => Value::F64(f64::from_le_bytes(reader.chunk(what)?)),
    })
}

/// The type of a value or of an array's elements.
fn read_value_type(reader: &mut Reader<'_>, what: &str) -> Result<ValueType, GgufError> {
    let id = reader.u32(what)?;
    ValueType::from_id(id).map_or_else(|| invalid(format!("{what}: no value type {id}")), Ok)
}

/// An array, whose elements are checked and passed over.
fn read_array(reader: &mut Reader<'_>, what: &str) -> Result<Value, GgufError> {
    let element = read_value_type(reader, what)?;
    let len = reader.count(element.min_size(), what)?;
    let start = usize::try_from(reader.position()).unwrap_or(usize::MAX);
    match element {
        ValueType::Array => {
            return unsupported(format!("{what}: llama.cpp reads no arrays of arrays"));
        }
        ValueType::String => {
            for _ in 0..len {
                reader.string(what)?;
            }
        }
        ValueType::Bool => {
            read_bools(reader, len, what)?;
        }
        _ => {
            reader.take(len.saturating_mul(element.min_size()), what)?;
        }
    }
    Ok(Value::Array { element, len, start })
}

/// `len` booleans, which by the specification are 0 or 1.
fn read_bools<'a>(reader: &mut Reader<'a>, len: u64, what: &str) -> Result<&'a [u8], GgufError> {
    let bytes = reader.take(len, what)?;
    match bytes.iter().find(|byte| **byte > 1) {
        Some(byte) => invalid(format!("{what}: a boolean is {byte}, not 0 or 1")),
        None => Ok(bytes),
    }
}

/// The specification's `ALIGNMENT`: a `uint32`, and for llama.cpp a power of two.
///
/// Below 32 llama.cpp ends the process: it asserts that a mapped tensor is as aligned as its own
/// buffers.
fn read_alignment(metadata: &BTreeMap<String, Value>) -> Result<u32, GgufError> {
    match metadata.get(ALIGNMENT_KEY) {
        None => Ok(DEFAULT_ALIGNMENT),
        Some(Value::U32(n)) if n.is_power_of_two() && *n >= DEFAULT_ALIGNMENT => Ok(*n),
        Some(Value::U32(n)) => {
            invalid(format!("{ALIGNMENT_KEY} is {n}, which is not a power of two from {DEFAULT_ALIGNMENT} on"))
        }
        Some(_) => invalid(format!("{ALIGNMENT_KEY} is not a 32-bit unsigned integer")),
    }
}

/// `count` of the specification's `gguf_tensor_info_t`.
fn read_tensors(reader: &mut Reader<'_>, count: u64, max_name: usize) -> Result<Vec<TensorInfo>, GgufError> {
    let mut tensors = Vec::new();
    let mut names = HashSet::new();
    for index in 0..count {
        let name = reader.name(max_name, &format!("the name of tensor {index}"))?;
        if !names.insert(name) {
            return invalid(format!("tensor {} occurs twice", quoted(name)));
        }
        tensors.push(read_tensor(reader, name)?);
    }
    Ok(tensors)
}

/// What follows a tensor's name: rank, dimensions, type, offset.
fn read_tensor(reader: &mut Reader<'_>, name: &str) -> Result<TensorInfo, GgufError> {
    let what = format!("tensor {}", quoted(name));
    let rank = reader.u32(&what)?;
    if !RANKS.contains(&rank) {
        return invalid(format!("{what} has {rank} dimensions instead of 1 to 4"));
    }
    let dims: Result<Vec<_>, _> = (0..rank).map(|_| reader.u64(&what)).collect();
    let dims = dims?;
    let type_id = reader.u32(&what)?;
    let size = byte_size(&dims, type_id, &what)?;
    Ok(TensorInfo { name: name.to_owned(), dims, type_id, offset: reader.u64(&what)?, size })
}

/// The product of the dimensions, if none is zero and ggml can represent it, as an `int64_t`.
fn element_count(dims: &[u64]) -> Option<u64> {
    let mut dims = dims.iter();
    let product = dims.try_fold(1_u64, |product, dim| product.checked_mul(*dim))?;
    (product > 0 && i64::try_from(product).is_ok()).then_some(product)
}

/// The bytes that a tensor takes; every row is a whole number of blocks.
fn byte_size(dims: &[u64], type_id: u32, what: &str) -> Result<u64, GgufError> {
    let Some(elements) = element_count(dims) else {
        return invalid(format!("{what}: dimensions {dims:?} are zero or too large"));
    };
    let Some((block_len, block_size)) = block_layout(type_id) else {
        return unsupported(format!("{what}: ggml type {type_id} is unknown or withdrawn"));
    };
    if !dims.first().is_some_and(|row| row.is_multiple_of(block_len)) {
        return invalid(format!(
            "{what}: rows of {dims:?} are no multiple of {block_len}, as ggml type {type_id} needs"
        ));
    }
    let size = (elements / block_len).checked_mul(block_size);
    size.map_or_else(|| invalid(format!("{what}: {dims:?} is too large")), Ok)
}

/// Elements and bytes in one block of a `ggml_type`, from `type_traits` in `ggml/src/ggml.c`;
/// `None` for numbers never given out and for the formats withdrawn since (4, 5, 31-33, 36-38).
fn block_layout(type_id: u32) -> Option<(u64, u64)> {
    Some(match type_id {
        24 => (1, 1),          // I8
        1 | 25 | 30 => (1, 2), // F16, I16, BF16
        0 | 26 => (1, 4),      // F32, I32
        27 | 28 => (1, 8),     // I64, F64
        39 => (32, 17),        // MXFP4
        2 | 20 => (32, 18),    // Q4_0, IQ4_NL
        3 => (32, 20),         // Q4_1
        6 => (32, 22),         // Q5_0
        7 => (32, 24),         // Q5_1
        8 => (32, 34),         // Q8_0
        9 => (32, 36),         // Q8_1
        42 => (64, 18),        // Q2_0
        40 => (64, 36),        // NVFP4
        41 => (128, 18),       // Q1_0
        19 => (256, 50),       // IQ1_S
        34 => (256, 54),       // TQ1_0
        29 => (256, 56),       // IQ1_M
        16 | 35 => (256, 66),  // IQ2_XXS, TQ2_0
        17 => (256, 74),       // IQ2_XS
        22 => (256, 82),       // IQ2_S
        10 => (256, 84),       // Q2_K
        18 => (256, 98),       // IQ3_XXS
        11 | 21 => (256, 110), // Q3_K, IQ3_S
        23 => (256, 136),      // IQ4_XS
        12 => (256, 144),      // Q4_K
        13 => (256, 176),      // Q5_K
        14 => (256, 210),      // Q6_K
        15 => (256, 292),      // Q8_K
        _ => return None,
    })
}

/// Checks that the tensors follow one another with nothing but padding between them, and returns
/// where the last one ends. The specification asks only for aligned offsets, but llama.cpp refuses
/// any other layout.
fn check_layout(tensors: &[TensorInfo], alignment: u64) -> Result<u64, GgufError> {
    let mut end = 0_u64;
    for tensor in tensors {
        let what = format!("tensor {} at offset {}", quoted(&tensor.name), tensor.offset);
        if !tensor.offset.is_multiple_of(alignment) {
            return invalid(format!("{what} is not aligned to {alignment} bytes"));
        }
        if tensor.offset < end {
            return invalid(format!("{what} overlaps others, which end at {end}"));
        }
        if tensor.offset - end >= alignment {
            return unsupported(format!("{what} leaves a gap after the one before it, which ends at {end}"));
        }
        let Some(next) = tensor.offset.checked_add(tensor.size) else {
            return invalid(format!("{what} is too large"));
        };
        end = next;
    }
    Ok(end)
}

/// Checks that the file is long enough for its data. A file without tensors, such as one with only
/// a vocabulary, has no data section and no padding before it.
fn check_extent(file_len: u64, data_offset: u64, data_len: u64) -> Result<(), GgufError> {
    match data_offset.checked_add(data_len) {
        None => invalid("the tensors are too large".to_owned()),
        Some(end) if data_len > 0 && end > file_len => Err(GgufError::truncated(file_len, end)),
        Some(_) => Ok(()),
    }
}

/// A name from the file, fit for a message: quoted, escaped, and short.
pub(super) fn quoted(name: &str) -> String {
    let mut shown: String = name.chars().take(80).collect();
    if shown.len() < name.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}

#[cfg(test)]
mod tests;
