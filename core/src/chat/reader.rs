//! A model's text, read back as what the API calls a message's parts.
//!
//! Whole replies and streams are made from the same deltas, so that they agree.

use std::collections::{HashSet, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Weak};

use serde::de::IgnoredAny;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::bare_calls::{self, Bare};
use super::custom_input::custom_input;
use crate::api::error::{Error, ErrorKind, Result};
use crate::backend::{self, OutputParser, ParsedMessage, ParsedToolCall, Span};
use crate::constrain::{WeakTokenEnv, lark};
use crate::generate::{StopReason, TextStream, TokenLogprob};

/// How often a text is read while it doubles, about: a step of 4 kB is 16 bytes.
const READ_STEPS: usize = 256;

/// How a request's answers are to be read.
#[derive(Debug)]
pub(crate) struct AnswerFormat {
    /// `None` when an answer is nothing but text.
    pub(super) parser: Option<OutputParser>,
    /// The names of the tools that take a text instead of a JSON object.
    pub(super) custom_tools: HashSet<String>,
    /// Whether a call is shown as the deprecated `function_call`.
    pub(super) legacy: bool,
    /// Where calls may come as plain JSON.
    pub(super) bare: Option<BareFormat>,
    /// The ids of the calls in the history; new ones must differ (TL5).
    pub(super) known_ids: HashSet<String>,
    /// The parameter that decides the answer's form.
    pub(super) param: &'static str,
    /// Not kept loaded by an answer that nobody has read to its end.
    pub(super) model: Weak<backend::Model>,
}

/// The tools that may be called without the template's markup.
#[derive(Debug)]
pub(crate) struct BareFormat {
    /// The names of those called by a JSON object.
    pub(super) tools: Vec<String>,
    /// What their arguments must be, in the same order.
    pub(super) parameters: Vec<Value>,
    /// The names of those called with raw input.
    pub(super) raw: Vec<String>,
    pub(super) env: WeakTokenEnv,
}

/// What has come to a message.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Delta {
    /// Text, with the log probabilities of its tokens.
    Content(String, Vec<TokenLogprob>),
    Reasoning(String),
    /// A call begins. All fragments of one call come before the next (TL12).
    Call {
        index: usize,
        id: String,
        name: String,
        custom: bool,
    },
    /// More of a call's arguments, or of a custom tool's input.
    Arguments {
        index: usize,
        text: String,
        custom: bool,
    },
}

/// Reads one answer.
#[derive(Debug)]
pub(super) struct Reader {
    format: Arc<AnswerFormat>,
    /// Whether deltas are wanted as the text comes, rather than at the end.
    incremental: bool,
    /// All text so far; empty where the answer is nothing but text.
    text: String,
    /// How much of it has been read.
    read: usize,
    content: String,
    reasoning: String,
    calls: Vec<ReadCall>,
    tokens: TextTokens,
}

/// A call as far as it was given out.
#[derive(Debug)]
struct ReadCall {
    id: String,
    custom: bool,
    arguments: String,
}

impl Reader {
    pub(super) fn new(format: Arc<AnswerFormat>, incremental: bool) -> Self {
        Reader {
            format,
            incremental,
            text: String::new(),
            read: 0,
            content: String::new(),
            reasoning: String::new(),
            calls: Vec::new(),
            tokens: TextTokens::default(),
        }
    }

    /// Takes more text.
    pub(super) fn push(&mut self, text: String, logprobs: Vec<TokenLogprob>) -> Vec<Delta> {
        if self.format.is_plain() {
            return vec![Delta::Content(text, logprobs)];
        }
        self.tokens.push(logprobs);
        self.text.push_str(&text);
        // Reading starts from the beginning each time, so that the longer a text
        // is, the larger the steps are.
        if !self.incremental || self.text.len() - self.read < self.text.len() / READ_STEPS {
            return Vec::new();
        }
        self.read = self.text.len();
        // What is not in the expected form yet may come to be.
        self.format.parse(&self.text, true).map_or_else(Vec::new, |message| self.advance(message, false))
    }

