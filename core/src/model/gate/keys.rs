//! Metadata as llama.cpp reads it: by exact type, under the architecture's prefix.

use crate::model::gguf::{Gguf, GgufError, Value, ValueType, invalid, quoted};

/// The metadata of one file.
pub(super) struct Keys<'a> {
    pub(super) gguf: &'a Gguf,
    bytes: &'a [u8],
    /// `general.architecture`.
    pub(super) architecture: &'a str,
}

impl<'a> Keys<'a> {
    pub(super) fn new(gguf: &'a Gguf, bytes: &'a [u8]) -> Result<Self, GgufError> {
        match gguf.architecture() {
            Some(architecture) if !architecture.is_empty() => Ok(Keys { gguf, bytes, architecture }),
            _ => invalid("general.architecture is missing".to_owned()),
        }
    }

    /// The full name of a hyperparameter's key.
    pub(super) fn name(&self, key: &str) -> String {
        format!("{}.{key}", self.architecture)
    }

    /// A hyperparameter, which llama.cpp takes as `uint32` only.
    pub(super) fn u32(&self, key: &str) -> Result<Option<u32>, GgufError> {
        let name = self.name(key);
        match self.gguf.metadata.get(&name) {
            None => Ok(None),
            Some(Value::U32(value)) => Ok(Some(*value)),
            Some(_) => invalid(format!("{} is not a 32-bit unsigned integer", quoted(&name))),
        }
    }

    /// A hyperparameter within bounds, if it is there.
    pub(super) fn within(&self, key: &str, least: u32, most: u32) -> Result<Option<u32>, GgufError> {
        match self.u32(key)? {
            Some(value) if !(least..=most).contains(&value) => {
                invalid(format!("{} is {value}, not from {least} to {most}", quoted(&self.name(key))))
            }
            value => Ok(value),
        }
    }

    /// A hyperparameter within bounds that has to be there.
    pub(super) fn required(&self, key: &str, least: u32, most: u32) -> Result<u32, GgufError> {
        match self.within(key, least, most)? {
            Some(value) => Ok(value),
            None => invalid(format!("{} is missing", quoted(&self.name(key)))),
        }
    }

    /// A hyperparameter that is one number for all layers or an array with one for each.
    pub(super) fn per_layer(&self, key: &str, layers: u32, most: u32) -> Result<Option<Vec<u32>>, GgufError> {
        let name = self.name(key);
        let values = match self.gguf.metadata.get(&name) {
            None => return Ok(None),
            Some(Value::U32(value)) => vec![*value; layers as usize],
            Some(Value::Array { element: ValueType::U32 | ValueType::I32, len, start }) => {
                if *len != u64::from(layers) {
                    return invalid(format!("{} has {len} elements for {layers} layers", quoted(&name)));
                }
                self.words(*start, *len).map(u32::from_le_bytes).collect()
            }
            Some(_) => return invalid(format!("{} is neither a 32-bit integer nor an array of them", quoted(&name))),
        };
        match values.iter().find(|value| **value > most) {
            Some(value) => invalid(format!("{} is {value}, over {most}", quoted(&name))),
            None => Ok(Some(values)),
        }
    }

    /// An array by its full name: its elements' type, their number and where they begin.
    pub(super) fn array(&self, name: &str) -> Result<Option<(ValueType, u64, usize)>, GgufError> {
        match self.gguf.metadata.get(name) {
            None => Ok(None),
            Some(Value::Array { element, len, start }) => Ok(Some((*element, *len, *start))),
            Some(_) => invalid(format!("{} is not an array", quoted(name))),
        }
    }

    /// The elements of an array of 32-bit numbers, whose extent the reader has checked.
    pub(super) fn words(&self, start: usize, len: u64) -> impl Iterator<Item = [u8; 4]> + use<'a> {
        let words = self.bytes.get(start..).unwrap_or_default().chunks_exact(4);
        words.take(usize::try_from(len).unwrap_or(usize::MAX)).map(|word| [word[0], word[1], word[2], word[3]])
    }

    /// The elements of an array of strings, whose extent the reader has checked, as C++ sees them:
    /// up to the first NUL byte.
    pub(super) fn strings(&self, start: usize, len: u64) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = self.bytes.get(start..).unwrap_or_default();
        (0..len).map_while(move |_| {
            let (size, after) = rest.split_first_chunk::<8>()?;
            let (text, after) = after.split_at_checked(usize::try_from(u64::from_le_bytes(*size)).ok()?)?;
            rest = after;
            text.split(|byte| *byte == 0).next()
        })
    }
}
