//! Tools, choices and formats as the Responses API writes them: flat, where a chat request has objects
//! within objects (RE2). The values are the same, so only reading and writing differ.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::api::parse::{Object, check_keys, required};
use crate::api::tool_choice::{AllowedToolsMode, ToolChoice, ToolName};
use crate::api::tools::{
    ChatCompletionTool, CustomTool, CustomToolFormat, CustomToolGrammar, FunctionDefinition, GrammarSyntax, ToolKind,
};

/// `tools`, as a field's serde functions.
pub(crate) mod flat_tools {
    use super::{ChatCompletionTool, Deserialize, Deserializer, FlatTool, Serializer, WrittenTool};

    pub(crate) fn serialize<S: Serializer>(tools: &[ChatCompletionTool], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(tools.iter().map(WrittenTool::of))
    }

    #[expect(clippy::ref_option, reason = "serde gives the field so")]
    pub(crate) fn serialize_option<S: Serializer>(
        tools: &Option<Vec<ChatCompletionTool>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serialize(tools.as_deref().unwrap_or_default(), serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<ChatCompletionTool>, D::Error> {
        let tools = Vec::<FlatTool>::deserialize(d)?;
        Ok(tools.into_iter().map(|FlatTool(tool)| tool).collect())
    }
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum WrittenTool<'a> {
    Function {
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
        parameters: Option<&'a Value>,
        strict: Option<bool>,
    },
    Custom {
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        format: Option<WrittenToolFormat<'a>>,
    },
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum WrittenToolFormat<'a> {
    Text,
    Grammar { syntax: GrammarSyntax, definition: &'a str },
}

impl<'a> WrittenTool<'a> {
    fn of(tool: &'a ChatCompletionTool) -> Self {
        match tool {
            ChatCompletionTool::Function { function } => WrittenTool::Function {
                name: &function.name,
                description: function.description.as_deref(),
                parameters: function.parameters.as_ref(),
                strict: function.strict,
            },
            ChatCompletionTool::Custom { custom } => WrittenTool::Custom {
                name: &custom.name,
                description: custom.description.as_deref(),
                format: custom.format.as_ref().map(|format| match format {
                    CustomToolFormat::Text => WrittenToolFormat::Text,
                    CustomToolFormat::Grammar { grammar: CustomToolGrammar { syntax, definition } } => {
                        WrittenToolFormat::Grammar { syntax: *syntax, definition }
                    }
                }),
            },
        }
    }
}

/// A tool as it arrives.
pub(crate) struct FlatTool(pub(crate) ChatCompletionTool);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTool {
    #[serde(rename = "type")]
    kind: ToolKind,
    name: String,
    description: Option<String>,
    parameters: Option<Value>,
    strict: Option<bool>,
    format: Option<FlatToolFormat>,
    // What the tool gives, for programs that run the model's code; there are none here.
    #[serde(rename = "output_schema")]
    _output_schema: Option<IgnoredAny>,
    #[serde(rename = "async")]
    _async: Option<Off>,
    #[serde(rename = "defer_loading")]
    _defer_loading: Option<Off>,
    #[serde(rename = "allowed_callers")]
    _allowed_callers: Option<Vec<Caller>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Caller {
    Direct,
}

/// The value of a switch that cannot be on.
struct Off;

impl<'de> Deserialize<'de> for Off {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if bool::deserialize(deserializer)? {
            return Err(serde::de::Error::invalid_value(serde::de::Unexpected::Bool(true), &"false"));
        }
        Ok(Off)
    }
}

impl<'de> Deserialize<'de> for FlatTool {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Object(raw) = Object::<RawTool>::deserialize(deserializer)?;
        check_keys(
            raw.kind,
            &[
                (ToolKind::Function, "parameters", raw.parameters.is_some()),
                (ToolKind::Function, "strict", raw.strict.is_some()),
                (ToolKind::Custom, "format", raw.format.is_some()),
            ],
        )?;
        Ok(FlatTool(match raw.kind {
            ToolKind::Function => FunctionDefinition {
                name: raw.name,
                description: raw.description,
                parameters: raw.parameters,
                strict: raw.strict,
            }
            .into(),
            ToolKind::Custom => CustomTool {
                name: raw.name,
                description: raw.description,
                format: raw.format.map(|FlatToolFormat(format)| format),
            }
            .into(),
        }))
    }
}

struct FlatToolFormat(CustomToolFormat);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawToolFormat {
    #[serde(rename = "type")]
    kind: ToolFormatKind,
    syntax: Option<GrammarSyntax>,
    definition: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ToolFormatKind {
    Text,
    Grammar,
}

impl<'de> Deserialize<'de> for FlatToolFormat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Object(raw) = Object::<RawToolFormat>::deserialize(deserializer)?;
        check_keys(
            raw.kind,
            &[
                (ToolFormatKind::Grammar, "syntax", raw.syntax.is_some()),
                (ToolFormatKind::Grammar, "definition", raw.definition.is_some()),
            ],
        )?;
        Ok(FlatToolFormat(match raw.kind {
            ToolFormatKind::Text => CustomToolFormat::Text,
            ToolFormatKind::Grammar => CustomToolFormat::Grammar {
                grammar: CustomToolGrammar {
                    syntax: required("syntax", raw.syntax)?,
                    definition: required("definition", raw.definition)?,
                },
            },
        }))
    }
}

/// `tool_choice`, as a field's serde functions.
pub(crate) mod flat_choice {
    use super::{Deserialize, Deserializer, FlatChoice, Serialize, Serializer, ToolChoice, WrittenChoice};

