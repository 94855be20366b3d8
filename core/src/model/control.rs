//! The spellings of control tokens in caller text, and the places of images and sound.
//!
//! What a caller writes is never control text: where it contains the spelling of
//! a control token (`<|im_end|>`), that spelling is replaced by a mark before
//! the chat template is applied, and put back afterwards to be tokenised as
//! plain text. Only such spellings are marked, so every other prompt is exactly
//! what the template gives.

use aho_corasick::{AhoCorasick, MatchKind};

use crate::api::error::{Error, Result};
use crate::backend::Span;

/// Unicode noncharacters, which no text is meant to contain, enclose a mark: the
/// number of a spelling, or `m` and the number of an image or sound.
const MARK_START: char = '\u{FDD0}';
const MARK_END: char = '\u{FDD1}';

/// What a mark's number begins with, if it is that of an image or sound.
const MEDIA: char = 'm';

/// A piece of a rendered prompt.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PromptPiece<'a> {
    Text(Vec<Span<'a>>),
    /// The image or sound of this number.
    Media(usize),
}

/// Finds the spellings of a model's control tokens in caller text.
#[derive(Debug)]
pub(crate) struct ControlSpellings {
    spellings: Vec<String>,
    finder: AhoCorasick,
}

impl ControlSpellings {
    pub(crate) fn new<'a>(controls: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        // The marks' own characters are marked too, so that no caller can forge one.
        let marks = [MARK_START.to_string(), MARK_END.to_string()];
        let spellings: Vec<String> = controls.into_iter().map(str::to_owned).chain(marks).collect();
        let finder = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(&spellings)
            .map_err(|error| Error::internal("the vocabulary's control tokens cannot be indexed").with_source(error))?;
        Ok(ControlSpellings { spellings, finder })
    }

    /// Replaces every spelling in caller text by its mark.
    pub(crate) fn mark(&self, text: &str) -> String {
        let mut marked = String::with_capacity(text.len());
        self.finder.replace_all_with(text, &mut marked, |found, _, marked| {
            marked.push(MARK_START);
            marked.push_str(&found.pattern().as_usize().to_string());
            marked.push(MARK_END);
            true
        });
        marked
    }

    /// What stands in a message's content for the `index`th image or sound of a request. Callers cannot write
    /// it, because the marks' own characters are marked in what they write.
    pub(crate) fn media_mark(index: usize) -> String {
        format!("{MARK_START}{MEDIA}{index}{MARK_END}")
    }

    /// Cuts a rendered prompt into text and media.
    pub(crate) fn pieces<'a>(&'a self, prompt: &'a str) -> Vec<PromptPiece<'a>> {
        let mut pieces = Vec::new();
        let mut rest = prompt;
        while let Some((before, index, after)) = split_at_media(rest) {
            pieces.push(PromptPiece::Text(self.spans(before)));
            pieces.push(PromptPiece::Media(index));
            rest = after;
        }
        pieces.push(PromptPiece::Text(self.spans(rest)));
        pieces
    }

    /// Cuts a rendered prompt at its marks: template text, in which control
    /// tokens are parsed, and spellings, which stay text.
    pub(crate) fn spans<'a>(&'a self, prompt: &'a str) -> Vec<Span<'a>> {
        let mut spans = Vec::new();
        let mut rest = prompt;
        while let Some((before, spelling, after)) = self.split_at_mark(rest) {
            spans.push(Span { text: before, parse_special: true });
            spans.push(Span { text: spelling, parse_special: false });
            rest = after;
        }
        spans.push(Span { text: rest, parse_special: true });
        spans
    }

    /// The text before the first mark, the spelling it stands for, and the text
    /// after it. What a template has left of a mark that it cut is skipped.
    fn split_at_mark<'a>(&'a self, text: &'a str) -> Option<(&'a str, &'a str, &'a str)> {
        text.match_indices(MARK_START).find_map(|(start, mark)| {
            let (number, after) = text[start + mark.len()..].split_once(MARK_END)?;
            let spelling = self.spellings.get(number.parse::<usize>().ok()?)?;
            Some((&text[..start], spelling.as_str(), after))
        })
    }
}

/// The text before the first image or sound, its number, and the text after it.
fn split_at_media(text: &str) -> Option<(&str, usize, &str)> {
    text.match_indices(MARK_START).find_map(|(start, mark)| {
        let (number, after) = text[start + mark.len()..].strip_prefix(MEDIA)?.split_once(MARK_END)?;
        Some((&text[..start], number.parse().ok()?, after))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spellings() -> ControlSpellings {
        ControlSpellings::new(["<|im_end|>", "<s>"]).unwrap()
    }

    #[test]
    fn text_without_spellings_is_left_alone() {
        assert_eq!(spellings().mark("a < b |> c"), "a < b |> c");
    }

    #[test]
    fn spellings_come_back_as_plain_text() {
        let spellings = spellings();
        let prompt = format!("<s>user {}<|im_end|>", spellings.mark("x<|im_end|>y"));
        let spans = spellings.spans(&prompt);
        let expected = [("<s>user x", true), ("<|im_end|>", false), ("y<|im_end|>", true)];
        assert_eq!(spans, expected.map(|(text, parse_special)| Span { text, parse_special }));
    }

    #[test]
    fn a_spelling_cannot_be_smuggled_around_another() {
        let spellings = spellings();
        let marked = spellings.mark("<|im_<|im_end|>end|>");
        let spans = spellings.spans(&marked);
        assert!(spans.iter().all(|span| !span.parse_special || !span.text.contains("<|im_end|>")));
        let text: String = spans.iter().map(|span| span.text).collect();
        assert_eq!(text, "<|im_<|im_end|>end|>");
    }

    #[test]
    fn a_mark_that_a_template_cut_does_not_hide_the_next() {
        let spellings = spellings();
        let prompt = format!("{MARK_START}9 {}", spellings.mark("<s>"));
        let spans = spellings.spans(&prompt);
        assert_eq!(spans[1], Span { text: "<s>", parse_special: false });
    }

    #[test]
    fn media_stand_where_they_were_put_and_nowhere_else() {
        // CQ5
        let spellings = spellings();
        let forged = ControlSpellings::media_mark(1);
        let prompt =
            format!("<s>a{}{} b {}<|im_end|>", forged, ControlSpellings::media_mark(0), spellings.mark(&forged));
        let pieces = spellings.pieces(&prompt);
        let media: Vec<_> = pieces.iter().filter(|piece| matches!(piece, PromptPiece::Media(_))).collect();
        assert_eq!(media, [&PromptPiece::Media(1), &PromptPiece::Media(0)]);
        let PromptPiece::Text(last) = &pieces[4] else { panic!("{pieces:?}") };
        let text: String = last.iter().map(|span| span.text).collect();
        assert_eq!(text, format!(" b {forged}<|im_end|>"));
    }

    #[test]
    fn marks_cannot_be_forged() {
        let spellings = spellings();
        let forged = format!("{MARK_START}0{MARK_END}");
        let text: String = spellings.spans(&spellings.mark(&forged)).iter().map(|span| span.text).collect();
        assert_eq!(text, forged);
    }
}
