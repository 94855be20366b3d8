//! Calls as plain JSON objects, for models that do not write their template's
//! markup, and for templates that have none.

use serde_json::Value;

use super::form::Form;
use super::{BareTools, GrammarSources, RawTool};
use crate::chat::bare_calls::{opening, raw_opening};

impl RawTool {
    /// A Lark expression for a whole call.
    pub(crate) fn call_rule(&self) -> String {
        format!("{} {}", Value::from(raw_opening(&self.name)), self.rule)
    }
}

/// One call, or several on lines of their own, or one with raw input, in place of
/// an answer's text.
pub(super) fn bare_calls(sources: &GrammarSources<'_>) -> Option<Form> {
    let bare = sources.bare.as_ref()?;
    let raw = bare
        .raw
        .iter()
        .map(|tool| Form::Sequence(vec![Form::literal(raw_opening(&tool.name)), Form::Lark(tool.rule.clone())]));
    let all = json_calls(bare, sources).into_iter().chain(raw).collect::<Vec<_>>();
    (!all.is_empty()).then_some(Form::Choice(all))
}

fn json_calls(bare: &BareTools<'_>, sources: &GrammarSources<'_>) -> Option<Form> {
    if bare.names.is_empty() {
        return None;
    }
    let calls = bare.names.iter().zip(sources.parameters).map(|(name, schema)| {
        Form::Sequence(vec![Form::literal(opening(name)), Form::Lark((sources.json_rule)(schema)), Form::literal("}")])
    });
    let call = Form::Choice(calls.collect());
    let next = Form::Sequence(vec![Form::literal("\n"), call.clone()]);
    let more = Form::repeat(next, 0, if bare.parallel { None } else { Some(0) });
    Some(Form::Sequence(vec![call, more]))
}
