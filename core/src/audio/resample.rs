//! Audio of any rate to that of speech models.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{
    Async, FixedAsync, Indexing, Resampler as _, SincInterpolationParameters, SincInterpolationType, WindowFunction,
};

use super::RATE;
use crate::api::error::{Error, Result};

/// Samples that are taken at a time.
const CHUNK: usize = 2048;
/// The filter's length: enough to keep speech as it is and no tone above half of the rate.
const FILTER: usize = 128;

/// Turns samples of one rate into those of another, piece by piece.
pub(super) struct Resampler {
    inner: Async<f32>,
    /// What is too little for a chunk.
    waiting: Vec<f32>,
    /// The filter's delay, which is yet to be left out.
    skip: usize,
    taken: u64,
    given: u64,
    rate: u32,
    output: Vec<f32>,
}

impl Resampler {
    pub(super) fn new(rate: u32) -> Result<Self> {
        let mut parameters = SincInterpolationParameters::new(FILTER, WindowFunction::BlackmanHarris2);
        parameters.interpolation = SincInterpolationType::Linear;
        let ratio = f64::from(RATE) / f64::from(rate);
        let inner = Async::new_sinc(ratio, 1.0, &parameters, CHUNK, 1, FixedAsync::Input)
            .map_err(|error| Error::internal("the resampler cannot be made").with_source(error))?;
        let (skip, output) = (inner.output_delay(), vec![0.0; inner.output_frames_max()]);
        Ok(Resampler { inner, waiting: Vec::new(), skip, taken: 0, given: 0, rate, output })
    }

    /// Takes samples, and adds to `out` what has come of them.
    pub(super) fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) -> Result<()> {
        self.taken += samples.len() as u64;
        self.waiting.extend_from_slice(samples);
        let mut waiting = std::mem::take(&mut self.waiting);
        let mut from = 0;
        while waiting.len() - from >= CHUNK {
            self.step(&waiting[from..from + CHUNK], None, out)?;
            from += CHUNK;
        }
        waiting.drain(..from);
        self.waiting = waiting;
        Ok(())
    }

    /// Adds what is still in the filter.
    pub(super) fn finish(&mut self, out: &mut Vec<f32>) -> Result<()> {
        let whole = (self.taken * u64::from(RATE)).div_ceil(u64::from(self.rate));
        let mut rest = std::mem::take(&mut self.waiting);
        let mut length = rest.len();
        rest.resize(CHUNK, 0.0);
        while self.given < whole {
            self.step(&rest, Some(length), out)?;
            length = 0;
            rest.fill(0.0);
        }
        out.truncate(out.len() - usize::try_from(self.given - whole).unwrap_or_default().min(out.len()));
        Ok(())
    }

    fn step(&mut self, chunk: &[f32], length: Option<usize>, out: &mut Vec<f32>) -> Result<()> {
        let failed = |_| Error::internal("the resampler's buffers do not fit");
        let capacity = self.output.len();
        let input = InterleavedSlice::new(chunk, 1, chunk.len()).map_err(failed)?;
        let mut output = InterleavedSlice::new_mut(&mut self.output, 1, capacity).map_err(failed)?;
        let indexing = length.map(|length| Indexing::new().partial_len(length));
        let (_, count) = self
            .inner
            .process_into_buffer(&input, &mut output, indexing.as_ref())
            .map_err(|error| Error::internal("the resampler failed").with_source(error))?;
        let skipped = self.skip.min(count);
        self.skip -= skipped;
        self.given += (count - skipped) as u64;
        out.extend_from_slice(&self.output[skipped..count]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tone of so many Hertz for a second.
    fn tone(rate: u32, frequency: f32) -> Vec<f32> {
        #[expect(clippy::cast_precision_loss, reason = "a second has few samples")]
        let sample = |index: u32| (std::f32::consts::TAU * frequency * index as f32 / rate as f32).sin();
        (0..rate).map(sample).collect()
    }

    fn resampled(rate: u32, frequency: f32) -> Vec<f32> {
        let (mut resampler, mut out) = (Resampler::new(rate).unwrap(), Vec::new());
        // In pieces that fit nothing.
        for piece in tone(rate, frequency).chunks(777) {
            resampler.push(piece, &mut out).unwrap();
        }
        resampler.finish(&mut out).unwrap();
        out
    }

    #[test]
    fn a_tone_stays_where_and_as_loud_as_it_was() {
        for rate in [8_000, 11_025, 22_050, 44_100, 48_000, 96_000, 192_000, 384_000] {
            let out = resampled(rate, 440.0);
            assert_eq!(out.len(), 16_000, "{rate}");
            let wanted = tone(RATE, 440.0);
            let error = out[800..15_200].iter().zip(&wanted[800..15_200]);
            let worst = error.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            // A shift by one sample makes 0.173; the filter's delay is no whole number of samples.
            assert!(worst < 0.18, "{rate}: {worst}");
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_have_is_left_out() {
        for rate in [44_100, 48_000] {
            let out = resampled(rate, 12_000.0);
            let loudest = out[800..15_200].iter().fold(0.0_f32, |max, sample| max.max(sample.abs()));
            assert!(loudest < 0.01, "{rate}: {loudest}");
        }
    }
}
