//! Markers that are too weak to tell a call from text.

use serde_json::Value;

use super::build::build;
use super::derive::beginnings;
use super::form::{Form, Mark};
use super::regex::spaces;
use super::schema::ArgumentSchemas;
use crate::api::error::Result;
use crate::backend::{OutputFormat, Rendered};

/// The marker of families that write a call as bare JSON.
const BRACE: &str = "{";

/// How much of a call makes a marker, in bytes without whitespace: a brace and a
/// first key.
const MARKER: usize = 7;

/// A parser looks for no more markers than this.
const MOST_MARKERS: usize = 1000;

/// Lets text hold braces: where llama.cpp takes any `{` for the beginning of a
/// call, a call begins with a brace and its first key, `{"name"` say, however they
/// are spaced.
pub(crate) fn narrow(rendered: &mut Rendered) -> Result<()> {
    let Some(format) = &mut rendered.output else { return Ok(()) };
    if !format.has_delimiter(BRACE) {
        return Ok(());
    }
    match markers(format)? {
        Some(markers) => format.replace_delimiter(BRACE, &markers, &rendered.generation_prompt),
        None => Ok(()),
    }
}

fn markers(format: &OutputFormat) -> Result<Option<Vec<String>>> {
    let json_rule = |schema: &Value| schema.to_string();
    let anything = vec![Value::Bool(true); format.skeleton.tool_count()];
    let schemas = ArgumentSchemas { skeleton: &format.skeleton, parameters: &anything, json_rule: &json_rule };
    let (form, rules) = build(format, &schemas)?;
    let Some(call) = first_call(&form) else { return Ok(None) };
    let Some(beginnings) = beginnings(&rules, &[call], MARKER) else { return Ok(None) };
    let markers: Vec<String> =
        beginnings.iter().flat_map(|beginning| spelled(beginning)).take(MOST_MARKERS + 1).collect();
    let is_marker = |beginning: &Vec<Form>| {
        let shortest: String = beginning.iter().filter_map(Form::as_literal).collect();
        shortest.starts_with(BRACE) && shortest.len() >= MARKER
    };
    Ok((markers.len() <= MOST_MARKERS && beginnings.iter().all(is_marker)).then_some(markers))
}

/// All that a beginning may look like.
fn spelled(beginning: &[Form]) -> Vec<String> {
    beginning.iter().fold(vec![String::new()], |texts, form| match form.as_literal() {
        Some(literal) => texts.into_iter().map(|text| text + literal).collect(),
        None => texts.iter().flat_map(|text| spaces().map(move |space| format!("{text}{space}"))).collect(),
    })
}

/// The first form that is nothing but calls.
fn first_call(form: &Form) -> Option<Form> {
    match form {
        Form::Sequence(children) => children.iter().find(|child| child.has(Mark::Tool)).and_then(|child| match child {
            Form::Marked(..) | Form::Choice(_) => Some(form.clone()),
            other => first_call(other),
        }),
        Form::Repeat { child, .. } => first_call(child),
        other => other.has(Mark::Tool).then(|| other.clone()),
    }
}
