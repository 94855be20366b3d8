//! Images and sound in a prompt: where they stand among its tokens, and which positions that makes.

use std::ops::Range;
use std::sync::Arc;

use crate::api::error::Result;
use crate::backend::{Rows, Token};
use crate::media::{Media, MediaRows, Part};

/// A prompt under construction, or without media.
#[derive(Debug, Clone, Default)]
pub(crate) struct Prompt {
    /// One for each cell of the KV cache: where media stand, their number.
    pub(crate) tokens: Vec<Token>,
    pub(crate) media: PromptMedia,
}

/// What stands in a prompt beside tokens.
#[derive(Debug, Clone, Default)]
pub(crate) struct PromptMedia {
    rows: Vec<Arc<MediaRows>>,
    /// Where each of them stands.
    pub(super) layout: Layout,
}

/// Where media stand in a sequence, without what they are.
#[derive(Debug, Clone, Default)]
pub(super) struct Layout(Vec<Span>);

/// Where the rows of one image or sound stand.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: usize,
    count: usize,
    /// How many positions they take: where rows are in a plane, fewer than there are rows.
    positions: usize,
}

/// What comes next of a sequence.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Tokens, to this index.
    Tokens(usize),
    /// Some of the rows that are numbered so in the prompt; all that are left, if they have to be computed
    /// together.
    Rows { index: usize, range: Range<usize>, together: bool },
}

impl From<Vec<Token>> for Prompt {
    fn from(tokens: Vec<Token>) -> Self {
        Prompt { tokens, media: PromptMedia::default() }
    }
}

impl Prompt {
    /// Adds an image or sound at the end.
    pub(crate) fn push(&mut self, media: &Media) {
        for part in &media.parts {
            match part {
                Part::Tokens(tokens) => self.tokens.extend(tokens),
                Part::Rows(rows) => {
                    let (start, count) = (self.tokens.len(), rows.shape.count);
                    self.media.layout.0.push(Span { start, count, positions: rows.shape.positions });
                    self.media.rows.push(rows.clone());
                    self.tokens.resize(start + count, rows.number);
                }
            }
        }
    }
}

impl PromptMedia {
    /// How many of the prompt's tokens are sound.
    pub(super) fn sound_tokens(&self) -> usize {
        self.rows.iter().filter(|rows| rows.is_sound).map(|rows| rows.shape.count).sum()
    }

    /// Whether all that stands in the prompt is computed.
    pub(super) fn is_encoded(&self) -> bool {
        self.rows.iter().all(|rows| rows.is_encoded())
    }

    /// Computes the first of what is not computed yet; false if all is.
    pub(super) fn encode_next(&self) -> Result<bool> {
        match self.rows.iter().find(|rows| !rows.is_encoded()) {
            None => Ok(false),
            Some(rows) => rows.encode().map(|()| true),
        }
    }

    /// What comes from the token `start` on, of `end`.
    pub(super) fn next(&self, start: usize, end: usize) -> Next {
        let ahead = self.layout.0.partition_point(|span| span.start + span.count <= start);
        match self.layout.0.get(ahead) {
            Some(span) if span.start <= start => Next::Rows {
                index: ahead,
                range: start - span.start..span.count,
                together: !self.rows[ahead].shape.is_causal,
            },
            Some(span) => Next::Tokens(span.start.min(end)),
            None => Next::Tokens(end),
        }
    }

    /// Rows as the sequence `id` computes them.
    pub(super) fn rows(&self, index: usize, range: Range<usize>, id: i32) -> Rows<'_> {
        let rows = &self.rows[index];
        let start = self.layout.position(self.layout.0[index].start);
        Rows {
            floats: rows.floats(range.clone()),
            count: range.len(),
            positions: rows.shape.positions(start, range),
            sequence: id,
            is_causal: rows.shape.is_causal,
        }
    }
}

impl Layout {
    /// The position of the token at an index that is not inside of media.
    pub(super) fn position(&self, index: usize) -> usize {
        let before = self.0.iter().take_while(|span| span.start + span.count <= index);
        index - before.map(|span| span.count - span.positions.min(span.count)).sum::<usize>()
    }

    /// The greatest index up to `index` that is not inside of media.
    pub(super) fn floor(&self, index: usize) -> usize {
        let inside = self.0.iter().find(|span| span.start < index && index < span.start + span.count);
        inside.map_or(index, |span| span.start)
    }

    /// How many of so many tokens come before all media.
    pub(super) fn text(&self, tokens: usize) -> usize {
        self.0.first().map_or(tokens, |span| span.start.min(tokens))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> Layout {
        Layout(vec![Span { start: 3, count: 6, positions: 3 }, Span { start: 9, count: 4, positions: 4 }])
    }

    #[test]
    fn rows_in_a_plane_take_fewer_positions() {
        let positions: Vec<usize> = [0, 3, 9, 13, 14].map(|index| layout().position(index)).into();
        assert_eq!(positions, [0, 3, 6, 10, 11]);
        assert_eq!(Layout::default().position(5), 5);
    }

    #[test]
    fn media_are_never_cut() {
        let floors: Vec<usize> = [2, 3, 4, 8, 9, 10, 13, 20].map(|index| layout().floor(index)).into();
        assert_eq!(floors, [2, 3, 3, 3, 9, 9, 13, 20]);
        assert_eq!((layout().text(2), layout().text(7), Layout::default().text(7)), (2, 3, 7));
    }
}
