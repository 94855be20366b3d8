//! Requests for images (IM1, IM5).

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::error::{Error, Result};

/// The longest prompt, in characters.
const MAX_PROMPT: usize = 32_000;
/// The most images of one request.
const MAX_IMAGES: u32 = 10;
/// The most partial images of one request.
const MAX_PARTIAL: u32 = 3;
/// The most steps.
const MAX_STEPS: u32 = 150;
/// The shortest and the longest side, in pixels.
const SIDES: std::ops::RangeInclusive<u32> = 64..=2048;
/// The largest seed: what programs in other languages keep exactly.
const MAX_SEED: u64 = (1 << 53) - 1;
/// The largest `cfg_scale`.
const MAX_SCALE: f32 = 50.0;

/// How large an image is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImageSize {
    /// What the model was made for; for an edit or a variation, what the image is.
    #[default]
    Auto,
    /// Width and height in pixels.
    Pixels(u32, u32),
}

impl Serialize for ImageSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            ImageSize::Auto => serializer.serialize_str("auto"),
            ImageSize::Pixels(width, height) => serializer.collect_str(&format_args!("{width}x{height}")),
        }
    }
}

impl<'de> Deserialize<'de> for ImageSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;

        let text = String::deserialize(deserializer)?;
        if text == "auto" {
            return Ok(ImageSize::Auto);
        }
        let sides = text.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
        let (width, height) = sides.ok_or_else(|| D::Error::custom("expected 'auto' or a size such as '512x512'"))?;
        Ok(ImageSize::Pixels(width, height))
    }
}

/// What an image is encoded as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ImageFormat {
    /// PNG, without loss.
    #[default]
    Png,
    /// JPEG.
    Jpeg,
    /// WebP, without loss.
    Webp,
}

/// How much work goes into an image, where [`ImageOptions::steps`] does not say: `low` takes half of the model's
/// steps, `high` half as many again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ImageQuality {
    /// The model's steps.
    #[default]
    Auto,
    /// Half of the steps.
    Low,
    /// The model's steps.
    Medium,
    /// Half as many steps again.
    High,
    /// As `medium`.
    Standard,
    /// As `high`.
    Hd,
}

/// What is behind an image. The models here paint all of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ImageBackground {
    /// Opaque.
    #[default]
    Auto,
    /// Opaque.
    Opaque,
    /// Refused: no model here makes transparent images.
    Transparent,
}

/// How an image comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ImageResponseFormat {
    /// In the reply.
    #[default]
    B64Json,
    /// Refused: there is no server that a URL could lead to.
    Url,
}

/// What requests for images have in common. Each is a field of the request itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ImageOptions {
    /// How many images, 1 to 10. Default 1. Each has the seed after that of the one before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<u32>,
    /// Default: [`ImageSize::Auto`]. Each side is a multiple of 64 (Stable Diffusion 1, 2 and XL) or 16, from 64
    /// to 2048.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<ImageSize>,
    /// Default: `auto`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<ImageQuality>,
    /// Default: `auto`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background: Option<ImageBackground>,
    /// Default: PNG.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_format: Option<ImageFormat>,
    /// The quality of a JPEG or a WebP, 0 to 100. Default 100, at which a WebP is without loss, as a PNG always is:
    /// it takes no less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_compression: Option<u8>,
    /// Default: `b64_json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_format: Option<ImageResponseFormat>,
    /// Who asks, for the records of hosted services; without effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Whether the reply comes in events; the typed calls say that by their name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<bool>,
    /// Of a stream: how many images come before the last, each what a step has come to. 0 to 3, default 0; fewer
    /// come if there are fewer steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial_images: Option<u32>,
    /// The same seed, request and model give the same image. Default: chance. Not in OpenAI's API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Steps from noise to image, 1 to 150. Default: the model's. Not in OpenAI's API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<u32>,
    /// How closely the prompt is followed, 0 to 50; 1 computes without what is not wanted, which takes half the
    /// time. Default: the model's. Not in OpenAI's API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cfg_scale: Option<f32>,
    /// What removes the noise: `euler`, `euler_a`, `heun`, `dpm2`, `dpm++2m`, `lcm` and others of
    /// stable-diffusion.cpp. Default: the model's. Not in OpenAI's API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampler: Option<String>,
    /// How noise is spread over the steps: `discrete`, `karras`, `exponential` and others of
    /// stable-diffusion.cpp. Default: the model's. Not in OpenAI's API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduler: Option<String>,
    /// What the image is not to show. Not in OpenAI's API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub negative_prompt: Option<String>,
    /// Of an edit or a variation: how much of the image is painted anew, above 0 and up to 1. Default 0.75. Not in
    /// OpenAI's API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strength: Option<f32>,
}

