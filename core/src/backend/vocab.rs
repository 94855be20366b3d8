//! A model's vocabulary: text to tokens and back.

use llama_cpp_sys_2 as sys;

use super::native;
use super::stack::LargeStacks;
use crate::api::error::{Error, ErrorKind, Result};

/// A token id of one model's vocabulary.
pub(crate) type Token = i32;

/// Stack for the tokenising thread: a fixed part, and a part for each byte.
///
/// llama.cpp's `std::regex` pre-tokenisers recurse once per character of a run,
/// at about 320 bytes of stack a step; the pages are only touched when used.
const STACK_BASE: usize = 8 << 20;
const STACK_PER_BYTE: usize = 1024;

/// The longest text that [`Vocab::tokenize_short`] takes, in bytes: well inside any thread's stack.
pub(crate) const SHORT_TEXT: usize = 512;

/// Address space for the stacks of all texts that are tokenised at once: two of
/// a megabyte, or some 250 short ones.
const ALL_STACKS: usize = 2 << 30;

/// A part of a text to tokenise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span<'a> {
    pub(crate) text: &'a str,
    /// Whether the spelling of a control token becomes that token; otherwise it
    /// stays text.
    pub(crate) parse_special: bool,
}

/// A model's vocabulary. Lives inside the [`Model`](super::Model) that it
/// points into.
#[derive(Debug)]
pub(crate) struct Vocab {
    raw: *const sys::llama_vocab,
    pieces: Pieces,
    end_of_generation: Vec<bool>,
    /// In token order.
    controls: Vec<(Token, String)>,
    bos: Option<Token>,
    document_start: Option<Token>,
    fill_in: Option<FillIn>,
    pair_marks: PairMarks,
    stacks: LargeStacks,
}

/// The control tokens around what is to be filled in: `prefix` text, `suffix` text,
/// `middle`, and then the model writes what stands between the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FillIn {
    pub(crate) prefix: Token,
    pub(crate) suffix: Token,
    pub(crate) middle: Token,
}

/// The control tokens around a pair of texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PairMarks {
    pub(crate) start: Vec<Token>,
    pub(crate) between: Vec<Token>,
    pub(crate) end: Vec<Token>,
}

// SAFETY: llama.cpp documents its tokenising API as thread-safe, and a
// vocabulary is never changed after loading.
unsafe impl Send for Vocab {}
// SAFETY: as above.
unsafe impl Sync for Vocab {}

/// The text of every token in one buffer, so that turning a token into text
/// costs no native call and no allocation.
#[derive(Debug)]
struct Pieces {
    bytes: Vec<u8>,
    /// `starts[t]..starts[t + 1]` is the text of token `t`.
    starts: Vec<u32>,
    longest: usize,
}

impl Vocab {
    /// Reads the vocabulary of a model.
    ///
    /// # Safety
    ///
    /// `raw` points to the vocabulary of a loaded model that outlives the value.
    pub(super) unsafe fn new(raw: *const sys::llama_vocab) -> Self {
        // SAFETY: the caller vouches for `raw`; every token asked for is below
        // the vocabulary's size.
        unsafe {
            let size = sys::llama_vocab_n_tokens(raw);
            let bos = sys::llama_vocab_bos(raw);
            let adds_bos = sys::llama_vocab_get_add_bos(raw);
            Vocab {
                raw,
                pieces: Pieces::read(raw, size),
                end_of_generation: (0..size).map(|token| sys::llama_vocab_is_eog(raw, token)).collect(),
                controls: control_tokens(raw, size),
                bos: (adds_bos && bos >= 0).then_some(bos),
                document_start: [bos, sys::llama_vocab_eos(raw)].into_iter().find(|token| (0..size).contains(token)),
                fill_in: FillIn::read(raw, size),
                pair_marks: PairMarks::read(raw, size),
                stacks: LargeStacks::new(ALL_STACKS),
            }
        }
    }

