//! What remains of a form once text has been matched.

use std::collections::BTreeMap;

use super::form::{Form, may_begin_with_text};

/// Rules that contain themselves.
pub(super) type Rules = BTreeMap<String, Form>;

/// How many rules in rules are followed to find out how a form begins.
const MAX_DEPTH: usize = 8;

/// The sequences that may follow `text` in `forms`; none when it cannot begin so.
pub(super) fn derive(rules: &Rules, forms: &[Form], text: &str) -> Vec<Vec<Form>> {
    let mut all = Vec::new();
    for forms in (Deriver { rules, entered: Vec::new() }).derive(forms, text) {
        if !all.contains(&forms) {
            all.push(forms);
        }
    }
    all
}

#[derive(Clone)]
struct Deriver<'a> {
    rules: &'a Rules,
    /// The rules that were entered, each with how much was left to match: none is
    /// entered again before something has been.
    entered: Vec<(&'a str, usize)>,
}

impl Deriver<'_> {
    fn derive(&self, forms: &[Form], text: &str) -> Vec<Vec<Form>> {
        if text.is_empty() {
            return vec![forms.to_vec()];
        }
        let Some((head, rest)) = forms.split_first() else { return Vec::new() };
        match head {
            Form::Empty => self.derive(rest, text),
            Form::Literal(literal) => match (literal.strip_prefix(text), text.strip_prefix(literal.as_str())) {
                (Some(left), _) if !left.is_empty() => vec![joined([Form::literal(left)], rest)],
                (_, Some(text)) => self.derive(rest, text),
                _ => Vec::new(),
            },
            Form::Space => {
                let left = text.trim_start_matches(|character: char| character.is_ascii_whitespace());
                if left.is_empty() { vec![joined([Form::Space], rest)] } else { self.derive(rest, left) }
            }
            Form::Characters { class, min, max } => {
                let limit = max.map_or(usize::MAX, |max| max as usize);
                let matched = text.chars().take(limit).take_while(|character| class.contains(*character)).count();
                let left = &text[text.chars().take(matched).map(char::len_utf8).sum()..];
                let matched = u32::try_from(matched).unwrap_or(u32::MAX);
                let min = min.saturating_sub(matched);
                if left.is_empty() {
                    let max = max.map(|max| max - matched);
                    vec![joined([Form::Characters { class: class.clone(), min, max }], rest)]
                } else if min == 0 {
                    self.derive(rest, left)
                } else {
                    Vec::new()
                }
            }
            Form::Until(delimiters) => match delimiters.iter().filter_map(|delimiter| text.find(delimiter)).min() {
                Some(end) => self.derive(rest, &text[end..]),
                None => vec![forms.to_vec()],
            },
            Form::Sequence(children) => self.derive(&joined(children.iter().cloned(), rest), text),
            Form::Choice(children) => {
                children.iter().flat_map(|child| self.derive(&joined([child.clone()], rest), text)).collect()
            }
            Form::Repeat { child, min, max, stuck } => self.repeat(child, *min, *max, *stuck, rest, text),
            Form::Peek { child, negated } => {
                let passes = if *negated { !self.begins(child, text) } else { self.may_begin(child, text) };
                if passes { self.derive(rest, text) } else { Vec::new() }
            }
            Form::Marked(_, child) => self.derive(&joined([(**child).clone()], rest), text),
            Form::Rule(name) => match self.rules.get_key_value(name) {
                Some((name, rule)) if !self.entered.contains(&(name, text.len())) => {
                    let mut inner = self.clone();
                    inner.entered.push((name, text.len()));
                    inner.derive(&joined([rule.clone()], rest), text)
                }
                _ => Vec::new(),
            },
            // Nothing that is derived by begins inside a value.
            Form::Quoted(_) | Form::Text(_) | Form::Lark(_) => Vec::new(),
        }
    }

    fn repeat(
        &self,
        child: &Form,
        min: u32,
        max: Option<u32>,
        stuck: Option<usize>,
        rest: &[Form],
        text: &str,
    ) -> Vec<Vec<Form>> {
        if max == Some(0) || stuck == Some(text.len()) {
            return self.derive(rest, text);
        }
        let again = Form::Repeat {
            child: Box::new(child.clone()),
            min: min.saturating_sub(1),
            max: max.map(|max| max - 1),
            stuck: Some(text.len()),
        };
        let mut more = self.derive(&joined([child.clone(), again], rest), text);
        // Text would take anything, also what the round has taken.
        if min == 0 && (more.is_empty() || !may_begin_with_text(rest)) {
            more.extend(self.derive(rest, text));
        }
        more
    }

    /// Whether the form matches a beginning of the text, or more than the text.
    fn may_begin(&self, form: &Form, text: &str) -> bool {
        !self.derive(&[form.clone(), Form::Until(Vec::new())], text).is_empty()
    }

    /// Whether the form matches a beginning of the text.
    fn begins(&self, form: &Form, text: &str) -> bool {
        let anything = Form::Until(Vec::new());
        self.derive(&[form.clone(), anything.clone()], text).contains(&vec![anything])
    }
}

fn joined(first: impl IntoIterator<Item = Form>, rest: &[Form]) -> Vec<Form> {
    first.into_iter().chain(rest.iter().cloned()).collect()
}

