//! Messages to prompt tokens, through the model's own chat template.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::content::Contents;
use super::tools::Tools;
use super::{generic_tools, mark, output};
use crate::api::chat::CreateChatCompletionRequest;
use crate::api::chat_options::ReasoningEffort;
use crate::api::error::{Error, ErrorKind, Result};
use crate::api::message::{ChatCompletionMessage, Role};
use crate::api::tool_calls::ChatCompletionMessageToolCall;
use crate::backend::{CallMode, Rendered, TemplateMessage, TemplateRequest, TemplateTool, TemplateToolCall, Templates};
use crate::generate::Prompt;
use crate::media::Media;
use crate::model::{LoadedModel, PromptPiece};

/// A conversation as the model's template takes it.
#[derive(Debug)]
pub(super) struct Conversation<'a> {
    model: &'a LoadedModel,
    templates: &'a Templates,
    messages: Vec<TemplateMessage>,
    /// The images and sound in the messages, in order.
    media: Vec<Arc<Media>>,
    tools: Vec<TemplateTool>,
    /// Whether the template can say which tools there are, and has a markup for
    /// calls.
    describes_tools: bool,
    enable_thinking: bool,
    kwargs: Map<String, Value>,
}

impl<'a> Conversation<'a> {
    /// # Errors
    ///
    /// A 400 when the model has no template, or cannot take an image or sound of the messages.
    pub(super) fn new(model: &'a LoadedModel, request: &CreateChatCompletionRequest, tools: &Tools) -> Result<Self> {
        let templates = model.templates.as_ref().ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidRequest,
                format!(
                    "the model '{}' has no chat template; give one with the chat_template option or use a chat model",
                    model.info.id
                ),
            )
            .with_param("model")
        })?;
        let spellings = &model.control_spellings;
        let mut contents = Contents::new(model);
        let mut messages = Vec::with_capacity(request.messages.len());
        for (message, index) in request.messages.iter().zip(0..) {
            let content = contents.read(index, message)?;
            messages.push(TemplateMessage { content, ..mark::message(spellings, &template_message(message)) });
        }
        let mut described: Vec<_> = tools.declared.iter().map(|tool| mark::tool(spellings, tool)).collect();
        let describes_tools = described.is_empty() || templates.abilities(true)?.supports_tools;
        if !describes_tools {
            messages = generic_tools::spelled_out(messages, &std::mem::take(&mut described));
        }
        Ok(Conversation {
            model,
            templates,
            messages,
            media: contents.media,
            tools: described,
            describes_tools,
            enable_thinking: request.reasoning_effort != Some(ReasoningEffort::None),
            kwargs: mark::kwargs(spellings, &template_variables(request)),
        })
    }

    /// Whether the template has a markup for calls, as far as this request needs one.
    pub(super) fn describes_tools(&self) -> bool {
        self.describes_tools
    }

    /// Renders the prompt for tools that may, must or must not be called.
    pub(super) fn render(&self, tools: &Tools, call_mode: CallMode) -> Result<Rendered> {
        let call_mode = if self.describes_tools { call_mode } else { CallMode::None };
        let mut rendered = self.templates.apply(&TemplateRequest {
            messages: &self.messages,
            tools: &self.tools,
            callable: if call_mode == CallMode::None { &[] } else { &tools.callable },
            call_mode,
            parallel_tool_calls: tools.parallel,
            enable_thinking: self.enable_thinking,
            kwargs: self.kwargs.clone(),
        })?;
        output::narrow(&mut rendered)?;
        Ok(rendered)
    }

    /// A rendered prompt as tokens, and media among them.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` with `param` `messages` when the prompt leaves no room for
    /// an answer (CQ20), or the template has left an image or sound out.
    pub(super) fn tokens(&self, prompt: &str, context_length: usize) -> Result<Prompt> {
        let vocab = self.model.backend.vocab();
        let at_least = vocab.least_tokens(prompt.len());
        if at_least > context_length {
            return Err(context_exceeded(context_length, at_least, None));
        }
        let mut whole = Prompt::from(Vec::from_iter(vocab.bos()));
        let mut shown = vec![false; self.media.len()];
        for piece in self.model.control_spellings.pieces(prompt) {
            match piece {
                PromptPiece::Text(spans) => whole.tokens.extend(vocab.tokenize(&spans)?),
                PromptPiece::Media(index) => {
                    if let Some(media) = self.media.get(index) {
                        whole.push(media);
                        shown[index] = true;
                    }
                }
            }
        }
        if shown.contains(&false) {
            // CQ5: never dropped silently.
            let message = "the model's chat template has left an image or audio of these messages out";
            return Err(Error::invalid("messages", message));
        }
        match whole.tokens.last() {
            Some(&token) if token >= 0 => Ok(whole),
            Some(_) => Err(Error::invalid("messages", "the model's chat template has no text after the last image")),
            None => Err(Error::invalid("messages", "the model's chat template makes no prompt of these messages")),
        }
    }
}

