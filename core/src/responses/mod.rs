//! The Responses API, on top of chat completions.
//!
//! `request -> chat request -> chunks -> events -> response`: a response is translated to a chat
//! request (`translate`), whose chunks become its events (`build`). There is no second way to
//! generate, and what chat requests are checked for is not checked again. `keep` has what outlives
//! a request; `door` the HTTP-shaped calls.

mod build;
pub(crate) mod door;
mod keep;
pub(crate) mod query;
mod stream;
mod translate;
mod truncate;

use std::sync::Arc;

use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::api::chat::CreateChatCompletionRequest;
use crate::api::chat_options::Verbosity;
use crate::api::error::{Error, ErrorKind, Result};
use crate::api::parse::shorten;
use crate::api::response_format::ResponseFormat;
use crate::api::responses::item::{InputItem, InputMessage};
use crate::api::responses::options::{ReasoningSummary, TextConfig, Truncation};
use crate::api::responses::reply::{
    DeletedResponse, InputTokenCount, InputTokensObject, Response, ResponseItemList, ResponseObject, ResponseStatus,
};
use crate::api::responses::request::{CreateResponse, Input};
use crate::api::stored::{ListOrder, PageParams};
use crate::api::tool_choice::ToolChoice;
use crate::clock;
use crate::engine::Engine;
use crate::store::{Stored, Turn, read};
use build::Builder;
use keep::Keep;
use translate::{Place, Translated};

use stream::GeneratedEvents;
pub(crate) use stream::PendingResponse;
pub use stream::{ResponseAsyncStream, ResponseStream};

/// The path of responses.
const RESPONSES: &str = "/v1/responses";

/// The path of a response, or of what belongs to it.
fn path(id: &str, rest: &str) -> String {
    format!("{RESPONSES}/{}{rest}", utf8_percent_encode(id, NON_ALPHANUMERIC))
}

/// Responses of an [`Engine`].
///
/// They are kept in memory unless the request says otherwise: at most 4096 objects (chat completions
/// with `store` among them) of 64 MiB together. What was not used for longest goes first.
#[derive(Debug, Clone, Copy)]
pub struct Responses<'a> {
    engine: &'a Engine,
}

impl<'a> Responses<'a> {
    pub(crate) fn new(engine: &'a Engine) -> Self {
        Responses { engine }
    }
}

