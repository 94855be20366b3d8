//! Chat templates: what llama.cpp's parser, which recurses without limit, can take.
//!
//! How long a template may run and how deep its macros may call is limited while it
//! runs (`core/native/template_budget.cpp`).

/// The longest chat template; real ones have up to 60 KiB.
pub(crate) const MAX_TEMPLATE: usize = 1 << 20;
/// Bytes of one tag: chains of operators make trees as deep as they are long.
const MAX_TAG: usize = 64 << 10;
/// Brackets open at once in one tag.
const MAX_BRACKETS: usize = 100;
/// Statements open at once; each `elif` opens one inside the other, and is never closed by itself.
const MAX_BLOCKS: usize = 500;

/// Checks a template's length and nesting.
///
/// # Errors
///
/// The reason, for a sentence that says which template is meant.
pub(crate) fn check_template(source: &str) -> Result<(), String> {
    if source.len() > MAX_TEMPLATE {
        return Err(format!("it has {} bytes, over {MAX_TEMPLATE}", source.len()));
    }
    if source.contains('\0') {
        return Err("it contains a NUL byte".to_owned());
    }
    let mut rest = source;
    let mut open = 0_usize;
    while let Some(start) = ["{{", "{%", "{#"].iter().filter_map(|opener| rest.find(opener)).min() {
        let (opener, inside) = rest[start..].split_at(2);
        if opener == "{#" {
            rest = inside.split_once("#}").map_or("", |(_, after)| after);
            continue;
        }
        let tag = tag_text(inside)?;
        if opener == "{%" {
            let word = tag.trim_start_matches(['-', '+']).trim_start();
            let word = word.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default();
            match word {
                "if" | "elif" | "for" | "macro" | "call" | "filter" | "set" | "generation" => open += 1,
                _ if word.starts_with("end") => open = open.saturating_sub(1),
                _ => {}
            }
            // Only a `set` without a value opens a block.
            if word == "set" && tag.contains('=') {
                open -= 1;
            }
            if open > MAX_BLOCKS {
                return Err(format!("it nests more than {MAX_BLOCKS} statements"));
            }
        }
        rest = &inside[tag.len()..];
    }
    Ok(())
}

/// The text of a tag that has just been opened.
fn tag_text(inside: &str) -> Result<&str, String> {
    let mut brackets = 0_usize;
    let mut quote = None;
    let mut is_escaped = false;
    for (at, byte) in inside.bytes().enumerate() {
        if at > MAX_TAG {
            return Err(format!("a tag in it is longer than {MAX_TAG} bytes"));
        }
        match (quote, byte) {
            (Some(_), _) if is_escaped => is_escaped = false,
            (Some(_), b'\\') => is_escaped = true,
            (Some(mark), _) if byte == mark => quote = None,
            (None, b'\'' | b'"') => quote = Some(byte),
            (None, b'(' | b'[' | b'{') => brackets += 1,
            (None, b'}' | b'%') if brackets == 0 && inside[at + 1..].starts_with('}') => return Ok(&inside[..at]),
            (None, b')' | b']' | b'}') => brackets = brackets.saturating_sub(1),
            _ => {}
        }
        if brackets > MAX_BRACKETS {
            return Err(format!("it nests more than {MAX_BRACKETS} brackets"));
        }
    }
    // The parser says that the tag has no end.
    Ok(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_templates_pass() {
        let source = "{# ((( #}{%- if a %}{{- '{' ~ \"((\\\"\" -}}{% elif b %}{% set x = [{'a': (1)}] %}{% endif %}"
            .repeat(1000);
        check_template(&source[..source.len() - 1]).unwrap_err();
        // Each `elif` counts, since the parser does not close it before its `endif`.
        check_template(&source[..100 * 100]).unwrap();
        check_template("{% set x %}a{% endset %}{{ {'a': {'b': 1}} }}{{ unfinished").unwrap();
    }

    #[test]
    fn deep_and_long_ones_do_not() {
        let refused = |source: String, part: &str| {
            let reason = check_template(&source).unwrap_err();
            assert!(reason.contains(part), "{reason}");
        };
        refused(format!("{{{{ {}1", "(".repeat(101)), "100 brackets");
        refused(format!("{{{{ {}1", "[{".repeat(51)), "100 brackets");
        refused("{% if x %}".repeat(501), "500 statements");
        refused(format!("{{% if x %}}{}", "{% elif x %}".repeat(501)), "500 statements");
        refused(format!("{{{{ 1{} }}}}", "+1".repeat(40_000)), "longer than 65536");
        refused("x".repeat(MAX_TEMPLATE + 1), "over 1048576");
        refused("a\0b".to_owned(), "NUL");
        // Brackets in texts do not count, and quotes after a backslash do not end them.
        check_template(&format!("{{{{ '\\'{}' }}}}", "(".repeat(200))).unwrap();
    }
}
