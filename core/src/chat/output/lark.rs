//! From a form to a grammar in llguidance's Lark dialect.
//!
//! llguidance cuts text into lexemes before it looks at rules, and takes the
//! longest one. So what is regular is written as one lexeme, as far as it goes;
//! text that ends at a delimiter is a lazy lexeme that includes the delimiter;
//! and text beside something that begins with a literal must not begin with it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::derive::{Rules, beginnings, derive};
use super::form::{Form, TextRule, all_nullable, may_begin_with_text};
use super::regex::{ANYTHING, between_slashes, escape, regex_of};
use crate::api::error::{Error, Result};
use crate::backend::Token;

/// A grammar has no more rules than this.
const MAX_RULES: usize = 20_000;

/// How much of a literal keeps free text apart from it.
const BEGINNING: usize = 16;

/// An expression; `None` when nothing matches.
type Expression = Option<String>;

/// Writes a grammar's rules.
pub(super) struct Writer<'a> {
    rules: Rules,
    /// The spellings of control tokens, which never appear as ordinary text.
    controls: &'a [(Token, String)],
    lark: String,
    /// Names by what they stand for.
    names: BTreeMap<String, String>,
    /// The names of rules for rounds before free text, by the rounds and the text.
    loops: BTreeMap<String, String>,
    /// The names of rules for what follows free text, which may lead back to it.
    followings: BTreeMap<String, String>,
    count: usize,
}

impl<'a> Writer<'a> {
    pub(super) fn new(controls: &'a [(Token, String)]) -> Self {
        Writer {
            rules: Rules::new(),
            controls,
            lark: String::new(),
            names: BTreeMap::new(),
            loops: BTreeMap::new(),
            followings: BTreeMap::new(),
            count: 0,
        }
    }

    /// An expression for any of these sequences.
    pub(super) fn any_of(&mut self, rules: Rules, sequences: Vec<Vec<Form>>) -> Result<Expression> {
        self.rules = rules;
        self.names.retain(|key, _| !key.starts_with("rule "));
        self.loops.clear();
        self.followings.clear();
        self.alternatives(sequences, &[])
    }

    pub(super) fn finish(mut self, start: &str) -> String {
        let _ = writeln!(self.lark, "start: {}", or_nothing(start));
        self.lark
    }

    /// The name of a rule or terminal with this definition.
    fn define(&mut self, kind: &str, attributes: &str, definition: &str) -> Result<String> {
        let key = format!("{kind}{attributes} {definition}");
        if let Some(name) = self.names.get(&key) {
            return Ok(name.clone());
        }
        let name = self.new_name(kind)?;
        let _ = writeln!(self.lark, "{name}{attributes}: {definition}");
        self.names.insert(key, name.clone());
        Ok(name)
    }

    fn new_name(&mut self, kind: &str) -> Result<String> {
        self.count += 1;
        if self.count > MAX_RULES {
            return Err(Error::invalid("tools", "the tools of this request are too many or too complex"));
        }
        Ok(format!("{kind}{}", self.count))
    }

    fn alternatives(&mut self, sequences: Vec<Vec<Form>>, not: &[String]) -> Result<Expression> {
        let sequences = deduplicated(sequences);
        let begins: Vec<String> = sequences
            .iter()
            .filter(|forms| !may_begin_with_text(forms))
            .flat_map(|forms| beginnings(&self.rules, forms, BEGINNING).unwrap_or_default())
            .filter_map(|beginning| regex_of(&Form::Sequence(beginning)))
            .collect();
        let mut written: Vec<String> = Vec::new();
        for forms in &sequences {
            let expression = if may_begin_with_text(forms) {
                let not: Vec<String> = not.iter().chain(&begins).cloned().collect();
                self.sequence(forms, &not)?
            } else {
                self.sequence(forms, &[])?
            };
            written.extend(expression.filter(|expression| !written.contains(expression)));
        }
        Ok(any(&written))
    }