impl Responses<'_> {
    /// Answers a conversation. Blocks until the answer is complete, whatever the request's `stream`
    /// says.
    ///
    /// # Errors
    ///
    /// The API's errors: `InvalidRequest`, `NotFound` for an unknown model, previous response or
    /// referenced item, `RateLimit` when the queue is full.
    ///
    /// ```no_run
    /// use zerohop::types::responses::CreateResponse;
    ///
    /// let engine = zerohop::Engine::builder().model("chat", "qwen.gguf").build()?;
    /// let first = engine.responses().create(&CreateResponse::new("chat", "My name is Ada."))?;
    /// let second = CreateResponse::new("chat", "What is my name?").previous_response_id(first.id);
    /// println!("{}", engine.responses().create(&second)?.output_text());
    /// # Ok::<(), zerohop::Error>(())
    /// ```
    pub fn create(&self, request: &CreateResponse) -> Result<Response> {
        if let Some(reply) = self.engine.remote(RESPONSES, request) {
            return reply;
        }
        self.submit(request)?.wait()
    }

    /// Answers a conversation in events, as it is generated, whatever the request's `stream` says.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create).
    ///
    /// ```no_run
    /// # use zerohop::types::responses::CreateResponse;
    /// # let engine = zerohop::Engine::builder().model("chat", "qwen.gguf").build()?;
    /// for event in engine.responses().create_stream(&CreateResponse::new("chat", "Hi"))? {
    ///     print!("{}", event?.text().unwrap_or_default());
    /// }
    /// # Ok::<(), zerohop::Error>(())
    /// ```
    pub fn create_stream(&self, request: &CreateResponse) -> Result<ResponseStream> {
        if let Some(events) = self.engine.remote_events(RESPONSES, request) {
            return ResponseStream::of_worker(events?);
        }
        self.generate(request).map(ResponseStream::new)
    }

    /// Starts a request that is answered as a whole.
    pub(crate) fn submit(self, request: &CreateResponse) -> Result<PendingResponse> {
        self.generate(request).map(PendingResponse)
    }

    fn generate(self, request: &CreateResponse) -> Result<GeneratedEvents> {
        self.engine.check_open()?;
        request.check()?;
        let previous = self.previous(request)?;
        let items = self.items(request, previous.as_ref())?;
        let translated = translate::translate(request, &items)?;
        translated.chat.validate().map_err(|error| translated.blame(error))?;
        let chunks = self.submit_chat(request, &translated).map_err(|error| translated.blame(error))?;
        let builder = Builder::new(head(request), request.wants_logprobs());
        let own = items.into_iter().filter(|(place, _)| !matches!(place, Place::Earlier)).map(|(_, item)| item);
        let keep = request.is_stored().then(|| Keep::new(self.engine.store(), previous, own.collect()));
        Ok(GeneratedEvents::new(chunks, builder, keep))
    }

    /// The response of this id.
    ///
    /// # Errors
    ///
    /// `NotFound` for an unknown id, and for a response that was not kept or has gone since.
    pub fn retrieve(&self, id: &str) -> Result<Response> {
        if let Some(reply) = self.engine.remote_call(&Method::GET, &path(id, "")) {
            return reply;
        }
        self.engine.check_open()?;
        read(&keep::find(self.engine.store(), id)?.response)
    }

    /// Forgets a response. Conversations that go on from it stay whole.
    ///
    /// # Errors
    ///
    /// As [`retrieve`](Self::retrieve).
    pub fn delete(&self, id: &str) -> Result<DeletedResponse> {
        if let Some(reply) = self.engine.remote_call(&Method::DELETE, &path(id, "")) {
            return reply;
        }
        self.engine.check_open()?;
        keep::find(self.engine.store(), id)?;
        self.engine.store().remove(id);
        Ok(DeletedResponse { id: id.to_owned(), object: ResponseObject::Response, deleted: true })
    }

    /// Fails, as it does for every response that is not made in the background: a response is
    /// cancelled by dropping what waits for it, or by its [`cancel_handle`](ResponseStream::cancel_handle).
    ///
    /// # Errors
    ///
    /// `InvalidRequest`, or as [`retrieve`](Self::retrieve).
    pub fn cancel(&self, id: &str) -> Result<Response> {
        if let Some(reply) = self.engine.remote_call(&Method::POST, &path(id, "/cancel")) {
            return reply;
        }
        self.engine.check_open()?;
        keep::find(self.engine.store(), id)?;
        Err(Error::new(ErrorKind::InvalidRequest, "Cannot cancel a synchronous response."))
    }

    /// The items that a response answers, with those of the conversation before them; the newest first
    /// by default.
    ///
    /// # Errors
    ///
    /// As [`retrieve`](Self::retrieve), and `InvalidRequest` for a page that there cannot be.
    pub fn input_items(&self, id: &str, page: &PageParams) -> Result<ResponseItemList> {
        if let Some(reply) = self.engine.remote_call(&Method::GET, &path(id, &format!("/input_items{}", page.query())))
        {
            return reply;
        }
        self.engine.check_open()?;
        let items = keep::history(&keep::find(self.engine.store(), id)?.turn, false)?;
        page.page(items, ListOrder::Desc)
    }

    /// How many tokens the model would read for this request.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create).
    pub fn count_input_tokens(&self, request: &CreateResponse) -> Result<InputTokenCount> {
        if let Some(reply) = self.engine.remote("/v1/responses/input_tokens", request) {
            return reply;
        }
        self.engine.check_open()?;
        request.check()?;
        let items = self.items(request, self.previous(request)?.as_ref())?;
        let translated = translate::translate(request, &items)?;
        translated.chat.validate().map_err(|error| translated.blame(error))?;
        let (tokens, _) =
            self.engine.chat().prompt_tokens(&translated.chat).map_err(|error| translated.blame(error))?;
        let input_tokens = u32::try_from(tokens).unwrap_or(u32::MAX);
        Ok(InputTokenCount { object: InputTokensObject::InputTokens, input_tokens })
    }

    /// The conversation that the request goes on with.
    fn previous(self, request: &CreateResponse) -> Result<Option<Arc<Turn>>> {
        let Some(id) = &request.previous_response_id else { return Ok(None) };
        if let Some(Stored::Response(response)) = self.engine.store().get(id) {
            return Ok(Some(response.turn.clone()));
        }
        let message = format!("Previous response with id '{}' not found.", shorten(id));
        let error = Error::new(ErrorKind::NotFound, message).with_param("previous_response_id");
        Err(error.with_code("previous_response_not_found"))
    }

    /// The whole conversation, each item with its place.
    fn items<'a>(self, request: &'a CreateResponse, previous: Option<&Arc<Turn>>) -> Result<Vec<(Place, InputItem)>> {
        let mut items = Vec::new();
        if let Some(turn) = previous {
            items.extend(keep::history(turn, true)?.into_iter().map(|item| (Place::Earlier, item)));
        }
        let list = match &request.input {
            Input::Text(text) => {
                items.push((Place::Text, InputMessage::user(text.as_str()).into()));
                return Ok(items);
            }
            Input::Items(list) => list,
        };
        let reference = |item: &'a InputItem| match item {
            InputItem::ItemReference(reference) => Some(reference.id.as_str()),
            _ => None,
        };
        let found = keep::find_items(self.engine.store(), &list.iter().filter_map(reference).collect())?;
        for (index, item) in list.iter().enumerate() {
            let place = Place::Item(index);
            let item = match reference(item) {
                None => item,
                Some(id) => found.get(id).ok_or_else(|| {
                    let message = format!("Item with id '{}' not found.", shorten(id));
                    Error::new(ErrorKind::NotFound, message).with_param(place.param("id"))
                })?,
            };
            items.push((place, item.clone()));
        }
        Ok(items)
    }

    fn submit_chat(
        self,
        request: &CreateResponse,
        translated: &Translated,
    ) -> Result<crate::chat::ChatCompletionStream> {
        let chat = self.engine.chat();
        match chat.submit_stream(&translated.chat) {
            Err(error)
                if error.code() == Some("context_length_exceeded") && request.truncation == Some(Truncation::Auto) =>
            {
                chat.submit_stream(&truncate::shortened(&translated.chat, |shortened| self.fits(shortened))?)
            }
            submitted => submitted,
        }
    }

    fn fits(self, request: &CreateChatCompletionRequest) -> Result<bool> {
        let (tokens, context_length) = match self.engine.chat().prompt_tokens(request) {
            Err(error) if error.code() == Some("context_length_exceeded") => return Ok(false),
            counted => counted?,
        };
        Ok(tokens + request.token_limit().map_or(1, |limit| limit as usize) <= context_length)
    }
}

