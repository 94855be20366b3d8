//! Speech models: files in whisper.cpp's format, checked before whisper.cpp sees them.
//!
//! Such a file has a magic number, eleven hyperparameters, mel filters, a vocabulary, and then the tensors,
//! each with its name, shape and data, one after another. whisper.cpp trusts all of it: it takes lists as long
//! as the file says, and reads on at the end of the file. Here every length is held against the bytes that are
//! left, and the tensors against those that a model of this shape has, by name, shape and type.

use std::collections::HashMap;
use std::fmt;

/// The first four bytes, "ggml" as a little-endian number.
const MAGIC: [u8; 4] = 0x6767_6d6c_u32.to_le_bytes();
/// Half seconds of audio frames that a window has: whisper.cpp's windows are of 30 seconds.
const AUDIO_CONTEXT: i32 = 1500;
/// Tokens that a window may have, with what comes before it. All models that were published have so many.
pub(super) const TEXT_CONTEXT: i32 = 448;
/// Tokens of English models, of multilingual ones, and of those with Cantonese: whisper.cpp knows its control
/// tokens by their distance from the end.
const VOCABULARIES: std::ops::RangeInclusive<i32> = 51_864..=51_866;
/// The largest published model has 32 layers of 1280.
const MAX_LAYERS: i32 = 64;
const MAX_WIDTH: i32 = 8192;
/// What Whisper's spectrogram is made with: half of 400 samples, and one.
const FREQUENCIES: i32 = 201;
/// Bytes of the longest token.
const MAX_TOKEN: usize = 1024;

/// What a speech model's file says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SpeechHeader {
    pub(super) vocabulary: i32,
    pub(super) width: i32,
    pub(super) heads: i32,
    pub(super) audio_layers: i32,
    pub(super) text_layers: i32,
    pub(super) mels: i32,
    /// ggml's number for the file's type.
    pub(super) file_type: i32,
    pub(super) parameters: u64,
}

/// Why a file is no sound speech model.
#[derive(Debug)]
pub(super) struct SpeechFileError {
    code: &'static str,
    message: String,
}

/// A type of numbers in a tensor: ggml's number for it, elements of a block, bytes of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct NumberType {
    id: i32,
    block: u64,
    bytes: u64,
}

const F32: NumberType = NumberType { id: 0, block: 1, bytes: 4 };
const F16: NumberType = NumberType { id: 1, block: 1, bytes: 2 };

/// The types that the large tensors may have, by the file's type.
const FILE_TYPES: [(i32, NumberType); 12] = [
    (0, F32),
    (1, F16),
    (2, NumberType { id: 2, block: 32, bytes: 18 }),
    (3, NumberType { id: 3, block: 32, bytes: 20 }),
    (7, NumberType { id: 8, block: 32, bytes: 34 }),
    (8, NumberType { id: 6, block: 32, bytes: 22 }),
    (9, NumberType { id: 7, block: 32, bytes: 24 }),
    (10, NumberType { id: 10, block: 256, bytes: 84 }),
    (11, NumberType { id: 11, block: 256, bytes: 110 }),
    (12, NumberType { id: 12, block: 256, bytes: 144 }),
    (13, NumberType { id: 13, block: 256, bytes: 176 }),
    (14, NumberType { id: 14, block: 256, bytes: 210 }),
];

/// whisper.cpp counts versions of quantised files in the type's thousands.
const FILE_TYPE_VERSION: i32 = 1000;

impl SpeechFileError {
    /// A stable word for programs.
    pub(super) fn code(&self) -> &'static str {
        self.code
    }
}

impl fmt::Display for SpeechFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SpeechFileError {}

fn invalid(message: impl Into<String>) -> SpeechFileError {
    SpeechFileError { code: "invalid", message: message.into() }
}

fn unsupported(message: impl Into<String>) -> SpeechFileError {
    SpeechFileError { code: "unsupported", message: message.into() }
}