    /// An expression for forms one after another. Free text at their beginning
    /// must not begin with any of `not`, which are regular expressions.
    fn sequence(&mut self, forms: &[Form], not: &[String]) -> Result<Expression> {
        let forms = flattened(forms);
        let Some((head, rest)) = forms.split_first() else { return Ok(Some(String::new())) };
        if is_space(head) && may_begin_with_text(rest) {
            // The text takes it.
            return self.sequence(rest, not);
        }
        match head {
            Form::Until(delimiters) => self.text(delimiters, rest, not),
            Form::Text(rule) => self.ruled_text(rule, rest),
            Form::Lark(expression) if expression.starts_with('%') => {
                let value = self.define("v", "", expression)?;
                Ok(joined(&value, self.sequence(rest, not)?))
            }
            Form::Lark(expression) => Ok(joined(expression, self.sequence(rest, not)?)),
            Form::Rule(name) => {
                let rule = self.rule(name)?;
                Ok(joined(&rule, self.sequence(rest, not)?))
            }
            Form::Choice(_) | Form::Repeat { .. } if self.lexeme(head).is_none() || may_begin_with_text(rest) => {
                self.branches(head, rest, not)
            }
            _ => self.lexemes(&forms, not),
        }
    }

    /// A choice or repetition that is more than a lexeme.
    fn branches(&mut self, head: &Form, rest: &[Form], not: &[String]) -> Result<Expression> {
        let continued = |first: &[Form]| [first, rest].concat();
        let text_follows = may_begin_with_text(rest);
        match head {
            Form::Choice(children) => {
                let nullable = children.iter().any(Form::is_nullable);
                if !rest.is_empty() && (children.iter().any(Form::has_open_end) || nullable && text_follows) {
                    let all = children.iter().map(|child| continued(std::slice::from_ref(child))).collect();
                    return self.alternatives(all, not);
                }
                match self.alternatives(children.iter().map(|child| vec![child.clone()]).collect(), not)? {
                    Some(choice) => Ok(joined(&choice, self.sequence(rest, &[])?)),
                    None => Ok(None),
                }
            }
            Form::Repeat { max: Some(0), .. } => self.sequence(rest, not),
            Form::Repeat { child, min, max, .. } if !child.has_open_end() && (*min > 0 || !text_follows) => {
                let Some(round) = self.sequence(std::slice::from_ref(child), not)? else {
                    return if *min == 0 { self.sequence(rest, not) } else { Ok(None) };
                };
                let rounds = match (min, max) {
                    _ if round.is_empty() => String::new(),
                    (1, Some(1)) => round,
                    (0, Some(1)) => format!("({round})?"),
                    (0, None) => format!("({round})*"),
                    (1, None) => format!("({round})+"),
                    (min, None) => format!("({round}){{{min},}}"),
                    (min, Some(max)) => format!("({round}){{{min},{max}}}"),
                };
                Ok(joined(&rounds, self.sequence(rest, &[])?))
            }
            Form::Repeat { child, min: 1.., max, .. } => {
                let Form::Repeat { min, .. } = head else { return Ok(None) };
                let again = Form::repeat((**child).clone(), min - 1, max.map(|max| max - 1));
                self.sequence(&continued(&[(**child).clone(), again]), not)
            }
            Form::Repeat { child, max: Some(max), .. } => {
                let again = Form::repeat((**child).clone(), 0, Some(max - 1));
                let more = continued(&[(**child).clone(), again]);
                // What may be empty covers that there is none.
                let all = if child.is_nullable() { vec![more] } else { vec![more, rest.to_vec()] };
                self.alternatives(all, not)
            }
            Form::Repeat { child, .. } => {
                let key = format!("{child:?} {rest:?}");
                if let Some(name) = self.loops.get(&key).cloned() {
                    return self.rule(&name).map(Some);
                }
                let name = self.new_name("loop")?;
                self.loops.insert(key, name.clone());
                let more = Form::Sequence(vec![(**child).clone(), Form::Rule(name.clone())]);
                self.rules.insert(name.clone(), Form::Choice(vec![more, Form::Sequence(rest.to_vec())]));
                self.rule(&name).map(Some)
            }
            _ => Err(Error::internal("a form was taken for another")),
        }
    }

