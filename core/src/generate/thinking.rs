//! Counting the tokens of a model's thoughts (CR14).

/// How a model marks its thoughts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ThinkingMarks {
    /// What begins them, such as `<think>`.
    pub(crate) start: String,
    /// What ends them.
    pub(crate) ends: Vec<String>,
    /// Whether the prompt has begun them already.
    pub(crate) open: bool,
}

/// Counts the tokens between the marks, these included.
#[derive(Debug)]
pub(super) struct ThinkingCounter {
    marks: ThinkingMarks,
    state: State,
    /// The newest text, as far as a mark may begin in it.
    text: String,
    /// Tokens that are counted if the text turns out to begin a mark.
    undecided: usize,
    counted: usize,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Before,
    Inside,
    After,
}

impl ThinkingCounter {
    pub(super) fn new(marks: ThinkingMarks) -> Self {
        let state = if marks.open { State::Inside } else { State::Before };
        ThinkingCounter { marks, state, text: String::new(), undecided: 0, counted: 0 }
    }

    /// Takes the text of one token.
    pub(super) fn push(&mut self, piece: &[u8]) {
        if self.state == State::After {
            return;
        }
        self.text.push_str(&String::from_utf8_lossy(piece));
        if self.state == State::Before {
            self.undecided += 1;
            let begun = self.text.trim_start();
            if begun.starts_with(&self.marks.start) {
                self.state = State::Inside;
                self.counted = std::mem::take(&mut self.undecided);
            } else if !self.marks.start.starts_with(begun) {
                self.state = State::After;
            }
            return;
        }
        self.counted += 1;
        if self.marks.ends.iter().any(|end| self.text.contains(end.as_str())) {
            self.state = State::After;
        } else {
            self.forget_all_but(self.marks.ends.iter().map(String::len).max().unwrap_or(0));
        }
    }

    /// The tokens counted so far.
    pub(super) fn tokens(&self) -> usize {
        self.counted
    }

    /// Keeps the newest text of this many bytes, in which an end may begin.
    fn forget_all_but(&mut self, bytes: usize) {
        let mut from = self.text.len().saturating_sub(bytes);
        while !self.text.is_char_boundary(from) {
            from -= 1;
        }
        self.text.drain(..from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(open: bool, pieces: &[&str]) -> usize {
        let marks = ThinkingMarks { start: "<think>".to_owned(), ends: vec!["</think>".to_owned()], open };
        let mut counter = ThinkingCounter::new(marks);
        pieces.iter().for_each(|piece| counter.push(piece.as_bytes()));
        counter.tokens()
    }

    #[test]
    fn thoughts_are_counted_with_their_marks() {
        // CR14
        assert_eq!(count(false, &["\n", "<th", "ink>", "hm", "</thi", "nk>", "Hello", "</think>"]), 6);
        assert_eq!(count(true, &["hm", "</think>", "Hello"]), 2);
        assert_eq!(count(true, &["hm ", "and on"]), 2);
    }

    #[test]
    fn an_answer_without_thoughts_has_none() {
        assert_eq!(count(false, &["<th", "e> ", "<think>"]), 0);
        assert_eq!(count(false, &["Hello"]), 0);
    }
}
