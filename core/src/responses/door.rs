//! The HTTP-shaped calls about responses and about chat completions that are kept.

use std::collections::BTreeMap;

use http::{Method, Uri};
use percent_encoding::percent_decode_str;
use serde::Deserialize;

use super::query::{self, pairs};
use crate::api::error::{Error, Result};
use crate::api::parse::{Object, from_body};
use crate::api::responses::options::Includable;
use crate::api::responses::request::{CreateResponse, RawCreateResponse};
use crate::api::stored::{ListChatCompletions, PageParams};
use crate::engine::Engine;
use crate::router::{Pending, answer, json, method_not_allowed};

/// A call whose path is `/responses` and these segments.
pub(crate) fn responses(engine: &Engine, path: &[&str], method: &Method, uri: &Uri, body: &[u8]) -> Result<Pending> {
    let responses = engine.responses();
    match (path, method) {
        ([], &Method::POST) => create(engine, body),
        (["input_tokens"], &Method::POST) => {
            let count = read_count(engine, body).and_then(|request| responses.count_input_tokens(&request));
            answer(count.map(|count| json(&count)))
        }
        ([id], &Method::GET) => {
            let found = check_retrieve(uri).and_then(|()| responses.retrieve(&decoded(id)));
            answer(found.map(|response| json(&response)))
        }
        ([id], &Method::DELETE) => answer(responses.delete(&decoded(id)).map(|deleted| json(&deleted))),
        ([id, "cancel"], &Method::POST) => answer(responses.cancel(&decoded(id)).map(|response| json(&response))),
        ([id, "input_items"], &Method::GET) => {
            let items = read_input_page(uri).and_then(|page| responses.input_items(&decoded(id), &page));
            answer(items.map(|items| json(&items)))
        }
        _ => answer(Err(method_not_allowed(method, uri))),
    }
}

/// A call about kept chat completions, whose path is `/chat/completions` and these segments.
pub(crate) fn completions(engine: &Engine, path: &[&str], method: &Method, uri: &Uri, body: &[u8]) -> Result<Pending> {
    let chat = engine.chat();
    match (path, method) {
        ([], &Method::GET) => {
            let list = read_list(uri).and_then(|filter| chat.list(&filter));
            answer(list.map(|list| json(&list)))
        }
        ([id], &Method::GET) => answer(chat.retrieve(&decoded(id)).map(|completion| json(&completion))),
        ([id], &Method::POST) => {
            let updated = from_body(body)
                .and_then(|Object(Update { metadata })| chat.update(&decoded(id), metadata.unwrap_or_default()));
            answer(updated.map(|completion| json(&completion)))
        }
        ([id], &Method::DELETE) => answer(chat.delete(&decoded(id)).map(|deleted| json(&deleted))),
        ([id, "messages"], &Method::GET) => {
            let messages = query::page(uri).and_then(|page| chat.messages(&decoded(id), &page));
            answer(messages.map(|messages| json(&messages)))
        }
        _ => answer(Err(method_not_allowed(method, uri))),
    }
}

fn create(engine: &Engine, body: &[u8]) -> Result<Pending> {
    let request = match read_create(body) {
        Ok(request) => request,
        Err(error) => return answer(Err(error)),
    };
    if request.stream == Some(true) {
        return Pending::response_events(engine.responses().create_stream(&request));
    }
    match engine.responses().submit(&request) {
        Ok(pending) => Ok(Pending::response(pending)),
        Err(error) => answer(Err(error)),
    }
}

fn read_create(body: &[u8]) -> Result<CreateResponse> {
    let request: CreateResponse = from_body(body)?;
    // The typed Rust calls say by their name whether they stream.
    if request.stream_options.is_some() && request.stream != Some(true) {
        return Err(Error::invalid("stream_options", "'stream_options' is only allowed when 'stream' is true"));
    }
    Ok(request)
}

/// Such a request need not say which model it is for if there is only one, and may be empty.
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

fn decoded(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}
