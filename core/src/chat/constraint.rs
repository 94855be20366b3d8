//! The grammar that a request's answers are held to.

use super::output::{AnswerKind, BareTools, GrammarSources, OutputChoice, output_grammar};
use super::prompt::Conversation;
use super::tools::Tools;
use crate::api::chat::CreateChatCompletionRequest;
use crate::api::error::{Error, ErrorKind, Result};
use crate::api::response_format::ResponseFormat;
use crate::backend::{CallMode, Rendered};
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
    let value = value_rule(model, request)?;
    if value.is_none() && tools.call_mode == CallMode::None {
        return Ok(None);
    }
    let controls: Vec<_> =
        model.backend.vocab().control_tokens().iter().map(|(token, text)| (text.clone(), *token)).collect();
    let names = tools.names();
    let bare = tools.call_mode == CallMode::Auto || !conversation.describes_tools();
    let sources = GrammarSources {
        parameters: &tools.parameters,
        json_rule: &lark::json_rule,
        controls: &controls,
        bare: bare.then_some(BareTools { names: &names, parallel: tools.parallel }).filter(|_| !names.is_empty()),
    };
    let text = match (&value, tools.call_mode) {
        (None, CallMode::Auto) => output_grammar(&[OutputChoice { rendered, answer: AnswerKind::Free }], &sources),
        (_, CallMode::Required) => output_grammar(&[OutputChoice { rendered, answer: AnswerKind::Calls }], &sources),
        (Some(value), CallMode::None) => {
            output_grammar(&[OutputChoice { rendered, answer: AnswerKind::Value(value) }], &sources)
        }
        // SO13: either calls or a value.
        (Some(value), CallMode::Auto) => {
            // What another prompt would say of the answer's form.
            let render = |call_mode| conversation.render(tools, call_mode);
            let (calls, text) = (render(CallMode::Required)?, render(CallMode::None)?);
            let calls = OutputChoice { rendered: &calls, answer: AnswerKind::Calls };
            let text = OutputChoice { rendered: &text, answer: AnswerKind::Value(value) };
            output_grammar(&[calls, text], &sources)
        }
        (None, CallMode::None) => return Ok(None),
    }?;
    let param = if tools.call_mode == CallMode::None { "response_format" } else { "tools" };
    let compiled = model.token_env()?.compile(&text);
    compiled.map(Some).map_err(|error| match error.kind() {
        ErrorKind::InvalidRequest => Error::invalid(param, format!("'{param}' {}", error.message())),
        _ => error,
    })
}

/// A Lark expression for what the answer's text must be (SO1).
fn value_rule(model: &LoadedModel, request: &CreateChatCompletionRequest) -> Result<Option<String>> {
    if let Some(grammar) = &request.ext.grammar {
        return lark::lark_rule(&model.token_env()?, grammar, "grammar").map(Some);
    }
    let rule = match &request.response_format {
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
