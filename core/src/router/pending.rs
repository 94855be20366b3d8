//! Replies on their way.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use http::Response;
use serde::Serialize;

use super::events::{EventStream, Events};
use super::reply::{Body, bytes, error_response, events, json};
use crate::api::audio_reply::TranscriptionReply;
use crate::api::error::{Error, ErrorKind, Result};
use crate::cancel::CancelHandle;
use crate::chat::PendingChatCompletion;
use crate::completions::PendingCompletion;
use crate::door::Admitted;
use crate::embed::{PendingEmbeddings, PendingRanking};
use crate::images::PendingImages;
use crate::isolate::RemoteReply;
use crate::promise::Promised;
use crate::responses::{PendingResponse, ResponseStream};
use crate::transcribe::PendingTranscription;
use crate::wait::{Wait, block};

/// A reply on its way. Dropping it cancels the request.
#[derive(Debug)]
pub struct Pending(Option<State>);

#[derive(Debug)]
enum State {
    Admitted(Box<Admitted>),
    Preparing(Promised<Result<Pending>>),
    Ready(Response<Body>),
    Chat(PendingChatCompletion),
    Completion(PendingCompletion),
    Response(Box<PendingResponse>),
    Embeddings(PendingEmbeddings),
    Ranking(PendingRanking),
    Transcription(Box<PendingTranscription>),
    Images(Box<PendingImages>),
    Remote(RemoteReply),
}

impl Pending {
    pub(crate) fn ready(response: Response<Body>) -> Self {
        Pending(Some(State::Ready(response)))
    }

    pub(crate) fn admitted(admitted: Admitted) -> Self {
        Pending(Some(State::Admitted(Box::new(admitted))))
    }

    /// A reply to a request that is being prepared.
    pub(crate) fn prepared(prepared: Promised<Result<Pending>>) -> Self {
        Pending(Some(State::Preparing(prepared)))
    }

    /// A chat completion on its way.
    pub(super) fn chat(pending: PendingChatCompletion) -> Self {
        Pending(Some(State::Chat(pending)))
    }

    /// A legacy completion on its way.
    pub(super) fn completion(pending: PendingCompletion) -> Self {
        Pending(Some(State::Completion(pending)))
    }

    /// A response on its way.
    pub(crate) fn response(pending: PendingResponse) -> Self {
        Pending(Some(State::Response(Box::new(pending))))
    }

    /// A response in events.
    pub(crate) fn response_events(stream: ResponseStream) -> Self {
        Pending::ready(events(Events::Response(Box::new(stream))))
    }

    /// Vectors on their way.
    pub(super) fn embeddings(pending: PendingEmbeddings) -> Self {
        Pending(Some(State::Embeddings(pending)))
    }

    /// An order of documents on its way.
    pub(super) fn ranking(pending: PendingRanking) -> Self {
        Pending(Some(State::Ranking(pending)))
    }

    /// A text of speech on its way.
    pub(super) fn transcription(pending: PendingTranscription) -> Self {
        Pending(Some(State::Transcription(Box::new(pending))))
    }

    /// Images on their way.
    pub(super) fn images(pending: PendingImages) -> Self {
        Pending(Some(State::Images(Box::new(pending))))
    }

    /// A worker process's reply on its way.
    pub(crate) fn remote(reply: RemoteReply) -> Self {
        Pending(Some(State::Remote(reply)))
    }

    /// Waits for the reply.
    ///
    /// # Errors
    ///
    /// `Closed` and `Cancelled`; everything else is a response.
    pub fn wait(mut self) -> Result<Response<Body>> {
        block(|wait| self.advance(wait))
    }