/// Whether a file begins like a speech model, so that [`check`] is to judge it.
pub(super) fn is_speech_model(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

/// Checks a whole file.
pub(super) fn check(bytes: &[u8]) -> Result<SpeechHeader, SpeechFileError> {
    let mut reader = Reader { bytes, offset: 0 };
    if reader.take(4)? != MAGIC {
        return Err(invalid("the file does not begin with whisper.cpp's magic number"));
    }
    let (mut header, weights) = read_header(&mut reader)?;
    read_filters(&mut reader, &header)?;
    read_vocabulary(&mut reader, &header)?;
    header.parameters = read_tensors(&mut reader, &header, weights)?;
    Ok(header)
}

impl SpeechHeader {
    /// The bytes that computing takes for each state, beside the weights, as far as it is known.
    pub(super) fn state_bytes(&self) -> u64 {
        let size = |value: i32| u64::from(value.unsigned_abs());
        let (width, heads) = (size(self.width), size(self.heads));
        let (audio, text) = (size(AUDIO_CONTEXT), size(TEXT_CONTEXT));
        // Keys and values of half precision; then what the encoder's widest layer and its attention take.
        let caches = 4 * width * size(self.text_layers) * (audio + 2 * text);
        let computing = 4 * audio * (audio * heads + 12 * width) + 4 * text * size(self.vocabulary);
        caches + computing
    }

    /// The quantisation, as it is known from file names.
    pub(super) fn quantization(&self) -> Option<&'static str> {
        super::file::file_type_name(u64::try_from(self.file_type).ok()?)
    }

    /// Names and shapes of the tensors that a model of this shape has.
    fn tensors(&self, weights: NumberType) -> HashMap<String, Expected> {
        let (width, vocabulary, mels) = (self.width, self.vocabulary, self.mels);
        let convolution = if weights == F32 { F32 } else { F16 };
        let mut tensors = HashMap::new();
        let mut add = |name: String, dims: &[i32], numbers: NumberType| {
            let mut shape = [1; 4];
            shape[..dims.len()].copy_from_slice(dims);
            tensors.insert(name, Expected { shape, numbers });
        };
        add("encoder.positional_embedding".to_owned(), &[width, AUDIO_CONTEXT], F32);
        add("encoder.conv1.weight".to_owned(), &[3, mels, width], convolution);
        add("encoder.conv1.bias".to_owned(), &[1, width], F32);
        add("encoder.conv2.weight".to_owned(), &[3, width, width], convolution);
        add("encoder.conv2.bias".to_owned(), &[1, width], F32);
        add("decoder.positional_embedding".to_owned(), &[width, TEXT_CONTEXT], F32);
        add("decoder.token_embedding.weight".to_owned(), &[width, vocabulary], weights);
        for norm in ["encoder.ln_post", "decoder.ln"] {
            add(format!("{norm}.weight"), &[width], F32);
            add(format!("{norm}.bias"), &[width], F32);
        }
        for (side, layers, attentions) in
            [("encoder", self.audio_layers, &["attn"][..]), ("decoder", self.text_layers, &["attn", "cross_attn"][..])]
        {
            for layer in 0..layers {
                let block = format!("{side}.blocks.{layer}");
                for attention in attentions {
                    for part in ["query", "key", "value", "out"] {
                        add(format!("{block}.{attention}.{part}.weight"), &[width, width], weights);
                        if part != "key" {
                            add(format!("{block}.{attention}.{part}.bias"), &[width], F32);
                        }
                    }
                    add(format!("{block}.{attention}_ln.weight"), &[width], F32);
                    add(format!("{block}.{attention}_ln.bias"), &[width], F32);
                }
                add(format!("{block}.mlp_ln.weight"), &[width], F32);
                add(format!("{block}.mlp_ln.bias"), &[width], F32);
                add(format!("{block}.mlp.0.weight"), &[width, 4 * width], weights);
                add(format!("{block}.mlp.0.bias"), &[4 * width], F32);
                add(format!("{block}.mlp.2.weight"), &[4 * width, width], weights);
                add(format!("{block}.mlp.2.bias"), &[width], F32);
            }
        }
        tensors
    }
}

/// What a tensor has to be.
struct Expected {
    shape: [i32; 4],
    numbers: NumberType,
}

