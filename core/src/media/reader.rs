//! What a model reads in place of images and sound.

use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, OnceLock};

use lru::LruCache;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use super::source::base64;
use super::{MediaAccess, image, sound};
use crate::api::content::{ImageDetail, ImageUrl, InputAudio, InputAudioFormat};
use crate::api::error::{Error, Result};
use crate::audio::RATE;
use crate::backend::{Abort, CutMedia, MediaPart, Projector, RowsShape, Token};
use crate::generate::SLICE;

/// Bytes of rows that are kept for media that come again.
const MAX_KEPT: usize = 256 << 20;

/// Reads media for one model.
#[derive(Debug)]
pub(crate) struct MediaReader {
    projector: Arc<Projector>,
    access: MediaAccess,
    kept: Mutex<Kept>,
    /// Held while one is decoded, which takes much memory: others wait, and find what is the same kept.
    decoding: Mutex<()>,
    /// What the next rows are called.
    next_number: AtomicI32,
}

/// Media that were read, by what they were read from.
#[derive(Debug)]
struct Kept {
    media: LruCache<[u8; 32], Arc<Media>>,
    bytes: usize,
}

/// An image or sound as the model reads it.
#[derive(Debug)]
pub(crate) struct Media {
    pub(crate) parts: Vec<Part>,
    bytes: usize,
}

#[derive(Debug)]
pub(crate) enum Part {
    Tokens(Vec<Token>),
    Rows(Arc<MediaRows>),
}

/// Rows that take the place of tokens.
#[derive(Debug)]
pub(crate) struct MediaRows {
    /// Stands for each of them where tokens are compared: below 0, and no other rows' number, so that equal
    /// numbers mean equal rows.
    pub(crate) number: Token,
    pub(crate) shape: RowsShape,
    pub(crate) is_sound: bool,
    floats: OnceLock<Vec<f32>>,
    /// What they are computed from, until they are.
    cut: Mutex<Option<(Arc<CutMedia>, usize)>>,
}

/// What an image or sound is read from.
enum Source {
    Image(Vec<u8>, Option<ImageDetail>),
    Sound(Vec<u8>, InputAudioFormat),
}

/// Whether a prompt's token is the number of rows.
pub(crate) fn is_row(token: Token) -> bool {
    token < 0
}

impl MediaReader {
    pub(crate) fn new(projector: Projector, access: MediaAccess) -> Self {
        let kept = Mutex::new(Kept { media: LruCache::unbounded(), bytes: 0 });
        let (projector, next_number) = (Arc::new(projector), AtomicI32::new(-1));
        MediaReader { projector, access, kept, decoding: Mutex::new(()), next_number }
    }

    pub(crate) fn sees(&self) -> bool {
        self.projector.sees()
    }

    /// What stops computing images and sound, for good.
    pub(crate) fn abort(&self) -> &Abort {
        self.projector.abort()
    }

    pub(crate) fn hears(&self) -> bool {
        self.projector.sample_rate().is_some()
    }

    /// Rows that a batch must have room for, because they are computed together.
    pub(crate) fn whole(&self) -> usize {
        self.projector.whole()
    }

    /// # Errors
    ///
    /// A 400 that names a key of `path`, where the part stands, for what is no image or cannot be had.
    pub(crate) fn image(&self, image: &ImageUrl, path: &str) -> Result<Arc<Media>> {
        let param = format!("{path}.image_url.url");
        let bytes = self.access.image(&image.url, &param)?;
        self.read(Source::Image(bytes, image.detail)).map_err(|error| blame(error, param))
    }

    /// # Errors
    ///
    /// As [`image`](Self::image), for what is no sound.
    pub(crate) fn sound(&self, sound: &InputAudio, path: &str) -> Result<Arc<Media>> {
        let param = format!("{path}.input_audio.data");
        let bytes = base64(&sound.data, &param)?;
        self.read(Source::Sound(bytes, sound.format)).map_err(|error| blame(error, param))
    }

    fn read(&self, source: Source) -> Result<Arc<Media>> {
        let (key, is_sound) = (source.key(), matches!(source, Source::Sound(..)));
        let _one_at_a_time = self.decoding.lock();
        if let Some(media) = self.kept.lock().media.get(&key) {
            return Ok(media.clone());
        }
        let unfit = |what: &str, reason: String| {
            let message = format!("The model's projector cannot take this {what}: {reason}");
            Error::invalid("messages", message).with_code("unsupported_media")
        };
        let cut = match source {
            Source::Image(bytes, detail) => {
                self.projector.cut_image(&image::decode(&bytes, detail)?).map_err(|reason| unfit("image", reason))?
            }
            Source::Sound(bytes, format) => {
                self.check_rate()?;
                self.projector.cut_sound(&sound::decode(&bytes, format)?).map_err(|reason| unfit("audio", reason))?
            }
        };
        let media = Arc::new(self.media(cut, is_sound)?);
        self.kept.lock().keep(key, &media);
        Ok(media)
    }

