//! Chat templates, applied by llama.cpp's `common/chat`.

mod output;
mod skeleton;

use std::ffi::{CStr, CString};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ptr::{self, NonNull};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Model;
use super::native::{self, NativeString, NativeTemplates};
use super::stack::LargeStacks;
use crate::api::error::{Error, ErrorKind, Result};
use crate::api::message::Role;
use crate::model::check_template;

pub(crate) use output::{OutputParser, ParsedMessage, ParsedToolCall};
pub(crate) use skeleton::{Placeholder, SchemaStep, Skeleton, split_at_placeholder};

/// What the template's own variables are called: a request must not set them.
const RESERVED_KWARGS: [&str; 5] = ["messages", "tools", "bos_token", "eos_token", "add_generation_prompt"];

/// Stack for running a template, whose expressions and macros recurse.
const STACK: usize = 128 << 20;

/// Address space for the stacks of all that are run at once.
const ALL_STACKS: usize = 1 << 30;

/// The chat templates of one model.
#[derive(Debug)]
pub(crate) struct Templates {
    native: Native,
    stacks: LargeStacks,
}

#[derive(Debug)]
struct Native(NonNull<NativeTemplates>);

// SAFETY: the native object is immutable after construction, but for an analysis
// that is made once under a lock; rendering builds its own interpreter state for
// every call.
unsafe impl Send for Native {}
// SAFETY: as above.
unsafe impl Sync for Native {}

/// One message as `common/chat` takes it.
#[derive(Debug, Clone)]
pub(crate) struct TemplateMessage {
    pub(crate) role: Role,
    pub(crate) content: String,
    pub(crate) reasoning_content: Option<String>,
    pub(crate) tool_calls: Vec<TemplateToolCall>,
    /// Which call a tool message answers.
    pub(crate) tool_call_id: Option<String>,
    /// The name of the function that a tool message comes from.
    pub(crate) name: Option<String>,
}

impl TemplateMessage {
    #[cfg(test)]
    pub(crate) fn new(role: Role, content: impl Into<String>) -> Self {
        TemplateMessage {
            role,
            content: content.into(),
            reasoning_content: None,
            tool_calls: Vec::new(),
            tool_call_id: None,
            name: None,
        }
    }
}

/// A call in an assistant's message.
#[derive(Debug, Clone)]
pub(crate) struct TemplateToolCall {
    pub(crate) id: String,
    pub(crate) name: String,
    /// JSON text.
    pub(crate) arguments: String,
}

/// A function that the model may call.
#[derive(Debug, Clone)]
pub(crate) struct TemplateTool {
    pub(crate) name: String,
    pub(crate) description: String,
    /// A JSON schema.
    pub(crate) parameters: Value,
}

/// How far a model is to call tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CallMode {
    None,
    Auto,
    Required,
}

/// Everything that a prompt is made from.
#[derive(Debug, Clone)]
pub(crate) struct TemplateRequest<'a> {
    pub(crate) messages: &'a [TemplateMessage],
    /// The tools that the prompt describes.
    pub(crate) tools: &'a [TemplateTool],
    /// The tools that may be called, as `tools` has them.
    pub(crate) callable: &'a [TemplateTool],
    pub(crate) call_mode: CallMode,
    pub(crate) parallel_tool_calls: bool,
    /// What a template that can think is told; `chat_template_kwargs` may override it.
    pub(crate) enable_thinking: bool,
    pub(crate) kwargs: Map<String, Value>,
}

#[cfg(test)]
impl<'a> TemplateRequest<'a> {
    /// A conversation without tools.
    pub(crate) fn new(messages: &'a [TemplateMessage]) -> Self {
        TemplateRequest {
            messages,
            tools: &[],
            callable: &[],
            call_mode: CallMode::None,
            parallel_tool_calls: true,
            enable_thinking: true,
            kwargs: Map::new(),
        }
    }
}

