//! Files of pixels.

use std::io::Cursor;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::webp::WebPEncoder;
use image::{ImageError, RgbImage};
use webp::WebPMemory;

use crate::api::error::{Error, Result};
use crate::api::images::ImageFormat;
use crate::backend::Pixels;

/// The quality at which WebP files are without loss.
const LOSSLESS: u8 = 100;

/// A file, in base64 without anything in front (IM2). `quality` is a JPEG's or a WebP's, from 0 to 100.
pub(super) fn encode(pixels: Pixels, format: ImageFormat, quality: u8) -> Result<String> {
    let image = RgbImage::from_raw(pixels.width, pixels.height, pixels.rgb);
    let image = image.ok_or_else(|| Error::internal("the image has other bytes than its size says"))?;
    let mut file = Cursor::new(Vec::new());
    let written = match format {
        ImageFormat::Png => image.write_to(&mut file, image::ImageFormat::Png),
        // The encoder counts from 1.
        ImageFormat::Jpeg => image.write_with_encoder(JpegEncoder::new_with_quality(&mut file, quality.max(1))),
        ImageFormat::Webp if quality < LOSSLESS => return Ok(BASE64_STANDARD.encode(&*lossy_webp(&image, quality)?)),
        ImageFormat::Webp => image.write_with_encoder(WebPEncoder::new_lossless(&mut file)),
    };
    written.map_err(|error: ImageError| Error::internal("the image cannot be encoded").with_source(error))?;
    Ok(BASE64_STANDARD.encode(file.into_inner()))
}

/// By libwebp: the crate `image` writes WebP files without loss only.
fn lossy_webp(image: &RgbImage, quality: u8) -> Result<WebPMemory> {
    let encoder = webp::Encoder::from_rgb(image.as_raw(), image.width(), image.height());
    encoder
        .encode_simple(false, quality.into())
        .map_err(|error| Error::internal(format!("the image cannot be encoded: {error:?}")))
}