/// How a sequence begins: literals with optional whitespace between them, one of
/// which it begins with; `None` when it may begin otherwise. `at_least` is how long
/// their literals are to be where that is possible.
pub(super) fn beginnings(rules: &Rules, forms: &[Form], at_least: usize) -> Option<Vec<Vec<Form>>> {
    /// Enough for the tools of a request, few enough for a regular expression.
    const MOST: usize = 256;

    let mut done: Vec<Vec<Form>> = Vec::new();
    let mut open = vec![(Beginning::default(), forms.to_vec(), MAX_DEPTH)];
    while let Some((beginning, forms, depth)) = open.pop() {
        let head = forms.split_first().filter(|_| {
            let is_long = beginning.length >= at_least && beginning.length > 0;
            !is_long && done.len() + open.len() <= MOST
        });
        let Some((head, rest)) = head else {
            beginning.add_to(&mut done)?;
            continue;
        };
        let mut push = |beginning: &Beginning, first: Vec<Form>, depth: usize| {
            open.push((beginning.clone(), joined(first, rest), depth));
        };
        match head {
            Form::Empty | Form::Peek { .. } => push(&beginning, Vec::new(), depth),
            Form::Literal(literal) => push(&beginning.with_literal(literal), Vec::new(), depth),
            Form::Space => push(&beginning.with_space(), Vec::new(), depth),
            Form::Sequence(children) => push(&beginning, children.clone(), depth),
            Form::Choice(children) => children.iter().for_each(|child| push(&beginning, vec![child.clone()], depth)),
            Form::Marked(_, child) => push(&beginning, vec![(**child).clone()], depth),
            Form::Repeat { child, min, .. } => {
                push(&beginning, vec![(**child).clone()], depth);
                if *min == 0 {
                    push(&beginning, Vec::new(), depth);
                }
            }
            Form::Rule(name) => match (rules.get(name), depth.checked_sub(1)) {
                (Some(rule), Some(depth)) => push(&beginning, vec![rule.clone()], depth),
                _ => return None,
            },
            _ => beginning.add_to(&mut done)?,
        }
    }
    Some(done)
}

/// The beginning of a sequence, as far as it is known.
#[derive(Debug, Clone, Default)]
struct Beginning {
    /// Literals with whitespace between them.
    forms: Vec<Form>,
    /// The length of the literals, in bytes.
    length: usize,
}

impl Beginning {
    fn with_literal(&self, literal: &str) -> Self {
        let mut longer = self.clone();
        longer.length += literal.len();
        match longer.forms.last_mut() {
            _ if literal.is_empty() => {}
            Some(Form::Literal(text)) => text.push_str(literal),
            _ => longer.forms.push(Form::literal(literal)),
        }
        longer
    }

    fn with_space(&self) -> Self {
        let mut longer = self.clone();
        // Leading whitespace is left to those who ask.
        if longer.forms.last().is_some_and(|form| *form != Form::Space) {
            longer.forms.push(Form::Space);
        }
        longer
    }

    /// `None` when nothing is known of it.
    fn add_to(mut self, all: &mut Vec<Vec<Form>>) -> Option<()> {
        if self.forms.last() == Some(&Form::Space) {
            self.forms.pop();
        }
        if !all.contains(&self.forms) {
            all.push(self.forms);
        }
        (self.length > 0).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn derive_one(forms: &[Form], text: &str) -> Vec<Form> {
        let mut all = derive(&Rules::new(), forms, text);
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    #[test]
    fn a_generation_prompt_opens_the_thoughts() {
        let until = Form::Until(vec!["</think>".to_owned()]);
        let thoughts = Form::Sequence(vec![Form::literal("<think>"), Form::Space, until.clone()]);
        let forms = [Form::literal("<|assistant|>"), Form::optional(thoughts), Form::Until(Vec::new())];
        assert_eq!(
            derive_one(&forms, "<|assistant|><think>\n"),
            [
                Form::Space,
                until,
                Form::Repeat {
                    child: Box::new(match &forms[1] {
                        Form::Repeat { child, .. } => (**child).clone(),
                        _ => unreachable!(),
                    }),
                    min: 0,
                    max: Some(0),
                    stuck: Some("<think>\n".len())
                },
                Form::Until(Vec::new())
            ]
        );
    }

    #[test]
    fn text_ends_at_its_delimiter() {
        let forms = [Form::Until(vec!["<c>".to_owned()]), Form::literal("<c>{")];
        assert_eq!(derive_one(&forms, "abc<c>"), [Form::literal("{")]);
        assert_eq!(derive_one(&forms, "abc"), forms);
    }

    #[test]
    fn rounds_that_match_nothing_end_a_repetition() {
        let forms = [Form::repeat(Form::optional(Form::literal("a")), 0, None), Form::literal("b")];
        assert_eq!(derive_one(&forms, "aab"), []);
    }

    #[test]
    fn negative_lookahead_refuses() {
        let peek = Form::Peek { child: Box::new(Form::literal("<think>")), negated: true };
        assert!(derive(&Rules::new(), &[peek.clone(), Form::Until(Vec::new())], "<think>x").is_empty());
        assert!(!derive(&Rules::new(), &[peek, Form::Until(Vec::new())], "x").is_empty());
    }

    #[test]
    fn beginnings_go_on_to_what_is_no_literal() {
        let forms = [Form::Space, Form::literal("{"), Form::Space, Form::literal("\"name\""), Form::Space, value()];
        let all = beginnings(&Rules::new(), &forms, 20).unwrap();
        assert_eq!(all, [[Form::literal("{"), Form::Space, Form::literal("\"name\"")]]);
        assert_eq!(beginnings(&Rules::new(), &forms, 1).unwrap(), [[Form::literal("{")]]);
        assert_eq!(beginnings(&Rules::new(), &[Form::Until(Vec::new())], 1), None);
        assert_eq!(beginnings(&Rules::new(), &[Form::optional(Form::literal("a"))], 1), None);
    }

    fn value() -> Form {
        Form::Lark(String::new())
    }
}
