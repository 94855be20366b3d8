//! Grammars made from templates, tried out byte by byte.

mod families;
mod grammars;
mod walks;

use std::sync::Arc;

use llguidance::api::TopLevelGrammar;
use llguidance::toktrie::{ApproximateTokEnv, TokEnv, TokRxInfo, TokTrie};
use llguidance::{Matcher, ParserFactory};
use serde_json::{Value, json};

use crate::backend::Token;

/// The token after the 256 bytes ends the text; control tokens follow.
const END: u32 = 256;

/// A vocabulary of single bytes and some control tokens.
pub(super) struct Vocabulary {
    factory: ParserFactory,
    controls: Vec<(Token, String)>,
}

impl Vocabulary {
    pub(super) fn new(controls: &[String]) -> Self {
        let mut words: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
        words.push(b"\xFF<|end|>".to_vec());
        let mut spellings = Vec::new();
        for spelling in controls {
            spellings.push((Token::try_from(words.len()).unwrap(), spelling.clone()));
            words.push([b"\xFF", spelling.as_bytes()].concat());
        }
        let trie = TokTrie::from(&TokRxInfo::new(u32::try_from(words.len()).unwrap(), END), &words);
        let environment: TokEnv = Arc::new(ApproximateTokEnv::new(trie));
        let mut factory = ParserFactory::new_simple(&environment).unwrap();
        factory.quiet();
        Vocabulary { factory, controls: spellings }
    }

    pub(super) fn controls(&self) -> &[(Token, String)] {
        &self.controls
    }

    /// A grammar's state at its beginning.
    pub(super) fn start(&self, lark: &str) -> Result<Matcher, String> {
        let matcher = Matcher::new(self.factory.create_parser(TopLevelGrammar::from_lark(lark.to_owned())));
        matcher.get_error().map_or(Ok(matcher), Err)
    }

    /// How many bytes of the text the grammar accepts; the whole text counts
    /// only if it may end there.
    pub(super) fn accepted(&self, lark: &str, text: &str) -> Result<usize, String> {
        let mut matcher = self.start(lark)?;
        let mut done = 0;
        while done < text.len() {
            let control = self.controls.iter().find(|(_, spelling)| text[done..].starts_with(spelling.as_str()));
            let (token, length) = match control {
                Some((token, spelling)) => (u32::try_from(*token).unwrap(), spelling.len()),
                None => (u32::from(text.as_bytes()[done]), 1),
            };
            let mask = matcher.compute_mask().map_err(|error| error.to_string())?;
            if !mask.is_allowed(token) {
                return Ok(done);
            }
            matcher.consume_token(token).map_err(|error| error.to_string())?;
            done += length;
            while !text.is_char_boundary(done) {
                matcher.consume_token(u32::from(text.as_bytes()[done])).map_err(|error| error.to_string())?;
                done += 1;
            }
        }
        if matcher.is_accepting().map_err(|error| error.to_string())? { Ok(done) } else { Ok(done.saturating_sub(1)) }
    }

    pub(super) fn accepts(&self, lark: &str, text: &str) -> bool {
        self.accepted(lark, text).unwrap() == text.len()
    }
}

/// Stands in for the rule of a JSON value, with the same options.
pub(super) fn json_rule(schema: &Value) -> String {
    let mut schema = schema.clone();
    schema["x-guidance"] = json!({ "item_separator": ", ", "key_separator": ": ", "whitespace_flexible": false });
    format!("%json {schema}")
}
