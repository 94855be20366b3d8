//! Sound in messages, decoded to samples within limits.

use std::sync::Arc;

use crate::api::content::InputAudioFormat;
use crate::api::error::{Error, Result};
use crate::audio::{Audio, RATE};

/// The longest sound, in seconds: it is in memory as a whole, and longer ones fill any context.
const MAX_SECONDS: usize = 30 * 60;
/// The least samples: a tenth of a second.
const MIN_SAMPLES: usize = RATE as usize / 10;

/// Decodes a sound: one channel, [`RATE`] samples a second.
///
/// # Errors
///
/// A 400 for what is no sound, or one beyond the limits.
pub(super) fn decode(bytes: &[u8], format: InputAudioFormat) -> Result<Vec<f32>> {
    let name = match format {
        InputAudioFormat::Wav => "sound.wav",
        InputAudioFormat::Mp3 => "sound.mp3",
    };
    let mut audio = Audio::open(Arc::from(bytes), name)?;
    let mut samples = Vec::new();
    while audio.read(&mut samples)? {
        if samples.len() > MAX_SECONDS * RATE as usize {
            return Err(refused("it is longer than half an hour"));
        }
    }
    if samples.len() < MIN_SAMPLES {
        return Err(refused("it is shorter than a tenth of a second"));
    }
    Ok(samples)
}

fn refused(reason: &str) -> Error {
    Error::invalid("messages", format!("The audio cannot be read: {reason}")).with_code("invalid_audio")
}
