//! Images: any file that people have, decoded to pixels within limits.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::error::LimitErrorKind;
use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, Rgb, RgbImage};

use crate::api::content::ImageDetail;
use crate::api::error::{Error, Result};
use crate::backend::Pixels;

/// The formats that are decoded; of animations, the first picture.
const FORMATS: [ImageFormat; 5] =
    [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP, ImageFormat::Gif, ImageFormat::Bmp];
/// The longest side, in pixels.
const MAX_SIDE: u32 = 16_384;
/// The most pixels.
const MAX_PIXELS: u64 = 1 << 26;
/// Bytes that decoding may take.
const MAX_MEMORY: u64 = 1 << 30;
/// The shortest side; models cut images into squares of many pixels.
const MIN_SIDE: u32 = 2;
/// How many times longer than the other a side may be.
const MAX_RATIO: u32 = 200;
/// Into this square an image is scaled down when low detail is enough, as a hosted API does.
const LOW_SIDE: u32 = 512;

/// Decodes an image.
///
/// # Errors
///
/// A 400 without a parameter for what is no image, or one beyond the limits.
pub(super) fn decode(bytes: &[u8], detail: Option<ImageDetail>) -> Result<Pixels> {
    let mut image = open(bytes)?;
    if detail == Some(ImageDetail::Low) && image.width().max(image.height()) > LOW_SIDE {
        image = image.resize(LOW_SIDE, LOW_SIDE, FilterType::CatmullRom);
    }
    let (width, height) = (image.width(), image.height());
    Ok(Pixels { width, height, rgb: on_white(image).into_raw() })
}

/// Decodes an image, with its transparency.
///
/// # Errors
///
/// As [`decode`].
pub(crate) fn open(bytes: &[u8]) -> Result<DynamicImage> {
    // A decoder that panics has met a file that is no sound one.
    let decoded = catch_unwind(AssertUnwindSafe(|| read(bytes)));
    decoded.unwrap_or_else(|_| Err(refused("it is damaged")))
}

fn read(bytes: &[u8]) -> Result<DynamicImage> {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let mut reader = reader.map_err(|error| refused(&error.to_string()))?;
    if !reader.format().is_some_and(|format| FORMATS.contains(&format)) {
        return Err(refused("it is none in PNG, JPEG, WebP, GIF or BMP format"));
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_MEMORY);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| unreadable(&error))?;
    let (width, height) = decoder.dimensions();
    check_size(width, height)?;
    let orientation = decoder.orientation().map_err(|error| unreadable(&error))?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(|error| unreadable(&error))?;
    image.apply_orientation(orientation);
    Ok(image)
}

fn check_size(width: u32, height: u32) -> Result<()> {
    let (short, long) = (width.min(height), width.max(height));
    if short < MIN_SIDE {
        return Err(refused(&format!("it is {width}x{height} pixels, and has to be {MIN_SIDE}x{MIN_SIDE} at least")));
    }
    if long > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS {
        let message =
            format!("it is {width}x{height} pixels; at most {MAX_SIDE} on a side and {MAX_PIXELS} in all are decoded");
        return Err(refused(&message));
    }
    if long / short > MAX_RATIO {
        let message = format!("it is {width}x{height} pixels, one side over {MAX_RATIO} times as long as the other");
        return Err(refused(&message));
    }
    Ok(())
}

/// The image without transparency, which models do not know.
pub(crate) fn on_white(image: DynamicImage) -> RgbImage {
    if !image.color().has_alpha() {
        return image.into_rgb8();
    }
    let image = image.into_rgba8();
    let blend = |colour: u8, alpha: u8| {
        let (colour, alpha) = (u16::from(colour), u16::from(alpha));
        u8::try_from((colour * alpha + 255 * (255 - alpha) + 127) / 255).unwrap_or(u8::MAX)
    };
    RgbImage::from_fn(image.width(), image.height(), |x, y| {
        let [red, green, blue, alpha] = image.get_pixel(x, y).0;
        Rgb([blend(red, alpha), blend(green, alpha), blend(blue, alpha)])
    })
}

fn unreadable(error: &ImageError) -> Error {
    match error {
        ImageError::Limits(limit) if matches!(limit.kind(), LimitErrorKind::DimensionError) => {
            refused(&format!("it is too large; at most {MAX_SIDE} pixels on a side are decoded"))
        }
        error => refused(&error.to_string()),
    }
}

fn refused(reason: &str) -> Error {
    Error::invalid("messages", format!("The image cannot be read: {reason}")).with_code("image_parse_error")
}

#[cfg(test)]
mod tests {
    use image::{Luma, Rgba, RgbaImage};

    use super::*;

    fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.into().write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn all_formats_are_decoded() {
        // CQ5
        let image = RgbImage::from_fn(30, 20, |x, _| Rgb([if x < 15 { 0 } else { 255 }, 100, 200]));
        for format in FORMATS {
            let bytes = encoded(image.clone(), format);
            let pixels = decode(&bytes, None).unwrap();
            assert_eq!((pixels.width, pixels.height, pixels.rgb.len()), (30, 20, 1800), "{format:?}");
            let near = |index: usize, expected: u8| pixels.rgb[index].abs_diff(expected) < 30;
            assert!(near(0, 0) && near(1, 100) && near(2, 200) && near(87, 255), "{format:?}");
            for length in [1, 5, 20, bytes.len() / 2] {
                let error = decode(&bytes[..length], None).err();
                // What comes of half a picture is the decoder's to say, as long as it says something.
                assert!(length > 20 || error.is_some_and(|error| error.code() == Some("image_parse_error")));
            }
        }
    }

    #[test]
    fn sizes_have_limits() {
        let of = |width, height| encoded(image::ImageBuffer::from_pixel(width, height, Luma([0_u8])), ImageFormat::Png);
        assert!(decode(&of(2, 2), None).is_ok());
        assert!(decode(&of(2, 400), None).is_ok());
        for (width, height) in [(1, 1), (1, 50), (2, 402), (20_000, 20), (9000, 9000)] {
            let error = decode(&of(width, height), None).unwrap_err();
            assert_eq!(error.code(), Some("image_parse_error"), "{width}x{height}");
            assert!(error.message().contains("pixels"), "{error}");
        }
    }

    #[test]
    fn low_detail_is_a_smaller_image() {
        let image = encoded(RgbImage::new(1024, 256), ImageFormat::Png);
        let low = decode(&image, Some(ImageDetail::Low)).unwrap();
        assert_eq!((low.width, low.height), (512, 128));
        for detail in [None, Some(ImageDetail::Auto), Some(ImageDetail::High)] {
            assert_eq!(decode(&image, detail).unwrap().width, 1024);
        }
    }

    #[test]
    fn what_is_transparent_is_white() {
        let image = RgbaImage::from_fn(2, 2, |x, _| Rgba([0, 0, 0, if x == 0 { 0 } else { 255 }]));
        let pixels = decode(&encoded(image, ImageFormat::Png), None).unwrap();
        assert_eq!(pixels.rgb[..6], [255, 255, 255, 0, 0, 0]);
    }

    #[test]
    fn what_is_no_image_is_refused() {
        for bytes in [&b""[..], b"hello", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"\x89PNG\r\n\x1a\n"] {
            assert_eq!(decode(bytes, None).unwrap_err().status(), Some(400));
        }
    }
}
