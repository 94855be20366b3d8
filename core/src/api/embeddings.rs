//! The request and reply of `/v1/embeddings` (EM1 to EM8).

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::error::{Error, ErrorKind, Result};
use super::models::ListObject;

/// The most texts of one request (EM1).
const MAX_INPUTS: usize = 2048;

/// Which texts to turn into vectors, and how.
///
/// ```
/// use zerohop::types::CreateEmbeddingRequest;
///
/// let request = CreateEmbeddingRequest::new("minilm", ["a cat", "a dog"]).dimensions(128);
/// assert_eq!(request.input.len(), 2);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "a request does nothing until it is sent"]
#[non_exhaustive]
pub struct CreateEmbeddingRequest {
    /// The name of the model.
    pub model: String,
    /// The texts, or their tokens.
    pub input: EmbeddingInput,
    /// How the vectors are written. Default: as numbers (EM2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding_format: Option<EncodingFormat>,
    /// Keeps this many numbers of each vector, which is then scaled to length 1 again. At least 1, at
    /// most what the model gives, which is the default (EM4). What is cut off costs the less the more
    /// the model was trained for it (Matryoshka representation learning).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dimensions: Option<u32>,
    /// Who asks, for the records of hosted services; without effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

impl CreateEmbeddingRequest {
    /// A request for the vectors of `input`: a text, texts, a text's tokens, or several texts' tokens.
    pub fn new(model: impl Into<String>, input: impl Into<EmbeddingInput>) -> Self {
        CreateEmbeddingRequest {
            model: model.into(),
            input: input.into(),
            encoding_format: None,
            dimensions: None,
            user: None,
        }
    }

    /// Sets [`encoding_format`](Self::encoding_format).
    pub fn encoding_format(mut self, format: EncodingFormat) -> Self {
        self.encoding_format = Some(format);
        self
    }

    /// Sets [`dimensions`](Self::dimensions).
    pub fn dimensions(mut self, dimensions: u32) -> Self {
        self.dimensions = Some(dimensions);
        self
    }

    /// Checks everything that does not depend on the model.
    pub(crate) fn validate(&self) -> Result<()> {
        if self.dimensions == Some(0) {
            return Err(Error::invalid("dimensions", "'dimensions' must be at least 1"));
        }
        self.input.validate()
    }
}

/// Texts to turn into vectors (EM1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum EmbeddingInput {
    /// One text.
    Text(String),
    /// Up to 2048 texts.
    Texts(Vec<String>),
    /// One text's tokens. They are taken as they are: no token that the model wants around a text is
    /// added.
    Tokens(Vec<u32>),
    /// The tokens of up to 2048 texts.
    TokenLists(Vec<Vec<u32>>),
}

impl EmbeddingInput {
    /// How many vectors it gives.
    pub fn len(&self) -> usize {
        match self {
            EmbeddingInput::Text(_) | EmbeddingInput::Tokens(_) => 1,
            EmbeddingInput::Texts(texts) => texts.len(),
            EmbeddingInput::TokenLists(lists) => lists.len(),
        }
    }

    /// Whether it is an empty list.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn validate(&self) -> Result<()> {
        let count = self.len();
        if count == 0 {
            return Err(Error::invalid("input", "'input' must not be an empty list"));
        }
        if count > MAX_INPUTS {
            return Err(Error::invalid(
                "input",
                format!("'input' has {count} items; at most {MAX_INPUTS} are allowed"),
            ));
        }
        let empty = match self {
            EmbeddingInput::Text(text) => text.is_empty().then(|| "input".to_owned()),
            EmbeddingInput::Tokens(tokens) => tokens.is_empty().then(|| "input".to_owned()),
            EmbeddingInput::Texts(texts) => texts.iter().position(String::is_empty).map(item),
            EmbeddingInput::TokenLists(lists) => lists.iter().position(Vec::is_empty).map(item),
        };
        match empty {
            Some(param) => Err(Error::invalid(param.clone(), format!("'{param}' must not be empty"))),
            None => Ok(()),
        }
    }
}

/// The path of one of several inputs.
pub(crate) fn item(index: usize) -> String {
    format!("input[{index}]")
}

impl From<&str> for EmbeddingInput {
    fn from(text: &str) -> Self {
        EmbeddingInput::Text(text.to_owned())
    }
}

impl From<String> for EmbeddingInput {
    fn from(text: String) -> Self {
        EmbeddingInput::Text(text)
    }
}

impl From<Vec<String>> for EmbeddingInput {
    fn from(texts: Vec<String>) -> Self {
        EmbeddingInput::Texts(texts)
    }
}

impl From<Vec<&str>> for EmbeddingInput {
    fn from(texts: Vec<&str>) -> Self {
        EmbeddingInput::Texts(texts.into_iter().map(str::to_owned).collect())
    }
}

