//! How likely tokens were, as the older endpoint tells it (CO4, CO5).

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::api::completions_reply::CompletionLogprobs;
use crate::backend::{Token, Vocab};
use crate::generate::{TextStream, TokenLogprob};

/// Lists the tokens of one text, and where in it each begins.
#[derive(Debug, Default)]
pub(super) struct Lister {
    /// Counts the characters as they are shown.
    text: TextStream,
    offset: usize,
}

impl Lister {
    /// Lists what comes after a text.
    pub(super) fn after(text: &str) -> Self {
        Lister { offset: text.chars().count(), ..Lister::default() }
    }

    /// The entries of generated tokens.
    pub(super) fn list(&mut self, entries: Vec<TokenLogprob>) -> CompletionLogprobs {
        let mut lists = CompletionLogprobs::default();
        for entry in entries {
            self.add(&entry.bytes, &entry.bytes, &mut lists);
            lists.token_logprobs.push(Some(entry.logprob));
            lists.top_logprobs.push(Some(top(&entry)));
        }
        lists
    }

    /// The entries of a prompt's tokens, which begin with its second. `text` is what is shown of it.
    pub(super) fn list_prompt(
        &mut self,
        tokens: &[Token],
        text: &str,
        entries: &[TokenLogprob],
        vocab: &Vocab,
    ) -> CompletionLogprobs {
        let mut lists = CompletionLogprobs::default();
        let mut rest = text.as_bytes();
        for &token in tokens {
            let name = vocab.spelling(token);
            let shown = shown(name, rest);
            rest = &rest[shown.len()..];
            self.add(name, shown, &mut lists);
        }
        lists.token_logprobs = std::iter::once(None).chain(entries.iter().map(|entry| Some(entry.logprob))).collect();
        lists.top_logprobs = std::iter::once(None).chain(entries.iter().map(|entry| Some(top(entry)))).collect();
        lists
    }

    fn add(&mut self, name: &[u8], shown: &[u8], lists: &mut CompletionLogprobs) {
        lists.tokens.push(token_name(name));
        lists.text_offset.push(u32::try_from(self.offset).unwrap_or(u32::MAX));
        self.offset += self.text.push(shown).text.chars().count();
    }
}

/// What of the text `rest` a token stands for: nothing, if the token was put before the text; and some
/// vocabularies begin every text with a space.
fn shown<'a>(token: &[u8], rest: &'a [u8]) -> &'a [u8] {
    let spaced = token.strip_prefix(b" ").unwrap_or(token);
    let length = [token, spaced].into_iter().find(|bytes| rest.starts_with(bytes)).map_or(0, <[u8]>::len);
    &rest[..length]
}

fn top(entry: &TokenLogprob) -> BTreeMap<String, f32> {
    let chosen = (token_name(&entry.bytes), entry.logprob);
    entry.top.iter().map(|(bytes, logprob)| (token_name(bytes), *logprob)).chain([chosen]).collect()
}

/// A token's text; of one that is none by itself, the bytes.
fn token_name(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().fold("bytes:".to_owned(), |mut name, byte| {
            // Writing to a string cannot fail.
            let _ = write!(name, "\\x{byte:02x}");
            name
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(bytes: &[u8], logprob: f32) -> TokenLogprob {
        TokenLogprob { bytes: bytes.to_vec(), logprob, top: vec![(b"x".to_vec(), -0.5)] }
    }

    #[test]
    fn offsets_count_characters() {
        // CO4
        let mut lister = Lister::after("é");
        let euro = "€".as_bytes();
        let first = lister.list(vec![entry(b"ab", -1.0), entry(&euro[..1], -2.0)]);
        let second = lister.list(vec![entry(&euro[1..], -3.0), entry(b"c", -4.0)]);
        assert_eq!((first.text_offset, second.text_offset), (vec![1, 3], vec![3, 4]));
        assert_eq!(first.tokens, ["ab", "bytes:\\xe2"]);
        assert_eq!(second.tokens, ["bytes:\\x82\\xac", "c"]);
        assert_eq!(first.token_logprobs, [Some(-1.0), Some(-2.0)]);
        let likely = BTreeMap::from([("ab".to_owned(), -1.0), ("x".to_owned(), -0.5)]);
        assert_eq!(first.top_logprobs[0], Some(likely));
    }

    #[test]
    fn a_token_stands_for_the_text_that_is_shown() {
        // CO5: the space that a vocabulary puts before a text, and a token before all text
        assert_eq!(shown(b" Hello", b"Hello you"), b"Hello");
        assert_eq!(shown(b" Hello", b" Hello"), b" Hello");
        assert_eq!(shown(b"<s>", b"Hello"), b"");
    }
}
