//! The vocabulary: arrays that llama.cpp reads in step, texts that it wants unique.

use std::collections::HashSet;

use super::keys::Keys;
use super::template::check_template;
use crate::model::gguf::{GgufError, Value, ValueType, invalid, quoted, unsupported};

/// More tokens than any model has; token ids are `int32_t`.
const MAX_TOKENS: u64 = 1 << 24;
/// Bytes of all tokens together.
const MAX_TEXT: usize = 1 << 30;

/// The tokenizers that llama.cpp has, but for the ones without a vocabulary.
const TOKENIZERS: [&str; 9] = ["llama", "bert", "gpt2", "hybriddna", "whitespace", "t5", "rwkv", "plamo2", "gemma4"];
/// Of these, the ones that join tokens by ranked merges.
const MERGING: [&str; 4] = ["gpt2", "hybriddna", "whitespace", "gemma4"];

const TOKENS: &str = "tokenizer.ggml.tokens";
/// What a missing token has as its id in some files.
const NO_TOKEN: u64 = u32::MAX as u64;

/// Gives back the number of tokens.
pub(super) fn check(keys: &Keys<'_>) -> Result<u64, GgufError> {
    let model = match keys.gguf.metadata.get("tokenizer.ggml.model") {
        Some(Value::String(model)) => model.as_str(),
        Some(_) => return invalid("tokenizer.ggml.model is not a string".to_owned()),
        None => return unsupported("the file has no tokenizer, so it is no language model".to_owned()),
    };
    if !TOKENIZERS.contains(&model) {
        return unsupported(format!("the tokenizer {} is unknown or has no vocabulary", quoted(model)));
    }
    let count = check_tokens(keys)?;
    check_beside(keys, "tokenizer.ggml.scores", &[ValueType::F32, ValueType::I32], count)?;
    check_beside(keys, "tokenizer.ggml.token_type", &[ValueType::I32], count)?;
    check_merges(keys, model)?;
    check_special(keys, count)?;
    check_templates(keys)?;
    Ok(count)
}

/// The tokens' texts, which llama.cpp asserts are unique.
fn check_tokens(keys: &Keys<'_>) -> Result<u64, GgufError> {
    let (count, start) = match keys.array(TOKENS)? {
        Some((ValueType::String, count, start)) if (1..=MAX_TOKENS).contains(&count) => (count, start),
        Some((ValueType::String, count, _)) => return invalid(format!("{TOKENS} has {count} elements")),
        Some(_) => return invalid(format!("{TOKENS} is not an array of strings")),
        None => return invalid(format!("{TOKENS} is missing")),
    };
    let mut seen = HashSet::with_capacity(usize::try_from(count).unwrap_or(0));
    let mut text_len = 0_usize;
    for (id, token) in keys.strings(start, count).enumerate() {
        text_len = text_len.saturating_add(token.len());
        // llama.cpp gives each empty token a name of its own.
        if !token.is_empty() && !seen.insert(token) {
            let token = String::from_utf8_lossy(token);
            return invalid(format!("{TOKENS}: token {id} repeats {}", quoted(&token)));
        }
    }
    if text_len > MAX_TEXT {
        return invalid(format!("{TOKENS} takes {text_len} bytes"));
    }
    Ok(count)
}

/// An array with an element for each token.
fn check_beside(keys: &Keys<'_>, name: &str, types: &[ValueType], count: u64) -> Result<(), GgufError> {
    match keys.array(name)? {
        Some((element, _, _)) if !types.contains(&element) => {
            invalid(format!("{name} is an array of another type than llama.cpp reads"))
        }
        Some((_, len, _)) if len < count => invalid(format!("{name} has {len} elements for {count} tokens")),
        _ => Ok(()),
    }
}

/// Merges are two texts with a space between them.
fn check_merges(keys: &Keys<'_>, model: &str) -> Result<(), GgufError> {
    const MERGES: &str = "tokenizer.ggml.merges";
    if !MERGING.contains(&model) {
        return Ok(());
    }
    match keys.array(MERGES)? {
        // Whether it may be missing depends on the pre-tokenizer; llama.cpp says so.
        None => Ok(()),
        Some((ValueType::String, len, start)) => {
            let is_pair = |merge: &[u8]| merge.get(1..).is_some_and(|rest| rest.contains(&b' '));
            match keys.strings(start, len).position(|merge| !is_pair(merge)) {
                Some(index) => invalid(format!("{MERGES}: merge {index} is not two texts")),
                None => Ok(()),
            }
        }
        Some(_) => invalid(format!("{MERGES} is not an array of strings")),
    }
}

/// The ids that begin and end texts. llama.cpp passes over any that it cannot use, but a model
/// without its end would never stop.
fn check_special(keys: &Keys<'_>, count: u64) -> Result<(), GgufError> {
    for key in ["bos", "eos", "eot"] {
        let key = format!("tokenizer.ggml.{key}_token_id");
        match keys.gguf.get_u64(&key) {
            Some(id) if id >= count && id != NO_TOKEN => {
                return invalid(format!("{key} is {id}, and there are {count} tokens"));
            }
            _ => {}
        }
    }
    Ok(())
}

fn check_templates(keys: &Keys<'_>) -> Result<(), GgufError> {
    const KEY: &str = "tokenizer.chat_template";
    for (key, value) in keys.gguf.metadata.range(KEY.to_owned()..).take_while(|(key, _)| key.starts_with(KEY)) {
        match value {
            Value::String(template) => {
                if let Err(reason) = check_template(template) {
                    return invalid(format!("{}: {reason}", quoted(key)));
                }
            }
            // The list of the templates' names.
            Value::Array { element: ValueType::String, .. } => {}
            _ => return invalid(format!("{} is not a string", quoted(key))),
        }
    }
    Ok(())
}
