//! A request's tools, as its template and its grammar need them (TL1 to TL6, CQ18).

use std::collections::HashSet;

use serde_json::{Value, json};

use super::bare_calls::raw_opening;
use super::output::RawTool;

use crate::api::chat::CreateChatCompletionRequest;
use crate::api::error::{Error, ErrorKind, Result};
use crate::api::tool_choice::{AllowedToolsMode, FunctionCallOption, ToolChoice, ToolName};
use crate::api::tools::{ChatCompletionTool, CustomTool, CustomToolFormat, GrammarSyntax};
use crate::backend::{CallMode, TemplateTool};
use crate::constrain::{lark, schema};
use crate::model::LoadedModel;

/// The tools of one request.
#[derive(Debug)]
pub(super) struct Tools {
    /// All of them, for the prompt.
    pub(super) declared: Vec<TemplateTool>,
    /// Those that may be called with a JSON object.
    pub(super) callable: Vec<TemplateTool>,
    /// What the arguments of those must be, ready to be enforced.
    pub(super) parameters: Vec<Value>,
    /// Custom tools that may be called with text of a Lark grammar. JSON strings
    /// cannot be held to one, so their calls have a form of their own.
    pub(super) raw: Vec<RawTool>,
    pub(super) call_mode: CallMode,
    pub(super) parallel: bool,
    /// The names of those that take a text instead of a JSON object.
    pub(super) custom: HashSet<String>,
    /// Whether they came as the deprecated `functions`.
    pub(super) legacy: bool,
}

/// A tool under either of its names in the API.
struct Declared<'a> {
    name: &'a str,
    description: Option<&'a str>,
    parameters: Value,
    strict: bool,
    /// The Lark grammar of a custom tool's input.
    lark: Option<&'a str>,
    /// Whether its input is held to a regular expression.
    regex: bool,
    /// Where the parameters, or the grammar, stand in the request.
    param: String,
}

impl Tools {
    /// # Errors
    ///
    /// A 400 for a strict tool whose schema cannot be enforced, and for a custom
    /// tool's grammar that cannot.
    pub(super) fn of(model: &LoadedModel, request: &CreateChatCompletionRequest) -> Result<Self> {
        let declared = declared(request);
        let (call_mode, allowed) = choice(request);
        let is_callable = |tool: &&Declared<'_>| {
            call_mode != CallMode::None && allowed.as_ref().is_none_or(|allowed| allowed.contains(&tool.name))
        };
        let (raw, callable): (Vec<_>, Vec<_>) =
            declared.iter().filter(is_callable).partition(|tool| tool.lark.is_some());
        let raw = raw.into_iter().filter_map(|tool| Some((tool, tool.lark?)));
        let names_one = matches!(request.tool_choice, Some(ToolChoice::Named(_)));
        Ok(Tools {
            parameters: callable.iter().map(|tool| tool.enforced(model)).collect::<Result<_>>()?,
            callable: callable.into_iter().map(Declared::for_template).collect(),
            declared: declared.iter().map(Declared::for_template).collect(),
            raw: raw.map(|(tool, lark)| tool.raw(model, lark)).collect::<Result<_>>()?,
            call_mode,
            parallel: request.parallel_tool_calls.unwrap_or(true) && request.functions.is_none() && !names_one,
            custom: custom_names(request),
            legacy: request.functions.is_some(),
        })
    }
}

impl Tools {
    /// The names of the tools that may be called.
    pub(super) fn names(&self) -> Vec<String> {
        self.callable.iter().map(|tool| tool.name.clone()).collect()
    }
}

impl Declared<'_> {
    fn for_template(&self) -> TemplateTool {
        let mut description = self.description.unwrap_or_default().to_owned();
        if let Some(lark) = self.lark {
            let form = raw_opening(self.name);
            description.push_str("\nTo call this tool, answer with nothing but `");
            description.push_str(&form);
            description.push_str("` and the input, which follows this grammar:\n");
            description.push_str(lark);
        }
        TemplateTool { name: self.name.to_owned(), description, parameters: self.parameters.clone() }
    }

    fn raw(&self, model: &LoadedModel, lark: &str) -> Result<RawTool> {
        let rule = lark::lark_rule(&model.token_env()?, lark, &self.param)?;
        Ok(RawTool { name: self.name.to_owned(), rule })
    }

    /// What the arguments must be. A schema that cannot be enforced is an error
    /// only if it was to be: otherwise the arguments are some JSON object (TL7).
    fn enforced(&self, model: &LoadedModel) -> Result<Value> {
        match schema::arguments(&model.token_env()?, Some(&self.parameters), self.strict, &self.param) {
            Err(error) if !self.strict && error.kind() == ErrorKind::InvalidRequest => Ok(json!({ "type": "object" })),
            // The caller wrote no schema.
            Err(error) if self.regex && error.kind() == ErrorKind::InvalidRequest => {
                let reason = error.message().rsplit_once("`, ").map_or(error.message(), |(_, reason)| reason);
                let message = format!("The regular expression cannot be enforced within a call: {reason}");
                Err(Error::invalid(self.param.clone(), message))
            }
            checked => checked,
        }
    }
}

