//! Audio: any file that people have, decoded piece by piece to what speech models hear, one channel of 16,000
//! samples a second.
//!
//! Files are hostile: their bytes, rates and channels are held against limits before anything is decoded, and
//! the length while it is. Only a window's samples are in memory, however long the audio is.

mod resample;

use std::io::{self, Cursor};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};

use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::codecs::registry::CodecRegistry;
use symphonia::core::errors::Error as DecodeError;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, Track, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;
use symphonia_adapter_libopus::OpusDecoder;

use crate::api::error::{Error, Result};
use resample::Resampler;

/// Samples of a second, as speech models hear.
pub(crate) const RATE: u32 = 16_000;
/// The rates that a file may have; studios record with 192,000.
const RATES: std::ops::RangeInclusive<u32> = 2_000..=384_000;
/// The channels that a file may have.
const MAX_CHANNELS: usize = 32;
/// The frames that a packet may have by its file's word: decoders make room for them. FLAC's have up to 65,535.
const MAX_FRAMES: u64 = 1 << 18;
/// The bytes of a packet: 32 channels of such a block of FLAC's, not compressed.
const MAX_PACKET: usize = 8 << 20;
/// The longest audio, in seconds: a day.
const MAX_SECONDS: u64 = 24 * 3600;
/// Damaged packets after which the file is given up, beside half of all.
const MAX_DAMAGED: u64 = 16;

/// symphonia's decoders, and libopus.
static CODECS: LazyLock<CodecRegistry> = LazyLock::new(|| {
    let mut codecs = CodecRegistry::new();
    symphonia::default::register_enabled_codecs(&mut codecs);
    codecs.register_audio_decoder::<OpusDecoder>();
    codecs
});

/// A file that is being decoded.
pub(crate) struct Audio {
    format: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    track: u32,
    /// The file's rate and channels, once a sample has been decoded.
    shape: Option<(u32, usize)>,
    resampler: Option<Resampler>,
    /// What has been decoded and not been fetched.
    ready: Vec<f32>,
    /// Samples of the file's rate that have been decoded.
    decoded: u64,
    packets: u64,
    damaged: u64,
    ended: bool,
    seconds: Option<f64>,
}

impl Audio {
    /// Finds out what a file is, and decodes its beginning.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` for what is no audio that can be decoded, or has none in it.
    pub(crate) fn open(bytes: Arc<[u8]>, filename: &str) -> Result<Self> {
        if bytes.is_empty() {
            return Err(refused("it is empty"));
        }
        let mut audio = guarded(|| open(bytes, filename))?;
        while audio.ready.is_empty() && audio.advance()? {}
        if audio.ready.is_empty() { Err(refused("it has no samples")) } else { Ok(audio) }
    }

    /// How long it is, if its file says so.
    pub(crate) fn seconds(&self) -> Option<f64> {
        self.seconds
    }

    /// Decodes more, at the end of `samples`; false after the end.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` for damage, and for audio that is longer than a day.
    pub(crate) fn read(&mut self, samples: &mut Vec<f32>) -> Result<bool> {
        while self.ready.is_empty() {
            if !self.advance()? {
                return Ok(false);
            }
        }
        samples.append(&mut self.ready);
        Ok(true)
    }

    /// Decodes a packet; false after the last.
    fn advance(&mut self) -> Result<bool> {
        if self.ended {
            return Ok(false);
        }
        guarded(|| self.decode())
    }

    fn decode(&mut self) -> Result<bool> {
        let packet = match self.format.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => return self.finish().map(|()| true),
            // A file that was cut off is heard as far as it goes.
            Err(DecodeError::IoError(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return self.finish().map(|()| true);
            }
            Err(DecodeError::ResetRequired) => {
                // Another recording follows in the same file: a chained OGG.
                (self.track, self.decoder) = select(&*self.format)?;
                return Ok(true);
            }
            Err(DecodeError::DecodeError(_)) => {
                self.note_damage()?;
                return Ok(true);
            }
            Err(error) => return Err(unreadable(&error)),
        };
        if packet.track_id != self.track {
            return Ok(true);
        }
        if packet.data.len() > MAX_PACKET {
            return Err(refused("it has a packet of more than 8 MiB"));
        }
        self.packets += 1;
        let mut interleaved: Vec<f32> = Vec::new();
        let shape = match self.decoder.decode(&packet) {
            Ok(buffer) => {
                buffer.copy_to_vec_interleaved(&mut interleaved);
                (buffer.spec().rate(), buffer.spec().channels().count())
            }
            Err(DecodeError::DecodeError(_) | DecodeError::IoError(_)) => {
                self.note_damage()?;
                return Ok(true);
            }
            Err(DecodeError::ResetRequired) => {
                self.decoder.reset();
                return Ok(true);
            }
            Err(error) => return Err(unreadable(&error)),
        };
        if interleaved.is_empty() {
            return Ok(true);
        }
        self.take(&interleaved, shape)?;
        Ok(true)
    }

