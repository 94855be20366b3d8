//! Replies that come in events.

use std::task::{Context, Poll};
use std::time::Instant;

use serde::Serialize;

use super::reply::to_json;
use crate::api::error::{Error, Result};
use crate::cancel::CancelHandle;
use crate::chat::ChatCompletionStream;
use crate::completions::CompletionStream;
use crate::images::ImageStream;
use crate::isolate::RemoteEvents;
use crate::responses::ResponseStream;
use crate::transcribe::TranscriptionStream;
use crate::wait::{Wait, block};

/// A reply's events, each one `data: {json}` and a blank line; the last is
/// `data: [DONE]` (CS1). A failure after the first is an event too, and the last
/// one (CS11). Dropping the stream stops the generation (CS12).
///
/// The events of a response have a line `event: {type}` before that, and the last of them is the
/// response's end (RE10). So have those of an image, whose last is the image (IM4).
#[derive(Debug)]
pub struct EventStream(Events);

/// Where events come from.
#[derive(Debug)]
pub(super) enum Events {
    Chat(Box<ChatCompletionStream>),
    Text(CompletionStream),
    Response(Box<ResponseStream>),
    Speech(Box<TranscriptionStream>),
    Image(Box<ImageStream>),
    /// Of a worker process, as they stand on a wire.
    Remote(RemoteEvents),
    Ended,
}

impl EventStream {
    pub(super) fn new(events: Events) -> Self {
        EventStream(events)
    }

    /// The next event, waiting for it until `deadline`; [`Poll::Pending`] when
    /// that has passed, `Ready(None)` after the last.
    ///
    /// # Errors
    ///
    /// `Closed` and `Cancelled`; every other failure is an event.
    pub fn next_until(&mut self, deadline: Instant) -> Poll<Option<Result<Vec<u8>>>> {
        self.advance(&mut Wait::Until(deadline))
    }

    /// Like [`next_until`](Self::next_until), for async tasks.
    ///
    /// # Errors
    ///
    /// As [`next_until`](Self::next_until).
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Vec<u8>>>> {
        self.advance(&mut Wait::Task(context))
    }

    /// A handle that cancels the stream from another thread.
    pub fn cancel_handle(&self) -> Option<CancelHandle> {
        match &self.0 {
            Events::Chat(chunks) => Some(chunks.cancel_handle()),
            Events::Text(chunks) => Some(chunks.cancel_handle()),
            Events::Response(events) => Some(events.cancel_handle()),
            Events::Speech(pieces) => Some(pieces.cancel_handle()),
            Events::Image(events) => Some(events.cancel_handle()),
            Events::Remote(events) => Some(events.cancel_handle()),
            Events::Ended => None,
        }
    }

    /// The events' JSON texts, without framing and the `[DONE]` at the end; an
    /// error event becomes an error.
    pub(crate) fn data(self) -> Box<dyn Iterator<Item = Result<Vec<u8>>> + Send> {
        match self.0 {
            Events::Chat(chunks) => Box::new(chunks.map(|chunk| chunk.map(|chunk| to_json(&chunk)))),
            Events::Text(chunks) => Box::new(chunks.map(|chunk| chunk.map(|chunk| to_json(&chunk)))),
            Events::Response(events) => Box::new(events.map(|event| event.map(|event| to_json(&event)))),
            Events::Speech(pieces) => Box::new(pieces.map(|piece| piece.map(|piece| to_json(&piece)))),
            Events::Image(events) => Box::new(events.map(|event| event.map(|event| to_json(&event)))),
            Events::Remote(_) => {
                let mut events = self;
                Box::new(std::iter::from_fn(move || block(|wait| events.advance_data(wait))))
            }
            Events::Ended => Box::new(std::iter::empty()),
        }
    }

    /// The next event of a worker process, as [`data`](Self::data) gives it.
    pub(crate) fn advance_data(&mut self, wait: &mut Wait<'_, '_>) -> Poll<Option<Result<Vec<u8>>>> {
        let Events::Remote(events) = &mut self.0 else { return Poll::Ready(None) };
        events.advance(wait).map(|event| match event {
            Some(Ok(event)) => unframe(&event),
            event => event,
        })
    }

    fn advance(&mut self, wait: &mut Wait<'_, '_>) -> Poll<Option<Result<Vec<u8>>>> {
        match &mut self.0 {
            Events::Chat(chunks) => chunks.advance(wait).map(|chunk| Some(self.chunk(chunk))),
            Events::Text(chunks) => chunks.advance(wait).map(|chunk| Some(self.chunk(chunk))),
            Events::Speech(pieces) => pieces.advance(wait).map(|piece| Some(self.chunk(piece))),
            Events::Response(events) => {
                let Poll::Ready(event) = events.advance(wait) else { return Poll::Pending };
                if !matches!(event, Some(Ok(_))) {
                    self.0 = Events::Ended;
                }
                Poll::Ready(event.map(|event| event.map(|event| frame(Some(event.kind()), &to_json(&event)))))
            }
            Events::Image(events) => {
                let Poll::Ready(event) = events.advance(wait) else { return Poll::Pending };
                Poll::Ready(match event {
                    Some(Ok(event)) => Some(Ok(frame(Some(event.kind()), &to_json(&event)))),
                    Some(Err(error)) => Some(self.chunk(Some(Err::<(), _>(error)))),
                    None => {
                        self.0 = Events::Ended;
                        None
                    }
                })
            }
            Events::Remote(events) => {
                let Poll::Ready(event) = events.advance(wait) else { return Poll::Pending };
                Poll::Ready(match event {
                    Some(Err(error)) => Some(self.chunk(Some(Err::<(), _>(error)))),
                    event => event,
                })
            }
            Events::Ended => Poll::Ready(None),
        }
    }

    /// The event for a chunk, or for the chunks' end.
    fn chunk(&mut self, chunk: Option<Result<impl Serialize>>) -> Result<Vec<u8>> {
        let data = match chunk {
            Some(Ok(chunk)) => return Ok(frame(None, &to_json(&chunk))),
            None => b"[DONE]".to_vec(),
            Some(Err(error)) => {
                self.0 = Events::Ended;
                if error.status().is_none() {
                    return Err(error);
                }
                to_json(&error.to_body())
            }
        };
        self.0 = Events::Ended;
        Ok(frame(None, &data))
    }
}

impl Iterator for EventStream {
    type Item = Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        block(|wait| self.advance(wait))
    }
}

/// The JSON text of an event, or the error that it tells of; `None` for the end.
fn unframe(event: &[u8]) -> Option<Result<Vec<u8>>> {
    let start = event.windows(6).position(|bytes| bytes == b"data: ")? + 6;
    let data = event.get(start..)?.trim_ascii_end();
    if data == b"[DONE]" {
        return None;
    }
    // The API's errors are objects with nothing else in them.
    if data.starts_with(b"{\"error\":") {
        return Some(Err(Error::from_event(data)));
    }
    Some(Ok(data.to_vec()))
}

/// One server-sent event, with its type if that is told beside the data.
fn frame(kind: Option<&str>, data: &[u8]) -> Vec<u8> {
    let mut event = Vec::with_capacity(data.len() + 64);
    if let Some(kind) = kind {
        event.extend_from_slice(b"event: ");
        event.extend_from_slice(kind.as_bytes());
        event.push(b'\n');
    }
    event.extend_from_slice(b"data: ");
    event.extend_from_slice(data);
    event.extend_from_slice(b"\n\n");
    event
}
