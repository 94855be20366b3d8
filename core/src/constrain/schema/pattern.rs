//! `pattern`: from the regular expressions of ECMA-262, which JSON Schema means,
//! to those of llguidance.
//!
//! Anchors are optional in both, so that a pattern means "contains" (SO6). The
//! shorthand classes, the dot and brackets inside classes mean different things in
//! different dialects; they are written out, and narrower where validators differ.

use super::Fault;

/// The longest pattern, in bytes.
const MAX_PATTERN: usize = 4096;

/// How deep groups may nest.
const MAX_GROUPS: usize = 50;

const DIGIT: &str = "0-9";
const WORD: &str = "0-9A-Za-z_";
const SPACE: &str = r" \t\n\r\f\v";
/// What any dialect takes for a space.
const ANY_SPACE: &str =
    r" \t\n\r\f\v\x1c-\x1f\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}";

/// Rewrites a caller's pattern.
pub(super) fn rewrite(pattern: &str, path: &str) -> Result<String, Fault> {
    if pattern.len() > MAX_PATTERN {
        return Err(Fault::new(path, format!("`pattern` is longer than {MAX_PATTERN} bytes")));
    }
    let mut rewriter = Rewriter { rest: pattern, out: String::with_capacity(pattern.len()), groups: 0 };
    rewriter
        .run()
        .and_then(|()| check(&rewriter.out))
        .map_err(|reason| Fault::new(path, format!("`pattern` {reason}")))?;
    Ok(rewriter.out)
}

/// Finds what llguidance would refuse too, but without saying where.
fn check(rewritten: &str) -> Result<(), String> {
    // It takes anchors at both ends off before it reads the expression.
    let inside = rewritten.strip_prefix('^').unwrap_or(rewritten);
    let inside = inside.strip_suffix('$').filter(|rest| !rest.ends_with('\\')).unwrap_or(inside);
    let parsed = regex_syntax::parse(inside).map_err(|error| match error {
        regex_syntax::Error::Parse(error) => format!("is no regular expression: {}", error.kind()),
        regex_syntax::Error::Translate(error) => format!("is no regular expression: {}", error.kind()),
        _ => "is no regular expression".to_owned(),
    })?;
    if parsed.properties().look_set().is_empty() {
        Ok(())
    } else {
        Err("has an anchor that is not at its beginning or end, which is not supported".to_owned())
    }
}

struct Rewriter<'a> {
    rest: &'a str,
    out: String,
    groups: usize,
}