fn declared(request: &CreateChatCompletionRequest) -> Vec<Declared<'_>> {
    let no_parameters = || json!({ "type": "object", "properties": {}, "additionalProperties": false });
    let functions = request.functions.iter().flatten().enumerate().map(|(index, function)| Declared {
        name: &function.name,
        description: function.description.as_deref(),
        parameters: function.parameters.clone().unwrap_or_else(no_parameters),
        strict: false,
        lark: None,
        regex: false,
        param: format!("functions[{index}].parameters"),
    });
    let tools = request.tools.iter().flatten().enumerate().map(|(index, tool)| match tool {
        ChatCompletionTool::Function { function } => Declared {
            name: &function.name,
            description: function.description.as_deref(),
            parameters: function.parameters.clone().unwrap_or_else(no_parameters),
            strict: function.strict.unwrap_or(false),
            lark: None,
            regex: false,
            param: format!("tools[{index}].function.parameters"),
        },
        ChatCompletionTool::Custom { custom } => custom_tool(custom, index),
    });
    functions.chain(tools).collect()
}

/// A custom tool is shown to the model as a function of one text (TL6).
fn custom_tool(custom: &CustomTool, index: usize) -> Declared<'_> {
    let grammar = match &custom.format {
        Some(CustomToolFormat::Grammar { grammar }) => Some(grammar),
        Some(CustomToolFormat::Text) | None => None,
    };
    let of = |syntax| grammar.filter(|grammar| grammar.syntax == syntax).map(|grammar| grammar.definition.as_str());
    let mut input = json!({ "type": "string" });
    if let Some(regex) = of(GrammarSyntax::Regex) {
        input["pattern"] = format!("^(?:{regex})$").into();
    }
    Declared {
        name: &custom.name,
        description: custom.description.as_deref(),
        parameters: json!({
            "type": "object",
            "properties": { "input": input },
            "required": ["input"],
            "additionalProperties": false,
        }),
        strict: true,
        lark: of(GrammarSyntax::Lark),
        regex: of(GrammarSyntax::Regex).is_some(),
        param: format!("tools[{index}].custom.format.grammar.definition"),
    }
}

fn custom_names(request: &CreateChatCompletionRequest) -> HashSet<String> {
    let custom = |tool: &ChatCompletionTool| match tool {
        ChatCompletionTool::Custom { custom } => Some(custom.name.clone()),
        ChatCompletionTool::Function { .. } => None,
    };
    request.tools.iter().flatten().filter_map(custom).collect()
}

/// Whether to call, and which tools only (TL2, TL3).
fn choice(request: &CreateChatCompletionRequest) -> (CallMode, Option<Vec<&str>>) {
    match (&request.tool_choice, &request.function_call) {
        (Some(ToolChoice::None), _) | (_, Some(FunctionCallOption::None)) => (CallMode::None, None),
        (Some(ToolChoice::Required), _) => (CallMode::Required, None),
        (Some(ToolChoice::Named(name)), _) => (CallMode::Required, Some(vec![name.name()])),
        (Some(ToolChoice::AllowedTools { mode, tools }), _) => {
            let mode = match mode {
                AllowedToolsMode::Auto => CallMode::Auto,
                AllowedToolsMode::Required => CallMode::Required,
            };
            (mode, Some(tools.iter().map(ToolName::name).collect()))
        }
        (_, Some(FunctionCallOption::Named(name))) => (CallMode::Required, Some(vec![&name.name])),
        _ if request.tools.is_some() || request.functions.is_some() => (CallMode::Auto, None),
        _ => (CallMode::None, None),
    }
}