    /// # Errors
    ///
    /// A 400 when the projector does not hear what the decoder gives.
    fn check_rate(&self) -> Result<()> {
        match self.projector.sample_rate() {
            Some(RATE) | None => Ok(()),
            Some(rate) => {
                let message =
                    format!("The model's projector hears {rate} samples a second, and this release has {RATE}");
                Err(Error::invalid("messages", message).with_code("unsupported_media"))
            }
        }
    }

    fn media(&self, cut: CutMedia, is_sound: bool) -> Result<Media> {
        let cut = Arc::new(cut);
        let mut parts = Vec::new();
        let mut bytes = 0;
        for (index, part) in cut.parts()?.into_iter().enumerate() {
            let shape = match part {
                MediaPart::Tokens(tokens) => {
                    parts.push(Part::Tokens(tokens));
                    continue;
                }
                MediaPart::Rows(shape) => shape,
            };
            if shape.count == 0 || (!shape.is_causal && shape.count > self.whole().max(SLICE)) {
                let message = format!("Of the image, {} rows would have to be computed together", shape.count);
                return Err(Error::invalid("messages", message).with_code("unsupported_media"));
            }
            bytes += shape.count * self.projector.width() * size_of::<f32>();
            let number = self.next_number.fetch_sub(1, Ordering::Relaxed);
            let cut = Mutex::new(Some((cut.clone(), index)));
            parts.push(Part::Rows(Arc::new(MediaRows { number, shape, is_sound, floats: OnceLock::new(), cut })));
        }
        Ok(Media { parts, bytes })
    }
}

impl Media {
    /// How many tokens it has.
    pub(crate) fn rows(&self) -> usize {
        let count = |part: &Part| match part {
            Part::Tokens(tokens) => tokens.len(),
            Part::Rows(rows) => rows.shape.count,
        };
        self.parts.iter().map(count).sum()
    }

    /// Whether there is more of it than its rows, and nobody is going to compute them.
    fn is_abandoned(self: &Arc<Self>) -> bool {
        let is_abandoned = |part: &Part| match part {
            Part::Tokens(_) => false,
            Part::Rows(rows) => !rows.is_encoded() && Arc::strong_count(rows) == 1,
        };
        Arc::strong_count(self) == 1 && self.parts.iter().any(is_abandoned)
    }
}

impl Kept {
    fn keep(&mut self, key: [u8; 32], media: &Arc<Media>) {
        let abandoned = self.media.iter().filter(|(_, media)| media.is_abandoned()).map(|(key, _)| *key);
        for key in abandoned.collect::<Vec<_>>() {
            self.bytes -= self.media.pop(&key).map_or(0, |media| media.bytes);
        }
        if let Some(before) = self.media.put(key, media.clone()) {
            self.bytes -= before.bytes;
        }
        self.bytes += media.bytes;
        while self.bytes > MAX_KEPT {
            let Some((_, oldest)) = self.media.pop_lru() else { return };
            self.bytes -= oldest.bytes;
        }
    }
}

impl Source {
    fn key(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        match self {
            Source::Image(bytes, detail) => {
                hash.update([0, u8::from(*detail == Some(ImageDetail::Low))]);
                hash.update(bytes);
            }
            Source::Sound(bytes, format) => {
                hash.update([1, u8::from(*format == InputAudioFormat::Mp3)]);
                hash.update(bytes);
            }
        }
        hash.finalize().into()
    }
}

impl MediaRows {
    pub(crate) fn is_encoded(&self) -> bool {
        self.floats.get().is_some()
    }

    /// Computes them, unless that is done.
    pub(crate) fn encode(&self) -> Result<()> {
        let mut cut = self.cut.lock();
        if let Some((media, index)) = &*cut {
            let floats = media.encode(*index, self.shape.count)?;
            // Only who holds the lock gets here, and once.
            let _ = self.floats.set(floats);
        }
        *cut = None;
        Ok(())
    }

    /// The floats of some of the rows; none before they are computed.
    pub(crate) fn floats(&self, rows: std::ops::Range<usize>) -> &[f32] {
        let floats = self.floats.get().map_or(&[][..], Vec::as_slice);
        let width = floats.len() / self.shape.count;
        &floats[rows.start * width..rows.end * width]
    }
}

/// The error with where the part stands; what is not the request's fault has no such place.
fn blame(error: Error, param: String) -> Error {
    if error.status() == Some(400) { error.with_param(param) } else { error }
}
