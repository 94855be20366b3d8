//! Markers that are too weak to tell a call from text.

use serde_json::Value;

use super::build::build;
use super::derive::beginnings;
use super::form::{Form, Mark};
use super::schema::ArgumentSchemas;
use crate::api::error::Result;
use crate::backend::{OutputFormat, Rendered};

/// The marker of families that write a call as bare JSON.
const BRACE: &str = "{";

/// How much of a call makes a marker, in bytes.
const MARKER: usize = 8;

/// Lets text hold braces: where llama.cpp takes any `{` for the beginning of a
/// call, a call begins with as much as all calls have in common, `{"name":` say.
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
    let markers = beginnings(&rules, &[call], MARKER);
    Ok(markers.filter(|all| all.iter().all(|marker| marker.starts_with(BRACE) && marker.len() >= MARKER)))
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
