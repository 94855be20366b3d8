//! A Responses request as the chat request that it stands for, and back: whose fault an error is.

use std::collections::HashMap;

use crate::api::chat::CreateChatCompletionRequest;
use crate::api::chat_options::StreamOptions;
use crate::api::content::{ContentPart, ImageUrl, InputFile, MessageContent};
use crate::api::error::{Error, Result};
use crate::api::message::{ChatCompletionMessage, Role};
use crate::api::parse::shorten;
use crate::api::responses::content::{ItemContent, ItemPart};
use crate::api::responses::item::{InputItem, InputMessage, MessageRole, ReasoningItem, ToolCallOutput};
use crate::api::responses::request::CreateResponse;
use crate::api::tool_calls::ChatCompletionMessageToolCall;
use crate::api::tool_choice::ToolChoice;

/// A chat request, and where in the Responses request its messages stand.
#[derive(Debug)]
pub(super) struct Translated {
    pub(super) chat: CreateChatCompletionRequest,
    places: Vec<MessagePlaces>,
}

/// Where an item stands.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// In `instructions`.
    Instructions,
    /// In a response before this one.
    Earlier,
    /// The text that is the whole `input`.
    Text,
    /// An item of `input`.
    Item(usize),
}

/// Where a message and its calls stand.
#[derive(Debug)]
struct MessagePlaces {
    message: Place,
    calls: Vec<Place>,
}

/// The chat request that has the same answer as `request` after `items`: the earlier conversation and
/// the input, each with its place.
///
/// # Errors
///
/// A 400 for what a chat request cannot say.
pub(super) fn translate(request: &CreateResponse, items: &[(Place, InputItem)]) -> Result<Translated> {
    let mut conversation = Conversation::default();
    if let Some(instructions) = &request.instructions {
        conversation.add(Place::Instructions, ChatCompletionMessage::system(instructions.as_str()));
    }
    for (place, item) in items {
        conversation.add_item(place, item)?;
    }
    let (messages, places) = conversation.finish()?;
    Ok(Translated { chat: with_options(request, messages), places })
}

fn with_options(request: &CreateResponse, messages: Vec<ChatCompletionMessage>) -> CreateChatCompletionRequest {
    let mut chat = CreateChatCompletionRequest::new(request.model.as_str(), messages);
    chat.temperature = request.temperature;
    chat.top_p = request.top_p;
    chat.logprobs = request.wants_logprobs().then_some(true);
    chat.top_logprobs = request.top_logprobs.filter(|count| *count > 0);
    chat.max_completion_tokens = request.max_output_tokens;
    chat.seed = request.seed;
    chat.reasoning_effort = request.reasoning.as_ref().and_then(|reasoning| reasoning.effort);
    chat.verbosity = request.text.as_ref().and_then(|text| text.verbosity);
    chat.response_format = request.text.as_ref().and_then(|text| text.format.clone());
    // An empty list, and a choice among no tools, say nothing.
    chat.tools = request.tools.clone().filter(|tools| !tools.is_empty());
    let is_free = |choice: &ToolChoice| matches!(choice, ToolChoice::Auto | ToolChoice::None);
    chat.tool_choice = request.tool_choice.clone().filter(|choice| chat.tools.is_some() || !is_free(choice));
    chat.parallel_tool_calls = request.parallel_tool_calls.filter(|_| chat.tools.is_some());
    chat.metadata.clone_from(&request.metadata);
    chat.stream_options = Some(StreamOptions::default().include_usage(true));
    chat.ext = request.ext.clone();
    chat
}

/// Messages on their way. What the model thought, said and called in one go is one message of a chat,
/// but several items.
#[derive(Default)]
struct Conversation {
    messages: Vec<ChatCompletionMessage>,
    places: Vec<MessagePlaces>,
    /// The model's message that more items may belong to.
    open: Option<(ChatCompletionMessage, MessagePlaces)>,
    /// The calls that have no answer yet, each with how many items came before it.
    unanswered: HashMap<String, (usize, Place)>,
    items: usize,
}

impl Conversation {
    fn add(&mut self, place: Place, message: ChatCompletionMessage) {
        self.close();
        self.messages.push(message);
        self.places.push(MessagePlaces { message: place, calls: Vec::new() });
    }

    fn close(&mut self) {
        let Some((mut message, places)) = self.open.take() else { return };
        if message.content.is_none() && message.tool_calls.is_none() {
            // Thoughts that led to nothing.
            message.content = Some(String::new().into());
        }
        self.messages.push(message);
        self.places.push(places);
    }

