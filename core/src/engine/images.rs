//! Images as typed calls.

use std::task::Poll;
use std::time::{Duration, Instant};

use super::Engine;
use crate::api::error::{Error, Result};
use crate::api::images::{CreateImageEditRequest, CreateImageRequest, CreateImageVariationRequest};
use crate::api::images_reply::ImagesResponse;
use crate::door;
use crate::engine::calls::{read_reply, successful};
use crate::images::{ImageStream, ImageTask, PendingImages};
use crate::router::{Body, Pending};
use crate::wait::Wait;

/// How often progress is reported.
const REPORT_PERIOD: Duration = Duration::from_millis(100);

/// Images of an [`Engine`].
#[derive(Debug, Clone, Copy)]
pub struct Images<'a> {
    engine: &'a Engine,
}

impl Images<'_> {
    /// Makes images of a text. Blocks until all are there. Callers take turns, image by image.
    ///
    /// # Errors
    ///
    /// The API's errors: `InvalidRequest`, also for a size that the model cannot paint; `NotFound` for an unknown
    /// model; `RateLimit` when the queue is full; `Unavailable` when there is no memory for the image.
    ///
    /// ```no_run
    /// use zerohop::types::CreateImageRequest;
    ///
    /// let engine = zerohop::Engine::builder().model("sd", "v1-5-pruned.safetensors").build()?;
    /// let reply = engine.images().create(&CreateImageRequest::new("sd", "a lighthouse at night"))?;
    /// println!("{} bytes of base64", reply.data[0].b64_json.len());
    /// # Ok::<(), zerohop::Error>(())
    /// ```
    pub fn create(&self, request: &CreateImageRequest) -> Result<ImagesResponse> {
        request.validate(false)?;
        if self.engine.isolated().is_some() {
            return remote_images(self.send(request)?);
        }
        self.submit("image_generation", &request.model, &request.into())?.wait()
    }

    /// Like [`create`](Self::create), telling meanwhile how many steps have been computed, and of how many: 0 of 0
    /// before the first. The request is cancelled when `report` gives false. With
    /// [`isolation`](crate::EngineBuilder::isolation), nothing is known of that before the end.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create), and `Cancelled`.
    ///
    /// ```no_run
    /// # use zerohop::types::CreateImageRequest;
    /// # let engine = zerohop::Engine::builder().model("sd", "v1-5-pruned.safetensors").build()?;
    /// let request = CreateImageRequest::new("sd", "a lighthouse at night");
    /// let reply = engine.images().create_with_progress(&request, |step, steps| {
    ///     eprintln!("{step} of {steps} steps");
    ///     true
    /// })?;
    /// # Ok::<(), zerohop::Error>(())
    /// ```
    pub fn create_with_progress(
        &self,
        request: &CreateImageRequest,
        mut report: impl FnMut(u32, u32) -> bool,
    ) -> Result<ImagesResponse> {
        request.validate(false)?;
        if self.engine.isolated().is_some() {
            let mut pending = self.send(request)?;
            loop {
                if !report(0, 0) {
                    return Err(Error::cancelled());
                }
                if let Poll::Ready(reply) = pending.wait_until(Instant::now() + REPORT_PERIOD) {
                    return read_images(reply?);
                }
            }
        }
        let mut pending = self.submit("image_generation", &request.model, &request.into())?;
        loop {
            let (step, steps) = pending.progress();
            if !report(step, steps) {
                return Err(Error::cancelled());
            }
            if let Poll::Ready(reply) = pending.advance(&mut Wait::Until(Instant::now() + REPORT_PERIOD)) {
                return reply;
            }
        }
    }

    /// Makes an image of a text, and shows what steps come to meanwhile
    /// ([`partial_images`](crate::types::ImageOptions::partial_images)).
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create).
    ///
    /// ```no_run
    /// # let engine = zerohop::Engine::builder().model("sd", "v1-5-pruned.safetensors").build()?;
    /// let mut request = zerohop::types::CreateImageRequest::new("sd", "a lighthouse at night");
    /// request.options.partial_images = Some(2);
    /// for event in engine.images().create_stream(&request)? {
    ///     println!("{}", event?.kind());
    /// }
    /// # Ok::<(), zerohop::Error>(())
    /// ```
    pub fn create_stream(&self, request: &CreateImageRequest) -> Result<ImageStream> {
        request.validate(true)?;
        if self.engine.isolated().is_some() {
            return remote_events(door::submit(self.engine, &request.to_http(true)?, false)?);
        }
        self.submit_stream("image_generation", &request.model, &request.into())
    }

    /// Paints an image anew, in parts or as a whole.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create), and `InvalidRequest` for images that cannot be decoded and a mask of another
    /// size.
    ///
    /// ```no_run
    /// use zerohop::types::{CreateImageEditRequest, ImageFile};
    ///
    /// # let engine = zerohop::Engine::builder().model("sd", "v1-5-pruned.safetensors").build()?;
    /// let image = ImageFile::new("room.png", std::fs::read("room.png").unwrap());
    /// let mut request = CreateImageEditRequest::new("sd", "a room with a cat", image);
    /// request.mask = Some(ImageFile::new("mask.png", std::fs::read("mask.png").unwrap()));
    /// let reply = engine.images().edit(&request)?;
    /// # Ok::<(), zerohop::Error>(())
    /// ```
    pub fn edit(&self, request: &CreateImageEditRequest) -> Result<ImagesResponse> {
        request.validate(false)?;
        if self.engine.isolated().is_some() {
            return remote_images(door::submit(self.engine, &request.to_http(false)?, false)?);
        }
        self.submit("image_edit", &request.model, &request.into())?.wait()
    }

    /// The same in events.
    ///
    /// # Errors
    ///
    /// As [`edit`](Self::edit).
    pub fn edit_stream(&self, request: &CreateImageEditRequest) -> Result<ImageStream> {
        request.validate(true)?;
        if self.engine.isolated().is_some() {
            return remote_events(door::submit(self.engine, &request.to_http(true)?, false)?);
        }
        self.submit_stream("image_edit", &request.model, &request.into())
    }

    /// Makes images that are like another.
    ///
    /// # Errors
    ///
    /// As [`edit`](Self::edit).
    ///
    /// ```no_run
    /// use zerohop::types::{CreateImageVariationRequest, ImageFile};
    ///
    /// # let engine = zerohop::Engine::builder().model("sd", "v1-5-pruned.safetensors").build()?;
    /// let image = ImageFile::new("room.png", std::fs::read("room.png").unwrap());
    /// let reply = engine.images().create_variation(&CreateImageVariationRequest::new("sd", image))?;
    /// # Ok::<(), zerohop::Error>(())
    /// ```
    pub fn create_variation(&self, request: &CreateImageVariationRequest) -> Result<ImagesResponse> {
        request.validate()?;
        if self.engine.isolated().is_some() {
            return remote_images(door::submit(self.engine, &request.to_http()?, false)?);
        }
        self.submit("image_variation", &request.model, &request.into())?.wait()
    }

    /// Sends a request as a client would, and answers as HTTP has it. No key is needed.
    ///
    /// # Errors
    ///
    /// What HTTP has no status for: a closed engine. Other errors are responses.
    pub fn send(&self, request: &CreateImageRequest) -> Result<Pending> {
        door::submit(self.engine, &request.to_http(request.options.stream == Some(true))?, false)
    }

    /// Sends an edit as a client would, and answers as HTTP has it. No key is needed.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_edit(&self, request: &CreateImageEditRequest) -> Result<Pending> {
        door::submit(self.engine, &request.to_http(request.options.stream == Some(true))?, false)
    }

    /// Sends a request for variations as a client would, and answers as HTTP has it. No key is needed.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_variation(&self, request: &CreateImageVariationRequest) -> Result<Pending> {
        door::submit(self.engine, &request.to_http()?, false)
    }

    /// Starts a validated request that is answered as a whole.
    pub(crate) fn submit(self, operation: &'static str, model: &str, task: &ImageTask<'_>) -> Result<PendingImages> {
        self.engine.in_call(operation, model, || self.engine.served(model)?.paint(task))
    }

    /// Starts a validated request that is answered in events.
    pub(crate) fn submit_stream(
        self,
        operation: &'static str,
        model: &str,
        task: &ImageTask<'_>,
    ) -> Result<ImageStream> {
        self.submit(operation, model, task).map(ImageStream::new)
    }
}

impl Engine {
    /// Images of texts and of images.
    pub fn images(&self) -> Images<'_> {
        Images { engine: self }
    }
}

/// A worker process's reply.
fn remote_images(pending: Pending) -> Result<ImagesResponse> {
    read_images(pending.wait()?)
}

fn read_images(reply: http::Response<Body>) -> Result<ImagesResponse> {
    match successful(reply)?.into_body() {
        Body::Full(body) => read_reply(&body),
        Body::Events(_) => Err(Error::internal("the worker process streams")),
    }
}

fn remote_events(pending: Pending) -> Result<ImageStream> {
    match successful(pending.wait()?)?.into_body() {
        Body::Events(events) => ImageStream::of_worker(events),
        Body::Full(_) => Err(Error::internal("the worker process does not stream")),
    }
}