impl<const N: usize> From<[&str; N]> for EmbeddingInput {
    fn from(texts: [&str; N]) -> Self {
        EmbeddingInput::Texts(texts.map(str::to_owned).into())
    }
}

impl From<Vec<u32>> for EmbeddingInput {
    fn from(tokens: Vec<u32>) -> Self {
        EmbeddingInput::Tokens(tokens)
    }
}

impl From<Vec<Vec<u32>>> for EmbeddingInput {
    fn from(lists: Vec<Vec<u32>>) -> Self {
        EmbeddingInput::TokenLists(lists)
    }
}

impl<'de> Deserialize<'de> for EmbeddingInput {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(InputVisitor)
    }
}

struct InputVisitor;

impl<'de> Visitor<'de> for InputVisitor {
    type Value = EmbeddingInput;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a list of strings, a list of tokens, or a list of such lists")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        // The first item says which kind of list it is.
        match items.next_element()? {
            None => Ok(EmbeddingInput::Texts(Vec::new())),
            Some(Item::Text(first)) => rest(first, items).map(EmbeddingInput::Texts),
            Some(Item::Token(first)) => rest(first, items).map(EmbeddingInput::Tokens),
            Some(Item::Tokens(first)) => rest(first, items).map(EmbeddingInput::TokenLists),
        }
    }
}

/// The other items of a list.
fn rest<'de, T: Deserialize<'de>, A: SeqAccess<'de>>(first: T, mut items: A) -> Result<Vec<T>, A::Error> {
    let mut all = vec![first];
    while let Some(next) = items.next_element()? {
        all.push(next);
    }
    Ok(all)
}

/// The first item of a list.
enum Item {
    Text(String),
    Token(u32),
    Tokens(Vec<u32>),
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ItemVisitor)
    }
}

struct ItemVisitor;

impl<'de> Visitor<'de> for ItemVisitor {
    type Value = Item;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a token, or a list of tokens")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Item::Text(text.to_owned()))
    }

    fn visit_u64<E: serde::de::Error>(self, token: u64) -> Result<Self::Value, E> {
        u32::try_from(token)
            .map(Item::Token)
            .map_err(|_| E::invalid_value(serde::de::Unexpected::Unsigned(token), &"a token"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut tokens = Vec::new();
        while let Some(token) = items.next_element()? {
            tokens.push(token);
        }
        Ok(Item::Tokens(tokens))
    }
}

/// How the numbers of a vector are written (EM2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EncodingFormat {
    /// As a list of numbers.
    #[default]
    Float,
    /// As the base64 text of little-endian 32-bit floats.
    Base64,
}

/// The vectors of a request (EM3).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CreateEmbeddingResponse {
    /// Always `list`.
    pub object: ListObject,
    /// A vector for each input, in the inputs' order.
    pub data: Vec<Embedding>,
    /// The request's `model`.
    pub model: String,
    /// The tokens that the request used.
    pub usage: EmbeddingUsage,
}

impl CreateEmbeddingResponse {
    /// Writes the vectors into `out`, one after another.
    pub(crate) fn copy_into(&self, out: &mut [f32]) -> Result<EmbeddingUsage> {
        let width = self.data.first().map_or(0, |first| first.embedding.values.len());
        let out = room(out, self.data.len(), width)?;
        for (row, vector) in out.chunks_exact_mut(width.max(1)).zip(&self.data) {
            if vector.embedding.values.len() != width {
                return Err(Error::internal("the vectors have different lengths"));
            }
            row.copy_from_slice(&vector.embedding.values);
        }
        Ok(self.usage)
    }
}

/// The beginning of `out`, which has to have room for so many vectors.
pub(crate) fn room(out: &mut [f32], vectors: usize, width: usize) -> Result<&mut [f32]> {
    let (needed, there) = (vectors * width, out.len());
    out.get_mut(..needed).ok_or_else(|| {
        let message = format!("{vectors} vectors of {width} numbers need room for {needed}; there is room for {there}");
        Error::new(ErrorKind::InvalidArgument, message).with_param("out")
    })
}

/// One input's vector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Embedding {
    /// Always `embedding`.
    pub object: EmbeddingObject,
    /// The input's place in the request.
    pub index: u32,
    /// The vector; its length is 1 (EM5).
    pub embedding: EmbeddingVector,
}

/// The fixed `object` of an [`Embedding`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum EmbeddingObject {
    /// `embedding`
    #[default]
    #[serde(rename = "embedding")]
    Embedding,
}

/// A vector's numbers, in the request's [`EncodingFormat`] when it is written as JSON.
#[derive(Clone, Debug, PartialEq)]
pub struct EmbeddingVector {
    /// The numbers.
    pub values: Vec<f32>,
    /// How they are written.
    pub format: EncodingFormat,
}

