//! Which tools the model may or must call (TL2, CQ18).

use std::collections::HashSet;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::error::{Error, Result};
use super::parse::{Object, check_keys, required, shorten};
use super::tools::{ChatCompletionFunction, ChatCompletionTool, FunctionOrCustom, ToolKind};

/// Which tools the model may or must call (TL2).
///
/// ```
/// use zerohop::types::{AllowedToolsMode, ToolChoice, ToolName};
///
/// assert_eq!(serde_json::to_string(&ToolChoice::Required).unwrap(), r#""required""#);
///
/// let named = ToolChoice::Named(ToolName::function("get_weather"));
/// let json = serde_json::to_string(&named).unwrap();
/// assert_eq!(json, r#"{"type":"function","function":{"name":"get_weather"}}"#);
///
/// let some = ToolChoice::AllowedTools {
///     mode: AllowedToolsMode::Auto,
///     tools: vec![ToolName::function("get_weather")],
/// };
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ToolChoice {
    /// No tool; the default without tools.
    None,
    /// Any tools or none, as the model likes; the default with tools.
    Auto,
    /// At least one tool.
    Required,
    /// This tool.
    Named(ToolName),
    /// Some of the tools only; the model still reads of all of them.
    AllowedTools {
        /// Whether it must call one of them.
        mode: AllowedToolsMode,
        /// Those that it may call; at least one.
        tools: Vec<ToolName>,
    },
}

/// Whether one of the allowed tools must be called (TL2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AllowedToolsMode {
    /// Any of them or none, as the model likes.
    Auto,
    /// At least one of them.
    Required,
}

/// A tool, referred to by its kind and name (TL2).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
#[non_exhaustive]
pub enum ToolName {
    /// A function.
    Function {
        /// Its name.
        function: Name,
    },
    /// A custom tool.
    Custom {
        /// Its name.
        custom: Name,
    },
}

/// A name in an object of its own (TL2).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Name {
    /// The name.
    pub name: String,
}

impl ToolName {
    /// The function of this name.
    pub fn function(name: impl Into<String>) -> Self {
        ToolName::Function { function: Name { name: name.into() } }
    }

    /// The custom tool of this name.
    pub fn custom(name: impl Into<String>) -> Self {
        ToolName::Custom { custom: Name { name: name.into() } }
    }

    /// The name.
    pub fn name(&self) -> &str {
        match self {
            ToolName::Function { function } => &function.name,
            ToolName::Custom { custom } => &custom.name,
        }
    }

    /// Whether this is the tool that is meant.
    pub fn refers_to(&self, tool: &ChatCompletionTool) -> bool {
        self.key() == tool.key()
    }

    fn key(&self) -> (ToolKind, &str) {
        let kind = match self {
            ToolName::Function { .. } => ToolKind::Function,
            ToolName::Custom { .. } => ToolKind::Custom,
        };
        (kind, self.name())
    }
}

impl ToolChoice {
    /// Checks that what it names is declared (TL2).
    pub(crate) fn validate(&self, tools: Option<&[ChatCompletionTool]>) -> Result<()> {
        let Some(tools) = tools else {
            return Err(Error::invalid("tool_choice", "'tool_choice' is only allowed when 'tools' are given"));
        };
        let names = match self {
            ToolChoice::None | ToolChoice::Auto | ToolChoice::Required => return Ok(()),
            ToolChoice::Named(name) => std::slice::from_ref(name),
            ToolChoice::AllowedTools { tools: names, .. } if names.is_empty() => {
                return Err(Error::invalid(
                    "tool_choice.allowed_tools.tools",
                    "'tool_choice.allowed_tools.tools' must have at least one entry",
                ));
            }
            ToolChoice::AllowedTools { tools: names, .. } => names,
        };
        let declared: HashSet<_> = tools.iter().map(ChatCompletionTool::key).collect();
        match names.iter().find(|name| !declared.contains(&name.key())) {
            Some(name) => {
                let (kind, name) = name.key();
                let message =
                    format!("'tool_choice' names the {kind} tool '{}', which is not in 'tools'", shorten(name));
                Err(Error::invalid("tool_choice", message))
            }
            None => Ok(()),
        }
    }
}

/// Which function the model may or must call, in the deprecated `function_call` (CQ18).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FunctionCallOption {
    /// None; the default without functions.
    None,
    /// Any or none, as the model likes; the default with functions.
    Auto,
    /// This function.
    Named(Name),
}

impl FunctionCallOption {
    /// The function of this name.
    pub fn named(name: impl Into<String>) -> Self {
        FunctionCallOption::Named(Name { name: name.into() })
    }

