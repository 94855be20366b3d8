//! The answer of `/v1/chat/completions` in chunks (CS2 to CS6, TL10 to TL13).
//!
//! Which keys are present, null or absent is part of the contract, as in `chat_reply`.

use serde::{Deserialize, Deserializer, Serialize};

use super::chat_options::ServiceTier;
use super::chat_reply::FinishReason;
use super::logprobs::ChoiceLogprobs;
use super::message::Role;
use super::usage::CompletionUsage;

/// A piece of a streamed answer (CS2).
///
/// ```
/// use zerohop::types::ChatCompletionChunk;
///
/// let json = r#"{
///     "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000,
///     "model": "chat", "system_fingerprint": null,
///     "choices": [{"index": 0, "delta": {"content": "Pa"}, "logprobs": null, "finish_reason": null}]
/// }"#;
/// let chunk: ChatCompletionChunk = serde_json::from_str(json).unwrap();
/// assert_eq!(chunk.text(), Some("Pa"));
/// assert_eq!(chunk.usage(), None);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ChatCompletionChunk {
    /// A unique name of the answer, the same in all its chunks.
    pub id: String,
    /// Always `chat.completion.chunk`.
    pub object: ChatCompletionChunkObject,
    /// When the answer was begun, in seconds since 1970; the same in all its chunks.
    pub created: u64,
    /// The model, as the request named it.
    pub model: String,
    /// What has come to the answers; empty in the chunk that reports the usage alone.
    pub choices: Vec<ChunkChoice>,
    /// The class of service; absent unless the request named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_tier: Option<ServiceTier>,
    /// As in [`ChatCompletion`]; null if unknown.
    pub system_fingerprint: Option<String>,
    /// The tokens used: absent (`None`) unless the request set `include_usage`, else null
    /// (`Some(None)`) in all chunks but the last (CS5, CS6). [`usage`](Self::usage) is easier to read.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub usage: Option<Option<CompletionUsage>>,
}

impl ChatCompletionChunk {
    /// What has come to the text of the first choice; `None` if nothing has.
    pub fn text(&self) -> Option<&str> {
        self.choices.first()?.delta.content.as_deref()
    }

    /// The tokens used; only ever in the last chunk.
    pub fn usage(&self) -> Option<&CompletionUsage> {
        self.usage.as_ref()?.as_ref()
    }
}

/// Reads a key that is present; serde alone would take null for absence.
pub(super) fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// The fixed `object` of a [`ChatCompletionChunk`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChatCompletionChunkObject {
    /// `chat.completion.chunk`
    #[default]
    #[serde(rename = "chat.completion.chunk")]
    ChatCompletionChunk,
}

/// What has come to one of the answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ChunkChoice {
    /// Which answer, from 0.
    pub index: u32,
    /// What has come to it.
    pub delta: ChunkDelta,
    /// How likely this chunk's tokens were; null unless asked for (CR8).
    pub logprobs: Option<ChoiceLogprobs>,
    /// Why the answer ended; null until its last chunk (CS4).
    pub finish_reason: Option<FinishReason>,
}

/// What has come to a message; keys without news are absent (CS3, CS4).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ChunkDelta {
    /// [`Role::Assistant`] in an answer's first chunk only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Text to append; empty in the first chunk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Words of refusal to append.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// Thoughts to append (an extension, CS10).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_content: Option<String>,
    /// What has come to the calls of tools; never empty (TL10).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_calls: Option<Vec<ToolCallDelta>>,
    /// What has come to the call of a function, where the request had the deprecated `functions`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function_call: Option<FunctionCallDelta>,
}

/// What has come to the call of a tool (TL10 to TL13).
///
/// A call's first fragment has its `id`, `type` and `name` and an empty text; the others have only
/// text to append. All fragments of one call come before those of the next.
///
/// ```
/// use zerohop::types::ToolCallDelta;
///
/// let first = serde_json::to_string(&ToolCallDelta::function(0, "call_1", "get_weather")).unwrap();
/// assert_eq!(
///     first,
///     r#"{"index":0,"id":"call_1","type":"function","function":{"name":"get_weather","arguments":""}}"#
/// );
/// let next = serde_json::to_string(&ToolCallDelta::arguments(0, "{}")).unwrap();
/// assert_eq!(next, r#"{"index":0,"function":{"arguments":"{}"}}"#);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ToolCallDelta {
    /// Which call of the message, from 0 (TL11).
    pub index: u32,
    /// The call's id; in its first fragment only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The kind of the tool; in the call's first fragment only.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<ToolCallKind>,
    /// What has come to the call of a function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<FunctionCallDelta>,
    /// What has come to the call of a custom tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom: Option<CustomToolCallDelta>,
}

impl ToolCallDelta {
    /// The first fragment of a function's call.
    pub fn function(index: u32, id: impl Into<String>, name: impl Into<String>) -> Self {
        ToolCallDelta {
            index,
            id: Some(id.into()),
            kind: Some(ToolCallKind::Function),
            function: Some(FunctionCallDelta { name: Some(name.into()), arguments: Some(String::new()) }),
            custom: None,
        }
    }

    /// More of a function's arguments.
    pub fn arguments(index: u32, text: impl Into<String>) -> Self {
        let function = FunctionCallDelta { name: None, arguments: Some(text.into()) };
        ToolCallDelta { index, function: Some(function), ..Self::default() }
    }

    /// The first fragment of a custom tool's call.
    pub fn custom(index: u32, id: impl Into<String>, name: impl Into<String>) -> Self {
        ToolCallDelta {
            index,
            id: Some(id.into()),
            kind: Some(ToolCallKind::Custom),
            function: None,
            custom: Some(CustomToolCallDelta { name: Some(name.into()), input: Some(String::new()) }),
        }
    }

