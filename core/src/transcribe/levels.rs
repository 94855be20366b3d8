//! How loud samples are, and by that, where somebody may be speaking.

use crate::audio::RATE;

/// Samples of a frame: 20 milliseconds.
pub(super) const FRAME: usize = RATE as usize / 50;
/// Frames of a second.
const FRAMES: usize = 50;
/// What is quieter than this, in decibels below the loudest possible, nobody hears.
const SILENCE: f32 = -60.0;
/// Sound whose loud and quiet frames differ by less, for a second or longer, is a noise: speech comes in
/// syllables.
const STEADY: f32 = 6.0;
/// How far speech stands out from the quietest tenth, in decibels, for a threshold of 1.
const MARGIN: f32 = 24.0;

/// The loudness of each frame, in decibels.
pub(super) struct Levels(Vec<f32>);

impl Levels {
    pub(super) fn of(samples: &[f32]) -> Self {
        let level = |frame: &[f32]| {
            #[expect(clippy::cast_precision_loss, reason = "a frame has few samples")]
            let square = frame.iter().map(|sample| sample * sample).sum::<f32>() / frame.len() as f32;
            10.0 * square.max(1e-12).log10()
        };
        Levels(samples.chunks(FRAME).map(level).collect())
    }

    /// Whether nobody speaks: all is silence, or a steady noise.
    pub(super) fn are_empty(&self) -> bool {
        let steady = || self.0.len() >= FRAMES && self.percentile(0.95) - self.percentile(0.05) < STEADY;
        !self.0.iter().any(|level| *level > SILENCE) || steady()
    }

    /// What is louder may be speech.
    pub(super) fn threshold(&self, strictness: f32) -> f32 {
        let (quiet, loud) = (self.percentile(0.1), self.percentile(0.95));
        (quiet + MARGIN * strictness).min(f32::midpoint(quiet, loud)).max(SILENCE)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is any sound in these frames.
    pub(super) fn sounds(&self, frames: std::ops::Range<usize>) -> bool {
        self.is_louder(frames, SILENCE)
    }

    /// Whether one of these frames is louder.
    fn is_louder(&self, frames: std::ops::Range<usize>, threshold: f32) -> bool {
        let end = frames.end.min(self.0.len());
        self.0.get(frames.start..end).is_some_and(|levels| levels.iter().any(|level| *level > threshold))
    }

    /// The first frame of these that is louder, and the frame behind the last one.
    pub(super) fn louder(&self, frames: std::ops::Range<usize>, threshold: f32) -> Option<(usize, usize)> {
        let end = frames.end.min(self.0.len());
        let levels = self.0.get(frames.start..end)?;
        let first = levels.iter().position(|level| *level > threshold)?;
        let last = levels.iter().rposition(|level| *level > threshold)?;
        Some((frames.start + first, frames.start + last + 1))
    }

    /// The frame in whose middle the last pause of at least `length` frames is, before the frame `end`.
    pub(super) fn last_pause(&self, end: usize, length: usize, threshold: f32) -> Option<usize> {
        let length = length.max(1);
        let mut quiet = 0;
        for frame in (0..end.min(self.0.len())).rev() {
            if self.0[frame] > threshold {
                if quiet >= length {
                    return Some(frame + 1 + quiet / 2);
                }
                quiet = 0;
            } else {
                quiet += 1;
            }
        }
        None
    }

    fn percentile(&self, share: f32) -> f32 {
        let mut sorted = self.0.clone();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a window has few frames"
        )]
        let index = ((sorted.len().max(1) - 1) as f32 * share) as usize;
        if sorted.is_empty() {
            return SILENCE;
        }
        *sorted.select_nth_unstable_by(index, f32::total_cmp).1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bursts of a tone, 0.2 s each, with as long pauses, at this loudness over noise of that one.
    fn bursts(seconds: usize, loud: f32, noise: f32) -> Vec<f32> {
        let mut state = 1_u32;
        (0..seconds * RATE as usize)
            .map(|index| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let random = f32::from(u16::try_from(state >> 16).unwrap()) / 32768.0 - 1.0;
                let tone = f32::from(u8::from(index / 3200 % 2 == 0)) * loud * f32::from(u8::from(index % 40 < 20));
                tone + noise * random
            })
            .collect()
    }

    #[test]
    fn silence_and_steady_noise_are_empty() {
        for (loud, noise, empty) in
            [(0.0, 0.0, true), (0.0, 0.0005, true), (0.0, 0.2, true), (0.3, 0.0, false), (0.3, 0.05, false)]
        {
            assert_eq!(Levels::of(&bursts(5, loud, noise)).are_empty(), empty, "{loud} {noise}");
        }
        assert!(Levels::of(&[]).are_empty());
    }

    #[test]
    fn pauses_are_found_between_sounds() {
        for noise in [0.0, 0.02] {
            let mut samples = vec![0.0; 16_000];
            samples.extend(bursts(2, 0.3, 0.0).iter().map(|sample| sample.abs() + 0.01));
            samples.extend(vec![0.0; 16_000]);
            samples.extend(bursts(2, 0.3, 0.0));
            samples.iter_mut().zip(bursts(6, 0.0, noise)).for_each(|(sample, noise)| *sample += noise);
            let levels = Levels::of(&samples);
            let threshold = levels.threshold(0.5);
            let (first, behind) = levels.louder(0..levels.len(), threshold).unwrap();
            assert!((49..=51).contains(&first) && (285..=300).contains(&behind), "{first} {behind}");
            let pause = levels.last_pause(levels.len(), 25, threshold).unwrap();
            assert!((150..=200).contains(&pause), "{pause}");
            assert_eq!(levels.last_pause(levels.len(), 100, threshold), None);
        }
    }
}
