//! Replies with images (IM2 to IM4).

use serde::{Deserialize, Serialize};

use super::images::{ImageBackground, ImageFormat, ImageQuality, ImageSize};

/// The reply to a request for images (IM2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ImagesResponse {
    /// When it was made, in seconds since 1970.
    pub created: u64,
    /// As many as were asked for.
    pub data: Vec<Image>,
    /// What is behind them.
    pub background: ImageBackground,
    /// What they are encoded as.
    pub output_format: ImageFormat,
    /// `low`, `medium` or `high`: how many steps it took.
    pub quality: ImageQuality,
    /// How large they are.
    pub size: ImageSize,
    /// What they count as.
    pub usage: ImagesUsage,
}

/// An image of a reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Image {
    /// The file, in base64.
    pub b64_json: String,
}

/// What images count as (IM3). A token of an image is a square of 16 by 16 pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ImagesUsage {
    /// Tokens of the prompt and of the images that were sent.
    pub input_tokens: u64,
    /// Of what they are.
    pub input_tokens_details: ImagesInputTokensDetails,
    /// Tokens of the images that were made.
    pub output_tokens: u64,
    /// All of them.
    pub total_tokens: u64,
}

/// What the tokens of a request are of (IM3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ImagesInputTokensDetails {
    /// The images' tokens.
    pub image_tokens: u64,
    /// The prompt's tokens, as CLIP counts them.
    pub text_tokens: u64,
}

/// An event of a stream of images (IM4).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
#[non_exhaustive]
pub enum ImageStreamEvent {
    /// What a step has come to.
    #[serde(rename = "image_generation.partial_image")]
    GenerationPartial(PartialImage),
    /// The image.
    #[serde(rename = "image_generation.completed")]
    GenerationCompleted(CompletedImage),
    /// What a step of an edit has come to.
    #[serde(rename = "image_edit.partial_image")]
    EditPartial(PartialImage),
    /// The edited image.
    #[serde(rename = "image_edit.completed")]
    EditCompleted(CompletedImage),
}

/// An image that is not finished.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PartialImage {
    /// The file, in base64.
    pub b64_json: String,
    /// Its place among the partial images, from 0.
    pub partial_image_index: u32,
    /// When it was made, in seconds since 1970.
    pub created_at: u64,
    /// How large it is.
    pub size: ImageSize,
    /// `low`, `medium` or `high`: how many steps it took.
    pub quality: ImageQuality,
    /// What is behind it.
    pub background: ImageBackground,
    /// What it is encoded as.
    pub output_format: ImageFormat,
}

/// The last event's image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CompletedImage {
    /// The file, in base64.
    pub b64_json: String,
    /// When it was made, in seconds since 1970.
    pub created_at: u64,
    /// How large it is.
    pub size: ImageSize,
    /// `low`, `medium` or `high`: how many steps it took.
    pub quality: ImageQuality,
    /// What is behind it.
    pub background: ImageBackground,
    /// What it is encoded as.
    pub output_format: ImageFormat,
    /// What it counts as.
    pub usage: ImagesUsage,
}

impl ImageStreamEvent {
    /// The event's type.
    pub fn kind(&self) -> &'static str {
        match self {
            ImageStreamEvent::GenerationPartial(_) => "image_generation.partial_image",
            ImageStreamEvent::GenerationCompleted(_) => "image_generation.completed",
            ImageStreamEvent::EditPartial(_) => "image_edit.partial_image",
            ImageStreamEvent::EditCompleted(_) => "image_edit.completed",
        }
    }

    /// The file, in base64.
    pub fn b64_json(&self) -> &str {
        match self {
            ImageStreamEvent::GenerationPartial(image) | ImageStreamEvent::EditPartial(image) => &image.b64_json,
            ImageStreamEvent::GenerationCompleted(image) | ImageStreamEvent::EditCompleted(image) => &image.b64_json,
        }
    }
}
