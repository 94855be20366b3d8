//! The grammar that a request's answers are held to.

use super::output::{AnswerKind, BareTools, GrammarSources, OutputChoice, RawTool, output_grammar};
use super::prompt::Conversation;
use super::tools::Tools;
use crate::api::chat::CreateChatCompletionRequest;
use crate::api::error::{Error, ErrorKind, Result};
use crate::api::response_format::ResponseFormat;
use crate::backend::{CallMode, Rendered, Token};
use crate::constrain::{Grammar, lark, schema};
use crate::model::LoadedModel;

/// The grammar of the whole answer, if the request leaves not all to the model.
pub(super) fn grammar(
    model: &LoadedModel,
    request: &CreateChatCompletionRequest,
    tools: &Tools,
    conversation: &Conversation<'_>,
    rendered: &Rendered,
) -> Result<Option<Grammar>> {
    let controls = model.backend.vocab().control_tokens();
    let Some(text) = lark_text(model, request, tools, conversation, rendered, controls)? else { return Ok(None) };
    let compiled = model.token_env()?.compile(&text);
    compiled.map(Some).map_err(|error| match (error.kind(), param(request, tools)) {
        (ErrorKind::InvalidRequest, param) => Error::invalid(param, format!("'{param}' {}", error.message())),
        _ => error,
    })
}

/// That grammar in llguidance's Lark dialect, for a vocabulary with these control
/// tokens.
pub(super) fn lark_text(
    model: &LoadedModel,
    request: &CreateChatCompletionRequest,
    tools: &Tools,
    conversation: &Conversation<'_>,
    rendered: &Rendered,
    controls: &[(Token, String)],
) -> Result<Option<String>> {
    let value = value_rule(model, request.ext.grammar.as_deref(), request.response_format.as_ref())?;
    if value.is_none() && tools.call_mode == CallMode::None {
        return Ok(None);
    }
    let names = tools.names();
    let bare = tools.call_mode == CallMode::Auto || !conversation.describes_tools();
    let sources = GrammarSources {
        parameters: &tools.parameters,
        json_rule: &lark::json_rule,
        controls,
        bare: bare.then_some(BareTools { names: &names, raw: &tools.raw, parallel: tools.parallel }),
    };
    // SO13: beside calls that may come, a value.
    let value = value.filter(|_| tools.call_mode != CallMode::Required);
    let is_free = value.is_none() && tools.call_mode == CallMode::Auto;
    let has_calls = !tools.callable.is_empty() || bare && !tools.raw.is_empty();
    let calls = !is_free && tools.call_mode != CallMode::None && has_calls;
    let raw = tools.raw.iter().filter(|_| !bare).map(RawTool::call_rule);
    let values: Vec<String> = value.into_iter().chain(raw).collect();

    // What another prompt would say of the answer's form, where it is another.
    let render = |mode| (mode != tools.call_mode).then(|| conversation.render(tools, mode)).transpose();
    let for_calls = if calls { render(CallMode::Required)? } else { None };
    let for_values = if values.is_empty() { None } else { render(CallMode::None)? };
    let for_calls = calls.then(|| for_calls.as_ref().unwrap_or(rendered));
    let for_values = for_values.as_ref().unwrap_or(rendered);

    let free = is_free.then_some(OutputChoice { rendered, answer: AnswerKind::Free });
    let calls = for_calls.map(|rendered| OutputChoice { rendered, answer: AnswerKind::Calls });
    let values = values.iter().map(|rule| OutputChoice { rendered: for_values, answer: AnswerKind::Value(rule) });
    let choices: Vec<_> = free.into_iter().chain(calls).chain(values).collect();
    output_grammar(&choices, &sources).map(Some)
}

/// The parameter that decides the answer's form.
pub(super) fn param(request: &CreateChatCompletionRequest, tools: &Tools) -> &'static str {
    match (tools.call_mode, &request.ext.grammar) {
        (CallMode::None, Some(_)) => "grammar",
        (CallMode::None, None) => "response_format",
        _ => "tools",
    }
}

/// A Lark expression for what the answer's text must be (SO1).
pub(crate) fn value_rule(
    model: &LoadedModel,
    grammar: Option<&str>,
    format: Option<&ResponseFormat>,
) -> Result<Option<String>> {
    if let Some(grammar) = grammar {
        return lark::lark_rule(&model.token_env()?, grammar, "grammar").map(Some);
    }
    let rule = match format {
        None | Some(ResponseFormat::Text) => return Ok(None),
        Some(ResponseFormat::JsonObject) => lark::json_object_rule(),
        Some(ResponseFormat::JsonSchema { json_schema }) => {
            let any = serde_json::json!({});
            let wanted = json_schema.schema.as_ref().unwrap_or(&any);
            let strict = json_schema.strict.unwrap_or(false);
            schema::schema_rule(&model.token_env()?, wanted, strict, "response_format.json_schema.schema")?
        }
        Some(ResponseFormat::Regex { regex }) => lark::regex_rule(&model.token_env()?, regex, "response_format.regex")?,
        Some(ResponseFormat::Lark { lark }) => lark::lark_rule(&model.token_env()?, lark, "response_format.lark")?,
    };
    Ok(Some(rule))
}