    /// Checks that what it names is declared (CQ18).
    pub(crate) fn validate(&self, functions: Option<&[ChatCompletionFunction]>) -> Result<()> {
        let Some(functions) = functions else {
            return Err(Error::invalid("function_call", "'function_call' is only allowed when 'functions' are given"));
        };
        match self {
            FunctionCallOption::Named(Name { name }) if !functions.iter().any(|function| function.name == *name) => {
                let message =
                    format!("'function_call' names the function '{}', which is not in 'functions'", shorten(name));
                Err(Error::invalid("function_call", message))
            }
            _ => Ok(()),
        }
    }
}

impl Serialize for ToolChoice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Allowed<'a> {
            mode: AllowedToolsMode,
            tools: &'a [ToolName],
        }
        #[derive(Serialize)]
        #[serde(tag = "type", rename = "allowed_tools")]
        struct AllowedTools<'a> {
            allowed_tools: Allowed<'a>,
        }
        match self {
            ToolChoice::None => serializer.serialize_str("none"),
            ToolChoice::Auto => serializer.serialize_str("auto"),
            ToolChoice::Required => serializer.serialize_str("required"),
            ToolChoice::Named(name) => name.serialize(serializer),
            &ToolChoice::AllowedTools { mode, ref tools } => {
                AllowedTools { allowed_tools: Allowed { mode, tools } }.serialize(serializer)
            }
        }
    }
}

impl Serialize for FunctionCallOption {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            FunctionCallOption::None => serializer.serialize_str("none"),
            FunctionCallOption::Auto => serializer.serialize_str("auto"),
            FunctionCallOption::Named(name) => name.serialize(serializer),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawName {
    #[serde(rename = "type")]
    kind: ToolKind,
    function: Option<Object<Name>>,
    custom: Option<Object<Name>>,
}

impl<'de> Deserialize<'de> for ToolName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Object(raw) = Object::<RawName>::deserialize(deserializer)?;
        Ok(match FunctionOrCustom::read(raw.kind, raw.function, raw.custom)? {
            FunctionOrCustom::Function(Object(function)) => ToolName::Function { function },
            FunctionOrCustom::Custom(Object(custom)) => ToolName::Custom { custom },
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawChoice {
    #[serde(rename = "type")]
    kind: ChoiceKind,
    function: Option<Object<Name>>,
    custom: Option<Object<Name>>,
    allowed_tools: Option<Object<RawAllowedTools>>,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ChoiceKind {
    Function,
    Custom,
    AllowedTools,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAllowedTools {
    mode: AllowedToolsMode,
    tools: Vec<ToolName>,
}

impl RawChoice {
    fn into_choice<E: serde::de::Error>(self) -> Result<ToolChoice, E> {
        check_keys(
            self.kind,
            &[
                (ChoiceKind::Function, "function", self.function.is_some()),
                (ChoiceKind::Custom, "custom", self.custom.is_some()),
                (ChoiceKind::AllowedTools, "allowed_tools", self.allowed_tools.is_some()),
            ],
        )?;
        Ok(match self.kind {
            ChoiceKind::Function => {
                ToolChoice::Named(ToolName::Function { function: required("function", self.function)?.0 })
            }
            ChoiceKind::Custom => ToolChoice::Named(ToolName::Custom { custom: required("custom", self.custom)?.0 }),
            ChoiceKind::AllowedTools => {
                let Object(RawAllowedTools { mode, tools }) = required("allowed_tools", self.allowed_tools)?;
                ToolChoice::AllowedTools { mode, tools }
            }
        })
    }
}

impl<'de> Deserialize<'de> for ToolChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ChoiceVisitor)
    }
}

struct ChoiceVisitor;

impl<'de> Visitor<'de> for ChoiceVisitor {
    type Value = ToolChoice;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or an object")
    }

    fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<Self::Value, E> {
        match word {
            "none" => Ok(ToolChoice::None),
            "auto" => Ok(ToolChoice::Auto),
            "required" => Ok(ToolChoice::Required),
            other => Err(E::unknown_variant(other, &["none", "auto", "required"])),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        RawChoice::deserialize(MapAccessDeserializer::new(map))?.into_choice()
    }
}

impl<'de> Deserialize<'de> for FunctionCallOption {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FunctionCallVisitor)
    }
}

struct FunctionCallVisitor;

impl<'de> Visitor<'de> for FunctionCallVisitor {
    type Value = FunctionCallOption;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or an object")
    }

    fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<Self::Value, E> {
        match word {
            "none" => Ok(FunctionCallOption::None),
            "auto" => Ok(FunctionCallOption::Auto),
            other => Err(E::unknown_variant(other, &["none", "auto"])),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        Name::deserialize(MapAccessDeserializer::new(map)).map(FunctionCallOption::Named)
    }
}
