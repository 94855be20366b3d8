//! Images on their way, and the reply that is made of them.

use std::task::Poll;

use crate::api::error::Result;
use crate::api::images::{ImageBackground, ImageFormat, ImageQuality, ImageSize};
use crate::api::images_reply::{Image, ImagesResponse, ImagesUsage};
use crate::cancel::CancelHandle;
use crate::clock::now;
use crate::jobs::Receiver;
use crate::wait::{Wait, block};

/// Steps that have been computed of all images, and how many there are.
pub(super) type Progress = (u32, u32);

/// What a caller is told. Images are files in base64.
#[derive(Debug)]
pub(super) enum News {
    /// What a step has come to, with its place.
    Partial(u32, String),
    Image(String),
    End(ImagesUsage),
}

/// What all replies to a request say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub(super) size: ImageSize,
    pub(super) quality: ImageQuality,
    pub(super) background: ImageBackground,
    pub(super) format: ImageFormat,
    pub(super) is_edit: bool,
}

/// A request's images on their way. Dropping it cancels the request.
#[derive(Debug)]
pub(crate) struct PendingImages {
    pub(super) receiver: Receiver<News, Progress>,
    pub(super) head: Head,
    images: Vec<Image>,
}

impl PendingImages {
    pub(super) fn new(receiver: Receiver<News, Progress>, head: Head) -> Self {
        PendingImages { receiver, head, images: Vec::new() }
    }

    pub(crate) fn wait(mut self) -> Result<ImagesResponse> {
        block(|wait| self.advance(wait))
    }

    /// The reply, waiting for it as `wait` says.
    pub(crate) fn advance(&mut self, wait: &mut Wait<'_, '_>) -> Poll<Result<ImagesResponse>> {
        loop {
            match self.receiver.advance(wait) {
                Poll::Ready(Ok(News::Image(b64_json))) => self.images.push(Image { b64_json }),
                Poll::Ready(Ok(News::Partial(..))) => {}
                Poll::Ready(Ok(News::End(usage))) => {
                    let Head { size, quality, background, format, .. } = self.head;
                    return Poll::Ready(Ok(ImagesResponse {
                        created: now(),
                        data: std::mem::take(&mut self.images),
                        background,
                        output_format: format,
                        quality,
                        size,
                        usage,
                    }));
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// The steps that have been computed, and how many there are, once that is known.
    pub(crate) fn progress(&self) -> (u32, u32) {
        self.receiver.progress()
    }

    pub(crate) fn cancel_handle(&self) -> CancelHandle {
        self.receiver.cancel_handle()
    }
}
