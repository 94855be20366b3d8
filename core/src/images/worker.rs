//! The thread that paints: one image of one request after another, each request in turn.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use super::reply::{News, Progress};
use super::{encode, image_tokens};
use crate::api::error::{Error, Result};
use crate::api::images::ImageFormat;
use crate::api::images_reply::{ImagesInputTokensDetails, ImagesUsage};
use crate::backend::{DiffusionModel, Painting, Pixels, Stop, Watcher};
use crate::call::Call;
use crate::jobs::{self, Job as _, Queue, Sender};
use crate::metrics::ModelMeters;
use crate::places::Place;

/// A request that is being painted.
pub(super) struct Job {
    /// The next image.
    pub(super) painting: Painting,
    /// How many images are wanted, how many are made, and how many partial ones were shown.
    pub(super) count: u32,
    pub(super) made: u32,
    pub(super) shown: u32,
    pub(super) format: ImageFormat,
    pub(super) compression: u8,
    /// Of the images that were sent.
    pub(super) input_tokens: u64,
    /// Of the prompt, once they are counted.
    pub(super) text_tokens: Option<u64>,
    pub(super) feed: Sender<News, Progress>,
    pub(super) stop: Stop,
    pub(super) call: Option<Arc<Call>>,
    pub(super) place: Place,
    pub(super) arrived: Instant,
}

/// What the thread needs.
pub(super) struct Worker {
    pub(super) model: DiffusionModel,
    pub(super) queue: Arc<Queue<Job>>,
    pub(super) meters: Arc<ModelMeters>,
}

impl Worker {
    /// Serves requests until the model is ended.
    pub(super) fn run(mut self) {
        while let Some(mut job) = self.queue.take() {
            let stop = job.stop.clone();
            let painted = catch_unwind(AssertUnwindSafe(|| self.paint(&mut job)));
            self.queue.put_back(&stop);
            match painted {
                Ok(Ok(())) if job.made < job.count => {
                    // At the end, it was told.
                    drop(self.queue.push(job));
                }
                Ok(Ok(())) => job.finish(),
                Ok(Err(error)) => job.fail(error),
                Err(_) => job.fail(Error::internal("the thread for images met a fault")),
            }
        }
        self.queue.fail_all();
    }

    /// Paints a request's next image.
    fn paint(&mut self, job: &mut Job) -> Result<()> {
        if job.text_tokens.is_none() {
            self.meters.queue_time.note(job.arrived.elapsed(), 1);
            let tokens = self.model.count_tokens(&job.painting.prompt)?;
            if let Some(call) = &job.call {
                call.take_tokens(tokens, 0)?;
            }
            self.meters.prompt_tokens.add(tokens);
            job.text_tokens = Some(tokens as u64);
        }
        let painting = job.painting.clone();
        let mut easel = Easel { job };
        let painted = if easel.job.stop.is_reached() { None } else { self.model.paint(&painting, &mut easel)? };
        // What was painted when the time had passed is late.
        let Some(pixels) = painted.filter(|_| !job.stop.is_reached()) else {
            return Err(self.queue.reason(&job.stop, job.call.as_deref()));
        };
        job.feed.send(News::Image(encode::encode(pixels, job.format, job.compression)?));
        job.made += 1;
        job.painting.seed += 1;
        let tokens = usize::try_from(image_tokens(painting.width, painting.height)).unwrap_or_default();
        self.meters.completion_tokens.add(tokens);
        if let Some(call) = &job.call {
            call.add_completion_tokens(tokens);
        }
        Ok(())
    }
}

/// Watches a request's image come.
struct Easel<'a> {
    job: &'a mut Job,
}

impl Watcher for Easel<'_> {
    fn step(&mut self, step: u32, steps: u32) -> bool {
        let Job { made, count, feed, stop, .. } = self.job;
        feed.progress((*made * steps + step, *count * steps));
        !stop.is_reached()
    }

    fn preview(&mut self, image: Pixels) {
        // A partial image that cannot be encoded is left out.
        if let Ok(image) = encode::encode(image, self.job.format, self.job.compression) {
            self.job.feed.send(News::Partial(self.job.shown, image));
            self.job.shown += 1;
        }
    }
}

impl Job {
    fn usage(&self) -> ImagesUsage {
        let text_tokens = self.text_tokens.unwrap_or_default();
        let input_tokens = self.input_tokens + text_tokens;
        let output_tokens = u64::from(self.count) * image_tokens(self.painting.width, self.painting.height);
        ImagesUsage {
            input_tokens,
            input_tokens_details: ImagesInputTokensDetails { image_tokens: self.input_tokens, text_tokens },
            output_tokens,
            total_tokens: input_tokens + output_tokens,
        }
    }

    fn finish(self) {
        let usage = self.usage();
        if let Some(call) = &self.call {
            call.succeed();
        }
        // Before the caller hears of the end: a model whose images are there is not in use.
        drop(self.place);
        self.feed.end(News::End(usage));
    }
}

impl jobs::Job for Job {
    fn stop(&self) -> &Stop {
        &self.stop
    }

    fn call(&self) -> Option<&Call> {
        self.call.as_deref()
    }

    fn fail(self, error: Error) {
        if let Some(call) = &self.call {
            call.fail(&error);
        }
        drop(self.place);
        self.feed.fail(error);
    }
}
