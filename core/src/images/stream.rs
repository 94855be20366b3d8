//! An image in events.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use futures_core::Stream;

use super::reply::{Head, News, PendingImages};
use crate::api::error::Result;
use crate::api::images_reply::{CompletedImage, ImageStreamEvent, PartialImage};
use crate::cancel::CancelHandle;
use crate::clock::now;
use crate::isolate::{Chunks, Streamed};
use crate::router::EventStream;
use crate::wait::{Wait, block};

/// The events of one streamed image: what steps have come to, then the image (IM4).
///
/// Iterating blocks until the next event is there; [`into_stream`](Self::into_stream) does not. An error is the
/// last item. Dropping it cancels the request.
#[derive(Debug)]
pub struct ImageStream(Streamed<PaintedEvents>);

/// Events of an image that is painted here.
#[derive(Debug)]
pub(crate) struct PaintedEvents {
    pending: PendingImages,
    image: String,
    ended: bool,
}

impl ImageStream {
    pub(crate) fn new(pending: PendingImages) -> Self {
        ImageStream(Streamed::here(PaintedEvents { pending, image: String::new(), ended: false }))
    }

    /// The events of a worker process.
    pub(crate) fn of_worker(events: EventStream) -> Result<Self> {
        Streamed::worker(events).map(ImageStream)
    }

    /// How many steps have been computed, and of how many, once that is known; `None` when a worker process
    /// computes them.
    pub fn progress(&self) -> Option<(u32, u32)> {
        match &self.0 {
            Streamed::Here(events) => Some(events.pending.progress()),
            Streamed::Worker(..) => None,
        }
    }

    /// The next event, waiting for it until `deadline`: [`Poll::Pending`] when that has passed, `Ready(None)` after
    /// the last.
    pub fn next_until(&mut self, deadline: Instant) -> Poll<Option<Result<ImageStreamEvent>>> {
        self.advance(&mut Wait::Until(deadline))
    }

    /// A handle that cancels the request from another thread.
    pub fn cancel_handle(&self) -> CancelHandle {
        self.0.cancel_handle()
    }

    /// The same events for async code.
    pub fn into_stream(self) -> ImageAsyncStream {
        ImageAsyncStream(self)
    }

    pub(crate) fn advance(&mut self, wait: &mut Wait<'_, '_>) -> Poll<Option<Result<ImageStreamEvent>>> {
        self.0.advance(wait)
    }
}

impl Chunks for PaintedEvents {
    type Chunk = ImageStreamEvent;

    fn cancel_handle(&self) -> CancelHandle {
        self.pending.cancel_handle()
    }

    fn advance(&mut self, wait: &mut Wait<'_, '_>) -> Poll<Option<Result<ImageStreamEvent>>> {
        loop {
            if self.ended {
                return Poll::Ready(None);
            }
            let Poll::Ready(news) = self.pending.receiver.advance(wait) else { return Poll::Pending };
            let Head { size, quality, background, format: output_format, is_edit } = self.pending.head;
            let created_at = now();
            let event = match news {
                Ok(News::Image(image)) => {
                    self.image = image;
                    continue;
                }
                Ok(News::Partial(partial_image_index, b64_json)) => {
                    let image = PartialImage {
                        b64_json,
                        partial_image_index,
                        created_at,
                        size,
                        quality,
                        background,
                        output_format,
                    };
                    Ok(if is_edit {
                        ImageStreamEvent::EditPartial(image)
                    } else {
                        ImageStreamEvent::GenerationPartial(image)
                    })
                }
                Ok(News::End(usage)) => {
                    self.ended = true;
                    let b64_json = std::mem::take(&mut self.image);
                    let image =
                        CompletedImage { b64_json, created_at, size, quality, background, output_format, usage };
                    Ok(if is_edit {
                        ImageStreamEvent::EditCompleted(image)
                    } else {
                        ImageStreamEvent::GenerationCompleted(image)
                    })
                }
                Err(error) => {
                    self.ended = true;
                    Err(error)
                }
            };
            return Poll::Ready(Some(event));
        }
    }
}

impl Iterator for ImageStream {
    type Item = Result<ImageStreamEvent>;

    fn next(&mut self) -> Option<Self::Item> {
        block(|wait| self.advance(wait))
    }
}

/// The events of one streamed image, as an async stream. Runs on any executor and blocks no thread.
#[derive(Debug)]
pub struct ImageAsyncStream(ImageStream);

impl Stream for ImageAsyncStream {
    type Item = Result<ImageStreamEvent>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.advance(&mut Wait::Task(context))
    }
}
