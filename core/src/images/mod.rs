//! Images of texts: a request's way to the thread that paints, and its images' way back.
//!
//! `prompt, images -> painting -> steps -> file -> reply`

mod encode;
mod form;
mod inputs;
mod reply;
mod stream;
mod worker;

use std::sync::Arc;

use crate::api::error::{Error, Result};
use crate::api::images::{
    CreateImageEditRequest, CreateImageRequest, CreateImageVariationRequest, ImageBackground, ImageFile, ImageOptions,
    ImageQuality, ImageSize,
};
use crate::backend::{Painting, knows_sampler, knows_scheduler};
use crate::jobs::{Threads, Ticket};
use crate::metrics::ModelMeters;
use crate::model::{Family, ModelInfo, PaintingModel, TILED_PIXELS, check_image_memory};
use crate::places::Places;
pub(crate) use form::ImageForm;
use inputs::{Inputs, round_size};
use reply::Head;
pub(crate) use reply::PendingImages;
pub use stream::{ImageAsyncStream, ImageStream};
use worker::{Job, Worker};

/// How much of an image is painted anew unless the request says.
const STRENGTH: f32 = 0.75;
/// Pixels on a side of the square that counts as a token.
const TOKEN_SIDE: u32 = 16;
/// Bytes of stack of the thread that paints: stable-diffusion.cpp splits prompts with regular expressions.
const STACK: usize = 64 << 20;

/// What is to be painted.
pub(crate) struct ImageTask<'a> {
    prompt: &'a str,
    images: &'a [ImageFile],
    mask: Option<&'a ImageFile>,
    options: &'a ImageOptions,
    /// Whether events are those of an edit.
    is_edit: bool,
}

impl<'a> From<&'a CreateImageRequest> for ImageTask<'a> {
    fn from(request: &'a CreateImageRequest) -> Self {
        let CreateImageRequest { prompt, options, .. } = request;
        ImageTask { prompt, images: &[], mask: None, options, is_edit: false }
    }
}

impl<'a> From<&'a CreateImageEditRequest> for ImageTask<'a> {
    fn from(request: &'a CreateImageEditRequest) -> Self {
        let CreateImageEditRequest { prompt, images, mask, options, .. } = request;
        ImageTask { prompt, images, mask: mask.as_ref(), options, is_edit: true }
    }
}

impl<'a> From<&'a CreateImageVariationRequest> for ImageTask<'a> {
    fn from(request: &'a CreateImageVariationRequest) -> Self {
        let CreateImageVariationRequest { image, options, .. } = request;
        ImageTask { prompt: "", images: std::slice::from_ref(image), mask: None, options, is_edit: true }
    }
}

/// The handle of the thread that one model's images are painted on. Dropping it ends the thread, which takes until
/// the running step has ended.
pub(crate) struct Painter {
    info: ModelInfo,
    family: Family,
    threads: Threads<Job>,
    places: Places,
}

impl Painter {
    pub(crate) fn start(model: PaintingModel, queue: usize, meters: &Arc<ModelMeters>) -> Result<Self> {
        let PaintingModel { info, family, backend } = model;
        let threads = Threads::start("zerohop-images", STACK, meters.clone())?;
        meters.slots.set(1);
        let worker = Worker { model: backend, meters: meters.clone() };
        threads.add(move |queue| worker.run(queue))?;
        Ok(Painter { info, family, threads, places: Places::new(1 + queue) })
    }

    pub(crate) fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// Hands a validated request to the thread.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` for what the model cannot paint and images that cannot be decoded; `RateLimit` when too
    /// many requests wait; `Unavailable` for an image that there is no memory for; `Timeout`.
    pub(crate) fn paint(&self, task: &ImageTask<'_>) -> Result<PendingImages> {
        let place = self.places.take()?;
        let inputs = Inputs::read(task, self.family)?;
        let (width, height) = self.size(task.options, &inputs)?;
        check_image_memory(width, height)?;
        let painting = self.painting(task, inputs, (width, height))?;
        let (ticket, receiver) = Ticket::new(vec![place])?;
        let options = task.options;
        let head = Head {
            size: ImageSize::Pixels(width, height),
            quality: spoken(options.quality.unwrap_or_default()),
            background: ImageBackground::Opaque,
            format: options.format(),
            is_edit: task.is_edit,
        };
        let input_tokens = task.images.len() as u64 * image_tokens(width, height);
        let job = Job {
            painting,
            count: options.count(),
            made: 0,
            shown: 0,
            format: options.format(),
            compression: options.output_compression.unwrap_or(100),
            input_tokens,
            text_tokens: None,
            ticket,
        };
        self.threads.push(job)?;
        Ok(PendingImages::new(receiver, head))
    }