/// Reads on, never beyond the end.
struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], SpeechFileError> {
        let end = self.offset.checked_add(count).filter(|end| *end <= self.bytes.len());
        let Some(end) = end else {
            let message = format!(
                "the file ends after {} bytes, in the middle of something: the download may be incomplete",
                self.bytes.len()
            );
            return Err(SpeechFileError { code: "truncated", message });
        };
        let taken = &self.bytes[self.offset..end];
        self.offset = end;
        Ok(taken)
    }

    fn number(&mut self) -> Result<i32, SpeechFileError> {
        let bytes = self.take(4)?;
        Ok(i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    /// A length, which is not negative.
    fn length(&mut self, what: &str) -> Result<usize, SpeechFileError> {
        let length = self.number()?;
        usize::try_from(length).map_err(|_| invalid(format!("{what} is {length}")))
    }
}

fn read_header(reader: &mut Reader<'_>) -> Result<(SpeechHeader, NumberType), SpeechFileError> {
    let mut next = || reader.number();
    let (vocabulary, audio_context, width, heads, audio_layers) = (next()?, next()?, next()?, next()?, next()?);
    let (text_context, text_width, text_heads, text_layers) = (next()?, next()?, next()?, next()?);
    let (mels, file_type) = (next()?, next()?);
    if !VOCABULARIES.contains(&vocabulary) {
        return Err(unsupported(format!("its vocabulary has {vocabulary} tokens, which no Whisper model has")));
    }
    if audio_context != AUDIO_CONTEXT || text_context != TEXT_CONTEXT {
        let message = format!("its contexts are {audio_context} and {text_context}, not those of a Whisper model");
        return Err(unsupported(message));
    }
    if !(1..=MAX_WIDTH).contains(&width) || text_width != width {
        return Err(invalid(format!("its widths are {width} and {text_width}")));
    }
    // An attention's width has to be even, and whisper.cpp divides by the number of heads.
    let divides = |heads: i32| heads > 0 && width % heads == 0 && (width / heads) % 2 == 0;
    if !divides(heads) || !divides(text_heads) || heads != text_heads {
        return Err(invalid(format!("it has {heads} and {text_heads} heads for a width of {width}")));
    }
    if !(1..=MAX_LAYERS).contains(&audio_layers) || !(1..=MAX_LAYERS).contains(&text_layers) {
        return Err(invalid(format!("it has {audio_layers} and {text_layers} layers")));
    }
    if !matches!(mels, 80 | 128) {
        return Err(unsupported(format!("it has {mels} mel bands, not 80 or 128")));
    }
    let kind = file_type.checked_rem(FILE_TYPE_VERSION).unwrap_or_default();
    let weights = FILE_TYPES.iter().find(|(id, _)| *id == kind && file_type >= 0);
    let Some((file_type, weights)) = weights else {
        return Err(unsupported(format!("its type {file_type} is unknown")));
    };
    if u64::from(width.unsigned_abs()) % weights.block != 0 {
        return Err(invalid(format!("rows of {width} numbers do not fit its type {file_type}")));
    }
    let file_type = *file_type;
    let header = SpeechHeader { vocabulary, width, heads, audio_layers, text_layers, mels, file_type, parameters: 0 };
    Ok((header, *weights))
}

fn read_filters(reader: &mut Reader<'_>, header: &SpeechHeader) -> Result<(), SpeechFileError> {
    let (mels, frequencies) = (reader.number()?, reader.number()?);
    if mels != header.mels || frequencies != FREQUENCIES {
        return Err(invalid(format!("its mel filters are {mels} by {frequencies}")));
    }
    let count = usize::from(u8::try_from(mels).unwrap_or(u8::MAX)) * 201;
    for value in reader.take(4 * count)?.as_chunks::<4>().0 {
        if !f32::from_le_bytes(*value).is_finite() {
            return Err(invalid("its mel filters are not finite"));
        }
    }
    Ok(())
}

fn read_vocabulary(reader: &mut Reader<'_>, header: &SpeechHeader) -> Result<(), SpeechFileError> {
    let count = reader.number()?;
    if !(1..=header.vocabulary).contains(&count) {
        return Err(invalid(format!("its file has {count} tokens of {}", header.vocabulary)));
    }
    for token in 0..count {
        let length = reader.length("a token's length")?;
        if length > MAX_TOKEN {
            return Err(invalid(format!("token {token} has {length} bytes")));
        }
        reader.take(length)?;
    }
    Ok(())
}

/// Gives the number of parameters.
fn read_tensors(reader: &mut Reader<'_>, header: &SpeechHeader, weights: NumberType) -> Result<u64, SpeechFileError> {
    let mut missing = header.tensors(weights);
    let mut parameters = 0;
    while reader.offset < reader.bytes.len() {
        let rank = reader.length("a tensor's rank")?;
        let name_length = reader.length("a name's length")?;
        let numbers = reader.number()?;
        if !(1..=4).contains(&rank) || name_length > 256 {
            return Err(invalid(format!("a tensor has {rank} dimensions and a name of {name_length} bytes")));
        }
        let mut shape = [1; 4];
        for dimension in &mut shape[..rank] {
            *dimension = reader.number()?;
        }
        let name = String::from_utf8_lossy(reader.take(name_length)?).into_owned();
        let Some(expected) = missing.remove(&name) else {
            let name: String = name.chars().take(100).collect();
            return Err(invalid(format!("the tensor '{name}' is not one of a Whisper model, or is there twice")));
        };
        if shape != expected.shape || numbers != expected.numbers.id {
            return Err(invalid(format!(
                "the tensor '{name}' has the shape {shape:?} and type {numbers} in place of {:?} and {}",
                expected.shape, expected.numbers.id
            )));
        }
        // No product of these can overflow: the shapes are those of a header within limits.
        let elements: u64 = shape.iter().map(|dimension| u64::from(dimension.unsigned_abs())).product();
        let bytes = elements / expected.numbers.block * expected.numbers.bytes;
        reader.take(usize::try_from(bytes).map_err(|_| invalid("a tensor is too large for this machine"))?)?;
        parameters += elements;
    }
    match missing.keys().min() {
        None => Ok(parameters),
        Some(name) => {
            let message = format!(
                "{} of its tensors are missing, such as '{name}': the download may be incomplete",
                missing.len()
            );
            Err(SpeechFileError { code: "truncated", message })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of the smallest shape, and where its parts begin: filters, vocabulary, tensors.
    fn small() -> (Vec<u8>, [usize; 3]) {
        let hparams = [51_864, 1500, 4, 2, 1, 448, 4, 2, 1, 80, 1];
        let mut file = MAGIC.to_vec();
        let put = |file: &mut Vec<u8>, number: i32| file.extend(number.to_le_bytes());
        for number in hparams {
            put(&mut file, number);
        }
        let filters = file.len();
        for number in [80, 201] {
            put(&mut file, number);
        }
        file.resize(file.len() + 80 * 201 * 4, 0);
        let vocabulary = file.len();
        put(&mut file, 2);
        for token in ["a", ""] {
            put(&mut file, i32::try_from(token.len()).unwrap());
            file.extend(token.bytes());
        }
        let tensors = file.len();
        let (header, weights) = read_header(&mut Reader { bytes: &file[4..], offset: 0 }).unwrap();
        let mut all: Vec<_> = header.tensors(weights).into_iter().collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        for (name, expected) in all {
            let rank = expected.shape.iter().rposition(|dimension| *dimension > 1).unwrap() + 1;
            let head = [i32::try_from(rank).unwrap(), i32::try_from(name.len()).unwrap(), expected.numbers.id];
            for number in head.iter().chain(&expected.shape[..rank]) {
                put(&mut file, *number);
            }
            file.extend(name.bytes());
            let elements: u64 = expected.shape.iter().map(|n| u64::from(n.unsigned_abs())).product();
            file.resize(file.len() + usize::try_from(elements * expected.numbers.bytes).unwrap(), 0);
        }
        (file, [filters, vocabulary, tensors])
    }

    #[test]
    fn a_sound_file_is_described() {
        let (file, _) = small();
        assert!(is_speech_model(&file));
        let header = check(&file).unwrap();
        assert_eq!((header.vocabulary, header.width, header.heads, header.mels), (51_864, 4, 2, 80));
        assert_eq!(header.quantization(), Some("F16"));
        assert!(header.parameters > 51_864 * 4 && header.state_bytes() > 1 << 20);
    }

    #[test]
    fn a_file_that_ends_anywhere_is_refused() {
        let (file, parts) = small();
        let ends = (0..parts[0]).chain(parts[1] - 5..parts[2] + 200).chain([file.len() - 1, file.len() - 100]);
        for end in ends {
            let error = check(&file[..end]).unwrap_err();
            assert_eq!(error.code(), "truncated", "{end}: {error}");
        }
        // Behind a whole tensor too.
        assert_eq!(check(&file[..parts[2]]).unwrap_err().code(), "truncated");
    }

    #[test]
    fn numbers_that_whisper_cpp_would_trust_are_refused() {
        let (file, parts) = small();
        let with = |offset: usize, number: i32| {
            let mut file = file.clone();
            file[offset..offset + 4].copy_from_slice(&number.to_le_bytes());
            check(&file)
        };
        for field in 0..11 {
            for number in [i32::MIN, -1, 0, 3, 1 << 20, i32::MAX] {
                // Type 0 is F32, and 3 another; the tensors do not fit then.
                assert!(with(4 + 4 * field, number).is_err(), "{field}: {number}");
            }
        }
        for offset in [parts[0], parts[0] + 4, parts[1], parts[1] + 4, parts[2], parts[2] + 4, parts[2] + 8] {
            for number in [i32::MIN, -1, 1 << 20, i32::MAX] {
                assert!(with(offset, number).is_err(), "{offset}: {number}");
            }
        }
        assert!(with(parts[0] + 8, f32::NAN.to_bits().cast_signed()).is_err());
    }

    #[test]
    fn a_tensor_is_there_once_and_known() {
        let (file, parts) = small();
        let mut twice = file.clone();
        twice.extend_from_slice(&file[parts[2]..]);
        assert_eq!(check(&twice).unwrap_err().code(), "invalid");
        let mut renamed = file.clone();
        let name = renamed.windows(8).position(|bytes| bytes == b"encoder.").unwrap();
        renamed[name] = b'x';
        assert!(check(&renamed).unwrap_err().to_string().contains("xncoder."));
    }
}