    /// The number of tokens.
    pub(crate) fn len(&self) -> usize {
        self.end_of_generation.len()
    }

    /// The text of a token; empty for control tokens.
    pub(crate) fn piece(&self, token: Token) -> &[u8] {
        self.pieces.get(token)
    }

    /// The length in bytes of the longest token's text.
    pub(crate) fn longest_piece(&self) -> usize {
        self.pieces.longest
    }

    /// Whether this token ends a turn or the text.
    pub(crate) fn is_end_of_generation(&self, token: Token) -> bool {
        usize::try_from(token).ok().and_then(|index| self.end_of_generation.get(index)).copied().unwrap_or(false)
    }

    /// The control tokens with their spellings, such as `<|im_end|>`.
    pub(crate) fn control_tokens(&self) -> &[(Token, String)] {
        &self.controls
    }

    /// The spelling of a token, if it is a control token.
    pub(crate) fn control_spelling(&self, token: Token) -> Option<&str> {
        let index = self.controls.binary_search_by_key(&token, |(token, _)| *token).ok()?;
        Some(&self.controls[index].1)
    }

    /// The tokens that end a turn or the text.
    pub(crate) fn end_of_generation(&self) -> impl Iterator<Item = Token> {
        (0..).zip(&self.end_of_generation).filter(|(_, ends)| **ends).map(|(token, _)| token)
    }

    /// The token every text starts with, where the model wants one.
    pub(crate) fn bos(&self) -> Option<Token> {
        self.bos
    }

    /// The token before the first of a document's: what a model goes on from that is
    /// given no text.
    pub(crate) fn document_start(&self) -> Option<Token> {
        self.document_start
    }

    /// What marks a text to be filled in, if the model was trained to do so.
    pub(crate) fn fill_in(&self) -> Option<FillIn> {
        self.fill_in
    }

    /// What marks a pair of texts.
    pub(crate) fn pair_marks(&self) -> &PairMarks {
        &self.pair_marks
    }

    /// The text of a token, for control tokens their spelling.
    pub(crate) fn spelling(&self, token: Token) -> &[u8] {
        match self.piece(token) {
            [] => self.control_spelling(token).map_or(&[], str::as_bytes),
            piece => piece,
        }
    }

    /// A caller's token, which has to exist; `param` is where it stands in the request.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` if it does not.
    pub(crate) fn known(&self, token: u32, param: impl FnOnce() -> String) -> Result<Token> {
        Token::try_from(token).ok().filter(|_| (token as usize) < self.len()).ok_or_else(|| {
            let message = format!("token {token} does not exist; this model's tokens are 0 to {}", self.len() - 1);
            Error::invalid(param(), message)
        })
    }

    /// How many tokens a text of so many bytes has at least: known without tokenising,
    /// which takes time and stack with the text's length.
    pub(crate) fn least_tokens(&self, bytes: usize) -> usize {
        bytes / self.longest_piece().max(1)
    }