impl Rewriter<'_> {
    fn run(&mut self) -> Result<(), String> {
        while let Some(c) = self.next() {
            match c {
                '\\' => self.escape()?,
                '[' => self.class()?,
                '(' => self.group()?,
                ')' => {
                    self.groups = self.groups.checked_sub(1).ok_or("closes a group that is not open")?;
                    self.out.push(')');
                }
                '.' => self.out.push_str(r"[^\n\r\x{2028}\x{2029}]"),
                _ => self.out.push(c),
            }
        }
        Ok(())
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    /// After `(`.
    fn group(&mut self) -> Result<(), String> {
        self.groups += 1;
        if self.groups > MAX_GROUPS {
            return Err(format!("nests more than {MAX_GROUPS} groups"));
        }
        let Some(kind) = self.rest.strip_prefix('?') else {
            self.out.push_str("(?:");
            return Ok(());
        };
        let named = kind.strip_prefix("P<").or_else(|| kind.strip_prefix('<'));
        let after = match named {
            Some(name) if !name.starts_with(['=', '!']) => name.split_once('>').map(|(_, after)| after),
            _ => kind.strip_prefix(':'),
        };
        self.rest = after.ok_or("has a lookaround or flags, which are not supported")?;
        self.out.push_str("(?:");
        Ok(())
    }

    /// After `\`, outside of a class.
    fn escape(&mut self) -> Result<(), String> {
        let c = self.next().ok_or("ends in the middle of an escape")?;
        match c {
            'd' => self.push_class(false, DIGIT),
            'D' => self.push_class(true, DIGIT),
            'w' => self.push_class(false, WORD),
            'W' => self.push_class(true, WORD),
            's' => self.push_class(false, SPACE),
            'S' => self.push_class(true, ANY_SPACE),
            _ => {
                let character = self.escaped_character(c)?;
                self.out.push_str(&character);
            }
        }
        Ok(())
    }

    fn push_class(&mut self, negated: bool, members: &str) {
        self.out.push_str(if negated { "[^" } else { "[" });
        self.out.push_str(members);
        self.out.push(']');
    }

    /// After `[`.
    fn class(&mut self) -> Result<(), String> {
        self.out.push('[');
        let negated = self.rest.starts_with('^');
        if negated {
            self.next();
            self.out.push('^');
        }
        if self.rest.starts_with(']') {
            return Err("has an empty character class, which is not supported".to_owned());
        }
        loop {
            match self.next().ok_or("has a character class that is not closed")? {
                ']' => break,
                '\\' => self.escape_in_class(negated)?,
                // Operators and nested classes elsewhere, plain characters here.
                c @ ('[' | '&' | '~') => self.out.extend(['\\', c]),
                '-' if self.rest.starts_with('-') => {
                    return Err("has two hyphens in a row in a character class".to_owned());
                }
                c => self.out.push(c),
            }
        }
        self.out.push(']');
        Ok(())
    }

    fn escape_in_class(&mut self, negated: bool) -> Result<(), String> {
        let c = self.next().ok_or("ends in the middle of an escape")?;
        // A negated class must leave out what any dialect would.
        let space = if negated { ANY_SPACE } else { SPACE };
        let other = if negated { SPACE } else { ANY_SPACE };
        match c {
            'd' => self.out.push_str(DIGIT),
            'w' => self.out.push_str(WORD),
            's' => self.out.push_str(space),
            'D' => self.push_class(true, DIGIT),
            'W' => self.push_class(true, WORD),
            'S' => self.push_class(true, other),
            'b' => self.out.push_str(r"\x08"),
            _ => {
                let character = self.escaped_character(c)?;
                self.out.push_str(&character);
            }
        }
        Ok(())
    }

    /// An escape that stands for one character, or for a Unicode property.
    fn escaped_character(&mut self, c: char) -> Result<String, String> {
        let hex = |digits: Option<&str>| {
            let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()).and_then(char::from_u32);
            let code = code.ok_or("has an escape that is no character")?;
            Ok::<_, String>(format!(r"\x{{{:x}}}", u32::from(code)))
        };
        match c {
            'n' | 'r' | 't' | 'f' | 'v' => Ok(format!(r"\{c}")),
            '0' if !self.rest.starts_with(|next: char| next.is_ascii_digit()) => Ok(r"\x00".to_owned()),
            'x' => {
                let digits = self.rest.get(..2);
                self.rest = self.rest.get(2..).unwrap_or_default();
                hex(digits)
            }
            'u' if self.rest.starts_with('{') => {
                let (digits, after) = self.rest[1..].split_once('}').ok_or("has an escape that is not closed")?;
                self.rest = after;
                hex(Some(digits))
            }
            'u' => {
                let digits = self.rest.get(..4);
                self.rest = self.rest.get(4..).unwrap_or_default();
                hex(digits)
            }
            'p' | 'P' if self.rest.starts_with('{') => {
                let (name, after) = self.rest[1..].split_once('}').ok_or("has an escape that is not closed")?;
                let written = format!(r"\{c}{{{name}}}");
                self.rest = after;
                Ok(written)
            }
            'b' | 'B' => Err("has a word boundary, which is not supported".to_owned()),
            c if c.is_ascii_digit() || c == 'k' => Err("has a reference to a group, which is not supported".to_owned()),
            c if c.is_ascii_alphabetic() => Err(format!(r"has the unknown escape `\{c}`")),
            c if c.is_ascii_punctuation() => Ok(format!(r"\{c}")),
            c => Ok(c.to_string()),
        }
    }
}