    /// RE6
    fn finish(mut self) -> Result<(Vec<ChatCompletionMessage>, Vec<MessagePlaces>)> {
        self.close();
        match self.unanswered.iter().min_by_key(|(_, (items, _))| *items) {
            None => Ok((self.messages, self.places)),
            Some((id, (_, place))) => {
                let message = format!("No tool output found for the call with the call_id '{}'", shorten(id));
                Err(Error::invalid(place.param(""), message))
            }
        }
    }

    /// The model's message, from `place` on if none is open.
    fn open(&mut self, place: &Place) -> &mut (ChatCompletionMessage, MessagePlaces) {
        self.open.get_or_insert_with(|| {
            let places = MessagePlaces { message: place.clone(), calls: Vec::new() };
            (ChatCompletionMessage::empty(Role::Assistant), places)
        })
    }

    fn add_item(&mut self, place: &Place, item: &InputItem) -> Result<()> {
        self.items += 1;
        match item {
            InputItem::Message(message) if message.role == MessageRole::Assistant => self.add_answer(place, message)?,
            InputItem::Message(message) => {
                let role = match message.role {
                    MessageRole::User => Role::User,
                    MessageRole::System => Role::System,
                    MessageRole::Developer => Role::Developer,
                    MessageRole::Assistant => Role::Assistant,
                };
                let content = input_content(&message.content, || place.param("content"))?;
                self.add(place.clone(), ChatCompletionMessage::new(role, content));
            }
            InputItem::Reasoning(reasoning) => self.add_thoughts(place, reasoning),
            InputItem::FunctionCall(call) => {
                let (id, arguments) = (call.call_id.as_str(), call.arguments.as_str());
                self.add_call(place, ChatCompletionMessageToolCall::function(id, call.name.as_str(), arguments));
            }
            InputItem::CustomToolCall(call) => {
                let (id, input) = (call.call_id.as_str(), call.input.as_str());
                self.add_call(place, ChatCompletionMessageToolCall::custom(id, call.name.as_str(), input));
            }
            InputItem::FunctionCallOutput(output) | InputItem::CustomToolCallOutput(output) => {
                self.add_output(place, output)?;
            }
            InputItem::ItemReference(_) => return Err(Error::internal("a reference has not been followed")),
        }
        Ok(())
    }

    fn add_answer(&mut self, place: &Place, message: &InputMessage) -> Result<()> {
        let content = answer_content(&message.content, || place.param("content"))?;
        let is_said =
            |(message, _): &(ChatCompletionMessage, _)| message.content.is_some() && message.tool_calls.is_none();
        if self.open.as_ref().is_some_and(is_said) {
            self.close();
        }
        let (open, _) = self.open(place);
        open.content = Some(match open.content.take() {
            None => content,
            Some(before) => MessageContent::Parts([parts(before), parts(content)].concat()),
        });
        Ok(())
    }

    fn add_thoughts(&mut self, place: &Place, reasoning: &ReasoningItem) {
        let has_more =
            |(message, _): &(ChatCompletionMessage, _)| message.content.is_some() || message.tool_calls.is_some();
        if self.open.as_ref().is_some_and(has_more) {
            self.close();
        }
        let thoughts = reasoning.content.iter().flatten().map(|part| part.text.as_str());
        let summary = reasoning.summary.iter().map(|part| part.text.as_str());
        let mut text: Vec<&str> = thoughts.collect();
        if text.is_empty() {
            // A hosted service gave no more than that.
            text = summary.collect();
        }
        let (open, _) = self.open(place);
        open.reasoning_content.get_or_insert_default().push_str(&text.join("\n"));
    }

    fn add_call(&mut self, place: &Place, call: ChatCompletionMessageToolCall) {
        self.unanswered.insert(call.id().to_owned(), (self.items, place.clone()));
        let (open, places) = self.open(place);
        open.tool_calls.get_or_insert_default().push(call);
        places.calls.push(place.clone());
    }

    /// RE6
    fn add_output(&mut self, place: &Place, output: &ToolCallOutput) -> Result<()> {
        if self.unanswered.remove(&output.call_id).is_none() {
            let message = format!("No tool call found for the output with the call_id '{}'", shorten(&output.call_id));
            return Err(Error::invalid(place.param("call_id"), message));
        }
        let content = input_content(&output.output, || place.param("output"))?;
        self.add(place.clone(), ChatCompletionMessage::tool(output.call_id.as_str(), content));
        Ok(())
    }
}

fn parts(content: MessageContent) -> Vec<ContentPart> {
    match content {
        MessageContent::Text(text) => vec![ContentPart::text(text)],
        MessageContent::Parts(parts) => parts,
    }
}

