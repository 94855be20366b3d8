//! A request's tools, as its template and its grammar need them (TL1 to TL6, CQ18).

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::api::chat::CreateChatCompletionRequest;
use crate::api::error::{Error, ErrorKind, Result};
use crate::api::tool_choice::{AllowedToolsMode, FunctionCallOption, ToolChoice};
use crate::api::tools::{ChatCompletionTool, CustomTool, CustomToolFormat, GrammarSyntax};
use crate::backend::{CallMode, TemplateTool};
use crate::constrain::schema;
use crate::model::LoadedModel;

/// The tools of one request.
#[derive(Debug)]
pub(super) struct Tools {
    /// All of them, for the prompt.
    pub(super) declared: Vec<TemplateTool>,
    /// Those that may be called.
    pub(super) callable: Vec<TemplateTool>,
    /// What the arguments of those must be, ready to be enforced.
    pub(super) parameters: Vec<Value>,
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
    /// Where the parameters stand in the request.
    param: String,
}

impl Tools {
    /// # Errors
    ///
    /// A 400 for a strict tool whose schema cannot be enforced, and for a custom
    /// tool's grammar that cannot.
    pub(super) fn of(model: &LoadedModel, request: &CreateChatCompletionRequest) -> Result<Self> {
        let declared = declared(request)?;
        let (call_mode, allowed) = choice(request);
        let is_callable = |tool: &&Declared<'_>| {
            call_mode != CallMode::None && allowed.as_ref().is_none_or(|allowed| allowed.contains(&tool.name))
        };
        let callable: Vec<&Declared<'_>> = declared.iter().filter(is_callable).collect();
        let names_one = matches!(request.tool_choice, Some(ToolChoice::Named(_)));
        Ok(Tools {
            parameters: callable.iter().map(|tool| tool.enforced(model)).collect::<Result<_>>()?,
            callable: callable.into_iter().map(Declared::for_template).collect(),
            declared: declared.iter().map(Declared::for_template).collect(),
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
        TemplateTool {
            name: self.name.to_owned(),
            description: self.description.unwrap_or_default().to_owned(),
            parameters: self.parameters.clone(),
        }
    }

    /// What the arguments must be. A schema that cannot be enforced is an error
    /// only if it was to be: otherwise the arguments are some JSON object (TL7).
    fn enforced(&self, model: &LoadedModel) -> Result<Value> {
        match schema::arguments(&model.token_env()?, Some(&self.parameters), self.strict, &self.param) {
            Err(error) if !self.strict && error.kind() == ErrorKind::InvalidRequest => Ok(json!({ "type": "object" })),
            checked => checked,
        }
    }
}

fn declared(request: &CreateChatCompletionRequest) -> Result<Vec<Declared<'_>>> {
    let no_parameters = || json!({ "type": "object", "properties": {}, "additionalProperties": false });
    let functions = request.functions.iter().flatten().enumerate().map(|(index, function)| {
        Ok(Declared {
            name: &function.name,
            description: function.description.as_deref(),
            parameters: function.parameters.clone().unwrap_or_else(no_parameters),
            strict: false,
            param: format!("functions[{index}].parameters"),
        })
    });
    let tools = request.tools.iter().flatten().enumerate().map(|(index, tool)| match tool {
        ChatCompletionTool::Function { function } => Ok(Declared {
            name: &function.name,
            description: function.description.as_deref(),
            parameters: function.parameters.clone().unwrap_or_else(no_parameters),
            strict: function.strict.unwrap_or(false),
            param: format!("tools[{index}].function.parameters"),
        }),
        ChatCompletionTool::Custom { custom } => custom_tool(custom, index),
    });
    functions.chain(tools).collect()
}

/// A custom tool is shown to the model as a function of one text. The text is a
/// JSON string there, so that of grammars only regular expressions can be held.
fn custom_tool(custom: &CustomTool, index: usize) -> Result<Declared<'_>> {
    let mut input = json!({ "type": "string" });
    if let Some(CustomToolFormat::Grammar { grammar }) = &custom.format {
        match grammar.syntax {
            GrammarSyntax::Regex => input["pattern"] = format!("^(?:{})$", grammar.definition).into(),
            GrammarSyntax::Lark => {
                return Err(Error::unsupported_value(
                    format!("tools[{index}].custom.format.grammar.syntax"),
                    "Lark grammars cannot be enforced inside of a call; use a grammar of syntax regex",
                ));
            }
        }
    }
    Ok(Declared {
        name: &custom.name,
        description: custom.description.as_deref(),
        parameters: json!({
            "type": "object",
            "properties": { "input": input },
            "required": ["input"],
            "additionalProperties": false,
        }),
        strict: true,
        param: format!("tools[{index}].custom.format.grammar.definition"),
    })
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
            (mode, Some(tools.iter().map(|tool| tool.name()).collect()))
        }
        (_, Some(FunctionCallOption::Named(name))) => (CallMode::Required, Some(vec![&name.name])),
        _ if request.tools.is_some() || request.functions.is_some() => (CallMode::Auto, None),
        _ => (CallMode::None, None),
    }
}