    /// More of a custom tool's input.
    pub fn input(index: u32, text: impl Into<String>) -> Self {
        let custom = CustomToolCallDelta { name: None, input: Some(text.into()) };
        ToolCallDelta { index, custom: Some(custom), ..Self::default() }
    }
}

/// The kind of a called tool (TL5, TL6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ToolCallKind {
    /// A function.
    Function,
    /// A custom tool.
    Custom,
}

/// What has come to the call of a function; keys without news are absent (TL10).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FunctionCallDelta {
    /// The function's name; in the call's first fragment only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Text to append to the arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<String>,
}

/// What has come to the call of a custom tool; keys without news are absent (TL13).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CustomToolCallDelta {
    /// The tool's name; in the call's first fragment only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Text to append to the input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn chunk(choices: Vec<ChunkChoice>) -> ChatCompletionChunk {
        ChatCompletionChunk {
            id: "chatcmpl-1".to_owned(),
            object: ChatCompletionChunkObject::default(),
            created: 1,
            model: "m".to_owned(),
            choices,
            service_tier: None,
            system_fingerprint: Some("fp".to_owned()),
            usage: None,
        }
    }

    fn news(delta: ChunkDelta, finish_reason: Option<FinishReason>) -> ChunkChoice {
        ChunkChoice { index: 0, delta, logprobs: None, finish_reason }
    }

    fn round_trip(chunk: &ChatCompletionChunk) -> Value {
        let value = serde_json::to_value(chunk).unwrap();
        assert_eq!(&serde_json::from_value::<ChatCompletionChunk>(value.clone()).unwrap(), chunk);
        value
    }

    #[test]
    fn first_and_last_deltas() {
        // CS2, CS3, CS4, CS6
        let first = ChunkDelta { role: Some(Role::Assistant), content: Some(String::new()), ..ChunkDelta::default() };
        let value = round_trip(&chunk(vec![news(first, None)]));
        assert_eq!(value["object"], "chat.completion.chunk");
        assert!(!value.as_object().unwrap().contains_key("usage"));
        let choice = json!({
            "index": 0,
            "delta": {"role": "assistant", "content": ""},
            "logprobs": null,
            "finish_reason": null,
        });
        assert_eq!(value["choices"][0], choice);

        let last = news(ChunkDelta::default(), Some(FinishReason::Length));
        let value = round_trip(&chunk(vec![last]));
        assert_eq!(value["choices"][0]["delta"], json!({}));
        assert_eq!(value["choices"][0]["finish_reason"], "length");
    }

    #[test]
    fn usage_is_absent_null_or_there() {
        // CS5
        let delta = ChunkDelta { content: Some("a".to_owned()), ..ChunkDelta::default() };
        let waiting = ChatCompletionChunk { usage: Some(None), ..chunk(vec![news(delta, None)]) };
        let value = round_trip(&waiting);
        assert!(value.as_object().unwrap()["usage"].is_null());
        assert_eq!((waiting.text(), waiting.usage()), (Some("a"), None));

        let usage = Some(Some(CompletionUsage::new(1, 2)));
        let last = ChatCompletionChunk { usage, ..chunk(vec![]) };
        let value = round_trip(&last);
        assert_eq!((&value["choices"], &value["usage"]["total_tokens"]), (&json!([]), &json!(3)));
        assert_eq!((last.text(), last.usage()), (None, Some(&CompletionUsage::new(1, 2))));
    }

    #[test]
    fn fragments_of_calls() {
        // TL10, TL11, TL13
        let delta = |call| ChunkDelta { tool_calls: Some(vec![call]), ..ChunkDelta::default() };
        let first = json!({
            "index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""},
        });
        let custom = json!({"index": 1, "id": "call_2", "type": "custom", "custom": {"name": "g", "input": ""}});
        for (call, expected) in [
            (ToolCallDelta::function(0, "call_1", "f"), first),
            (ToolCallDelta::arguments(0, "{"), json!({"index": 0, "function": {"arguments": "{"}})),
            (ToolCallDelta::custom(1, "call_2", "g"), custom),
            (ToolCallDelta::input(1, "a"), json!({"index": 1, "custom": {"input": "a"}})),
        ] {
            let value = round_trip(&chunk(vec![news(delta(call), None)]));
            assert_eq!(value["choices"][0]["delta"], json!({"tool_calls": [expected]}));
        }
    }

    #[test]
    fn thoughts_refusals_and_functions_have_keys_of_their_own() {
        // CS10, CQ18
        let thoughts = ChunkDelta { reasoning_content: Some("hm".to_owned()), ..ChunkDelta::default() };
        let refusal = ChunkDelta { refusal: Some("no".to_owned()), ..ChunkDelta::default() };
        let call = FunctionCallDelta { name: Some("f".to_owned()), arguments: Some(String::new()) };
        let function = ChunkDelta { function_call: Some(call), ..ChunkDelta::default() };
        for (delta, expected) in [
            (thoughts, json!({"reasoning_content": "hm"})),
            (refusal, json!({"refusal": "no"})),
            (function, json!({"function_call": {"name": "f", "arguments": ""}})),
        ] {
            let value = round_trip(&chunk(vec![news(delta, None)]));
            assert_eq!(value["choices"][0]["delta"], expected);
        }
    }

    #[test]
    fn another_object_is_no_answer() {
        let mut value = serde_json::to_value(chunk(vec![])).unwrap();
        value["object"] = json!("chat.completion");
        assert!(serde_json::from_value::<ChatCompletionChunk>(value).is_err());
    }
}
