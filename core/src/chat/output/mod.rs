//! The form of a model's output, as a grammar.
//!
//! A template's own parser, which llama.cpp derives, says what an answer looks
//! like: thoughts, text, calls in the family's markup. From it one grammar is
//! made for the whole output, first token to last, in which the arguments obey
//! the schemas of the tools.

mod bare;
mod build;
mod derive;
mod form;
mod gemma;
mod lark;
mod narrow;
mod prune;
mod regex;
mod schema;

#[cfg(test)]
mod tests;

use serde_json::Value;

pub(crate) use self::narrow::narrow;

use self::bare::bare_calls;
use self::build::build;
use self::derive::{Rules, derive};
use self::form::{Form, Mark, all_nullable};
use self::lark::Writer;
use self::prune::{Answer, prune, single_call};
use self::schema::ArgumentSchemas;
use crate::api::error::{Error, Result};
use crate::backend::{Rendered, Token};

/// One form that an output may have. An output has one of several, if a request
/// leaves the model that choice.
pub(crate) struct OutputChoice<'a> {
    /// The prompt as it is rendered for this form of answer.
    pub(crate) rendered: &'a Rendered,
    pub(crate) answer: AnswerKind<'a>,
}

/// What an answer consists of, beside thoughts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AnswerKind<'a> {
    /// Text, or what else the template allows; `rendered` is for tools that may be called.
    Free,
    /// Calls without any text; `rendered` is for calls that are required.
    Calls,
    /// A value, as a Lark expression, in place of text; `rendered` is for no tools.
    Value(&'a str),
}

/// What a grammar is made from beside the form.
pub(crate) struct GrammarSources<'a> {
    /// The parameters of the callable tools, in their order, ready to be enforced.
    pub(crate) parameters: &'a [Value],
    /// A Lark expression for a value of a schema.
    pub(crate) json_rule: &'a dyn Fn(&Value) -> String,
    /// The control tokens with their spellings.
    pub(crate) controls: &'a [(Token, String)],
    /// Where calls may come as plain JSON, the tools that may be called so.
    pub(crate) bare: Option<BareTools<'a>>,
}

/// Tools that may be called by a plain JSON object.
pub(crate) struct BareTools<'a> {
    /// The names of those that take a JSON object, in the order of the parameters.
    pub(crate) names: &'a [String],
    /// Those that take text of a grammar.
    pub(crate) raw: &'a [RawTool],
    /// Whether one answer may have several calls.
    pub(crate) parallel: bool,
}

/// A tool that takes text of a grammar.
#[derive(Debug)]
pub(crate) struct RawTool {
    pub(crate) name: String,
    /// A Lark expression for the text.
    pub(crate) rule: String,
}

/// The grammar, in llguidance's Lark dialect, of an output that has one of these
/// forms. It begins after the generation prompt, and so inside the thoughts when
/// that has opened them.
pub(crate) fn output_grammar(choices: &[OutputChoice<'_>], sources: &GrammarSources<'_>) -> Result<String> {
    let mut writer = Writer::new(sources.controls);
    let mut starts = Vec::new();
    for choice in choices {
        let (sequences, rules) = sequences(choice, sources)?;
        starts.extend(writer.any_of(rules, sequences)?);
    }
    if starts.is_empty() {
        return Err(Error::internal("the template's output form matches nothing"));
    }
    starts.dedup();
    Ok(writer.finish(&starts.join(" | ")))
}

/// What may follow the generation prompt.
fn sequences(choice: &OutputChoice<'_>, sources: &GrammarSources<'_>) -> Result<(Vec<Vec<Form>>, Rules)> {
    let Some(format) = &choice.rendered.output else {
        // An answer that is nothing but text.
        let text = vec![Form::Until(Vec::new())];
        let sequences = match choice.answer {
            AnswerKind::Free => bare_calls(sources).map(|calls| vec![calls]).into_iter().chain([text]).collect(),
            AnswerKind::Calls => vec![vec![calls_as_text(sources)?]],
            AnswerKind::Value(rule) => vec![vec![Form::Lark(rule.to_owned())]],
        };
        return Ok((sequences, Rules::new()));
    };
    let schemas =
        ArgumentSchemas { skeleton: &format.skeleton, parameters: sources.parameters, json_rule: sources.json_rule };
    let (mut form, rules) = build(format, &schemas)?;
    let has_calls = form.has(Mark::Tool) || rules.values().any(|rule| rule.has(Mark::Tool));
    let answer = match choice.answer {
        AnswerKind::Free => Answer::Free { or: bare_calls(sources) },
        AnswerKind::Calls if has_calls => Answer::Calls,
        // A template of thoughts and text alone.
        AnswerKind::Calls => Answer::Value(calls_as_text(sources)?),
        AnswerKind::Value(rule) => Answer::Value(Form::Lark(rule.to_owned())),
    };
    if !format.parallel_tool_calls {
        form = single_call(form);
    }
    let rules = rules.into_iter().map(|(name, form)| (name, prune(&form, &answer))).collect();
    let sequences = derive(&rules, &[prune(&form, &answer)], &choice.rendered.generation_prompt);
    if sequences.is_empty() {
        return Err(Error::internal("the template's output form does not begin as its prompt ends"));
    }
    let is_free = choice.answer == AnswerKind::Free;
    if !is_free && sequences.iter().any(|forms| all_nullable(forms)) {
        return Err(Error::internal("the template's output form leaves out what the request demands"));
    }
    Ok((sequences, rules))
}

/// Calls where the template has no markup for any.
fn calls_as_text(sources: &GrammarSources<'_>) -> Result<Form> {
    bare_calls(sources).ok_or_else(|| Error::internal("the template has no form for calls"))
}