impl ImageOptions {
    /// The fields' names.
    pub(crate) const FIELDS: &[&str] = &[
        "n",
        "size",
        "quality",
        "background",
        "output_format",
        "output_compression",
        "response_format",
        "user",
        "stream",
        "partial_images",
        "seed",
        "steps",
        "cfg_scale",
        "sampler",
        "scheduler",
        "negative_prompt",
        "strength",
    ];

    pub(crate) fn count(&self) -> u32 {
        self.n.unwrap_or(1)
    }

    pub(crate) fn format(&self) -> ImageFormat {
        self.output_format.unwrap_or_default()
    }

    /// Checks everything that does not depend on the model.
    fn validate(&self, streams: bool) -> Result<()> {
        check_range("n", self.n, 1, MAX_IMAGES)?;
        check_range("steps", self.steps, 1, MAX_STEPS)?;
        check_range("partial_images", self.partial_images, 0, MAX_PARTIAL)?;
        if self.seed.is_some_and(|seed| seed > MAX_SEED) {
            return Err(Error::invalid("seed", format!("'seed' must be at most {MAX_SEED}")));
        }
        if let Some(ImageSize::Pixels(width, height)) = self.size
            && !(SIDES.contains(&width) && SIDES.contains(&height))
        {
            let (least, most) = (SIDES.start(), SIDES.end());
            let message = format!("'size' must have sides of {least} to {most} pixels, but is '{width}x{height}'");
            return Err(Error::invalid("size", message));
        }
        if self.cfg_scale.is_some_and(|scale| !(0.0..=MAX_SCALE).contains(&scale)) {
            return Err(Error::invalid("cfg_scale", format!("'cfg_scale' must be from 0 to {MAX_SCALE}")));
        }
        if self.strength.is_some_and(|strength| !(strength > 0.0 && strength <= 1.0)) {
            return Err(Error::invalid("strength", "'strength' must be above 0 and at most 1"));
        }
        if let Some(prompt) = &self.negative_prompt {
            check_prompt("negative_prompt", prompt)?;
        }
        self.validate_output(streams)
    }

    fn validate_output(&self, streams: bool) -> Result<()> {
        if self.response_format == Some(ImageResponseFormat::Url) {
            let message = "there is no server that a URL could lead to: 'response_format' must be 'b64_json'";
            return Err(Error::unsupported_value("response_format", message));
        }
        if self.background == Some(ImageBackground::Transparent) {
            let message = "no model here makes transparent images: 'background' must be 'auto' or 'opaque'";
            return Err(Error::unsupported_value("background", message));
        }
        if let Some(quality) = self.output_compression {
            if quality > 100 {
                return Err(Error::invalid("output_compression", "'output_compression' must be from 0 to 100"));
            }
            if quality < 100 && self.format() == ImageFormat::Png {
                let message = "PNG is written without loss: 'output_compression' below 100 is for 'jpeg' and 'webp'";
                return Err(Error::unsupported_value("output_compression", message));
            }
        }
        if self.partial_images.is_some_and(|count| count > 0) && !streams {
            return Err(Error::invalid("partial_images", "'partial_images' is only allowed when 'stream' is true"));
        }
        if streams && self.count() != 1 {
            return Err(Error::unsupported_value("n", "a stream has one image: 'n' must be 1 when 'stream' is true"));
        }
        Ok(())
    }
}

/// A request for images of a text.
///
/// ```
/// use zerohop::types::{CreateImageRequest, ImageSize};
///
/// let mut request = CreateImageRequest::new("sd", "a lighthouse at night");
/// request.options.size = Some(ImageSize::Pixels(512, 512));
/// request.options.seed = Some(7);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[must_use = "a request does nothing until it is sent"]
#[non_exhaustive]
pub struct CreateImageRequest {
    /// The name of the model.
    pub model: String,
    /// What the image is to show, at most 32,000 characters. `(words:1.2)` weighs words.
    pub prompt: String,
    /// Everything else.
    #[serde(flatten)]
    pub options: ImageOptions,
}

