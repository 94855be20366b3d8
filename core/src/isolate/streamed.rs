//! Typed streams, of this process or of a worker.

use std::task::Poll;

use serde::de::DeserializeOwned;

use crate::api::error::{Error, Result};
use crate::cancel::CancelHandle;
use crate::router::EventStream;
use crate::wait::Wait;

/// Chunks that are put together here.
pub(crate) trait Chunks {
    type Chunk: DeserializeOwned;

    /// The next chunk, waiting for it as `wait` says; `None` after the last.
    fn advance(&mut self, wait: &mut Wait<'_, '_>) -> Poll<Option<Result<Self::Chunk>>>;

    fn cancel_handle(&self) -> CancelHandle;
}

/// Chunks, wherever they come from.
#[derive(Debug)]
pub(crate) enum Streamed<C> {
    Here(Box<C>),
    Worker(Box<EventStream>, CancelHandle),
}

impl<C: Chunks> Streamed<C> {
    pub(crate) fn here(chunks: C) -> Self {
        Streamed::Here(Box::new(chunks))
    }

    /// The events of a worker's reply.
    pub(crate) fn worker(events: EventStream) -> Result<Self> {
        let cancel = events.cancel_handle().ok_or_else(|| Error::internal("the reply has ended before it began"))?;
        Ok(Streamed::Worker(Box::new(events), cancel))
    }

    pub(crate) fn advance(&mut self, wait: &mut Wait<'_, '_>) -> Poll<Option<Result<C::Chunk>>> {
        match self {
            Streamed::Here(chunks) => chunks.advance(wait),
            Streamed::Worker(events, _) => events.advance_data(wait).map(|data| {
                data.map(|data| {
                    serde_json::from_slice(&data?).map_err(|error| {
                        Error::internal("the worker process sent an event that is none").with_source(error)
                    })
                })
            }),
        }
    }

    pub(crate) fn cancel_handle(&self) -> CancelHandle {
        match self {
            Streamed::Here(chunks) => chunks.cancel_handle(),
            Streamed::Worker(_, cancel) => cancel.clone(),
        }
    }
}
