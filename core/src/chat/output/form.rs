//! The form of an output: what llama.cpp's parser accepts, as a tree.

/// A piece of an output's form.
///
/// Alternatives and repetitions are ordered and greedy, as llama.cpp's parser
/// tries them.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Form {
    Empty,
    Literal(String),
    /// Whitespace. As much as there is when read, a limited amount when written.
    Space,
    /// Characters of a class.
    Characters {
        class: CharacterClass,
        min: u32,
        max: Option<u32>,
    },
    /// The characters inside a string in these quotes, with JSON's escapes.
    Quoted(char),
    /// Text up to the first of the delimiters, or to the end.
    Until(Vec<String>),
    /// Text that is a whole value and holds no delimiter.
    Text(TextRule),
    /// An expression of llguidance's Lark dialect.
    Lark(String),
    Sequence(Vec<Form>),
    Choice(Vec<Form>),
    Repeat {
        child: Box<Form>,
        min: u32,
        max: Option<u32>,
        /// How much was left to match when the last round began: a round that
        /// matches nothing is the last.
        stuck: Option<usize>,
    },
    /// Looks ahead for a match, or for none.
    Peek {
        child: Box<Form>,
        negated: bool,
    },
    /// A rule that contains itself.
    Rule(String),
    Marked(Mark, Box<Form>),
}

/// What a piece of an output means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Content,
    Reasoning,
    Tool,
    /// The argument for the property with this index.
    Argument(usize),
}

/// What the text of a string argument must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TextRule {
    /// A regular expression for the whole text.
    pub(super) pattern: Option<String>,
    pub(super) min_length: u64,
    pub(super) max_length: Option<u64>,
    /// What ends the text.
    pub(super) delimiter: String,
}

/// Ranges of characters, or all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CharacterClass {
    pub(super) ranges: Vec<(char, char)>,
    pub(super) negated: bool,
}

impl CharacterClass {
    pub(super) fn contains(&self, character: char) -> bool {
        self.ranges.iter().any(|(first, last)| (*first..=*last).contains(&character)) != self.negated
    }
}

impl Form {
    pub(super) fn literal(text: impl Into<String>) -> Self {
        Form::Literal(text.into())
    }

    pub(super) fn as_literal(&self) -> Option<&str> {
        if let Form::Literal(text) = self { Some(text) } else { None }
    }

    pub(super) fn optional(child: Form) -> Self {
        Form::repeat(child, 0, Some(1))
    }

    pub(super) fn repeat(child: Form, min: u32, max: Option<u32>) -> Self {
        Form::Repeat { child: Box::new(child), min, max, stuck: None }
    }

    /// Whether this or a part of it has such a mark.
    pub(super) fn has(&self, mark: Mark) -> bool {
        match self {
            Form::Marked(own, child) => *own == mark || child.has(mark),
            Form::Sequence(children) | Form::Choice(children) => children.iter().any(|child| child.has(mark)),
            Form::Repeat { child, .. } | Form::Peek { child, .. } => child.has(mark),
            _ => false,
        }
    }

    /// Whether it is nothing but whitespace, if anything.
    pub(super) fn is_space(&self) -> bool {
        match self {
            Form::Empty | Form::Space => true,
            Form::Sequence(children) | Form::Choice(children) => children.iter().all(Form::is_space),
            Form::Repeat { child, .. } | Form::Marked(_, child) => child.is_space(),
            _ => false,
        }
    }

    /// Whether nothing at all matches.
    pub(super) fn is_nullable(&self) -> bool {
        match self {
            Form::Empty | Form::Space | Form::Until(_) | Form::Quoted(_) | Form::Peek { .. } => true,
            Form::Literal(text) => text.is_empty(),
            Form::Characters { min, .. } => *min == 0,
            Form::Text(rule) => rule.pattern.is_none() && rule.min_length == 0,
            Form::Lark(_) | Form::Rule(_) => false,
            Form::Sequence(children) => children.iter().all(Form::is_nullable),
            Form::Choice(children) => children.iter().any(Form::is_nullable),
            Form::Repeat { child, min, .. } => *min == 0 || child.is_nullable(),
            Form::Marked(_, child) => child.is_nullable(),
        }
    }

    /// Whether its text goes on until what follows it begins.
    pub(super) fn has_open_end(&self) -> bool {
        match self {
            Form::Until(_) => true,
            Form::Sequence(children) => {
                let mut backwards = children.iter().rev();
                backwards
                    .by_ref()
                    .find(|child| child.has_open_end() || !child.is_nullable())
                    .is_some_and(Form::has_open_end)
            }
            Form::Choice(children) => children.iter().any(Form::has_open_end),
            Form::Repeat { child, .. } | Form::Marked(_, child) => child.has_open_end(),
            _ => false,
        }
    }

    /// Whether it ends with a look at what follows, which must be no whitespace.
    pub(super) fn refuses_space_after(&self) -> bool {
        match self {
            Form::Peek { child, negated } => !negated && !child.may_begin_with_space(),
            Form::Sequence(children) => {
                let mut backwards = children.iter().rev();
                let is_nothing = |form: &&Form| matches!(form, Form::Empty) || matches!(form, Form::Peek { .. });
                let last = backwards.find(|form| !is_nothing(form) || form.refuses_space_after());
                last.is_some_and(Form::refuses_space_after)
            }
            Form::Choice(children) => !children.is_empty() && children.iter().all(Form::refuses_space_after),
            Form::Repeat { child, min: 1.., .. } | Form::Marked(_, child) => child.refuses_space_after(),
            _ => false,
        }
    }

    fn may_begin_with_space(&self) -> bool {
        match self {
            Form::Literal(text) => text.starts_with(char::is_whitespace),
            Form::Sequence(children) => {
                children.iter().find(|form| **form != Form::Empty).is_none_or(Form::may_begin_with_space)
            }
            Form::Choice(children) => children.iter().any(Form::may_begin_with_space),
            Form::Marked(_, child) => child.may_begin_with_space(),
            _ => true,
        }
    }

    /// Whether it may begin with free text.
    pub(super) fn may_begin_with_text(&self) -> bool {
        match self {
            Form::Until(_) => true,
            Form::Sequence(children) => may_begin_with_text(children),
            Form::Choice(children) => children.iter().any(Form::may_begin_with_text),
            Form::Repeat { child, .. } | Form::Marked(_, child) => child.may_begin_with_text(),
            _ => false,
        }
    }
}

/// Whether a sequence may begin with free text.
pub(super) fn may_begin_with_text(forms: &[Form]) -> bool {
    for form in forms {
        if form.may_begin_with_text() {
            return true;
        }
        if !form.is_nullable() {
            return false;
        }
    }
    false
}

pub(super) fn all_nullable(forms: &[Form]) -> bool {
    forms.iter().all(Form::is_nullable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_ahead_may_leave_no_room_for_whitespace() {
        let peek = |child| Form::Peek { child: Box::new(child), negated: false };
        let tight = Form::Sequence(vec![Form::literal("</arg>"), peek(Form::literal("</call>")), Form::Empty]);
        assert!(tight.refuses_space_after());
        assert!(Form::Choice(vec![tight.clone(), tight.clone()]).refuses_space_after());
        assert!(!Form::Choice(vec![tight.clone(), Form::literal("x")]).refuses_space_after());
        assert!(!Form::Sequence(vec![tight, Form::literal("x")]).refuses_space_after());
        assert!(!peek(Form::Sequence(vec![Form::Space, Form::literal("</call>")])).refuses_space_after());
    }
}