    fn size(&self, options: &ImageOptions, inputs: &Inputs) -> Result<(u32, u32)> {
        let multiple = self.family.multiple();
        match (options.size.unwrap_or_default(), inputs.size) {
            (ImageSize::Auto, None) => Ok((self.family.side(), self.family.side())),
            (ImageSize::Auto, Some((width, height))) => Ok(round_size(width, height, multiple)),
            (ImageSize::Pixels(width, height), _) if width % multiple == 0 && height % multiple == 0 => {
                Ok((width, height))
            }
            (ImageSize::Pixels(width, height), _) => {
                let (near_width, near_height) = round_size(width, height, multiple);
                let message = format!(
                    "the model '{}' makes images with sides that are multiples of {multiple}: 'size' is \
                     '{width}x{height}', try '{near_width}x{near_height}'",
                    self.info.id
                );
                Err(Error::invalid("size", message))
            }
        }
    }

    fn painting(&self, task: &ImageTask<'_>, inputs: Inputs, (width, height): (u32, u32)) -> Result<Painting> {
        let options = task.options;
        let unknown = |name: &'static str, word: &str| {
            let word = crate::api::parse::shorten(word).into_owned();
            Err(Error::unsupported_value(name, format!("there is no {name} '{word}'")))
        };
        if let Some(name) = &options.sampler
            && !knows_sampler(name)?
        {
            return unknown("sampler", name);
        }
        if let Some(name) = &options.scheduler
            && !knows_scheduler(name)?
        {
            return unknown("scheduler", name);
        }
        let steps = options.steps.unwrap_or_else(|| steps(self.family.steps(), options.quality.unwrap_or_default()));
        let strength = options.strength.unwrap_or(STRENGTH);
        let (init, mask, references) = inputs.fit(width, height, self.family);
        let computed = if init.is_some() { computed_steps(steps, strength) } else { steps };
        Ok(Painting {
            width,
            height,
            steps,
            seed: options.seed.map_or_else(random_seed, Ok)?,
            prompt: task.prompt.to_owned(),
            negative_prompt: options.negative_prompt.clone().unwrap_or_default(),
            sampler: options.sampler.clone(),
            scheduler: options.scheduler.clone(),
            cfg_scale: options.cfg_scale.unwrap_or_else(|| self.family.cfg_scale()),
            strength,
            init,
            mask,
            references,
            previews: preview_steps(computed, options.partial_images.unwrap_or_default()),
            tiles: u64::from(width) * u64::from(height) > TILED_PIXELS,
        })
    }

    /// Whether requests are running or waiting.
    pub(crate) fn is_busy(&self) -> bool {
        self.places.are_taken()
    }

    /// Ends all requests with `reason`, and the thread. Returns when it has gone.
    pub(crate) fn end(&self, reason: Error) {
        self.threads.end(reason);
    }
}

/// What an image counts as.
fn image_tokens(width: u32, height: u32) -> u64 {
    u64::from(width.div_ceil(TOKEN_SIDE)) * u64::from(height.div_ceil(TOKEN_SIDE))
}

/// The quality as replies have it: what it comes to.
fn spoken(quality: ImageQuality) -> ImageQuality {
    match quality {
        ImageQuality::Auto | ImageQuality::Standard => ImageQuality::Medium,
        ImageQuality::Hd => ImageQuality::High,
        other => other,
    }
}

fn steps(usual: u32, quality: ImageQuality) -> u32 {
    match quality {
        ImageQuality::Low => usual.div_ceil(2),
        ImageQuality::High | ImageQuality::Hd => usual + usual / 2,
        ImageQuality::Auto | ImageQuality::Medium | ImageQuality::Standard => usual,
    }
}

/// The steps that stable-diffusion.cpp computes of an image that is painted anew in part.
fn computed_steps(steps: u32, strength: f32) -> u32 {
    if strength >= 1.0 {
        return steps;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "steps are few"
    )]
    let redone = (steps as f32 * strength) as u32;
    redone.min(steps - 1) + 1
}

/// After which steps a partial image is shown: evenly spread, and not after the last.
fn preview_steps(steps: u32, count: u32) -> Vec<u32> {
    let mut previews: Vec<u32> = (1..=count).map(|index| steps * index / (count + 1)).collect();
    previews.retain(|step| (1..steps).contains(step));
    previews.dedup();
    previews
}

/// One that other programs can keep, with room for those of the images after it.
fn random_seed() -> Result<u64> {
    let random = getrandom::u32();
    random.map(u64::from).map_err(|error| Error::internal(format!("there are no random numbers: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn previews_are_spread_over_the_steps() {
        // IM4
        assert_eq!(preview_steps(20, 3), [5, 10, 15]);
        assert_eq!(preview_steps(2, 3), [1]);
        assert_eq!(preview_steps(1, 3), [] as [u32; 0]);
        assert_eq!(preview_steps(4, 0), [] as [u32; 0]);
    }

    #[test]
    fn a_part_of_the_steps_is_computed() {
        assert_eq!([computed_steps(4, 0.5), computed_steps(4, 0.99), computed_steps(1, 0.1)], [3, 4, 1]);
        assert_eq!(computed_steps(20, 1.0), 20);
    }
}