    /// Text to tokens, without a leading or trailing special token.
    pub(crate) fn tokenize(&self, spans: &[Span<'_>]) -> Result<Vec<Token>> {
        self.stacks.run(stack_for(spans.iter().map(|span| span.text)), "tokenize", || {
            let mut tokens = Vec::new();
            spans.iter().try_for_each(|span| self.append_tokens(*span, false, &mut tokens))?;
            Ok(tokens)
        })
    }

    /// Several texts to tokens, each by itself and without a leading or trailing special
    /// token.
    pub(crate) fn tokenize_each(&self, spans: &[Span<'_>]) -> Result<Vec<Vec<Token>>> {
        self.stacks.run(stack_for(spans.iter().map(|span| span.text)), "tokenize", || {
            let tokenize = |span: &Span<'_>| {
                let mut tokens = Vec::new();
                self.append_tokens(*span, false, &mut tokens)?;
                Ok(tokens)
            };
            spans.iter().map(tokenize).collect()
        })
    }

    /// Whole texts to tokens, each with the special tokens that the model wants around
    /// it. The spellings of control tokens stay text.
    pub(crate) fn tokenize_documents(&self, texts: &[String]) -> Result<Vec<Vec<Token>>> {
        self.stacks.run(stack_for(texts.iter().map(String::as_str)), "tokenize", || {
            let tokenize = |text: &String| {
                let mut tokens = Vec::new();
                self.append_tokens(Span { text, parse_special: false }, true, &mut tokens)?;
                Ok(tokens)
            };
            texts.iter().map(tokenize).collect()
        })
    }

    /// Text of at most [`SHORT_TEXT`] bytes to tokens, on the calling thread. The
    /// spellings of control tokens stay text.
    pub(crate) fn tokenize_short(&self, text: &str) -> Result<Vec<Token>> {
        if text.len() > SHORT_TEXT {
            return Err(Error::internal("the text is too long to be tokenised on this thread"));
        }
        let mut tokens = Vec::new();
        self.append_tokens(Span { text, parse_special: false }, false, &mut tokens)?;
        Ok(tokens)
    }

    fn append_tokens(&self, span: Span<'_>, add_special: bool, tokens: &mut Vec<Token>) -> Result<()> {
        if span.text.is_empty() {
            return Ok(());
        }
        let text_len = i32::try_from(span.text.len())
            .map_err(|_| Error::new(ErrorKind::InvalidRequest, "the text is longer than 2 GiB"))?;
        let start = tokens.len();
        // A token covers at least a byte, but for the odd prefix that a
        // tokeniser adds.
        tokens.resize(start + span.text.len() + 8, 0);
        let room = &mut tokens[start..];
        let capacity = i32::try_from(room.len()).unwrap_or(i32::MAX);
        // SAFETY: `raw` is valid for `self`'s life; the text and the buffer are
        // given with their lengths.
        let (count, error) = unsafe {
            native::with_error(|error| {
                native::zerohop_native_tokenize(
                    self.raw,
                    span.text.as_ptr().cast(),
                    text_len,
                    room.as_mut_ptr(),
                    capacity,
                    add_special,
                    span.parse_special,
                    error,
                )
            })
        };
        let count = usize::try_from(count).map_err(|_| {
            let reason = error.unwrap_or_else(|| format!("llama.cpp answered {count}"));
            Error::internal(format!("the text could not be tokenised: {reason}"))
        })?;
        tokens.truncate(start + count);
        // What a vocabulary has no token for becomes its unknown token, which it
        // may not have either.
        match tokens[start..].iter().find(|token| usize::try_from(**token).map_or(true, |token| token >= self.len())) {
            Some(_) => Err(Error::invalid("messages", "the model's vocabulary has no tokens for this text")),
            None => Ok(()),
        }
    }
}

impl FillIn {
    /// # Safety
    ///
    /// As [`Vocab::new`]; `size` is the vocabulary's size.
    unsafe fn read(raw: *const sys::llama_vocab, size: i32) -> Option<Self> {
        // SAFETY: forwarded from the caller.
        let tokens =
            unsafe { [sys::llama_vocab_fim_pre(raw), sys::llama_vocab_fim_suf(raw), sys::llama_vocab_fim_mid(raw)] };
        let [prefix, suffix, middle] = tokens;
        tokens.iter().all(|token| (0..size).contains(token)).then_some(FillIn { prefix, suffix, middle })
    }
}

impl PairMarks {
    /// # Safety
    ///
    /// As [`Vocab::new`]; `size` is the vocabulary's size.
    unsafe fn read(raw: *const sys::llama_vocab, size: i32) -> Self {
        // SAFETY: forwarded from the caller.
        unsafe {
            let known = |adds: bool, token: Token| Some(token).filter(|token| adds && (0..size).contains(token));
            let sep = sys::llama_vocab_sep(raw);
            // Without an end of its own, a vocabulary ends texts with its separator.
            let eos = Some(sys::llama_vocab_eos(raw)).filter(|eos| *eos >= 0).unwrap_or(sep);
            let start = known(sys::llama_vocab_get_add_bos(raw), sys::llama_vocab_bos(raw));
            let sep = known(sys::llama_vocab_get_add_sep(raw), sep);
            let eos = known(sys::llama_vocab_get_add_eos(raw), eos);
            PairMarks {
                start: start.into_iter().collect(),
                between: eos.into_iter().chain(sep).collect(),
                end: eos.or(sep).into_iter().collect(),
            }
        }
    }
}

/// The stack for tokenising the longest of these texts.
fn stack_for<'a>(texts: impl Iterator<Item = &'a str>) -> usize {
    let longest = texts.map(str::len).max().unwrap_or(0);
    STACK_PER_BYTE.saturating_mul(longest).saturating_add(STACK_BASE)
}

