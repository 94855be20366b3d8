//! The input of a custom tool, which the model writes as `{"input": "..."}` (TL6).

use serde_json::Value;

/// The input as far as it is written: the text inside the last, possibly
/// unfinished, string of `arguments`.
pub(super) fn custom_input(arguments: &str) -> String {
    if let Ok(Value::Object(object)) = serde_json::from_str(arguments) {
        return object.get("input").and_then(Value::as_str).unwrap_or_default().to_owned();
    }
    let Some((_, value)) = arguments.split_once(':') else { return String::new() };
    let Some(text) = value.trim_start().strip_prefix('"') else { return String::new() };
    // The longest beginning that is a string when closed: an escape at the end may
    // be cut, the two halves of a surrogate pair at most.
    (0..=12)
        .filter_map(|cut| text.get(..text.len().checked_sub(cut)?))
        .find_map(|text| serde_json::from_str(&format!("\"{text}\"")).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::custom_input;

    #[test]
    fn the_input_grows_with_the_text() {
        // TL6, TL13
        let whole = r#"{"input": "a \"b\"\n\ud83d\ude00 ü"}"#;
        assert_eq!(custom_input(whole), "a \"b\"\n\u{1f600} ü");
        let mut before = String::new();
        for end in (0..=whole.len()).filter(|end| whole.is_char_boundary(*end)) {
            let now = custom_input(&whole[..end]);
            assert!(now.starts_with(&before), "{before:?} became {now:?}");
            before = now;
        }
    }
}