    /// Waits for the reply until `deadline`; [`Poll::Pending`] when it has passed.
    /// Must not be called again after it gave a reply.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    pub fn wait_until(&mut self, deadline: Instant) -> Poll<Result<Response<Body>>> {
        self.advance(&mut Wait::Until(deadline))
    }

    /// A handle that cancels the request from another thread; `None` when the
    /// reply is there already, while [`Engine::submit_async`] prepares the request,
    /// and for embeddings and ranking, which take little time. Dropping the value cancels all.
    pub fn cancel_handle(&self) -> Option<CancelHandle> {
        match &self.0 {
            Some(State::Chat(pending)) => Some(pending.cancel_handle()),
            Some(State::Admitted(admitted)) => admitted.cancel_handle(),
            Some(State::Completion(pending)) => Some(pending.cancel_handle()),
            Some(State::Response(pending)) => Some(pending.cancel_handle()),
            Some(State::Transcription(pending)) => Some(pending.cancel_handle()),
            Some(State::Images(pending)) => Some(pending.cancel_handle()),
            Some(State::Remote(reply)) => Some(reply.cancel_handle()),
            _ => None,
        }
    }

    pub(crate) fn advance(&mut self, wait: &mut Wait<'_, '_>) -> Poll<Result<Response<Body>>> {
        match self.0.take() {
            Some(State::Admitted(mut admitted)) => {
                let reply = admitted.advance(wait);
                if reply.is_pending() {
                    self.0 = Some(State::Admitted(admitted));
                }
                reply
            }
            Some(State::Preparing(prepared)) => match prepared.advance(wait) {
                Poll::Ready(Ok(Ok(pending))) => {
                    *self = pending;
                    self.advance(wait)
                }
                Poll::Ready(Ok(Err(error))) => Poll::Ready(Err(error)),
                Poll::Ready(Err(error)) => Poll::Ready(error_response(&error)),
                Poll::Pending => {
                    self.0 = Some(State::Preparing(prepared));
                    Poll::Pending
                }
            },
            Some(State::Ready(response)) => Poll::Ready(Ok(response)),
            Some(State::Chat(mut pending)) => {
                let reply = pending.advance(wait);
                self.settle(reply, State::Chat(pending))
            }
            Some(State::Completion(mut pending)) => {
                let reply = pending.advance(wait);
                self.settle(reply, State::Completion(pending))
            }
            Some(State::Remote(reply)) => match reply.advance(wait) {
                Poll::Ready(Ok((response, has_events))) => {
                    let (parts, body) = response.into_parts();
                    let body = if has_events {
                        Body::Events(EventStream::new(Events::Remote(reply.into_events())))
                    } else {
                        Body::Full(body)
                    };
                    Poll::Ready(Ok(Response::from_parts(parts, body)))
                }
                Poll::Ready(Err(error)) => Poll::Ready(error_response(&error)),
                Poll::Pending => {
                    self.0 = Some(State::Remote(reply));
                    Poll::Pending
                }
            },
            Some(State::Response(mut pending)) => {
                let reply = pending.advance(wait);
                self.settle(reply, State::Response(pending))
            }
            Some(State::Embeddings(mut pending)) => {
                let reply = pending.advance(wait);
                self.settle(reply, State::Embeddings(pending))
            }
            Some(State::Ranking(mut pending)) => {
                let reply = pending.advance(wait);
                self.settle(reply, State::Ranking(pending))
            }
            Some(State::Images(mut pending)) => {
                let reply = pending.advance(wait);
                self.settle(reply, State::Images(pending))
            }
            Some(State::Transcription(mut pending)) => match pending.advance(wait) {
                Poll::Ready(Ok(TranscriptionReply::Text(text))) => {
                    Poll::Ready(Ok(bytes(text.into_bytes(), "text/plain; charset=utf-8")))
                }
                reply => self.settle(reply, State::Transcription(pending)),
            },
            None => Poll::Ready(Err(Error::new(ErrorKind::InvalidArgument, "the reply has been fetched already"))),
        }
    }

    /// The response for a reply that is there, or the state kept for later.
    fn settle<T: Serialize>(&mut self, reply: Poll<Result<T>>, state: State) -> Poll<Result<Response<Body>>> {
        match reply {
            Poll::Ready(Ok(value)) => Poll::Ready(Ok(json(&value))),
            Poll::Ready(Err(error)) => Poll::Ready(error_response(&error)),
            Poll::Pending => {
                self.0 = Some(state);
                Poll::Pending
            }
        }
    }
}

impl Future for Pending {
    type Output = Result<Response<Body>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.advance(&mut Wait::Task(context))
    }
}
