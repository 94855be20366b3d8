//! Images that requests bring: decoded, checked against each other, and brought to the size of what is painted.

use image::imageops::{self, FilterType};
use image::{DynamicImage, GrayImage, ImageFormat, Luma};

use super::ImageTask;
use crate::api::error::{Error, Result};
use crate::api::images::ImageFile;
use crate::backend::Pixels;
use crate::media::image::{on_white, open};
use crate::model::Family;

/// The longest file, in bytes.
const MAX_FILE: usize = 50 << 20;
/// The sides that images may be painted with.
const SIDES: (u32, u32) = (64, 2048);

/// What a request brings.
#[derive(Default)]
pub(super) struct Inputs {
    images: Vec<DynamicImage>,
    /// White where the first image is painted anew.
    mask: Option<GrayImage>,
    /// Of the first image.
    pub(super) size: Option<(u32, u32)>,
}

impl Inputs {
    /// # Errors
    ///
    /// A 400 for files that are no images, a mask of another size, and what the model takes none of.
    pub(super) fn read(task: &ImageTask<'_>, family: Family) -> Result<Self> {
        let mut images = Vec::with_capacity(task.images.len());
        for file in task.images {
            images.push(decode("image", file)?);
        }
        let Some(first) = images.first() else { return Ok(Inputs::default()) };
        let name = family.name();
        if family.has_references() {
            if task.mask.is_some() {
                let message = format!("models of the kind {name} take no mask: say in the prompt what is to change");
                return Err(Error::unsupported_parameter("mask", message));
            }
            if task.options.strength.is_some() {
                let message = format!("models of the kind {name} paint all of an image anew: leave 'strength' away");
                return Err(Error::unsupported_parameter("strength", message));
            }
        } else if images.len() > 1 {
            return Err(Error::unsupported_value("image", format!("models of the kind {name} take one image")));
        }
        let size = (first.width(), first.height());
        let mask = match task.mask {
            Some(file) => Some(read_mask(file, size)?),
            // The image's own transparency, if it has any.
            None if first.color().has_alpha() && !family.has_references() => Some(editable(first)),
            None => None,
        };
        let mask = mask.filter(|mask| task.mask.is_some() || mask.pixels().any(|pixel| pixel.0 == [255]));
        Ok(Inputs { images, mask, size: Some(size) })
    }

    /// What is painted begins as, where it is painted, and what the prompt speaks of.
    pub(super) fn fit(self, width: u32, height: u32, family: Family) -> (Option<Pixels>, Option<Vec<u8>>, Vec<Pixels>) {
        let mut images = self.images.into_iter().map(on_white);
        if family.has_references() {
            // Those are scaled by stable-diffusion.cpp.
            let pixels =
                |image: image::RgbImage| Pixels { width: image.width(), height: image.height(), rgb: image.into_raw() };
            return (None, None, images.map(pixels).collect());
        }
        let init = images.next().map(|image| {
            let image = if image.dimensions() == (width, height) {
                image
            } else {
                imageops::resize(&image, width, height, FilterType::Lanczos3)
            };
            Pixels { width, height, rgb: image.into_raw() }
        });
        let mask = self.mask.map(|mask| imageops::resize(&mask, width, height, FilterType::Nearest).into_raw());
        (init, mask, Vec::new())
    }
}

fn decode(param: &'static str, file: &ImageFile) -> Result<DynamicImage> {
    if file.content.len() > MAX_FILE {
        let message = format!("the file has {} bytes; at most {MAX_FILE} are read", file.content.len());
        return Err(Error::invalid(param, message).with_code("request_too_large"));
    }
    open(&file.content).map_err(|error| error.rename_param(|_| param.to_owned()))
}

/// White where a mask is transparent (IM5).
fn read_mask(file: &ImageFile, size: (u32, u32)) -> Result<GrayImage> {
    if image::guess_format(&file.content).ok() != Some(ImageFormat::Png) {
        return Err(Error::invalid("mask", "'mask' must be a PNG file"));
    }
    let mask = decode("mask", file)?;
    if (mask.width(), mask.height()) != size {
        let message = format!(
            "'mask' must be as large as the image, {}x{}, but is {}x{}",
            size.0,
            size.1,
            mask.width(),
            mask.height()
        );
        return Err(Error::invalid("mask", message));
    }
    if !mask.color().has_alpha() {
        let message = "'mask' must have an alpha channel: what is transparent in it is painted anew";
        return Err(Error::invalid("mask", message));
    }
    Ok(editable(&mask))
}

fn editable(image: &DynamicImage) -> GrayImage {
    let image = image.to_rgba8();
    GrayImage::from_fn(image.width(), image.height(), |x, y| {
        Luma([if image.get_pixel(x, y).0[3] == 0 { 255 } else { 0 }])
    })
}

/// The size nearest to another whose sides can be painted.
pub(super) fn round_size(width: u32, height: u32, multiple: u32) -> (u32, u32) {
    let (least, most) = SIDES;
    let scale = (f64::from(most) / f64::from(width.max(height))).min(1.0);
    let round = |side: u32| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is at most the longest side")]
        let multiples = (f64::from(side) * scale / f64::from(multiple)).round() as u32;
        (multiples * multiple).clamp(least, most)
    };
    (round(width), round(height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_to_what_can_be_painted() {
        // IM1
        assert_eq!(round_size(500, 260, 64), (512, 256));
        assert_eq!(round_size(1, 3, 64), (64, 64));
        assert_eq!(round_size(16_000, 8_000, 16), (2048, 1024));
    }
}
