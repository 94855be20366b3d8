//! The thread that paints: one image of one request after another, each request in turn.

use std::sync::Arc;

use super::reply::{News, Progress};
use super::{encode, image_tokens};
use crate::api::error::Result;
use crate::api::images::ImageFormat;
use crate::api::images_reply::{ImagesInputTokensDetails, ImagesUsage};
use crate::backend::{DiffusionModel, Painting, Pixels, Watcher};
use crate::jobs::{self, Queue, Ticket};
use crate::metrics::ModelMeters;

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
    pub(super) ticket: Ticket<News, Progress>,
}

/// What the thread needs.
pub(super) struct Worker {
    pub(super) model: DiffusionModel,
    pub(super) meters: Arc<ModelMeters>,
}

impl Worker {
    /// Serves requests until the model is ended.
    pub(super) fn run(mut self, queue: &Queue<Job>) {
        queue.serve(|job| {
            self.paint(job, queue)?;
            Ok((job.made == job.count).then(|| News::End(job.usage())))
        });
    }

    /// Paints a request's next image.
    fn paint(&mut self, job: &mut Job, queue: &Queue<Job>) -> Result<()> {
        if job.text_tokens.is_none() {
            self.meters.queue_time.note(job.ticket.arrived.elapsed(), 1);
            let tokens = self.model.count_tokens(&job.painting.prompt)?;
            if let Some(call) = &job.ticket.call {
                call.take_tokens(tokens, 0)?;
            }
            self.meters.prompt_tokens.add(tokens);
            job.text_tokens = Some(tokens as u64);
        }
        let painting = job.painting.clone();
        let mut easel = Easel { job };
        let painted =
            if easel.job.ticket.stop.is_reached() { None } else { self.model.paint(&painting, &mut easel)? };
        // What was painted when the time had passed is late.
        let Some(pixels) = painted.filter(|_| !job.ticket.stop.is_reached()) else {
            return Err(queue.reason(&job.ticket.stop, job.ticket.call.as_deref()));
        };
        job.ticket.feed.send(News::Image(encode::encode(pixels, job.format, job.compression)?));
        job.made += 1;
        job.painting.seed += 1;
        let tokens = usize::try_from(image_tokens(painting.width, painting.height)).unwrap_or_default();
        self.meters.completion_tokens.add(tokens);
        if let Some(call) = &job.ticket.call {
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
        let Job { made, count, ticket, .. } = self.job;
        ticket.feed.progress((*made * steps + step, *count * steps));
        !ticket.stop.is_reached()
    }

    fn preview(&mut self, image: Pixels) {
        // A partial image that cannot be encoded is left out.
        if let Ok(image) = encode::encode(image, self.job.format, self.job.compression) {
            self.job.ticket.feed.send(News::Partial(self.job.shown, image));
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
}

impl jobs::Job for Job {
    type News = News;
    type Progress = Progress;

    fn ticket(&self) -> &Ticket<News, Progress> {
        &self.ticket
    }

    fn into_ticket(self) -> Ticket<News, Progress> {
        self.ticket
    }
}