    pub(crate) fn serialize<S: Serializer>(choice: &ToolChoice, serializer: S) -> Result<S::Ok, S::Error> {
        WrittenChoice::of(choice).serialize(serializer)
    }

    #[expect(clippy::ref_option, reason = "serde gives the field so")]
    pub(crate) fn serialize_option<S: Serializer>(
        choice: &Option<ToolChoice>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        choice.as_ref().map(WrittenChoice::of).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<ToolChoice, D::Error> {
        FlatChoice::deserialize(d).map(|FlatChoice(choice)| choice)
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum WrittenChoice<'a> {
    Word(&'static str),
    Named(WrittenName<'a>),
    Allowed(WrittenAllowed<'a>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum WrittenName<'a> {
    Function { name: &'a str },
    Custom { name: &'a str },
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "allowed_tools")]
struct WrittenAllowed<'a> {
    mode: AllowedToolsMode,
    tools: Vec<WrittenName<'a>>,
}

impl<'a> WrittenChoice<'a> {
    fn of(choice: &'a ToolChoice) -> Self {
        let name = |name: &'a ToolName| match name {
            ToolName::Function { function } => WrittenName::Function { name: &function.name },
            ToolName::Custom { custom } => WrittenName::Custom { name: &custom.name },
        };
        match choice {
            ToolChoice::None => WrittenChoice::Word("none"),
            ToolChoice::Auto => WrittenChoice::Word("auto"),
            ToolChoice::Required => WrittenChoice::Word("required"),
            ToolChoice::Named(named) => WrittenChoice::Named(name(named)),
            ToolChoice::AllowedTools { mode, tools } => {
                WrittenChoice::Allowed(WrittenAllowed { mode: *mode, tools: tools.iter().map(name).collect() })
            }
        }
    }
}

/// A choice as it arrives.
pub(crate) struct FlatChoice(pub(crate) ToolChoice);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawChoice {
    #[serde(rename = "type")]
    kind: ChoiceKind,
    name: Option<String>,
    mode: Option<AllowedToolsMode>,
    tools: Option<Vec<Object<RawName>>>,
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
struct RawName {
    #[serde(rename = "type")]
    kind: ToolKind,
    name: String,
}

impl RawName {
    fn into_name(self) -> ToolName {
        match self.kind {
            ToolKind::Function => ToolName::function(self.name),
            ToolKind::Custom => ToolName::custom(self.name),
        }
    }
}

impl<'de> Deserialize<'de> for FlatChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ChoiceVisitor)
    }
}

struct ChoiceVisitor;

impl<'de> Visitor<'de> for ChoiceVisitor {
    type Value = FlatChoice;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or an object")
    }

    fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<Self::Value, E> {
        Ok(FlatChoice(match word {
            "none" => ToolChoice::None,
            "auto" => ToolChoice::Auto,
            "required" => ToolChoice::Required,
            other => return Err(E::unknown_variant(other, &["none", "auto", "required"])),
        }))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let raw = RawChoice::deserialize(MapAccessDeserializer::new(map))?;
        let named_kind = if raw.kind == ChoiceKind::Custom { raw.kind } else { ChoiceKind::Function };
        check_keys(
            raw.kind,
            &[
                (named_kind, "name", raw.name.is_some()),
                (ChoiceKind::AllowedTools, "mode", raw.mode.is_some()),
                (ChoiceKind::AllowedTools, "tools", raw.tools.is_some()),
            ],
        )?;
        Ok(FlatChoice(match raw.kind {
            ChoiceKind::Function => ToolChoice::Named(ToolName::function(required::<String, _>("name", raw.name)?)),
            ChoiceKind::Custom => ToolChoice::Named(ToolName::custom(required::<String, _>("name", raw.name)?)),
            ChoiceKind::AllowedTools => ToolChoice::AllowedTools {
                mode: required("mode", raw.mode)?,
                tools: required("tools", raw.tools)?.into_iter().map(|Object(name)| name.into_name()).collect(),
            },
        }))
    }
}

/// `text.format`.
pub(crate) mod flat_format {
    use super::{Deserialize, Deserializer, Object, Serialize, Serializer, Value, check_keys, required};
    use crate::api::response_format::{FormatKind, JsonSchema, ResponseFormat};

    #[derive(Serialize)]
    #[serde(tag = "type", rename_all = "snake_case")]
    enum Written<'a> {
        Text,
        JsonObject,
        JsonSchema(&'a JsonSchema),
        Regex { regex: &'a str },
        Lark { lark: &'a str },
    }

    #[expect(clippy::ref_option, reason = "serde gives the field so")]
    pub(crate) fn serialize_option<S: Serializer>(
        format: &Option<ResponseFormat>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let written = |format| match format {
            &ResponseFormat::Text => Written::Text,
            ResponseFormat::JsonObject => Written::JsonObject,
            ResponseFormat::JsonSchema { json_schema } => Written::JsonSchema(json_schema),
            ResponseFormat::Regex { regex } => Written::Regex { regex },
            ResponseFormat::Lark { lark } => Written::Lark { lark },
        };
        format.as_ref().map(written).serialize(serializer)
    }

    /// A format as it arrives.
    pub(crate) struct Flat(pub(crate) ResponseFormat);

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Raw {
        #[serde(rename = "type")]
        kind: FormatKind,
        name: Option<String>,
        description: Option<String>,
        schema: Option<Value>,
        strict: Option<bool>,
        regex: Option<String>,
        lark: Option<String>,
    }

    impl<'de> Deserialize<'de> for Flat {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let Object(raw) = Object::<Raw>::deserialize(deserializer)?;
            check_keys(
                raw.kind,
                &[
                    (FormatKind::JsonSchema, "name", raw.name.is_some()),
                    (FormatKind::JsonSchema, "description", raw.description.is_some()),
                    (FormatKind::JsonSchema, "schema", raw.schema.is_some()),
                    (FormatKind::JsonSchema, "strict", raw.strict.is_some()),
                    (FormatKind::Regex, "regex", raw.regex.is_some()),
                    (FormatKind::Lark, "lark", raw.lark.is_some()),
                ],
            )?;
            Ok(Flat(match raw.kind {
                FormatKind::Text => ResponseFormat::Text,
                FormatKind::JsonObject => ResponseFormat::JsonObject,
                FormatKind::JsonSchema => JsonSchema {
                    name: required("name", raw.name)?,
                    description: raw.description,
                    schema: raw.schema,
                    strict: raw.strict,
                }
                .into(),
                FormatKind::Regex => ResponseFormat::Regex { regex: required("regex", raw.regex)? },
                FormatKind::Lark => ResponseFormat::Lark { lark: required("lark", raw.lark)? },
            }))
        }
    }
}