/// A prompt, and how its answer is to be read.
#[derive(Debug)]
pub(crate) struct Rendered {
    pub(crate) prompt: String,
    /// The end of `prompt` that opens the assistant's turn, and possibly its thoughts.
    pub(crate) generation_prompt: String,
    /// `None` when the answer is nothing but text.
    pub(crate) output: Option<OutputFormat>,
    /// Spellings of control tokens that are part of the answer's markup.
    pub(crate) preserved_tokens: Vec<String>,
    pub(crate) additional_stops: Vec<String>,
}

/// The form of an answer that is more than text.
#[derive(Debug)]
pub(crate) struct OutputFormat {
    /// llama.cpp's name for how calls are read from what was parsed.
    format: i32,
    pub(crate) parser: OutputParser,
    /// llama.cpp's parser as it serialises it, with placeholders in its rule names.
    pub(crate) arena: Value,
    pub(crate) skeleton: Skeleton,
    pub(crate) parallel_tool_calls: bool,
}

impl OutputFormat {
    fn new(format: i32, generation_prompt: &str, arena: Value, skeleton: Skeleton) -> Result<Self> {
        let parser = OutputParser::new(format, generation_prompt, &skeleton.fill(&arena))?;
        Ok(OutputFormat { format, parser, arena, skeleton, parallel_tool_calls: true })
    }

    /// Whether text ends at this delimiter alone somewhere.
    pub(crate) fn has_delimiter(&self, delimiter: &str) -> bool {
        let nodes = self.arena["parsers"].as_array().into_iter().flatten();
        nodes.into_iter().any(|node| node["delimiters"] == json!([delimiter]))
    }

    /// Lets text that ends at this delimiter alone end at others instead.
    pub(crate) fn replace_delimiter(&mut self, old: &str, new: &[String], generation_prompt: &str) -> Result<()> {
        for node in self.arena["parsers"].as_array_mut().into_iter().flatten() {
            if node["delimiters"] == json!([old]) {
                node["delimiters"] = json!(new);
            }
        }
        self.parser = OutputParser::new(self.format, generation_prompt, &self.skeleton.fill(&self.arena))?;
        Ok(())
    }
}

/// What a template can say.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct TemplateAbilities {
    pub(crate) supports_tools: bool,
    pub(crate) supports_thinking: bool,
    /// What opens and what closes the thoughts; empty where it has no fixed spelling.
    pub(crate) thinking_start: String,
    pub(crate) thinking_ends: Vec<String>,
}

#[derive(Deserialize)]
struct ApplyReply {
    prompt: String,
    generation_prompt: String,
    format: i32,
    parser: Option<Value>,
    preserved_tokens: Vec<String>,
    additional_stops: Vec<String>,
}

impl Templates {
    /// Parses the model's own templates, or `source` in their place.
    pub(crate) fn new(model: &Model, source: Option<&str>) -> Result<Self> {
        let source = source.map(template_text).transpose()?;
        // SAFETY: the model is live for this call, and the token texts may be
        // NULL.
        unsafe { Self::parse(Some(model), source.as_deref(), None) }
    }

    /// Parses a template that belongs to no model.
    #[cfg(test)]
    pub(crate) fn from_source(source: &str, bos: &str, eos: &str) -> Result<Self> {
        let source = template_text(source)?;
        let tokens = [CString::new(bos).unwrap(), CString::new(eos).unwrap()];
        // SAFETY: takes nothing.
        unsafe { native::zerohop_native_silence_common() };
        // SAFETY: without a model the source and the token texts are given.
        unsafe { Self::parse(None, Some(&source), Some(&tokens)) }
    }

