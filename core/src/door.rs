//! What stands before the router: admission on the way in, headers on the way out, and the engine's
//! metrics.

use std::borrow::Cow;
use std::sync::Arc;
use std::task::Poll;

use http::{Method, Request, Response};
use serde::Deserialize;

use crate::api::error::Result;
use crate::call::Call;
use crate::cancel::CancelHandle;
use crate::engine::Engine;
use crate::metrics::prometheus;
use crate::models::Entry;
use crate::promise::promise;
use crate::router::{self, Body, Pending};
use crate::transcribe::read_model;
use crate::wait::Wait;

/// A reply to an admitted request, on its way.
#[derive(Debug)]
pub(crate) struct Admitted {
    call: Arc<Call>,
    pending: Pending,
}

/// Takes on a request. `needs_key` tells a caller from the host itself.
pub(crate) fn submit<B: AsRef<[u8]>>(engine: &Engine, request: &Request<B>, needs_key: bool) -> Result<Pending> {
    let (call, admitted) = admit(engine, request, needs_key)?;
    let pending = admitted.and_then(|()| match missing_model(engine, request) {
        None => call.scope(|| handle(engine, request, needs_key)),
        Some(model) => {
            let mut owned = Request::new(request.body().as_ref().to_vec());
            (*owned.method_mut(), *owned.uri_mut()) = (request.method().clone(), request.uri().clone());
            owned.headers_mut().clone_from(request.headers());
            Ok(handle_later(engine, &call, &model, owned))
        }
    });
    Ok(Pending::admitted(Admitted { call, pending: router::answer(pending)? }))
}

/// Takes on a request, and has the engine's own threads read it.
pub(crate) fn submit_async<B: AsRef<[u8]> + Send + 'static>(engine: &Engine, request: Request<B>) -> Result<Pending> {
    let (call, admitted) = admit(engine, &request, true)?;
    let pending = admitted.and_then(|()| {
        let (theirs, call) = (engine.clone(), call.clone());
        let handle = move || match missing_model(&theirs, &request) {
            None => router::answer(call.scope(|| handle(&theirs, &request, true))),
            Some(model) => Ok(handle_later(&theirs, &call, &model, request)),
        };
        engine.workers().run(handle).map(Pending::prepared)
    });
    Ok(Pending::admitted(Admitted { call, pending: router::answer(pending)? }))
}

fn admit<B>(engine: &Engine, request: &Request<B>, needs_key: bool) -> Result<(Arc<Call>, Result<()>)> {
    let path = path(request);
    let operation = match path[..] {
        ["chat", "completions"] | ["responses", ..] => "chat",
        ["completions"] => "text_completion",
        ["embeddings"] => "embeddings",
        ["rerank"] => "rerank",
        ["audio", "transcriptions"] => "transcription",
        ["audio", "translations"] => "translation",
        ["images", "generations"] => "image_generation",
        ["images", "edits"] => "image_edit",
        ["images", "variations"] => "image_variation",
        ["metrics"] => return engine.admission().observe(needs_key.then(|| request.headers())),
        _ => "other",
    };
    if needs_key {
        engine.admission().admit(operation, request.headers())
    } else {
        engine.admission().begin(operation).map(|call| (call, Ok(())))
    }
}

fn handle<B: AsRef<[u8]>>(engine: &Engine, request: &Request<B>, needs_key: bool) -> Result<Pending> {
    let path = path(request);
    // Files and batches stay in this process, also when a worker ends.
    let stays = matches!(path[..], ["files" | "batches", ..]);
    if let Some(isolated) = engine.isolated().filter(|_| !stays) {
        return isolated.submit(request, needs_key).map(Pending::remote);
    }
    if path == ["metrics"] && request.method() == Method::GET {
        return Ok(Pending::ready(metrics(engine, request.uri().query())));
    }
    router::route(engine, request.method(), request.uri(), request.headers(), request.body().as_ref())
}

/// The model that a request has to wait for, until it is loaded.
fn missing_model<B: AsRef<[u8]>>(engine: &Engine, request: &Request<B>) -> Option<Arc<Entry>> {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow)]
        model: Cow<'a, str>,
    }
    let is_form =
        matches!(path(request)[..], ["audio", "transcriptions" | "translations"] | ["images", "edits" | "variations"]);
    let uses_model = is_form
        || matches!(
            path(request)[..],
            ["chat", "completions"]
                | ["images", "generations"]
                | ["responses", "input_tokens"]
                | ["responses" | "completions" | "embeddings" | "rerank" | "tokenize" | "detokenize"]
        );
    if !uses_model || request.method() != Method::POST || !engine.catalogue().is_any_missing() {
        return None;
    }
    if is_form {
        return engine.catalogue().missing(&read_model(request.headers(), request.body().as_ref())?);
    }
    let named: Named<'_> = serde_json::from_slice(request.body().as_ref()).ok()?;
    engine.catalogue().missing(&named.model)
}

/// Handles a request when its model is loaded: the threads that prepare requests do not wait for that,
/// since they are there for other models too.
fn handle_later<B: AsRef<[u8]> + Send + 'static>(
    engine: &Engine,
    call: &Arc<Call>,
    model: &Arc<Entry>,
    request: Request<B>,
) -> Pending {
    let (promise, promised) = promise();
    let (theirs, waiting, call) = (engine.clone(), call.clone(), call.clone());
    let handle = move |model: Result<_>| {
        if !promise.is_wanted() {
            return;
        }
        let pending = match model {
            // It stays loaded meanwhile. Whether a key was needed has been decided; no worker is asked here.
            Ok(_model) => call.scope(|| handle(&theirs, &request, true)),
            Err(error) => {
                call.fail(&error);
                Err(error)
            }
        };
        promise.fulfil(router::answer(pending));
    };
    model.with(engine.catalogue(), Some(waiting), Box::new(handle));
    Pending::prepared(promised)
}

/// The path's segments, without the version.
fn path<B>(request: &Request<B>) -> Vec<&str> {
    router::segments(request.uri())
}

/// Prometheus' text, or with `?format=json` JSON.
fn metrics(engine: &Engine, query: Option<&str>) -> Response<Body> {
    let metrics = engine.metrics();
    if query.is_some_and(|query| query.split('&').any(|pair| pair == "format=json")) {
        return router::json(&metrics);
    }
    router::bytes(metrics.to_prometheus().into_bytes(), prometheus::CONTENT_TYPE)
}

impl Admitted {
    pub(crate) fn cancel_handle(&self) -> Option<CancelHandle> {
        self.pending.cancel_handle()
    }

    /// The reply with the headers that every one has.
    pub(crate) fn advance(&mut self, wait: &mut Wait<'_, '_>) -> Poll<Result<Response<Body>>> {
        self.pending.advance(wait).map(|reply| match reply {
            Ok(mut response) => {
                let is_complete = matches!(response.body(), Body::Full(_));
                if is_complete {
                    self.call.reply(response.status().as_u16());
                }
                self.call.write_headers(response.headers_mut(), is_complete);
                Ok(response)
            }
            Err(error) => {
                self.call.fail(&error);
                Err(error)
            }
        })
    }
}