    /// The rest, once the answer has ended.
    pub(super) fn finish(&mut self, reason: StopReason) -> Vec<Delta> {
        if self.format.is_plain() {
            return Vec::new();
        }
        let whole = if reason == StopReason::Length { None } else { self.format.parse(&self.text, false) };
        let message = whole.or_else(|| self.format.parse(&self.text, true)).unwrap_or_else(|| ParsedMessage {
            // In no form at all: a model that writes so meant it as text.
            content: self.text.clone(),
            ..ParsedMessage::default()
        });
        self.advance(message, true)
    }

    pub(super) fn format(&self) -> &AnswerFormat {
        &self.format
    }

    /// Whether the answer ends inside of a call, which a stop text may bring about.
    pub(super) fn is_cut(&self) -> bool {
        let is_json = |text: &str| serde_json::from_str::<IgnoredAny>(text).is_ok();
        self.calls.iter().any(|call| !call.custom && !is_json(&call.arguments))
    }

    /// Whether the answer calls tools.
    pub(super) fn has_calls(&self) -> bool {
        !self.calls.is_empty()
    }

    /// The tokens of the thoughts (CR14).
    pub(super) fn reasoning_tokens(&self) -> Result<usize> {
        match self.format.model.upgrade() {
            Some(model) if !self.reasoning.is_empty() => {
                Ok(model.vocab().tokenize(&[Span { text: &self.reasoning, parse_special: true }])?.len())
            }
            _ => Ok(0),
        }
    }

    /// What `message` says beyond what was given out. Whitespace at the end of a
    /// text may turn out to be part of the markup that follows, so it waits.
    fn advance(&mut self, mut message: ParsedMessage, last: bool) -> Vec<Delta> {
        if let Some(bare) = &self.format.bare {
            bare.find_calls(&mut message, last);
        }
        let mut deltas = Vec::new();
        // What stands between two parts belongs to neither (CR6, TL9).
        let ends_in_content = last && message.tool_calls.is_empty();
        let ends_in_reasoning = ends_in_content && message.content.is_empty();
        if let Some(text) = news(&mut self.reasoning, &message.reasoning_content, ends_in_reasoning) {
            // The thoughts may say what the content says.
            self.tokens.skip(&self.text, &text);
            deltas.push(Delta::Reasoning(text));
        }
        if let Some(text) = news(&mut self.content, &message.content, ends_in_content) {
            let logprobs = self.tokens.take(&self.text, &text);
            deltas.push(Delta::Content(text, logprobs));
        }
        let count = message.tool_calls.len();
        for (index, call) in message.tool_calls.into_iter().enumerate() {
            self.advance_call(index, call, last || index + 1 < count, &mut deltas);
        }
        deltas
    }

    fn advance_call(&mut self, index: usize, mut call: ParsedToolCall, complete: bool, deltas: &mut Vec<Delta>) {
        if index >= self.calls.len() {
            // The name may still grow until the arguments begin.
            if call.name.is_empty() || (call.arguments.is_empty() && !complete) {
                return;
            }
            let (id, custom) = (self.new_id(&call.id), self.format.custom_tools.contains(&call.name));
            deltas.push(Delta::Call { index, id: id.clone(), name: call.name, custom });
            self.calls.push(ReadCall { id, custom, arguments: String::new() });
        }
        let known = &mut self.calls[index];
        if complete && call.arguments.trim().is_empty() {
            "{}".clone_into(&mut call.arguments);
        }
        let arguments = if known.custom { custom_input(&call.arguments) } else { call.arguments };
        if let Some(text) = news(&mut known.arguments, &arguments, true) {
            deltas.push(Delta::Arguments { index, text, custom: known.custom });
        }
    }

    /// The id that the model's markup gave, if it is new, or one of ours.
    fn new_id(&self, given: &str) -> String {
        let known = self.format.known_ids.contains(given) || self.calls.iter().any(|call| call.id == given);
        if given.is_empty() || known { format!("call_{}", Uuid::new_v4().simple()) } else { given.to_owned() }
    }
}