/// Content for the model, which has `input_*` parts.
fn input_content(content: &ItemContent, path: impl Fn() -> String) -> Result<MessageContent> {
    each_part(content, path, "input_text, input_image or input_file", |part| match part {
        ItemPart::InputText { text } => Some(ContentPart::text(text.as_str())),
        ItemPart::InputImage { image_url: Some(url), detail, file_id: None } => {
            Some(ContentPart::ImageUrl { image_url: ImageUrl { url: url.clone(), detail: *detail } })
        }
        ItemPart::InputFile { file_id, filename, file_data, .. } => {
            let (file_id, filename, file_data) = (file_id.clone(), filename.clone(), file_data.clone());
            Some(ContentPart::File { file: InputFile { file_id, filename, file_data } })
        }
        _ => None,
    })
}

/// Content of the model's.
fn answer_content(content: &ItemContent, path: impl Fn() -> String) -> Result<MessageContent> {
    each_part(content, path, "output_text or refusal", |part| match part {
        ItemPart::OutputText { text, .. } => Some(ContentPart::text(text.as_str())),
        ItemPart::Refusal { refusal } => Some(ContentPart::Refusal { refusal: refusal.clone() }),
        _ => None,
    })
}

fn each_part(
    content: &ItemContent,
    path: impl Fn() -> String,
    allowed: &str,
    translate: impl Fn(&ItemPart) -> Option<ContentPart>,
) -> Result<MessageContent> {
    let parts = match content {
        ItemContent::Text(text) => return Ok(text.as_str().into()),
        ItemContent::Parts(parts) => parts,
    };
    let part = |(index, part): (usize, &ItemPart)| {
        translate(part).ok_or_else(|| {
            if matches!(part, ItemPart::InputImage { .. }) {
                let message = "An image is read from its 'image_url' alone, not from a 'file_id'";
                return Error::unsupported_value(format!("{}[{index}].image_url", path()), message);
            }
            let message = format!("Here only parts of type {allowed} may stand");
            Error::invalid(format!("{}[{index}].type", path()), message)
        })
    };
    parts.iter().enumerate().map(part).collect::<Result<Vec<_>>>().map(MessageContent::Parts)
}

impl Place {
    /// What the Responses request calls a key of the item here.
    pub(super) fn param(&self, key: &str) -> String {
        match self {
            Place::Instructions => "instructions".to_owned(),
            Place::Earlier => "previous_response_id".to_owned(),
            Place::Text => "input".to_owned(),
            Place::Item(index) if key.is_empty() => format!("input[{index}]"),
            Place::Item(index) => format!("input[{index}].{key}"),
        }
    }
}

impl Translated {
    /// The error with what the Responses request calls the parameter.
    pub(super) fn blame(&self, error: Error) -> Error {
        error.rename_param(|param| self.renamed(param))
    }

    fn renamed(&self, param: &str) -> String {
        match param.strip_prefix("messages[").and_then(|rest| rest.split_once(']')) {
            Some((index, rest)) => {
                let places = index.parse().ok().and_then(|index: usize| self.places.get(index));
                places.map_or_else(|| "input".to_owned(), |places| places.renamed(rest.trim_start_matches('.')))
            }
            None => renamed_option(param),
        }
    }
}

impl MessagePlaces {
    /// What the Responses request calls a key of the message.
    fn renamed(&self, key: &str) -> String {
        if let Some((index, key)) = key.strip_prefix("tool_calls[").and_then(|rest| rest.split_once(']')) {
            let place = index.parse().ok().and_then(|index: usize| self.calls.get(index)).unwrap_or(&self.message);
            let key = match key.rsplit('.').next() {
                Some("id") => "call_id",
                other => other.unwrap_or_default(),
            };
            return place.param(key);
        }
        match key {
            "tool_call_id" => self.message.param("call_id"),
            "tool_calls" => self.calls.first().unwrap_or(&self.message).param(""),
            // A Responses request has the URL where a chat request has an object.
            key => self.message.param(
                key.strip_suffix(".image_url.url").map_or(key.to_owned(), |part| format!("{part}.image_url")).as_str(),
            ),
        }
    }
}

/// What the Responses request calls an option of a chat request.
pub(super) fn renamed_option(param: &str) -> String {
    const NAMES: &[(&str, &str)] = &[
        ("messages", "input"),
        ("max_completion_tokens", "max_output_tokens"),
        ("reasoning_effort", "reasoning.effort"),
        ("verbosity", "text.verbosity"),
        ("response_format.json_schema", "text.format"),
        ("response_format", "text.format"),
        ("tool_choice.allowed_tools", "tool_choice"),
    ];
    for (chat, responses) in NAMES {
        if let Some(rest) = param.strip_prefix(chat).filter(|rest| rest.is_empty() || rest.starts_with(['.', '['])) {
            return format!("{responses}{rest}");
        }
    }
    if param.starts_with("tools[") {
        return param.replacen("].function.", "].", 1).replacen("].custom.", "].", 1).replacen(
            ".format.grammar.",
            ".format.",
            1,
        );
    }
    param.to_owned()
}