impl CreateResponse {
    /// Checks what a chat request does not have.
    fn check(&self) -> Result<()> {
        self.check_unserved()?;
        if let Some(reasoning) = &self.reasoning {
            let summaries = [("summary", reasoning.summary), ("generate_summary", reasoning.generate_summary)];
            for (key, summary) in summaries {
                if matches!(summary, Some(ReasoningSummary::Concise | ReasoningSummary::Detailed)) {
                    let param = format!("reasoning.{key}");
                    let message = format!("'{param}' may only be 'auto': thoughts are given as they are");
                    return Err(Error::unsupported_value(param, message));
                }
            }
        }
        let format = self.text.as_ref().and_then(|text| text.format.as_ref());
        if matches!(format, Some(ResponseFormat::JsonSchema { json_schema }) if json_schema.schema.is_none()) {
            return Err(Error::invalid("text.format.schema", "Missing required parameter: 'text.format.schema'"));
        }
        if self.max_tool_calls == Some(0) {
            return Err(Error::invalid("max_tool_calls", "'max_tool_calls' must be at least 1"));
        }
        Ok(())
    }
}

/// The response to a request before there is any output: what was asked, with the defaults.
fn head(request: &CreateResponse) -> Response {
    let text = request.text.clone().unwrap_or_default();
    Response {
        id: build::new_id("resp"),
        object: ResponseObject::Response,
        created_at: clock::now(),
        status: ResponseStatus::InProgress,
        background: false,
        completed_at: None,
        error: None,
        incomplete_details: None,
        instructions: request.instructions.clone(),
        max_output_tokens: request.max_output_tokens,
        max_tool_calls: request.max_tool_calls,
        metadata: request.metadata.clone().unwrap_or_default(),
        model: request.model.clone(),
        output: Vec::new(),
        parallel_tool_calls: request.parallel_tool_calls.unwrap_or(true),
        previous_response_id: request.previous_response_id.clone(),
        prompt_cache_key: request.prompt_cache_key.clone(),
        prompt_cache_retention: request.prompt_cache_retention,
        reasoning: request.reasoning.clone().unwrap_or_default(),
        safety_identifier: request.safety_identifier.clone(),
        service_tier: request.service_tier,
        store: request.is_stored(),
        temperature: request.temperature.unwrap_or(1.0),
        text: TextConfig {
            format: Some(text.format.unwrap_or(ResponseFormat::Text)),
            verbosity: Some(text.verbosity.unwrap_or(Verbosity::Medium)),
        },
        tool_choice: request.tool_choice.clone().unwrap_or(ToolChoice::Auto),
        tools: request.tools.clone().unwrap_or_default(),
        top_logprobs: request.top_logprobs.unwrap_or(0),
        top_p: request.top_p.unwrap_or(1.0),
        truncation: request.truncation.unwrap_or_default(),
        usage: None,
        user: request.user.clone(),
    }
}
