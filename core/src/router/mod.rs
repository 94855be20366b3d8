//! The door: HTTP-shaped requests to handlers, as a hosted API would answer.
//!
//! Here are the routes; `pending` waits for their answers, `events` frames those that come piece by
//! piece, `reply` makes responses of both and of errors.

mod events;
mod pending;
mod reply;

use http::{HeaderMap, Method, Response, Uri};
use percent_encoding::percent_decode_str;

use crate::api::error::{Error, ErrorKind, Result};
use crate::api::parse::{
    parse_chat_request, parse_completion_request, parse_detokenize_request, parse_embedding_request,
    parse_rerank_request, parse_tokenize_request, shorten,
};
use crate::engine::Engine;
use crate::responses::door;
use crate::{batches, files};
pub use events::EventStream;
use events::Events;
pub use pending::Pending;
pub use reply::Body;
pub(crate) use reply::{answer, bytes, json};

/// Finds the handler for a method and path.
pub(crate) fn route(engine: &Engine, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Result<Pending> {
    match (&segments(uri)[..], method) {
        (["chat", "completions"], &Method::POST) => chat_completion(engine, body),
        (["chat", "completions", path @ ..], _) => door::completions(engine, path, method, uri, body),
        (["completions"], &Method::POST) => completion(engine, body),
        (["responses", path @ ..], _) => door::responses(engine, path, method, uri, body),
        (["embeddings"], &Method::POST) => embeddings(engine, body),
        (["batches", path @ ..], _) => answer(batches::answer(engine, path, method, uri, body)),
        (["files", path @ ..], _) => answer(files::answer(engine, method, uri, path, headers, body)),
        (["rerank"], &Method::POST) => rerank(engine, body),
        (["tokenize"], &Method::POST) => {
            answer(parse_tokenize_request(body).and_then(|request| engine.tokenize(&request)).map(|reply| json(&reply)))
        }
        (["detokenize"], &Method::POST) => answer(
            parse_detokenize_request(body).and_then(|request| engine.detokenize(&request)).map(|reply| json(&reply)),
        ),
        (["models"], &Method::GET) => Ok(Pending::ready(json(&engine.models().list()))),
        (["models", name @ ..], &Method::GET) => answer(retrieve_model(engine, name)),
        (["models", name @ ..], &Method::DELETE) if !name.is_empty() => answer(delete_model(engine, name)),
        (["completions" | "embeddings" | "rerank" | "tokenize" | "detokenize"] | ["models", ..], _) => {
            answer(Err(method_not_allowed(method, uri)))
        }
        _ => answer(Err(unknown_path(method, uri))),
    }
}

/// A path's segments, without the version.
pub(crate) fn segments(uri: &Uri) -> Vec<&str> {
    let mut path: Vec<&str> = uri.path().split('/').filter(|segment| !segment.is_empty()).collect();
    if path.first() == Some(&"v1") {
        path.remove(0);
    }
    path
}

fn chat_completion(engine: &Engine, body: &[u8]) -> Result<Pending> {
    let request = match parse_chat_request(body) {
        Ok(request) => request,
        Err(error) => return answer(Err(error)),
    };
    if request.stream == Some(true) {
        let stream = engine.chat().submit_stream(&request);
        return answer(stream.map(|chunks| reply::events(Events::Chat(Box::new(chunks)))));
    }
    match engine.chat().submit(&request) {
        Ok(pending) => Ok(Pending::chat(pending)),
        Err(error) => answer(Err(error)),
    }
}

fn completion(engine: &Engine, body: &[u8]) -> Result<Pending> {
    let request = match parse_completion_request(body) {
        Ok(request) => request,
        Err(error) => return answer(Err(error)),
    };
    if request.stream == Some(true) {
        let stream = engine.completions().submit_stream(&request);
        return answer(stream.map(|chunks| reply::events(Events::Text(chunks))));
    }
    match engine.completions().submit(&request) {
        Ok(pending) => Ok(Pending::completion(pending)),
        Err(error) => answer(Err(error)),
    }
}

fn embeddings(engine: &Engine, body: &[u8]) -> Result<Pending> {
    match parse_embedding_request(body).and_then(|request| engine.embeddings().submit(&request)) {
        Ok(pending) => Ok(Pending::embeddings(pending)),
        Err(error) => answer(Err(error)),
    }
}

fn rerank(engine: &Engine, body: &[u8]) -> Result<Pending> {
    match parse_rerank_request(body).and_then(|request| engine.submit_rerank(&request)) {
        Ok(pending) => Ok(Pending::ranking(pending)),
        Err(error) => answer(Err(error)),
    }
}

fn retrieve_model(engine: &Engine, segments: &[&str]) -> Result<Response<Body>> {
    engine.models().retrieve(&model_name(segments)).map(|model| json(&model))
}

fn delete_model(engine: &Engine, segments: &[&str]) -> Result<Response<Body>> {
    engine.models().delete(&model_name(segments)).map(|deleted| json(&deleted))
}

/// The SDK sends a name with a slash as `%2F`; a plain slash works too (MO2).
fn model_name(segments: &[&str]) -> String {
    percent_decode_str(&segments.join("/")).decode_utf8_lossy().into_owned()
}

fn unknown_path(method: &Method, uri: &Uri) -> Error {
    Error::new(ErrorKind::NotFound, format!("unknown path: {method} {}", shorten(uri.path()))).with_code("unknown_url")
}

pub(crate) fn method_not_allowed(method: &Method, uri: &Uri) -> Error {
    Error::new(ErrorKind::NotFound, format!("{} does not take {method} requests", shorten(uri.path())))
        .with_code("unknown_url")
}
