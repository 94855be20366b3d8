//! The door: HTTP-shaped requests to handlers, as a hosted API would answer.
//!
//! Here are the routes; `pending` waits for their answers, `events` frames those that come piece by
//! piece, `reply` makes responses of both and of errors.

mod events;
mod pending;
mod reply;

use http::{HeaderMap, Method, Uri};
use percent_encoding::percent_decode_str;

use crate::api::error::{Error, ErrorKind, Result};
use crate::api::parse::{
    parse_chat_request, parse_completion_request, parse_detokenize_request, parse_embedding_request,
    parse_image_request, parse_rerank_request, parse_tokenize_request, shorten,
};
use crate::engine::Engine;
use crate::images::ImageForm;
use crate::responses::door;
use crate::transcribe::SpeechForm;
use crate::{batches, files};
pub use events::EventStream;
use events::Events;
pub use pending::Pending;
pub use reply::Body;
pub(crate) use reply::{answer, bytes, json};

/// Finds the handler for a method and path.
///
/// # Errors
///
/// Also those that [`answer`] makes replies of.
pub(crate) fn route(engine: &Engine, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Result<Pending> {
    let response = match (&segments(uri)[..], method) {
        (["chat", "completions"], &Method::POST) => return chat_completion(engine, body),
        (["completions"], &Method::POST) => return completion(engine, body),
        (["responses"], &Method::POST) => return door::create(engine, body),
        (["embeddings"], &Method::POST) => return embeddings(engine, body),
        (["rerank"], &Method::POST) => return rerank(engine, body),
        (["audio", "transcriptions"], &Method::POST) => return transcription(engine, headers, body),
        (["audio", "translations"], &Method::POST) => return translation(engine, headers, body),
        (["audio", "speech"], &Method::POST) => return Err(unserved("audio.speech", "no model here speaks")),
        (["images", "generations"], &Method::POST) => return images(engine, body),
        (["images", "edits"], &Method::POST) => return image_edit(engine, headers, body),
        (["images", "variations"], &Method::POST) => return image_variation(engine, headers, body),
        (["chat", "completions", path @ ..], _) => door::completions(engine, path, method, uri, body)?,
        (["responses", path @ ..], _) => door::responses(engine, path, method, uri, body)?,
        (["batches", path @ ..], _) => batches::answer(engine, path, method, uri, body)?,
        (["files", path @ ..], _) => files::answer(engine, method, uri, path, headers, body)?,
        (["tokenize"], &Method::POST) => json(&engine.tokenize(&parse_tokenize_request(body)?)?),
        (["detokenize"], &Method::POST) => json(&engine.detokenize(&parse_detokenize_request(body)?)?),
        (["models"], &Method::GET) => json(&engine.models().list()),
        (["models", name @ ..], &Method::GET) => json(&engine.models().retrieve(&model_name(name))?),
        (["models", name @ ..], &Method::DELETE) if !name.is_empty() => {
            json(&engine.models().delete(&model_name(name))?)
        }
        (
            ["completions" | "embeddings" | "rerank" | "tokenize" | "detokenize"]
            | ["models", ..]
            | ["audio", "transcriptions" | "translations" | "speech"]
            | ["images", "generations" | "edits" | "variations"],
            _,
        ) => {
            return Err(method_not_allowed(method, uri));
        }
        _ => return Err(unknown_path(method, uri)),
    };
    Ok(Pending::ready(response))
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
    let request = parse_chat_request(body)?;
    if request.stream == Some(true) {
        let chunks = engine.chat().submit_stream(&request)?;
        return Ok(Pending::ready(reply::events(Events::Chat(Box::new(chunks)))));
    }
    engine.chat().submit(&request).map(Pending::chat)
}

fn completion(engine: &Engine, body: &[u8]) -> Result<Pending> {
    let request = parse_completion_request(body)?;
    if request.stream == Some(true) {
        let chunks = engine.completions().submit_stream(&request)?;
        return Ok(Pending::ready(reply::events(Events::Text(chunks))));
    }
    engine.completions().submit(&request).map(Pending::completion)
}

fn embeddings(engine: &Engine, body: &[u8]) -> Result<Pending> {
    engine.embeddings().submit(&parse_embedding_request(body)?).map(Pending::embeddings)
}

fn rerank(engine: &Engine, body: &[u8]) -> Result<Pending> {
    engine.submit_rerank(&parse_rerank_request(body)?).map(Pending::ranking)
}

fn transcription(engine: &Engine, headers: &HeaderMap, body: &[u8]) -> Result<Pending> {
    let request = SpeechForm::read(headers, body)?.transcription()?;
    if request.stream == Some(true) {
        let pieces = engine.transcriptions().submit_stream(&request)?;
        return Ok(Pending::ready(reply::events(Events::Speech(Box::new(pieces)))));
    }
    engine.transcriptions().submit(&request).map(Pending::transcription)
}

fn translation(engine: &Engine, headers: &HeaderMap, body: &[u8]) -> Result<Pending> {
    let request = SpeechForm::read(headers, body)?.translation()?;
    engine.translations().submit(&request).map(Pending::transcription)
}

fn images(engine: &Engine, body: &[u8]) -> Result<Pending> {
    let request = parse_image_request(body)?;
    if request.options.stream == Some(true) {
        let events = engine.images().submit_stream("image_generation", &request.model, &(&request).into())?;
        return Ok(Pending::ready(reply::events(Events::Image(Box::new(events)))));
    }
    engine.images().submit("image_generation", &request.model, &(&request).into()).map(Pending::images)
}

fn image_edit(engine: &Engine, headers: &HeaderMap, body: &[u8]) -> Result<Pending> {
    let request = ImageForm::read(headers, body)?.edit()?;
    if request.options.stream == Some(true) {
        let events = engine.images().submit_stream("image_edit", &request.model, &(&request).into())?;
        return Ok(Pending::ready(reply::events(Events::Image(Box::new(events)))));
    }
    engine.images().submit("image_edit", &request.model, &(&request).into()).map(Pending::images)
}

fn image_variation(engine: &Engine, headers: &HeaderMap, body: &[u8]) -> Result<Pending> {
    let request = ImageForm::read(headers, body)?.variation()?;
    engine.images().submit("image_variation", &request.model, &(&request).into()).map(Pending::images)
}

/// For an endpoint of the API that this engine does not have (AU10).
fn unserved(endpoint: &str, reason: &str) -> Error {
    let message = format!("This release does not serve {endpoint}: {reason}");
    Error::new(ErrorKind::InvalidRequest, message).with_code("unsupported_endpoint")
}

/// A part of a path as it was before it became one.
pub(crate) fn decoded(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

/// The SDK sends a name with a slash as `%2F`; a plain slash works too (MO2).
fn model_name(segments: &[&str]) -> String {
    decoded(&segments.join("/"))
}

fn unknown_path(method: &Method, uri: &Uri) -> Error {
    Error::new(ErrorKind::NotFound, format!("unknown path: {method} {}", shorten(uri.path()))).with_code("unknown_url")
}

pub(crate) fn method_not_allowed(method: &Method, uri: &Uri) -> Error {
    Error::new(ErrorKind::NotFound, format!("{} does not take {method} requests", shorten(uri.path())))
        .with_code("unknown_url")
}