    /// The name of a rule that may contain itself.
    fn rule(&mut self, name: &str) -> Result<String> {
        let key = format!("rule {name}");
        if let Some(written) = self.names.get(&key) {
            return Ok(written.clone());
        }
        let form = self.rules.get(name).cloned();
        let form = form.ok_or_else(|| Error::internal("the template's output form refers to no rule"))?;
        let written = self.new_name("r")?;
        self.names.insert(key, written.clone());
        let expression = self.sequence(&[form], &[])?;
        let expression =
            expression.ok_or_else(|| Error::internal("a rule of the template's output matches nothing"))?;
        let _ = writeln!(self.lark, "{written}: {}", or_nothing(&expression));
        Ok(written)
    }

    /// The regular expression of a form that is a lexeme.
    fn lexeme(&self, form: &Form) -> Option<String> {
        (!self.holds_control(form)).then(|| regex_of(form)).flatten()
    }

    fn holds_control(&self, form: &Form) -> bool {
        match form {
            Form::Literal(text) => self.split_at_control(text).is_some(),
            Form::Sequence(children) | Form::Choice(children) => children.iter().any(|child| self.holds_control(child)),
            Form::Repeat { child, .. } => self.holds_control(child),
            _ => false,
        }
    }

    /// The text before the first spelling of a control token, the token, and the text after it.
    fn split_at_control<'t>(&self, text: &'t str) -> Option<(&'t str, Token, &'t str)> {
        let found = self.controls.iter().filter_map(|(token, spelling)| {
            let start = text.find(spelling.as_str()).filter(|_| !spelling.is_empty())?;
            Some((start, std::cmp::Reverse(spelling.len()), *token))
        });
        let (start, std::cmp::Reverse(length), token) = found.min_by_key(|(start, length, _)| (*start, *length))?;
        Some((&text[..start], token, &text[start + length..]))
    }

    /// As many forms as are regular, in one lexeme.
    fn lexemes(&mut self, forms: &[Form], not: &[String]) -> Result<Expression> {
        if let Form::Literal(text) = &forms[0]
            && let Some(("", token, after)) = self.split_at_control(text)
        {
            let rest = [&[Form::literal(after)], &forms[1..]].concat();
            return Ok(joined(&token_expression(token), self.sequence(&rest, &[])?));
        }
        let mut run: Vec<Form> = forms.iter().take_while(|form| self.lexeme(form).is_some()).cloned().collect();
        let mut rest = forms[run.len()..].to_vec();
        if let Some(Form::Literal(text)) = rest.first()
            && let Some((before, _, _)) = self.split_at_control(text)
            && !before.is_empty()
        {
            let after = Form::literal(&text[before.len()..]);
            run.push(Form::literal(before));
            rest[0] = after;
        }
        // Text takes the optional end of a lexeme before it.
        while may_begin_with_text(&rest) && run.len() > 1 && run.last().is_some_and(Form::is_nullable) {
            rest.splice(0..0, run.pop());
        }
        if all_nullable(&run) {
            return self.optional_lexeme(&run, &rest, not);
        }
        let expression = match run.as_slice() {
            [Form::Literal(text)] => quoted(text),
            _ => format!("/{}/", run.iter().filter_map(regex_of).collect::<String>()),
        };
        Ok(joined(&expression, self.sequence(&rest, &[])?))
    }

    /// The first of some forms that may all be empty: a lexeme must not be.
    fn optional_lexeme(&mut self, run: &[Form], rest: &[Form], not: &[String]) -> Result<Expression> {
        let regex = regex_of(&run[0]).unwrap_or_default();
        let rest = [&run[1..], rest].concat();
        if regex.is_empty() {
            return self.sequence(&rest, not);
        }
        let lexeme = self.define("T", "", &format!("/{regex}/ & /(?s:.+)/"))?;
        Ok(joined(&format!("({lexeme})?"), self.sequence(&rest, not)?))
    }

    /// Free text, and what follows it.
    fn text(&mut self, delimiters: &[String], rest: &[Form], not: &[String]) -> Result<Expression> {
        let mut live = Vec::new();
        let mut never: Vec<&str> = Vec::new();
        for delimiter in delimiters {
            let residuals = derive(&self.rules, rest, delimiter);
            if !residuals.is_empty() {
                live.push((delimiter, residuals));
            } else if self.split_at_control(delimiter).is_none() {
                never.push(delimiter);
            }
        }
        let conditions = conditions(&never, not);
        let mut all = Vec::new();
        for (delimiter, residuals) in live {
            all.extend(self.delimited(&conditions, delimiter, residuals)?);
        }
        if all_nullable(rest) {
            let text = self.define("T", "", &format!("/(?s:.+)/{conditions}"))?;
            all.push(format!("({text})?"));
        }
        Ok(any(&all))
    }

    /// A rule for what follows free text.
    fn following(&mut self, residuals: &[Vec<Form>]) -> Result<Expression> {
        let residuals: Vec<Vec<Form>> = residuals.iter().map(|forms| flattened(forms)).collect();
        if residuals.iter().any(Vec::is_empty) && residuals.len() == 1 {
            return Ok(Some(String::new()));
        }
        let key = format!("{residuals:?}");
        if let Some(name) = self.followings.get(&key) {
            return Ok(Some(name.clone()));
        }
        let name = self.new_name("f")?;
        self.followings.insert(key.clone(), name.clone());
        let Some(expression) = self.alternatives(residuals, &[])? else {
            self.followings.remove(&key);
            return Ok(None);
        };
        let _ = writeln!(self.lark, "{name}: {}", or_nothing(&expression));
        Ok(Some(name))
    }

    /// Text up to a delimiter, the delimiter, and what follows it.
    fn delimited(&mut self, conditions: &str, delimiter: &str, residuals: Vec<Vec<Form>>) -> Result<Expression> {
        let Some((before, token, after)) = self.split_at_control(delimiter) else {
            let terminal = self.define("T", "", &format!("/{ANYTHING}{}/{conditions}", escape(delimiter)))?;
            let text = self.define("t", "[lazy]", &terminal)?;
            return Ok(joined(&text, self.following(&residuals)?));
        };
        let text = if before.is_empty() {
            format!("({})?", self.define("T", "", &format!("/(?s:.+)/{conditions}"))?)
        } else {
            self.define("T", "", &format!("/{ANYTHING}{}/{conditions}", escape(before)))?
        };
        let residuals: Vec<Vec<Form>> =
            residuals.into_iter().map(|forms| [vec![Form::literal(after)], forms].concat()).collect();
        let following = self.following(&residuals)?;
        Ok(joined(&format!("{text} {}", token_expression(token)), following))
    }

    /// Text that a schema says more about, its delimiter, and what follows it.
    fn ruled_text(&mut self, rule: &TextRule, rest: &[Form]) -> Result<Expression> {
        let residuals = derive(&self.rules, rest, &rule.delimiter);
        let mut value = format!("/(?s:.{{{},{}}})/", rule.min_length, display(rule.max_length));
        if let Some(pattern) = &rule.pattern {
            let _ = write!(value, " & {}", between_slashes(pattern));
        }
        let Some((before, token, after)) = self.split_at_control(&rule.delimiter) else {
            let _ = write!(value, "{}", conditions(&[&rule.delimiter], &[]));
            let value = self.define("T", "", &value)?;
            let terminal = self.define("T", "", &format!("{value} {}", quoted(&rule.delimiter)))?;
            let text = self.define("t", "[lazy]", &terminal)?;
            return Ok(joined(&text, self.following(&residuals)?));
        };
        let value = self.define("T", "", &value)?;
        let terminal =
            if before.is_empty() { value } else { self.define("T", "", &format!("{value} {}", quoted(before)))? };
        let residuals: Vec<Vec<Form>> =
            residuals.into_iter().map(|forms| [vec![Form::literal(after)], forms].concat()).collect();
        let following = self.following(&residuals)?;
        Ok(joined(&format!("{terminal} {}", token_expression(token)), following))
    }
}

