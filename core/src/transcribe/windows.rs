//! Audio in windows of at most 30 seconds, which is what a speech model hears at a time.

use super::levels::{FRAME, Levels};
use crate::api::error::Result;
use crate::audio::{Audio, RATE};

/// Samples of a window.
pub(super) const WINDOW: usize = 30 * RATE as usize;
/// What is shorter is no speech.
const SHORTEST: usize = RATE as usize / 10;
/// Pauses are looked for after so many samples of a window.
const SHORTEST_CHUNK: usize = RATE as usize;

/// Where audio is cut; see [`ChunkingStrategy`](crate::types::ChunkingStrategy).
#[derive(Debug, Clone, Copy)]
pub(super) struct Pauses {
    pub(super) threshold: f32,
    /// Samples before speech that belong to it.
    pub(super) padding: usize,
    /// Samples without speech that make a pause.
    pub(super) silence: usize,
}

/// The windows of a file, one after another.
#[derive(Debug)]
pub(super) struct Windows {
    audio: Audio,
    /// What was decoded and not passed yet.
    samples: Vec<f32>,
    /// The number of samples before that.
    passed: u64,
    ended: bool,
    /// Whether something was left out since the last window.
    follows_gap: bool,
    pauses: Option<Pauses>,
}

/// What is next in a file.
pub(super) enum Next<'a> {
    Window(Window<'a>),
    /// Nothing to hear, which was passed.
    Gap,
    End,
}

/// A window to hear.
pub(super) struct Window<'a> {
    pub(super) samples: &'a [f32],
    pub(super) levels: Levels,
    /// The number of samples before it.
    pub(super) start: u64,
    /// Whether something was left out before it.
    pub(super) follows_gap: bool,
}

impl Windows {
    pub(super) fn new(audio: Audio, pauses: Option<Pauses>) -> Self {
        Windows { audio, samples: Vec::new(), passed: 0, ended: false, follows_gap: false, pauses }
    }

    /// The next window in which there may be speech, or a passage without any: one step of bounded length.
    pub(super) fn next(&mut self) -> Result<Next<'_>> {
        // A little more, to know whether it is the last.
        self.fill(WINDOW + FRAME)?;
        if self.samples.is_empty() || (self.passed > 0 && self.samples.len() < SHORTEST) {
            self.pass(self.samples.len());
            return Ok(Next::End);
        }
        let length = self.samples.len().min(WINDOW);
        let levels = Levels::of(&self.samples[..length]);
        let length = match self.pauses {
            _ if levels.are_empty() => return Ok(self.leave_out(length)),
            None => length,
            Some(pauses) => {
                let threshold = levels.threshold(pauses.threshold);
                let Some((first, behind)) = levels.louder(0..levels.len(), threshold) else {
                    return Ok(self.leave_out(length));
                };
                let lead = (first * FRAME).saturating_sub(pauses.padding);
                if lead > FRAME {
                    return Ok(self.leave_out(lead));
                }
                let pause = levels.last_pause(levels.len(), pauses.silence.div_ceil(FRAME), threshold);
                let end = if self.samples.len() > WINDOW {
                    pause.map(|frame| frame * FRAME).filter(|end| *end >= SHORTEST_CHUNK)
                } else {
                    Some(behind * FRAME + pauses.silence)
                };
                end.unwrap_or(length).min(length)
            }
        };
        let follows_gap = std::mem::take(&mut self.follows_gap);
        Ok(Next::Window(Window { samples: &self.samples[..length], levels, start: self.passed, follows_gap }))
    }

    /// Passes so many samples, which nobody is to hear.
    fn leave_out(&mut self, count: usize) -> Next<'static> {
        self.pass(count);
        self.follows_gap = true;
        Next::Gap
    }

    /// Goes on behind so many samples.
    pub(super) fn pass(&mut self, count: usize) {
        let count = count.min(self.samples.len());
        self.samples.drain(..count);
        self.passed += count as u64;
    }

    /// How far it has come, in seconds; at the end, how long the audio is.
    pub(super) fn seconds(&self) -> f64 {
        seconds(self.passed)
    }

    /// How long the audio is, if the file says so.
    pub(super) fn duration(&self) -> Option<f64> {
        self.audio.seconds()
    }

    fn fill(&mut self, count: usize) -> Result<()> {
        while !self.ended && self.samples.len() < count {
            self.ended = !self.audio.read(&mut self.samples)?;
        }
        Ok(())
    }
}

/// The time of so many samples.
pub(super) fn seconds(samples: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a day has not so many samples")]
    let seconds = samples as f64 / f64::from(RATE);
    seconds
}