impl CreateImageRequest {
    /// A request with every option at its default.
    pub fn new(model: impl Into<String>, prompt: impl Into<String>) -> Self {
        CreateImageRequest { model: model.into(), prompt: prompt.into(), options: ImageOptions::default() }
    }

    /// Checks everything that does not depend on the model.
    pub(crate) fn validate(&self, streams: bool) -> Result<()> {
        if self.prompt.is_empty() {
            return Err(Error::invalid("prompt", "'prompt' must not be empty"));
        }
        check_prompt("prompt", &self.prompt)?;
        if self.options.strength.is_some() {
            return Err(Error::invalid("strength", "'strength' is for edits and variations of an image"));
        }
        self.options.validate(streams)
    }
}

/// An image file: PNG, JPEG, WebP, GIF or BMP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageFile {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub content: Arc<[u8]>,
}

impl ImageFile {
    /// A file of this name and content.
    pub fn new(name: impl Into<String>, content: impl Into<Arc<[u8]>>) -> Self {
        ImageFile { name: name.into(), content: content.into() }
    }
}

/// A request for an image to be painted anew, in parts or as a whole, as a text says.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a request does nothing until it is sent"]
#[non_exhaustive]
pub struct CreateImageEditRequest {
    /// The name of the model.
    pub model: String,
    /// What the image is to show.
    pub prompt: String,
    /// The image. Models that are made for edits (Flux, Qwen-Image) take several.
    pub images: Vec<ImageFile>,
    /// A PNG of the first image's size; only what is transparent in it (alpha 0) is painted anew. Default: all.
    pub mask: Option<ImageFile>,
    /// Everything else.
    pub options: ImageOptions,
}

impl CreateImageEditRequest {
    /// A request with every option at its default.
    pub fn new(model: impl Into<String>, prompt: impl Into<String>, image: ImageFile) -> Self {
        let (model, prompt, images) = (model.into(), prompt.into(), vec![image]);
        CreateImageEditRequest { model, prompt, images, mask: None, options: ImageOptions::default() }
    }

    /// Checks everything that does not depend on the model.
    pub(crate) fn validate(&self, streams: bool) -> Result<()> {
        if self.images.is_empty() || self.images.len() > 16 {
            return Err(Error::invalid("image", "'image' must be 1 to 16 images"));
        }
        if self.prompt.is_empty() {
            return Err(Error::invalid("prompt", "'prompt' must not be empty"));
        }
        check_prompt("prompt", &self.prompt)?;
        self.options.validate(streams)
    }
}

/// A request for images that are like another.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a request does nothing until it is sent"]
#[non_exhaustive]
pub struct CreateImageVariationRequest {
    /// The name of the model.
    pub model: String,
    /// The image.
    pub image: ImageFile,
    /// Everything else. Variations do not come in a stream.
    pub options: ImageOptions,
}

impl CreateImageVariationRequest {
    /// A request with every option at its default.
    pub fn new(model: impl Into<String>, image: ImageFile) -> Self {
        CreateImageVariationRequest { model: model.into(), image, options: ImageOptions::default() }
    }

    /// Checks everything that does not depend on the model.
    pub(crate) fn validate(&self) -> Result<()> {
        if self.options.stream == Some(true) {
            return Err(Error::invalid("stream", "variations do not come in a stream"));
        }
        self.options.validate(false)
    }
}

fn check_range(name: &'static str, number: Option<u32>, least: u32, most: u32) -> Result<()> {
    match number {
        Some(number) if !(least..=most).contains(&number) => {
            Err(Error::invalid(name, format!("'{name}' must be from {least} to {most}, but is {number}")))
        }
        _ => Ok(()),
    }
}

fn check_prompt(name: &'static str, text: &str) -> Result<()> {
    if text.contains('\0') {
        return Err(Error::invalid(name, format!("'{name}' must have no NUL characters")));
    }
    let length = text.chars().count();
    if length > MAX_PROMPT {
        return Err(Error::invalid(name, format!("'{name}' has {length} characters; at most {MAX_PROMPT} are read")));
    }
    Ok(())
}