impl Pieces {
    /// # Safety
    ///
    /// As [`Vocab::new`]; `size` is the vocabulary's size.
    unsafe fn read(raw: *const sys::llama_vocab, size: i32) -> Self {
        let mut bytes = Vec::new();
        let mut starts = vec![0];
        let mut longest = 0;
        for token in 0..size {
            let before = bytes.len();
            // SAFETY: forwarded from the caller; `token` is below `size`.
            unsafe { append_piece(raw, token, false, &mut bytes) };
            longest = longest.max(bytes.len() - before);
            starts.push(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        }
        Pieces { bytes, starts, longest }
    }

    fn get(&self, token: Token) -> &[u8] {
        let Ok(index) = usize::try_from(token) else { return &[] };
        match (self.starts.get(index), self.starts.get(index + 1)) {
            (Some(&start), Some(&end)) => self.bytes.get(start as usize..end as usize).unwrap_or(&[]),
            _ => &[],
        }
    }
}

/// Appends a token's text to `bytes`.
///
/// # Safety
///
/// `raw` is a live vocabulary and `token` is below its size.
unsafe fn append_piece(raw: *const sys::llama_vocab, token: Token, special: bool, bytes: &mut Vec<u8>) {
    let mut capacity = 64i32;
    loop {
        let start = bytes.len();
        bytes.resize(start + capacity.unsigned_abs() as usize, 0);
        // SAFETY: the caller vouches for `raw` and `token`; the buffer has
        // `capacity` bytes after `start`.
        let written = unsafe {
            native::zerohop_native_token_to_piece(raw, token, bytes[start..].as_mut_ptr().cast(), capacity, special)
        };
        bytes.truncate(start + usize::try_from(written).unwrap_or(0));
        // A negative answer is the size that was needed.
        if written >= 0 || -written <= capacity {
            return;
        }
        capacity = -written;
    }
}

/// # Safety
///
/// As [`Vocab::new`]; `size` is the vocabulary's size.
unsafe fn control_tokens(raw: *const sys::llama_vocab, size: i32) -> Vec<(Token, String)> {
    let mut tokens = Vec::new();
    for token in 0..size {
        // SAFETY: forwarded from the caller; `token` is below `size`.
        let attributes = unsafe { sys::llama_vocab_get_attr(raw, token) };
        // The tokens that llama.cpp finds in text only with `parse_special`.
        if attributes & (sys::LLAMA_TOKEN_ATTR_CONTROL | sys::LLAMA_TOKEN_ATTR_UNKNOWN) == 0 {
            continue;
        }
        let mut bytes = Vec::new();
        // SAFETY: as above.
        unsafe { append_piece(raw, token, true, &mut bytes) };
        match String::from_utf8(bytes) {
            Ok(text) if !text.is_empty() => tokens.push((token, text)),
            _ => {}
        }
    }
    tokens
}