    /// # Safety
    ///
    /// Either a model is given, or a source and the texts of BOS and EOS.
    unsafe fn parse(model: Option<&Model>, source: Option<&CStr>, tokens: Option<&[CString; 2]>) -> Result<Self> {
        let stacks = LargeStacks::new(ALL_STACKS);
        let native = stacks.run(STACK, "parse", || {
            let model = model.map_or(ptr::null_mut(), Model::raw);
            let source = source.map_or(ptr::null(), CStr::as_ptr);
            let [bos, eos] =
                tokens.map_or([ptr::null(); 2], |[bos, eos]| [bos.as_c_str().as_ptr(), eos.as_c_str().as_ptr()]);
            // SAFETY: the caller vouches for what is given; strings are
            // NUL-terminated, and all outlives the call.
            let (templates, error) = unsafe {
                native::with_error(|error| native::zerohop_native_templates_new(model, source, bos, eos, error))
            };
            NonNull::new(templates).map(Native).ok_or_else(|| {
                Error::new(ErrorKind::InvalidModel, format!("the chat template cannot be used: {}", reason(error)))
            })
        })?;
        Ok(Templates { native, stacks })
    }

    /// What the template can say; for requests with tools it may be another one.
    /// The first call takes some milliseconds.
    pub(crate) fn abilities(&self, with_tools: bool) -> Result<TemplateAbilities> {
        self.stacks.run(STACK, "describe", || {
            // SAFETY: the templates are live.
            let (reply, error) = unsafe {
                native::with_error(|error| {
                    native::zerohop_native_templates_describe(self.native.0.as_ptr(), with_tools, error)
                })
            };
            // SAFETY: the seam hands over an owned string or NULL.
            let reply = unsafe { NativeString::new(reply) };
            let failed = || Error::internal(format!("the chat template is not known: {}", error.unwrap_or_default()));
            serde_json::from_slice(reply.ok_or_else(failed)?.as_bytes())
                .map_err(|error| Error::internal("the chat template is described wrongly").with_source(error))
        })
    }

    /// Renders the prompt, the generation prompt included.
    pub(crate) fn apply(&self, request: &TemplateRequest<'_>) -> Result<Rendered> {
        if let Some(name) = RESERVED_KWARGS.into_iter().find(|name| request.kwargs.contains_key(*name)) {
            return Err(Error::invalid(
                "chat_template_kwargs",
                format!("chat_template_kwargs must not set '{name}', which comes from the request itself"),
            ));
        }
        let skeleton = Skeleton::new(request.callable);
        let reply = self.render(&request_json(request, &skeleton)).or_else(|error| {
            // Some templates take only ids of nine letters and digits.
            let Some(messages) = with_short_ids(request.messages) else { return Err(error) };
            let request = TemplateRequest { messages: &messages, ..request.clone() };
            self.render(&request_json(&request, &skeleton)).map_err(|_| error)
        })?;
        let output = match reply.parser {
            Some(arena) => Some(OutputFormat {
                parallel_tool_calls: request.parallel_tool_calls,
                ..OutputFormat::new(reply.format, &reply.generation_prompt, arena, skeleton)?
            }),
            None => None,
        };
        Ok(Rendered {
            prompt: reply.prompt,
            generation_prompt: reply.generation_prompt,
            output,
            preserved_tokens: reply.preserved_tokens,
            additional_stops: reply.additional_stops,
        })
    }

    fn render(&self, request: &Value) -> Result<ApplyReply> {
        let request = request.to_string();
        self.stacks.run(STACK, "render", || self.render_here(&request))
    }

    fn render_here(&self, request: &str) -> Result<ApplyReply> {
        let (text, len) = (request.as_ptr().cast(), request.len());
        // SAFETY: the templates are live; the request is given with its length.
        let (reply, error) = unsafe {
            native::with_error(|error| native::zerohop_native_templates_apply(self.native.0.as_ptr(), text, len, error))
        };
        // SAFETY: the seam hands over an owned string or NULL.
        let Some(reply) = (unsafe { NativeString::new(reply) }) else {
            return Err(Error::invalid(
                "messages",
                format!("the model's chat template refuses these messages: {}", reason(error)),
            ));
        };
        serde_json::from_slice(reply.as_bytes())
            .map_err(|error| Error::internal("the chat template gave no valid prompt").with_source(error))
    }
}