impl AnswerFormat {
    /// A fault of the generation as the caller sees it: a grammar that turns out
    /// to be impossible, or too costly, is its parameter's fault (ER3).
    pub(super) fn fault(&self, error: Error) -> Error {
        match (error.kind(), error.param()) {
            (ErrorKind::InvalidRequest, None) => error.with_param(self.param),
            _ => error,
        }
    }

    /// Whether an answer is nothing but text.
    fn is_plain(&self) -> bool {
        self.parser.is_none() && self.bare.is_none()
    }

    /// The message that a text is, or the beginning of one; `None` if it is in no
    /// form.
    fn parse(&self, text: &str, partial: bool) -> Option<ParsedMessage> {
        match &self.parser {
            Some(parser) => parser.parse(text, partial).ok(),
            None => Some(ParsedMessage { content: text.to_owned(), ..ParsedMessage::default() }),
        }
    }
}

impl BareFormat {
    /// Turns text that is calls into calls, and holds back text that may be.
    fn find_calls(&self, message: &mut ParsedMessage, last: bool) {
        if !message.tool_calls.is_empty() {
            return;
        }
        let text = message.content.trim_start();
        let found = match bare_calls::read_raw(text, &self.raw) {
            Bare::Text => bare_calls::read(text, &self.tools),
            found => found,
        };
        let calls = match found {
            Bare::Calls(calls) => calls,
            Bare::Undecided if !last => Vec::new(),
            Bare::Text if !last && bare_calls::may_be_fenced(&message.content, &self.tools) => Vec::new(),
            Bare::Undecided | Bare::Text => {
                let fits = |name: &str, arguments: &Map<String, Value>| self.fits(name, arguments);
                match last.then(|| bare_calls::fenced(&message.content, &self.tools, fits)).flatten() {
                    Some(calls) => calls,
                    None => return,
                }
            }
        };
        message.content.clear();
        message.tool_calls = calls;
    }

    /// Whether a tool takes these arguments.
    fn fits(&self, name: &str, arguments: &Map<String, Value>) -> bool {
        let mut tools = self.tools.iter().zip(&self.parameters);
        tools
            .find(|(tool, _)| *tool == name)
            .is_some_and(|(_, schema)| self.env.accepts(&lark::json_rule(schema), &bare_calls::spaced(arguments)))
    }
}

/// What `text` has beyond `known`, which becomes equal to it.
fn news(known: &mut String, text: &str, last: bool) -> Option<String> {
    let text = if last { text } else { text.trim_end() };
    let Some(news) = text.strip_prefix(known.as_str()).map(str::to_owned) else {
        // A shorter text is a whole one whose end waits, as above.
        if !known.starts_with(text) {
            tracing::warn!(target: "zerohop", "an answer was read otherwise than its beginning, which was given out");
        }
        return None;
    };
    if news.is_empty() {
        return None;
    }
    known.push_str(&news);
    Some(news)
}

/// The log probabilities of tokens and where in the text each token stands.
#[derive(Debug, Default)]
struct TextTokens {
    /// Those not taken yet, each with the position of its first byte.
    tokens: VecDeque<(usize, TokenLogprob)>,
    /// The tokens' bytes on their way to text.
    characters: TextStream,
    /// How long the text of whole characters is.
    whole: usize,
    /// Bytes behind it, of a character that is not whole yet.
    partial: usize,
    /// Where the text ends that was asked for last.
    taken: usize,
}

impl TextTokens {
    fn push(&mut self, logprobs: Vec<TokenLogprob>) {
        for logprob in logprobs {
            let start = self.place(&logprob.bytes);
            self.tokens.push_back((start, logprob));
        }
    }

