//! Calls of tools: in replies (TL5, TL6) and, sent back, in the history.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::error::{Error, Result};
use super::parse::Object;
use super::tools::{FunctionOrCustom, ToolKind, check_name};

/// A call of a tool (TL5, TL6).
///
/// ```
/// use zerohop::types::ChatCompletionMessageToolCall;
///
/// let call = ChatCompletionMessageToolCall::function("call_1", "get_weather", r#"{"city":"Oslo"}"#);
/// assert_eq!((call.id(), call.name()), ("call_1", "get_weather"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
#[non_exhaustive]
pub enum ChatCompletionMessageToolCall {
    /// A call of a function.
    Function {
        /// Unique in the conversation; the answer names it.
        id: String,
        /// What is called, and how.
        function: FunctionCall,
    },
    /// A call of a custom tool.
    Custom {
        /// Unique in the conversation; the answer names it.
        id: String,
        /// What is called, and how.
        custom: CustomToolCall,
    },
}

impl ChatCompletionMessageToolCall {
    /// A call of a function; `arguments` is the text of a JSON object.
    pub fn function(id: impl Into<String>, name: impl Into<String>, arguments: impl Into<String>) -> Self {
        let function = FunctionCall::new(name, arguments);
        ChatCompletionMessageToolCall::Function { id: id.into(), function }
    }

    /// A call of a custom tool.
    pub fn custom(id: impl Into<String>, name: impl Into<String>, input: impl Into<String>) -> Self {
        let custom = CustomToolCall { name: name.into(), input: input.into() };
        ChatCompletionMessageToolCall::Custom { id: id.into(), custom }
    }

    /// What the answer refers to.
    pub fn id(&self) -> &str {
        match self {
            ChatCompletionMessageToolCall::Function { id, .. } | ChatCompletionMessageToolCall::Custom { id, .. } => id,
        }
    }

    /// The name of the tool.
    pub fn name(&self) -> &str {
        match self {
            ChatCompletionMessageToolCall::Function { function, .. } => &function.name,
            ChatCompletionMessageToolCall::Custom { custom, .. } => &custom.name,
        }
    }

    /// Checks a call that stands at `path` in the history.
    pub(super) fn validate(&self, path: &str) -> Result<()> {
        if self.id().is_empty() {
            return Err(Error::invalid(format!("{path}.id"), format!("'{path}.id' must not be empty")));
        }
        match self {
            ChatCompletionMessageToolCall::Function { function, .. } => function.validate(&format!("{path}.function")),
            ChatCompletionMessageToolCall::Custom { custom, .. } => {
                check_name(&custom.name, || format!("{path}.custom.name"))
            }
        }
    }
}

/// What function is called, and how (TL5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FunctionCall {
    /// The function's name.
    pub name: String,
    /// The text of a JSON object in a reply, unless a limit has cut it. In a history any text is
    /// accepted, since models of other services write what they like.
    pub arguments: String,
}

impl FunctionCall {
    /// A call with these arguments, the text of a JSON object.
    pub fn new(name: impl Into<String>, arguments: impl Into<String>) -> Self {
        FunctionCall { name: name.into(), arguments: arguments.into() }
    }

    /// Checks a call that stands at `path` in the history.
    pub(super) fn validate(&self, path: &str) -> Result<()> {
        check_name(&self.name, || format!("{path}.name"))
    }
}

/// What custom tool is called, and how (TL6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CustomToolCall {
    /// The tool's name.
    pub name: String,
    /// Any text, or one that follows the tool's grammar.
    pub input: String,
}

/// A call as history gives it, read more strictly than one in a reply.
///
/// The SDK's helpers add keys to a reply's calls (`parse()` the arguments as an object, `stream()` the
/// position), and send them back.
pub(super) struct PastCall(pub(super) ChatCompletionMessageToolCall);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCall {
    #[serde(rename = "type")]
    kind: ToolKind,
    id: String,
    function: Option<PastFunctionCall>,
    custom: Option<Object<RawCustomCall>>,
    #[serde(rename = "index")]
    _index: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCustomCall {
    name: String,
    input: String,
}

/// As [`PastCall`].
pub(super) struct PastFunctionCall(pub(super) FunctionCall);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFunctionCall {
    name: String,
    arguments: String,
    #[serde(rename = "parsed_arguments")]
    _parsed_arguments: Option<Value>,
}

impl<'de> Deserialize<'de> for PastCall {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Object(raw) = Object::<RawCall>::deserialize(deserializer)?;
        Ok(PastCall(match FunctionOrCustom::read(raw.kind, raw.function, raw.custom)? {
            FunctionOrCustom::Function(PastFunctionCall(function)) => {
                ChatCompletionMessageToolCall::Function { id: raw.id, function }
            }
            FunctionOrCustom::Custom(Object(RawCustomCall { name, input })) => {
                ChatCompletionMessageToolCall::Custom { id: raw.id, custom: CustomToolCall { name, input } }
            }
        }))
    }
}

impl<'de> Deserialize<'de> for PastFunctionCall {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Object(RawFunctionCall { name, arguments, .. }) = Object::deserialize(deserializer)?;
        Ok(PastFunctionCall(FunctionCall { name, arguments }))
    }
}