/// Messages with shorter ids of their calls; `None` when there is none to shorten.
fn with_short_ids(messages: &[TemplateMessage]) -> Option<Vec<TemplateMessage>> {
    let mut messages = messages.to_vec();
    let mut changed = false;
    for message in &mut messages {
        let ids = message.tool_calls.iter_mut().map(|call| &mut call.id).chain(&mut message.tool_call_id);
        for id in ids.filter(|id| id.len() != SHORT_ID || !id.bytes().all(|byte| byte.is_ascii_alphanumeric())) {
            *id = short_id(id);
            changed = true;
        }
    }
    changed.then_some(messages)
}

/// The length of a short id.
const SHORT_ID: usize = 9;

/// The same short id for the same id.
fn short_id(id: &str) -> String {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    let hash = format!("{:016x}", hasher.finish());
    hash[..SHORT_ID].to_owned()
}

/// What went wrong, of which a template may have made as much as it likes.
fn reason(error: Option<String>) -> String {
    const LONGEST: usize = 1000;
    let error = error.unwrap_or_default();
    match error.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &error[..end]),
        None => error,
    }
}

/// A template that has passed the gate, for C++.
fn template_text(source: &str) -> Result<CString> {
    let refused = |reason| Error::new(ErrorKind::InvalidArgument, format!("the chat template is refused: {reason}"));
    check_template(source).map_err(refused)?;
    CString::new(source).map_err(|error| refused(error.to_string()))
}

/// The request as the seam takes it.
///
/// `tools` are the skeletons that the parser is made from; the prompt's are a
/// template variable, which goes before.
fn request_json(request: &TemplateRequest<'_>, skeleton: &Skeleton) -> Value {
    let mut kwargs = request.kwargs.clone();
    if !request.tools.is_empty() {
        kwargs.insert("tools".to_owned(), request.tools.iter().map(tool_json).collect());
    }
    let enable_thinking = kwargs.get("enable_thinking").and_then(Value::as_bool).unwrap_or(request.enable_thinking);
    json!({
        "messages": request.messages.iter().map(message_json).collect::<Vec<_>>(),
        "tools": skeleton.tools(),
        "tool_choice": request.call_mode,
        "parallel_tool_calls": request.parallel_tool_calls,
        "enable_thinking": enable_thinking,
        "chat_template_kwargs": kwargs,
    })
}

fn tool_json(tool: &TemplateTool) -> Value {
    json!({
        "type": "function",
        "function": { "name": tool.name, "description": tool.description, "parameters": tool.parameters },
    })
}

fn message_json(message: &TemplateMessage) -> Value {
    // Templates know the result of a function as that of a tool.
    let role = if message.role == Role::Function { Role::Tool } else { message.role };
    let mut json = json!({ "role": role, "content": message.content });
    if let Some(thoughts) = &message.reasoning_content {
        json["reasoning_content"] = thoughts.as_str().into();
    }
    if !message.tool_calls.is_empty() {
        json["tool_calls"] = message.tool_calls.iter().map(tool_call_json).collect();
    }
    if let Some(id) = &message.tool_call_id {
        json["tool_call_id"] = id.as_str().into();
    }
    if let Some(name) = &message.name {
        json["name"] = name.as_str().into();
    }
    json
}

fn tool_call_json(call: &TemplateToolCall) -> Value {
    // A function without parameters is often called with no text at all.
    let arguments = if call.arguments.trim().is_empty() { "{}" } else { &call.arguments };
    json!({ "id": call.id, "type": "function", "function": { "name": call.name, "arguments": arguments } })
}

impl Drop for Native {
    fn drop(&mut self) {
        // SAFETY: we own the object, and this runs once.
        unsafe { native::zerohop_native_templates_free(self.0.as_ptr()) }
    }
}