/// The caller's variables, and what a template that knows an effort of reasoning is
/// told: such templates have `low`, `medium` and `high` (CQ13).
fn template_variables(request: &CreateChatCompletionRequest) -> Map<String, Value> {
    let mut variables = Map::new();
    let effort = request.reasoning_effort.and_then(|effort| match effort {
        ReasoningEffort::None => None,
        ReasoningEffort::Minimal | ReasoningEffort::Low => Some("low"),
        ReasoningEffort::Medium => Some("medium"),
        ReasoningEffort::High | ReasoningEffort::Xhigh | ReasoningEffort::Max => Some("high"),
    });
    if let Some(effort) = effort {
        variables.insert("reasoning_effort".to_owned(), effort.into());
    }
    variables.extend(request.ext.chat_template_kwargs.clone().unwrap_or_default());
    variables
}

/// A message of a request, as templates take it, but for its content.
fn template_message(message: &ChatCompletionMessage) -> TemplateMessage {
    let calls = message.tool_calls.iter().flatten().map(template_call);
    let legacy = message.function_call.iter().map(|call| TemplateToolCall {
        id: legacy_call_id(&call.name),
        name: call.name.clone(),
        arguments: template_arguments(&call.arguments),
    });
    TemplateMessage {
        // A function's message answers the call before it; templates know it as a tool's.
        role: if message.role == Role::Function { Role::Tool } else { message.role },
        content: String::new(),
        reasoning_content: message.reasoning_content.clone(),
        tool_calls: calls.chain(legacy).collect(),
        tool_call_id: match message.role {
            Role::Function => message.name.as_deref().map(legacy_call_id),
            _ => message.tool_call_id.clone(),
        },
        name: message.name.clone(),
    }
}

/// The deprecated `function_call` has no id, but templates want one.
fn legacy_call_id(name: &str) -> String {
    format!("call_{name}")
}

fn template_call(call: &ChatCompletionMessageToolCall) -> TemplateToolCall {
    let arguments = match call {
        ChatCompletionMessageToolCall::Function { function, .. } => template_arguments(&function.arguments),
        ChatCompletionMessageToolCall::Custom { custom, .. } => json!({ "input": custom.input }).to_string(),
    };
    TemplateToolCall { id: call.id().to_owned(), name: call.name().to_owned(), arguments }
}

/// Arguments as templates read them, which is as a JSON object. What a limit has cut, say, is none
/// and is shown as a text (CR16).
fn template_arguments(arguments: &str) -> String {
    match serde_json::from_str::<Map<String, Value>>(arguments) {
        Ok(_) => arguments.to_owned(),
        Err(_) if arguments.trim().is_empty() => "{}".to_owned(),
        Err(_) => json!({ "arguments": arguments }).to_string(),
    }
}

/// The error of a request that does not fit the context (CQ20).
pub(super) fn context_exceeded(context_length: usize, prompt: usize, answer: Option<usize>) -> Error {
    let request = match answer {
        Some(answer) => {
            format!("{} tokens ({prompt} in the messages, {answer} in the completion)", prompt + answer)
        }
        None => format!("{prompt} tokens"),
    };
    Error::invalid(
        "messages",
        format!(
            "this model's context length is {context_length} tokens, but the request needs {request}; shorten the \
             messages, ask for fewer completion tokens, or load the model with a larger context_length"
        ),
    )
    .with_code("context_length_exceeded")
}
