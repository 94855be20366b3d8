//! Masks, forced tokens and the end of a text.

use super::{Loaded, qwen, smollm2, tiny_spm};
use crate::backend::Token;
use crate::constrain::{Constraint, TokenEnv};

fn start(loaded: &Loaded, lark: &str) -> Constraint {
    loaded.env.compile(lark).unwrap().start().unwrap()
}

fn allowed(loaded: &Loaded, constraint: &mut Constraint) -> Vec<Token> {
    let mut logits = vec![0.0; loaded.model.vocab().len()];
    constraint.apply(&mut logits).unwrap();
    let allowed = logits.iter().enumerate().filter(|(_, logit)| **logit == 0.0);
    allowed.map(|(token, _)| Token::try_from(token).unwrap()).collect()
}

fn tokenize(loaded: &Loaded, text: &str) -> Vec<Token> {
    loaded.model.vocab().tokenize_short(text).unwrap()
}

#[test]
fn the_end_is_allowed_exactly_where_the_grammar_may_end() {
    // SO2
    for loaded in [qwen(), smollm2()] {
        let ends = loaded.ends();
        assert!(!ends.is_empty());
        let mut constraint = start(loaded, "start: /[0-9]{2,3}/");
        for (digit, may_end) in [("1", false), ("2", false), ("3", true)] {
            let now = allowed(loaded, &mut constraint);
            assert!(ends.iter().all(|end| now.contains(end) == may_end), "before {digit}: {now:?}");
            constraint.accept(tokenize(loaded, digit)[0]).unwrap();
        }
        assert!(constraint.is_finished());
        assert_eq!(allowed(loaded, &mut constraint), ends);
        assert!(constraint.forced().unwrap().is_empty());
        constraint.accept(ends[0]).unwrap();
    }
}

#[test]
fn an_end_that_the_grammar_may_take_finishes_it() {
    // SO2
    let loaded = qwen();
    let mut constraint = start(loaded, "start: /[0-9]+/");
    constraint.accept(tokenize(loaded, "7")[0]).unwrap();
    assert!(!constraint.is_finished());
    constraint.accept(*loaded.ends().last().unwrap()).unwrap();
    assert!(constraint.is_finished());
}

#[test]
fn forced_tokens_are_the_tokenisers_own() {
    // SO15
    for loaded in [qwen(), smollm2()] {
        let text = r#"{"temperature": "The quick brown fox, jumped over"}"#;
        let mut constraint = start(loaded, &format!("start: {text:?}"));
        let forced = constraint.forced().unwrap();
        assert_eq!(forced, tokenize(loaded, text));
        for token in forced {
            assert_eq!(allowed(loaded, &mut constraint), [token], "a mask allows what is forced");
            constraint.accept(token).unwrap();
        }
        assert!(constraint.is_finished());
    }
}

#[test]
fn long_and_uncommon_texts_are_forced_in_full() {
    for loaded in [qwen(), smollm2(), tiny_spm()] {
        for text in ["word ".repeat(400), "é".repeat(700), "a\u{1F600}b\u{FDD0}c".to_owned(), " lead".to_owned()] {
            let mut constraint = start(loaded, &format!("start: {}", serde_json::to_string(&text).unwrap()));
            let mut tokens = Vec::new();
            while !constraint.is_finished() {
                let mut forced = constraint.forced().unwrap();
                if forced.is_empty() {
                    forced = allowed(loaded, &mut constraint)[..1].to_vec();
                }
                for token in forced {
                    constraint.accept(token).unwrap();
                    tokens.push(token);
                }
            }
            assert_eq!(loaded.text(&tokens), text);
        }
    }
}

#[test]
fn text_in_the_middle_is_tokenised_without_a_leading_space() {
    let loaded = tiny_spm();
    assert_eq!(loaded.text(&tokenize(loaded, "ab")), " ab", "this vocabulary adds a space");
    let mut constraint = start(loaded, r#"start: "ab ab""#);
    let forced = constraint.forced().unwrap();
    assert_eq!(loaded.text(&forced), "ab ab");
}

#[test]
fn control_tokens_are_known_by_name_and_number_and_are_never_text() {
    let loaded = qwen();
    let end = loaded.model.vocab().control_tokens().iter().find(|(_, text)| text == "<|im_start|>").unwrap().0;
    for lark in ["start: <|im_start|> \"a\"".to_owned(), format!("start: <[{end}]> \"a\"")] {
        let mut constraint = start(loaded, &lark);
        assert_eq!(allowed(loaded, &mut constraint), [end]);
        constraint.accept(end).unwrap();
        assert_eq!(loaded.text(&constraint.forced().unwrap()), "a");
    }
    let mut constraint = start(loaded, r#"start: "<|im_start|>""#);
    let forced = constraint.forced().unwrap();
    assert!(forced.len() > 1 && !forced.contains(&end));
    assert_eq!(loaded.text(&forced), "<|im_start|>");
    let mut constraint = start(loaded, r"start: /(.|\n)*/");
    let controls = loaded.model.vocab().control_tokens();
    let now = allowed(loaded, &mut constraint);
    let stray = controls.iter().find(|(token, _)| now.contains(token) && !loaded.ends().contains(token));
    assert_eq!(stray, None);
}

#[test]
fn a_cached_grammar_allows_what_a_fresh_one_does() {
    // SO15
    let loaded = smollm2();
    let lark = "start: /[a-z]{3,9}( [a-z]+)*/";
    let cold = TokenEnv::new(&loaded.model).unwrap();
    let warm = TokenEnv::new(&loaded.model).unwrap();
    let mut used = warm.compile(lark).unwrap().start().unwrap();
    for token in tokenize(loaded, "some words here") {
        used.compute_mask().unwrap();
        used.accept(token).unwrap();
    }
    assert_eq!(warm.compile(lark).unwrap().hash(), cold.compile(lark).unwrap().hash());
    let mut cold = cold.compile(lark).unwrap().start().unwrap();
    let mut warm = warm.compile(lark).unwrap().start().unwrap();
    for token in tokenize(loaded, "abc def") {
        assert_eq!(allowed(loaded, &mut cold), allowed(loaded, &mut warm));
        cold.accept(token).unwrap();
        warm.accept(token).unwrap();
    }
}

#[test]
fn a_token_outside_the_grammar_is_an_error_and_spoils_nothing_else() {
    let loaded = smollm2();
    let lark = "start: /[0-9]{5}/";
    let mut first = start(loaded, lark);
    let mut second = start(loaded, lark);
    assert!(first.accept(tokenize(loaded, "x")[0]).is_err());
    second.accept(tokenize(loaded, "1")[0]).unwrap();
    let mut third = start(loaded, lark);
    third.accept(tokenize(loaded, "1")[0]).unwrap();
}
