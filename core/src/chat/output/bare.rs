//! Calls as plain JSON objects, for models that do not write their template's
//! markup, and for templates that have none.

use super::GrammarSources;
use super::form::Form;
use crate::chat::bare_calls::opening;

/// One call, or several on lines of their own, in place of an answer's text.
pub(super) fn bare_calls(sources: &GrammarSources<'_>) -> Option<Form> {
    let bare = sources.bare.as_ref()?;
    let calls = bare.names.iter().zip(sources.parameters).map(|(name, schema)| {
        Form::Sequence(vec![Form::literal(opening(name)), Form::Lark((sources.json_rule)(schema)), Form::literal("}")])
    });
    let call = Form::Choice(calls.collect());
    let next = Form::Sequence(vec![Form::literal("\n"), call.clone()]);
    let more = Form::repeat(next, 0, if bare.parallel { None } else { Some(0) });
    Some(Form::Sequence(vec![call, more]))
}
