//! The HTTP-shaped calls about responses and about chat completions that are kept.

use std::collections::BTreeMap;

use http::{Method, Response, Uri};
use serde::Deserialize;

use super::query::{self, pairs};
use crate::api::error::{Error, Result};
use crate::api::parse::{Object, from_body, stream_options_alone};
use crate::api::responses::options::Includable;
use crate::api::responses::request::{CreateResponse, RawCreateResponse};
use crate::api::stored::{ListChatCompletions, PageParams};
use crate::engine::Engine;
use crate::router::{Body, Pending, decoded, json, method_not_allowed};

/// A call whose path is `/responses` and these segments, but for [`create`].
pub(crate) fn responses(
    engine: &Engine,
    path: &[&str],
    method: &Method,
    uri: &Uri,
    body: &[u8],
) -> Result<Response<Body>> {
    let responses = engine.responses();
    match (path, method) {
        (["input_tokens"], &Method::POST) => Ok(json(&responses.count_input_tokens(&read_count(engine, body)?)?)),
        ([id], &Method::GET) => {
            check_retrieve(uri)?;
            Ok(json(&responses.retrieve(&decoded(id))?))
        }
        ([id], &Method::DELETE) => Ok(json(&responses.delete(&decoded(id))?)),
        ([id, "cancel"], &Method::POST) => Ok(json(&responses.cancel(&decoded(id))?)),
        ([id, "input_items"], &Method::GET) => Ok(json(&responses.input_items(&decoded(id), &read_input_page(uri)?)?)),
        _ => Err(method_not_allowed(method, uri)),
    }
}

/// A call about kept chat completions, whose path is `/chat/completions` and these segments.
pub(crate) fn completions(
    engine: &Engine,
    path: &[&str],
    method: &Method,
    uri: &Uri,
    body: &[u8],
) -> Result<Response<Body>> {
    let chat = engine.chat();
    match (path, method) {
        ([], &Method::GET) => Ok(json(&chat.list(&read_list(uri)?)?)),
        ([id], &Method::GET) => Ok(json(&chat.retrieve(&decoded(id))?)),
        ([id], &Method::POST) => {
            let Object(Update { metadata }) = from_body(body)?;
            Ok(json(&chat.update(&decoded(id), metadata.unwrap_or_default())?))
        }
        ([id], &Method::DELETE) => Ok(json(&chat.delete(&decoded(id))?)),
        ([id, "messages"], &Method::GET) => Ok(json(&chat.messages(&decoded(id), &query::page(uri)?)?)),
        _ => Err(method_not_allowed(method, uri)),
    }
}

/// Answers a conversation.
pub(crate) fn create(engine: &Engine, body: &[u8]) -> Result<Pending> {
    let request: CreateResponse = from_body(body)?;
    if request.stream == Some(true) {
        return engine.responses().create_stream(&request).map(Pending::response_events);
    }
    // The typed Rust calls say by their name whether they stream.
    if request.stream_options.is_some() {
        return Err(stream_options_alone());
    }
    engine.responses().submit(&request).map(Pending::response)
}

/// Such a request need not say which model it is for if there is only one.
fn read_count(engine: &Engine, body: &[u8]) -> Result<CreateResponse> {
    let RawCreateResponse { model, input, mut request } = from_body(body)?;
    let only = || match &engine.model_info()[..] {
        [only] => Ok(only.id.clone()),
        _ => Err(Error::invalid("model", "Missing required parameter: 'model'")),
    };
    request.model = model.map_or_else(only, Ok)?;
    request.input = input.unwrap_or_default();
    Ok(request)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Update {
    metadata: Option<BTreeMap<String, String>>,
}

/// RE11. What `include` can add was added when the response was made.
fn check_retrieve(uri: &Uri) -> Result<()> {
    for (key, value) in pairs(uri.query()) {
        match key.as_str() {
            "stream" if value == "true" => {
                let message = "This response cannot be streamed: it was not created in the background";
                return Err(Error::unsupported_value("stream", message));
            }
            "starting_after" => return Err(Error::unsupported_parameter("starting_after", "Only streams take it")),
            "stream" | "include_obfuscation" => {}
            key => read_include(key, &value)?,
        }
    }
    Ok(())
}

fn read_include(key: &str, value: &str) -> Result<()> {
    if !matches!(key, "include" | "include[]") {
        return Err(query::unknown(key));
    }
    query::word::<Includable>("include", value).map(drop)
}

fn read_input_page(uri: &Uri) -> Result<PageParams> {
    let mut page = PageParams::default();
    for (key, value) in pairs(uri.query()) {
        if !query::read_page(&mut page, &key, &value)? {
            read_include(&key, &value)?;
        }
    }
    Ok(page)
}

fn read_list(uri: &Uri) -> Result<ListChatCompletions> {
    let mut filter = ListChatCompletions::default();
    for (key, value) in pairs(uri.query()) {
        if query::read_page(&mut filter.page, &key, &value)? {
            continue;
        }
        let label = key.strip_prefix("metadata[").and_then(|label| label.strip_suffix(']'));
        match (key.as_str(), label) {
            ("model", _) => filter.model = Some(value),
            (_, Some(label)) => drop(filter.metadata.insert(label.to_owned(), value)),
            _ => return Err(query::unknown(&key)),
        }
    }
    Ok(filter)
}