/// `& ~/…/`: text that holds none of `never` and begins with none of `not`, which
/// are regular expressions.
fn conditions(never: &[&str], not: &[String]) -> String {
    let mut conditions = String::new();
    if !never.is_empty() {
        let any = never.iter().map(|text| escape(text)).collect::<Vec<_>>().join("|");
        let _ = write!(conditions, " & ~/{ANYTHING}(?:{any}){ANYTHING}/");
    }
    if !not.is_empty() {
        let _ = write!(conditions, " & ~/[ \\t\\r\\n]*(?:{}){ANYTHING}/", not.join("|"));
    }
    conditions
}

/// Forms without sequences in sequences, with adjacent literals in one, and without
/// whitespace where a parser looks ahead for something else.
fn flattened(forms: &[Form]) -> Vec<Form> {
    let mut flat: Vec<Form> = Vec::new();
    let mut no_space = false;
    for form in forms {
        if no_space && matches!(form, Form::Space | Form::Empty) {
            continue;
        }
        no_space = form.refuses_space_after();
        match (form, flat.last_mut()) {
            (Form::Empty | Form::Peek { .. }, _) | (Form::Space, Some(Form::Space)) => {}
            (Form::Literal(text), _) if text.is_empty() => {}
            (Form::Literal(text), Some(Form::Literal(before))) => before.push_str(text),
            (Form::Marked(_, child), _) => append(&mut flat, flattened(std::slice::from_ref(child))),
            (Form::Sequence(children), _) => append(&mut flat, flattened(children)),
            (Form::Choice(children), _) if children.len() == 1 => append(&mut flat, flattened(children)),
            (Form::Repeat { child, min: 1, max: Some(1), .. }, _) => {
                append(&mut flat, flattened(std::slice::from_ref(child)));
            }
            (Form::Repeat { child, min, max, .. }, _) => flat.push(Form::repeat((**child).clone(), *min, *max)),
            (other, _) => flat.push(other.clone()),
        }
    }
    flat
}

