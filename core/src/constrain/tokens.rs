//! The vocabulary as llguidance sees it: bytes to tokens and back.

use std::sync::Arc;

use toktrie::{INVALID_TOKEN, TokEnv, TokRxInfo, TokTrie, TokenId, TokenizerEnv};

use crate::api::error::{Error, Result};
use crate::backend::{self, SHORT_TEXT, Token};

/// A noncharacter, which no vocabulary has a token for: what stands before it
/// in a text does not change how the text after it is tokenised.
const SENTINEL: &str = "\u{FDD0}";

/// A model's tokeniser for llguidance.
struct ModelTokenizer {
    model: Arc<backend::Model>,
    trie: TokTrie,
}

/// Builds the environment of a model's vocabulary.
pub(super) fn environment(model: &Arc<backend::Model>) -> Result<TokEnv> {
    let trie = trie(model)?;
    Ok(Arc::new(ModelTokenizer { model: Arc::clone(model), trie }))
}

fn trie(model: &backend::Model) -> Result<TokTrie> {
    let vocab = model.vocab();
    let tokens = 0..Token::try_from(vocab.len()).map_err(|_| Error::internal("the vocabulary is too large"))?;
    let mut words: Vec<Vec<u8>> = tokens.clone().map(|token| vocab.piece(token).to_vec()).collect();
    for word in &mut words {
        // The marker of special tokens is no byte of UTF-8 text; a token that
        // starts with it can only spell broken text.
        if word.first() == Some(&TokTrie::SPECIAL_TOKEN_MARKER) {
            word.clear();
        }
    }
    for (token, spelling) in vocab.control_tokens() {
        words[index(*token)] = special_word(spelling.as_bytes());
    }
    let ends: Vec<TokenId> =
        tokens.filter(|token| vocab.is_end_of_generation(*token)).map(Token::cast_unsigned).collect();
    for end in &ends {
        // Where the file calls such a token plain text, its spelling must still
        // not end an answer in the middle.
        let word = &mut words[*end as usize];
        if word.first() != Some(&TokTrie::SPECIAL_TOKEN_MARKER) {
            *word = special_word(word);
        }
    }
    let size = u32::try_from(words.len()).map_err(|_| Error::internal("the vocabulary is too large"))?;
    let info = TokRxInfo::new(size, ends.first().copied().unwrap_or(INVALID_TOKEN));
    let trie = TokTrie::from(&info, &words);
    Ok(if ends.is_empty() { trie } else { trie.with_eos_tokens(&ends) })
}

fn special_word(spelling: &[u8]) -> Vec<u8> {
    [&[TokTrie::SPECIAL_TOKEN_MARKER], spelling].concat()
}

fn index(token: Token) -> usize {
    usize::try_from(token).unwrap_or(usize::MAX)
}

impl ModelTokenizer {
    /// Tokenises text that stands in the middle of other text.
    fn tokenize(&self, text: &str) -> Vec<TokenId> {
        let mut tokens = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (part, after) = rest.split_at(short_part(rest));
            tokens.extend(self.tokenize_short(part).unwrap_or_else(|| self.trie.greedy_tokenize(part.as_bytes())));
            rest = after;
        }
        tokens
    }

    /// The model's own tokens of a short text; `None` where they do not spell
    /// just that text.
    fn tokenize_short(&self, text: &str) -> Option<Vec<TokenId>> {
        let tokens = self.model_tokens(text)?;
        if self.spells(&tokens, text) {
            return Some(tokens);
        }
        // Tokenisers of the SentencePiece kind put a space before the text.
        let tokens = self.model_tokens(&format!("{SENTINEL}{text}"))?;
        let start = (0..=tokens.len()).find(|&start| self.spells(&tokens[start..], text))?;
        Some(tokens[start..].to_vec())
    }

    fn model_tokens(&self, text: &str) -> Option<Vec<TokenId>> {
        let tokens = self.model.vocab().tokenize_short(text).ok()?;
        Some(tokens.into_iter().map(Token::cast_unsigned).collect())
    }

    fn spells(&self, tokens: &[TokenId], text: &str) -> bool {
        let mut rest = text.as_bytes();
        for &token in tokens {
            let word = self.trie.token(token);
            match rest.strip_prefix(word) {
                Some(after) if !word.is_empty() => rest = after,
                _ => return false,
            }
        }
        rest.is_empty()
    }
}

/// How much of a text to tokenise at once: all of it if it is short, else up to
/// a space, where most tokenisers cut anyway.
fn short_part(text: &str) -> usize {
    const LIMIT: usize = SHORT_TEXT - SENTINEL.len();
    if text.len() <= LIMIT {
        return text.len();
    }
    let end = (0..=LIMIT).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(text.len());
    text[..end].rfind(' ').filter(|&space| space > 0).unwrap_or(end)
}

impl TokenizerEnv for ModelTokenizer {
    fn tok_trie(&self) -> &TokTrie {
        &self.trie
    }

    fn tokenize_bytes(&self, bytes: &[u8]) -> Vec<TokenId> {
        self.trie.tokenize_with_greedy_fallback(bytes, |text| self.tokenize(text))
    }
}
