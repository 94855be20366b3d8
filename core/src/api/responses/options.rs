//! Smaller types of a Responses request: each the value of one parameter.

use serde::{Deserialize, Deserializer, Serialize};

use super::tools::flat_format;
use crate::api::chat_options::{ReasoningEffort, Verbosity};
use crate::api::parse::Object;
use crate::api::response_format::ResponseFormat;

/// The form of the answer's text (RE2).
///
/// In JSON the format is flat: `{"format": {"type": "json_schema", "name": ..., "schema": ...}}`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TextConfig {
    /// The form that the text has to have. Default any.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "flat_format::serialize_option")]
    pub format: Option<ResponseFormat>,
    /// How many words the answer makes; only `medium`, the default, is served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verbosity: Option<Verbosity>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawText {
    format: Option<flat_format::Flat>,
    verbosity: Option<Verbosity>,
}

impl<'de> Deserialize<'de> for TextConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Object(raw) = Object::<RawText>::deserialize(deserializer)?;
        Ok(TextConfig { format: raw.format.map(|flat_format::Flat(format)| format), verbosity: raw.verbosity })
    }
}

/// How the model thinks before it answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Reasoning {
    /// How long it may think. Default the model's own way.
    #[serde(default)]
    pub effort: Option<ReasoningEffort>,
    /// What summary of the thoughts to give. There is none; the thoughts themselves are in the answer.
    #[serde(default)]
    pub summary: Option<ReasoningSummary>,
    /// The deprecated name of `summary`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generate_summary: Option<ReasoningSummary>,
    /// Which earlier thoughts the model reads again; only `auto`, its template's own way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<ReasoningContext>,
    /// A hosted service's way of thinking; only `standard`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<ReasoningMode>,
}

/// What summary of the thoughts to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ReasoningSummary {
    /// Whatever there is, which here is none.
    Auto,
    /// A short one. Not served: a 400.
    Concise,
    /// A long one. Not served: a 400.
    Detailed,
}

/// Which earlier thoughts the model reads again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReasoningContext {
    /// The model's template decides.
    Auto,
}

/// A hosted service's way of thinking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReasoningMode {
    /// The ordinary one.
    Standard,
}

/// What to add to the answer. Only `message.output_text.logprobs` adds something: the others are about
/// tools that a hosted service runs, and about thoughts, which are in the answer anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Includable {
    /// How likely the tokens of the answer's text were.
    #[serde(rename = "message.output_text.logprobs")]
    OutputTextLogprobs,
    /// The thoughts in a form to send back; they are in the item's `content`.
    #[serde(rename = "reasoning.encrypted_content")]
    EncryptedReasoning,
    /// Without effect.
    #[serde(rename = "file_search_call.results")]
    FileSearchResults,
    /// Without effect.
    #[serde(rename = "web_search_call.results")]
    WebSearchResults,
    /// Without effect.
    #[serde(rename = "web_search_call.action.sources")]
    WebSearchSources,
    /// Without effect.
    #[serde(rename = "message.input_image.image_url")]
    InputImageUrl,
    /// Without effect.
    #[serde(rename = "computer_call_output.output.image_url")]
    ComputerCallImageUrl,
    /// Without effect.
    #[serde(rename = "code_interpreter_call.outputs")]
    CodeInterpreterOutputs,
}

/// What to do with a conversation that is longer than the model's context (RE1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Truncation {
    /// Leave out the oldest turns. Instructions stay, and so does the last turn.
    Auto,
    /// Refuse it with a 400.
    #[default]
    Disabled,
}
