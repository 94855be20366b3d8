//! What tools a model may call (TL1), under their present and their deprecated name (CQ18).

use std::collections::HashSet;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::error::{Error, Result};
use super::parse::{Object, check_keys, required};

/// A tool that the model may call (TL1).
///
/// ```
/// use serde_json::json;
/// use zerohop::types::{ChatCompletionTool, FunctionDefinition};
///
/// let weather = FunctionDefinition::new("get_weather")
///     .description("Tells the weather of a city.")
///     .parameters(json!({
///         "type": "object",
///         "properties": {"city": {"type": "string"}},
///         "required": ["city"],
///         "additionalProperties": false,
///     }))
///     .strict(true);
/// let tool = ChatCompletionTool::from(weather);
/// assert_eq!(tool.name(), "get_weather");
/// assert_eq!(serde_json::to_value(&tool).unwrap()["type"], "function");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ChatCompletionTool {
    /// A function, called with a JSON object.
    Function {
        /// The function.
        function: FunctionDefinition,
    },
    /// A tool called with a text of any form.
    Custom {
        /// The tool.
        custom: CustomTool,
    },
}

impl ChatCompletionTool {
    /// The name by which the model calls it.
    pub fn name(&self) -> &str {
        match self {
            ChatCompletionTool::Function { function } => &function.name,
            ChatCompletionTool::Custom { custom } => &custom.name,
        }
    }

    pub(crate) fn key(&self) -> (ToolKind, &str) {
        let kind = match self {
            ChatCompletionTool::Function { .. } => ToolKind::Function,
            ChatCompletionTool::Custom { .. } => ToolKind::Custom,
        };
        (kind, self.name())
    }

    /// Checks a tool that stands at `path` in the request.
    fn validate(&self, path: &str) -> Result<()> {
        match self {
            ChatCompletionTool::Function { function } => {
                check_name(&function.name, || format!("{path}.function.name"))?;
                check_parameters(function.parameters.as_ref(), || format!("{path}.function.parameters"))?;
                if function.strict == Some(true) && function.parameters.is_none() {
                    return Err(Error::invalid(
                        format!("{path}.function.parameters"),
                        "A strict function needs 'parameters': for one without arguments, an object without properties",
                    ));
                }
                Ok(())
            }
            ChatCompletionTool::Custom { custom } => {
                check_name(&custom.name, || format!("{path}.custom.name"))?;
                match &custom.format {
                    Some(CustomToolFormat::Grammar { grammar }) if grammar.definition.is_empty() => {
                        Err(Error::invalid(
                            format!("{path}.custom.format.grammar.definition"),
                            "A grammar must not be empty",
                        ))
                    }
                    _ => Ok(()),
                }
            }
        }
    }
}

impl From<FunctionDefinition> for ChatCompletionTool {
    fn from(function: FunctionDefinition) -> Self {
        ChatCompletionTool::Function { function }
    }
}

impl From<CustomTool> for ChatCompletionTool {
    fn from(custom: CustomTool) -> Self {
        ChatCompletionTool::Custom { custom }
    }
}

/// A function that the model may call (TL1).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "a function does nothing until it is part of a request"]
#[non_exhaustive]
pub struct FunctionDefinition {
    /// What the model calls it: 1 to 64 characters of `A-Z a-z 0-9 _ -`.
    pub name: String,
    /// What it does, for the model to read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The JSON schema of its arguments, an object. By default it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Value>,
    /// Whether the arguments are sure to satisfy `parameters`, which must then keep to the API's
    /// strict subset of JSON schema (TL7). Default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strict: Option<bool>,
}

impl FunctionDefinition {
    /// A function without arguments.
    pub fn new(name: impl Into<String>) -> Self {
        FunctionDefinition { name: name.into(), ..Self::default() }
    }

    /// What it does.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// The JSON schema of its arguments.
    pub fn parameters(mut self, schema: Value) -> Self {
        self.parameters = Some(schema);
        self
    }

    /// Whether the arguments are sure to satisfy the schema.
    pub fn strict(mut self, strict: bool) -> Self {
        self.strict = Some(strict);
        self
    }
}

/// A tool that is called with a text (TL6).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "a tool does nothing until it is part of a request"]
#[non_exhaustive]
pub struct CustomTool {
    /// What the model calls it: 1 to 64 characters of `A-Z a-z 0-9 _ -`.
    pub name: String,
    /// What it does, for the model to read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The form of its input. Default any text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<CustomToolFormat>,
}

impl CustomTool {
    /// A tool that takes any text.
    pub fn new(name: impl Into<String>) -> Self {
        CustomTool { name: name.into(), ..Self::default() }
    }

    /// What it does.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// A grammar that its input follows.
    pub fn grammar(mut self, syntax: GrammarSyntax, definition: impl Into<String>) -> Self {
        let grammar = CustomToolGrammar { syntax, definition: definition.into() };
        self.format = Some(CustomToolFormat::Grammar { grammar });
        self
    }
}

/// The form of a custom tool's input (TL6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum CustomToolFormat {
    /// Any text.
    Text,
    /// A text that follows a grammar.
    Grammar {
        /// The grammar.
        grammar: CustomToolGrammar,
    },
}

/// A grammar for a custom tool's input (TL6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CustomToolGrammar {
    /// How it is written.
    pub syntax: GrammarSyntax,
    /// The grammar.
    pub definition: String,
}