    /// Where in the text the next token begins, of which these are the bytes. Those that are no text are a
    /// replacement character there, which is longer.
    fn place(&mut self, bytes: &[u8]) -> usize {
        let mut start = self.whole + self.partial;
        for (index, &byte) in bytes.iter().enumerate() {
            let pushed = self.characters.push(&[byte]);
            self.whole += pushed.text.len();
            self.partial = self.partial + 1 - pushed.bytes;
            if index == 0 {
                let is_replaced = pushed.bytes != pushed.text.len()
                    && self.partial == 0
                    && pushed.text.ends_with(char::REPLACEMENT_CHARACTER);
                let length = if is_replaced { char::REPLACEMENT_CHARACTER.len_utf8() } else { 1 };
                start = self.whole + self.partial - length;
            }
        }
        start
    }

    /// Goes on behind the next occurrence of `part` in `text`, and gives where it
    /// is.
    fn skip(&mut self, text: &str, part: &str) -> Option<Range<usize>> {
        let start = self.taken + text[self.taken..].find(part)?;
        self.taken = start + part.len();
        Some(start..self.taken)
    }

    /// The tokens of the next occurrence of `part` in `text` (CR11). Of one that
    /// begins before it, in space that was left out, the bytes that are shown (CR10).
    fn take(&mut self, text: &str, part: &str) -> Vec<TokenLogprob> {
        let Some(place) = self.skip(text, part) else { return Vec::new() };
        let mut taken = Vec::new();
        while self.tokens.front().is_some_and(|(at, _)| *at < place.end) {
            let Some((at, mut logprob)) = self.tokens.pop_front() else { break };
            let hidden = place.start.saturating_sub(at);
            if hidden < logprob.bytes.len() {
                logprob.bytes.drain(..hidden);
                taken.push(logprob);
            }
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str) -> TokenLogprob {
        TokenLogprob { bytes: text.as_bytes().to_vec(), logprob: -1.0, top: Vec::new() }
    }

    #[test]
    fn a_token_counts_where_its_text_is_shown() {
        // CR10, CR11
        let text = " and so<think>it is</think> on and on";
        let mut tokens = TextTokens::default();
        tokens.push([" and", " so", "<think>", "it", " is", "</think>", " on"].map(entry).into());
        // The space before the first word was left out.
        assert_eq!(tokens.take(text, "and so"), [entry("and"), entry(" so")]);
        assert_eq!(tokens.skip(text, "it is"), Some(14..19));
        assert_eq!(tokens.take(text, "on"), [entry("on")]);
        tokens.push([" and", " on"].map(entry).into());
        assert_eq!(tokens.take(text, " and o"), [entry(" and"), entry(" on")]);
        // The rest of a token that was given already.
        assert_eq!(tokens.take(text, "n"), []);
    }

    #[test]
    fn bytes_that_are_no_text_move_what_follows() {
        // CR10, CS8
        let bytes = |bytes: &[u8]| TokenLogprob { bytes: bytes.to_vec(), logprob: -1.0, top: Vec::new() };
        let pieces: [&[u8]; 9] = [b"a", b"\xff", b"b", b"\xe2", b"c", b"\xe2\x82", b"\xac", b"\xf0\x9f", b"\xffd"];
        let text = "a\u{fffd}b\u{fffd}c\u{20ac}\u{fffd}\u{fffd}d";
        let mut tokens = TextTokens::default();
        tokens.push(pieces.map(bytes).into());
        // Each is taken with the character that it begins in.
        let mut taken = Vec::new();
        for character in text.chars() {
            let entries = tokens.take(text, &character.to_string());
            taken.push(entries.into_iter().map(|entry| entry.bytes).collect::<Vec<_>>());
        }
        let expected: [&[&[u8]]; 9] = [
            &[b"a"],
            &[b"\xff"],
            &[b"b"],
            &[b"\xe2"],
            &[b"c"],
            &[b"\xe2\x82", b"\xac"],
            &[b"\xf0\x9f"],
            &[b"\xffd"],
            &[],
        ];
        assert_eq!(taken, expected);
    }
}