impl Serialize for EmbeddingVector {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.format {
            EncodingFormat::Float => self.values.serialize(serializer),
            EncodingFormat::Base64 => {
                let bytes: Vec<u8> = self.values.iter().flat_map(|value| value.to_le_bytes()).collect();
                serializer.serialize_str(&BASE64_STANDARD.encode(bytes))
            }
        }
    }
}

impl<'de> Deserialize<'de> for EmbeddingVector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(VectorVisitor)
    }
}

struct VectorVisitor;

impl<'de> Visitor<'de> for VectorVisitor {
    type Value = EmbeddingVector;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of numbers or a base64 string")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        let bytes = BASE64_STANDARD.decode(text).map_err(E::custom)?;
        let (floats, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(E::custom("the base64 text is no list of 32-bit floats"));
        }
        let values = floats.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        Ok(EmbeddingVector { values, format: EncodingFormat::Base64 })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = items.next_element()? {
            values.push(value);
        }
        Ok(EmbeddingVector { values, format: EncodingFormat::Float })
    }
}

/// The tokens that a request for embeddings used (EM3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EmbeddingUsage {
    /// Tokens of all inputs, with those that the model wants around each.
    pub prompt_tokens: u32,
    /// The same.
    pub total_tokens: u32,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::parse::parse_embedding_request;

    fn parse(keys: &Value) -> Result<CreateEmbeddingRequest> {
        let mut body = json!({"model": "m", "input": "text"});
        body.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
        parse_embedding_request(body.to_string().as_bytes())
    }

    #[test]
    fn inputs_come_in_four_kinds() {
        // EM1
        let kinds = [
            (json!("a"), EmbeddingInput::from("a")),
            (json!(["a", "b"]), ["a", "b"].into()),
            (json!([1, 2]), vec![1, 2].into()),
            (json!([[1], [2, 3]]), vec![vec![1], vec![2, 3]].into()),
        ];
        for (json, input) in kinds {
            assert_eq!(parse(&json!({ "input": json })).unwrap().input, input);
            assert_eq!(serde_json::to_value(&input).unwrap(), json);
        }
    }

    #[test]
    fn bad_requests_name_the_parameter() {
        // EM1, EM4
        let bad = [
            (json!({"input": ""}), "input"),
            (json!({"input": []}), "input"),
            (json!({"input": ["a", ""]}), "input[1]"),
            (json!({"input": [[1], []]}), "input[1]"),
            (json!({"input": [[]]}), "input[0]"),
            (json!({"input": vec!["a"; 2049]}), "input"),
            (json!({"input": ["a", 1]}), "input[1]"),
            (json!({"input": [1, "a"]}), "input[1]"),
            (json!({"input": [1, -1]}), "input[1]"),
            (json!({"input": [4_294_967_296u64]}), "input[0]"),
            (json!({"input": [1.5]}), "input[0]"),
            (json!({"input": {}}), "input"),
            (json!({"input": null}), "input"),
            (json!({"encoding_format": "hex"}), "encoding_format"),
            (json!({"dimensions": 0}), "dimensions"),
            (json!({"dimensions": -1}), "dimensions"),
            (json!({"dimension": 3}), "dimension"),
        ];
        for (keys, param) in bad {
            let error = parse(&keys).expect_err(&keys.to_string());
            assert_eq!((error.status(), error.param()), (Some(400), Some(param)), "{keys}: {error}");
        }
        assert_eq!(parse(&json!({"input": vec!["a"; 2048], "user": "u"})).unwrap().input.len(), 2048);
        assert_eq!(parse_embedding_request(br#"{"model": "m"}"#).unwrap_err().param(), Some("input"));
        assert_eq!(parse_embedding_request(b"[]").unwrap_err().status(), Some(400));
    }

    #[test]
    fn base64_is_the_floats_bytes() {
        // EM2
        let vector = EmbeddingVector { values: vec![1.0, -0.5], format: EncodingFormat::Base64 };
        let written = serde_json::to_value(&vector).unwrap();
        assert_eq!(written, json!("AACAPwAAAL8="));
        assert_eq!(serde_json::from_value::<EmbeddingVector>(written).unwrap(), vector);
        let numbers = EmbeddingVector { values: vec![1.0, -0.5], format: EncodingFormat::Float };
        assert_eq!(serde_json::to_value(&numbers).unwrap(), json!([1.0, -0.5]));
        assert_eq!(serde_json::from_value::<EmbeddingVector>(json!([1.0, -0.5])).unwrap(), numbers);
        for broken in ["AACAPwAA", "?"] {
            assert!(serde_json::from_value::<EmbeddingVector>(json!(broken)).is_err());
        }
    }
}
