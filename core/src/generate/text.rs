//! Tokens' bytes to text that may be shown: whole characters, and never the
//! beginning of a stop text.

/// The text of one sequence on its way out.
#[derive(Debug, Default)]
pub(crate) struct TextStream {
    stops: Vec<String>,
    /// Bytes that do not make a whole character yet.
    partial: Vec<u8>,
    /// Text held back because a stop text may begin in it.
    held: String,
    /// Where in `held` bytes that are no text were replaced, and how many they were.
    replaced: Vec<(usize, usize)>,
}

/// What [`TextStream::push`] let through.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pushed {
    pub(crate) text: String,
    /// How many of the tokens' bytes it stands for: bytes that are no text are one
    /// replacement character, which has three.
    pub(crate) bytes: usize,
    /// Whether a stop text was met; nothing may be pushed after it.
    pub(super) stopped: bool,
}

impl TextStream {
    pub(crate) fn new(stops: Vec<String>) -> Self {
        TextStream { stops, ..TextStream::default() }
    }

    /// Takes the bytes of one token.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Pushed {
        self.partial.extend_from_slice(bytes);
        self.take_whole_characters();
        if let Some(at) = self.stops.iter().filter_map(|stop| self.held.find(stop.as_str())).min() {
            let pushed = self.release(at, true);
            self.held.clear();
            return pushed;
        }
        let keep = self.stops.iter().map(|stop| begun(&self.held, stop)).max().unwrap_or(0);
        self.release(self.held.len() - keep, false)
    }

    /// The text held back, once nothing can follow it. An unfinished character
    /// is dropped: half of one is no text.
    pub(super) fn finish(&mut self) -> Pushed {
        self.release(self.held.len(), false)
    }

    /// Lets the first `length` bytes of what is held through.
    fn release(&mut self, length: usize, stopped: bool) -> Pushed {
        let kept = self.held.split_off(length);
        let text = std::mem::replace(&mut self.held, kept);
        let mut bytes = length;
        self.replaced.retain_mut(|(at, count)| {
            if *at < length {
                bytes = bytes + *count - char::REPLACEMENT_CHARACTER.len_utf8();
                return false;
            }
            *at -= length;
            true
        });
        Pushed { text, bytes, stopped }
    }

    /// Moves whole characters from `partial` to `held`; bytes that can never
    /// become one are replaced as `String::from_utf8_lossy` does.
    fn take_whole_characters(&mut self) {
        let mut bytes = self.partial.as_slice();
        loop {
            match std::str::from_utf8(bytes) {
                Ok(text) => {
                    self.held.push_str(text);
                    self.partial.clear();
                    return;
                }
                Err(error) => {
                    let (whole, rest) = bytes.split_at(error.valid_up_to());
                    self.held.push_str(&String::from_utf8_lossy(whole));
                    let Some(length) = error.error_len() else {
                        self.partial = rest.to_vec();
                        return;
                    };
                    self.replaced.push((self.held.len(), length));
                    self.held.push(char::REPLACEMENT_CHARACTER);
                    bytes = &rest[length..];
                }
            }
        }
    }
}

/// The length of the longest end of `text` that `stop` begins with.
fn begun(text: &str, stop: &str) -> usize {
    (1..stop.len().min(text.len() + 1))
        .rev()
        .find(|&length| stop.is_char_boundary(length) && text.ends_with(&stop[..length]))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(stops: &[&str]) -> TextStream {
        TextStream::new(stops.iter().map(|&stop| stop.to_owned()).collect())
    }

    fn pushed(text: &str, stopped: bool) -> Pushed {
        Pushed { text: text.to_owned(), bytes: text.len(), stopped }
    }

    #[test]
    fn a_character_is_never_split() {
        // CS8
        let mut stream = stream(&[]);
        let euro = "€".as_bytes();
        assert_eq!(stream.push(&euro[..1]), pushed("", false));
        assert_eq!(stream.push(&euro[1..2]), pushed("", false));
        assert_eq!(stream.push(&euro[2..]), pushed("€", false));
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        let mut stream = stream(&[]);
        let replaced = |text: &str, bytes| Pushed { text: text.to_owned(), bytes, stopped: false };
        assert_eq!(stream.push(b"a\xffb\xe2"), replaced("a\u{fffd}b", 3));
        assert_eq!(stream.push(b"c"), replaced("\u{fffd}c", 2));
        assert_eq!(stream.push(b"\xf0\x9f\x92x"), replaced("\u{fffd}x", 4));
        stream.push(b"\xe2\x82");
        assert_eq!(stream.finish(), pushed("", false));
    }

    #[test]
    fn replaced_bytes_are_counted_where_they_stand() {
        let mut stream = stream(&["END"]);
        let of = |text: &str, bytes, stopped| Pushed { text: text.to_owned(), bytes, stopped };
        assert_eq!(stream.push(b"\xff\xffE"), of("\u{fffd}\u{fffd}", 2, false));
        assert_eq!(stream.push(b"x\xffEN"), of("Ex\u{fffd}", 3, false));
        assert_eq!(stream.push(b"D\xff"), of("", 0, true));
    }

    #[test]
    fn a_stop_text_is_held_back_and_cut() {
        // CQ10, CS8
        let mut stream = stream(&["END", "E!"]);
        assert_eq!(stream.push(b"one E"), pushed("one ", false));
        assert_eq!(stream.push(b"N"), pushed("", false));
        assert_eq!(stream.push(b"x EN"), pushed("ENx ", false));
        assert_eq!(stream.push(b"D tail"), pushed("", true));
    }

    #[test]
    fn the_earliest_stop_text_wins() {
        let mut stream = stream(&["cd", "bc"]);
        assert_eq!(stream.push(b"abcd"), pushed("a", true));
    }

    #[test]
    fn text_held_back_comes_out_at_the_end() {
        let mut stream = stream(&["\n\n"]);
        assert_eq!(stream.push(b"x\n"), pushed("x", false));
        assert_eq!(stream.finish(), pushed("\n", false));
    }

    #[test]
    fn stop_texts_of_several_bytes_a_character() {
        let mut stream = stream(&["€€"]);
        assert_eq!(stream.push("a€".as_bytes()), pushed("a", false));
        assert_eq!(stream.push("b".as_bytes()), pushed("€b", false));
        assert_eq!(stream.push("€€".as_bytes()), pushed("", true));
    }
}