fn append(flat: &mut Vec<Form>, more: Vec<Form>) {
    for form in more {
        match (form, flat.last_mut()) {
            (Form::Literal(text), Some(Form::Literal(before))) => before.push_str(&text),
            (Form::Space, Some(Form::Space)) => {}
            (form, _) => flat.push(form),
        }
    }
}

/// Whether a form is nothing but optional whitespace.
fn is_space(form: &Form) -> bool {
    match form {
        Form::Space => true,
        Form::Repeat { child, min: 0, .. } => {
            matches!(&**child, Form::Literal(text) if text.trim().is_empty()) || is_space(child)
        }
        _ => false,
    }
}

fn deduplicated(sequences: Vec<Vec<Form>>) -> Vec<Vec<Form>> {
    let mut all: Vec<Vec<Form>> = Vec::new();
    for forms in sequences {
        if !all.contains(&forms) {
            all.push(forms);
        }
    }
    all
}

fn joined(first: &str, second: Expression) -> Expression {
    second.map(|second| match (first, second.as_str()) {
        ("", _) => second,
        (_, "") => first.to_owned(),
        (first, second) => format!("{first} {second}"),
    })
}

/// An expression for any of some others.
fn any(expressions: &[String]) -> Expression {
    match expressions {
        [] => None,
        [one] => Some(one.clone()),
        several => Some(format!("({})", several.iter().map(|one| or_nothing(one)).collect::<Vec<_>>().join(" | "))),
    }
}

fn or_nothing(expression: &str) -> &str {
    if expression.is_empty() { "\"\"" } else { expression }
}

fn token_expression(token: Token) -> String {
    format!("<[{token}]>")
}

/// A literal as Lark spells it, which is as JSON does.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn display(limit: Option<u64>) -> String {
    limit.map(|limit| limit.to_string()).unwrap_or_default()
}