/// How a grammar is written (TL6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum GrammarSyntax {
    /// A Lark grammar, in llguidance's dialect.
    Lark,
    /// A regular expression in the syntax of Rust's `regex` crate, which the whole text matches.
    Regex,
}

/// A function that the model may call, in the deprecated `functions` (CQ18).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ChatCompletionFunction {
    /// What the model calls it: 1 to 64 characters of `A-Z a-z 0-9 _ -`.
    pub name: String,
    /// What it does, for the model to read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The JSON schema of its arguments, an object. By default it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Value>,
}

/// Checks the whole of `tools` (TL1).
pub(crate) fn check_tools(tools: &[ChatCompletionTool]) -> Result<()> {
    check_names("tools", tools, |tool| match tool {
        ChatCompletionTool::Function { .. } => (tool.name(), "function.name"),
        ChatCompletionTool::Custom { .. } => (tool.name(), "custom.name"),
    })?;
    tools.iter().enumerate().try_for_each(|(index, tool)| tool.validate(&format!("tools[{index}]")))
}

/// Checks the whole of the deprecated `functions` (CQ18).
pub(crate) fn check_functions(functions: &[ChatCompletionFunction]) -> Result<()> {
    check_names("functions", functions, |function| (&function.name, "name"))?;
    for (index, function) in functions.iter().enumerate() {
        check_name(&function.name, || format!("functions[{index}].name"))?;
        check_parameters(function.parameters.as_ref(), || format!("functions[{index}].parameters"))?;
    }
    Ok(())
}

/// Refuses an empty list and one with a name twice; `name_of` gives an entry's name and where it is.
fn check_names<T>(param: &'static str, list: &[T], name_of: impl Fn(&T) -> (&str, &'static str)) -> Result<()> {
    if list.is_empty() {
        return Err(Error::invalid(param, format!("'{param}' must have at least one entry")));
    }
    let mut seen = HashSet::new();
    for (index, entry) in list.iter().enumerate() {
        let (name, key) = name_of(entry);
        if !seen.insert(name) {
            return Err(Error::invalid(format!("{param}[{index}].{key}"), format!("'{param}' has a name twice")));
        }
    }
    Ok(())
}

/// The rule for the names of tools, of functions and of JSON schemas (TL1, SO1).
pub(crate) fn check_name(name: &str, param: impl Fn() -> String) -> Result<()> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if (1..=64).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(());
    }
    let param = param();
    let message = format!("'{param}' must have 1 to 64 characters, each one a letter, a digit, '_' or '-'");
    Err(Error::invalid(param, message))
}

/// What a schema may say is checked where it is compiled.
fn check_parameters(parameters: Option<&Value>, param: impl Fn() -> String) -> Result<()> {
    match parameters {
        Some(schema) if !schema.is_object() => {
            let param = param();
            let message = format!("'{param}' must be a JSON schema, an object");
            Err(Error::invalid(param, message))
        }
        _ => Ok(()),
    }
}

/// A tool as it arrives: serde's own tagged enums read ahead and so lose the path to an error.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTool {
    #[serde(rename = "type")]
    kind: ToolKind,
    function: Option<Object<FunctionDefinition>>,
    custom: Option<Object<CustomTool>>,
}

/// The `type` of a tool, of a choice and of a call.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ToolKind {
    Function,
    Custom,
}

impl fmt::Display for ToolKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ToolKind::Function => "function",
            ToolKind::Custom => "custom",
        })
    }
}

/// The value of an object of type `function` or `custom`, under the key of that name.
pub(crate) enum FunctionOrCustom<F, C> {
    Function(F),
    Custom(C),
}

impl<F, C> FunctionOrCustom<F, C> {
    pub(crate) fn read<E: serde::de::Error>(kind: ToolKind, function: Option<F>, custom: Option<C>) -> Result<Self, E> {
        check_keys(
            kind,
            &[(ToolKind::Function, "function", function.is_some()), (ToolKind::Custom, "custom", custom.is_some())],
        )?;
        Ok(match kind {
            ToolKind::Function => FunctionOrCustom::Function(required("function", function)?),
            ToolKind::Custom => FunctionOrCustom::Custom(required("custom", custom)?),
        })
    }
}

impl<'de> Deserialize<'de> for ChatCompletionTool {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Object(raw) = Object::<RawTool>::deserialize(deserializer)?;
        Ok(match FunctionOrCustom::read(raw.kind, raw.function, raw.custom)? {
            FunctionOrCustom::Function(Object(function)) => function.into(),
            FunctionOrCustom::Custom(Object(custom)) => custom.into(),
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFormat {
    #[serde(rename = "type")]
    kind: FormatKind,
    grammar: Option<Object<CustomToolGrammar>>,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum FormatKind {
    Text,
    Grammar,
}

impl<'de> Deserialize<'de> for CustomToolFormat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Object(raw) = Object::<RawFormat>::deserialize(deserializer)?;
        check_keys(raw.kind, &[(FormatKind::Grammar, "grammar", raw.grammar.is_some())])?;
        Ok(match raw.kind {
            FormatKind::Text => CustomToolFormat::Text,
            FormatKind::Grammar => CustomToolFormat::Grammar { grammar: required("grammar", raw.grammar)?.0 },
        })
    }
}