    /// Takes over samples of all channels.
    fn take(&mut self, interleaved: &[f32], (rate, channels): (u32, usize)) -> Result<()> {
        if self.shape != Some((rate, channels)) {
            check_shape(rate, channels)?;
            if self.shape.is_some_and(|(before, _)| before != rate) {
                return Err(refused("its sample rate changes"));
            }
            if self.shape.is_none() && rate != RATE {
                self.resampler = Some(Resampler::new(rate)?);
            }
            self.shape = Some((rate, channels));
        }
        #[expect(clippy::cast_precision_loss, reason = "a file has few channels")]
        let share = 1.0 / channels as f32;
        let mut mono = Vec::with_capacity(interleaved.len() / channels);
        for frame in interleaved.chunks_exact(channels) {
            let sample = frame.iter().sum::<f32>() * share;
            if !sample.is_finite() {
                return Err(refused("it has samples that are no finite numbers"));
            }
            mono.push(sample.clamp(-1.0, 1.0));
        }
        self.decoded += mono.len() as u64;
        if self.decoded > MAX_SECONDS * u64::from(rate) {
            return Err(refused("it is longer than a day"));
        }
        match &mut self.resampler {
            None => self.ready.append(&mut mono),
            Some(resampler) => resampler.push(&mono, &mut self.ready)?,
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        self.ended = true;
        match &mut self.resampler {
            None => Ok(()),
            Some(resampler) => resampler.finish(&mut self.ready),
        }
    }

    /// Notes a packet that could not be decoded. Some are common, at the beginning of a recording say.
    fn note_damage(&mut self) -> Result<()> {
        self.damaged += 1;
        if self.damaged > MAX_DAMAGED && 2 * self.damaged > self.packets {
            return Err(refused("it is damaged"));
        }
        Ok(())
    }
}

impl std::fmt::Debug for Audio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Audio").field("shape", &self.shape).field("decoded", &self.decoded).finish_non_exhaustive()
    }
}

fn open(bytes: Arc<[u8]>, filename: &str) -> Result<Audio> {
    let mut hint = Hint::new();
    if let Some((_, extension)) = filename.rsplit_once('.') {
        hint.with_extension(extension);
    }
    let stream = MediaSourceStream::new(Box::new(Cursor::new(bytes)), MediaSourceStreamOptions::default());
    let format = symphonia::default::get_probe()
        .probe(&hint, stream, FormatOptions::default(), MetadataOptions::default())
        .map_err(|error| unreadable(&error))?;
    let (track, decoder) = select(&*format)?;
    let seconds = format.tracks().iter().find(|other| other.id == track).and_then(seconds);
    if seconds.is_some_and(|seconds| seconds > 24.0 * 3600.0) {
        return Err(refused("it is longer than a day"));
    }
    Ok(Audio {
        format,
        decoder,
        track,
        shape: None,
        resampler: None,
        ready: Vec::new(),
        decoded: 0,
        packets: 0,
        damaged: 0,
        ended: false,
        seconds,
    })
}

/// The track to hear, and what decodes it.
fn select(format: &dyn FormatReader) -> Result<(u32, Box<dyn AudioDecoder>)> {
    let track = format.default_track(TrackType::Audio).ok_or_else(|| refused("it has no audio in it"))?;
    let params = track.codec_params.as_ref().and_then(|params| params.audio());
    let params = params.ok_or_else(|| refused("its audio has an unknown form"))?;
    if let (Some(rate), Some(channels)) = (params.sample_rate, &params.channels) {
        check_shape(rate, channels.count())?;
    }
    if params.max_frames_per_packet.max(params.frames_per_block).is_some_and(|frames| frames > MAX_FRAMES) {
        return Err(refused("it says that its packets are long ones"));
    }
    let decoder = CODECS.make_audio_decoder(params, &AudioDecoderOptions::default());
    Ok((track.id, decoder.map_err(|error| unreadable(&error))?))
}

fn check_shape(rate: u32, channels: usize) -> Result<()> {
    if !RATES.contains(&rate) {
        return Err(refused(&format!("it has {rate} samples a second; from 2000 to 384000 are read")));
    }
    if !(1..=MAX_CHANNELS).contains(&channels) {
        return Err(refused(&format!("it has {channels} channels; from 1 to {MAX_CHANNELS} are read")));
    }
    Ok(())
}

fn seconds(track: &Track) -> Option<f64> {
    let time = track.time_base?.calc_duration(track.duration?)?;
    let seconds = time.as_secs_f64();
    (seconds.is_finite() && seconds > 0.0).then_some(seconds)
}

/// Decodes. A decoder that panics has met a file that is no sound one.
fn guarded<T>(decode: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|_| Err(refused("it is damaged")))
}

fn unreadable(error: &DecodeError) -> Error {
    refused(&error.to_string())
}

/// A 400 for the request's file.
fn refused(reason: &str) -> Error {
    Error::invalid("file", format!("The audio file cannot be read: {reason}")).with_code("invalid_audio")
}

#[cfg(test)]
mod tests;
