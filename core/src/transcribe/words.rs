//! From a window's tokens to segments, words and their times.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::levels::{FRAME, Levels};
use crate::api::audio_reply::{TranscriptionLogprob, TranscriptionWord};
use crate::audio::RATE;
use crate::backend::{SpeechModel, SpeechSegment, SpeechWindow, Token};

/// Frames of a second.
#[expect(clippy::cast_precision_loss, reason = "a frame has few samples")]
const FRAMES: f64 = RATE as f64 / FRAME as f64;
/// Frames of quiet that no word has within it.
const GAP: usize = 10;
/// A sound that is so many times shorter than another is the rest of the word before.
const REST: usize = 3;
/// How strict words' ends are about loudness.
const STRICTNESS: f32 = 0.5;
/// Languages that are written without spaces between words.
const UNSPACED: [&str; 6] = ["zh", "yue", "ja", "th", "lo", "my"];

/// A segment with its times in the file.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard {
    /// Where the window begins, in hundredths of a second.
    pub(super) seek: u64,
    pub(super) start: f64,
    pub(super) end: f64,
    pub(super) text: String,
    pub(super) tokens: Vec<Token>,
    pub(super) temperature: f32,
    pub(super) avg_logprob: f32,
    pub(super) compression_ratio: f32,
    pub(super) no_speech: f32,
    pub(super) words: Vec<TranscriptionWord>,
    pub(super) logprobs: Vec<TranscriptionLogprob>,
}

/// Where a window is.
pub(super) struct Place<'a> {
    /// When it begins and how long it is, in seconds.
    pub(super) start: f64,
    pub(super) length: f64,
    pub(super) levels: &'a Levels,
    /// The code of its language.
    pub(super) language: &'a str,
}

/// A word as it is put together, and when the model has turned to the next one, in hundredths of a second from
/// the window's beginning.
struct Draft {
    bytes: Vec<u8>,
    end: i64,
}

/// The segments of a window.
pub(super) fn hear(model: &SpeechModel, window: &SpeechWindow, place: &Place<'_>) -> Vec<Heard> {
    let mut said_until = 0.0;
    let mut heard: Vec<Heard> = window
        .segments
        .iter()
        .map(|segment| heard(model, window, segment, place, &mut said_until))
        // Over silence models like to thank for watching.
        .filter(|heard| !heard.text.trim().is_empty() && place.sounds(heard))
        .collect();
    let ratio = compression_ratio(heard.iter().map(|heard| heard.text.as_str()));
    for heard in &mut heard {
        heard.compression_ratio = ratio;
    }
    heard
}

impl Place<'_> {
    /// The time in the file of one in the window.
    fn time(&self, hundredths: i64) -> f64 {
        self.start + seconds(hundredths).clamp(0.0, self.length)
    }

    fn sounds(&self, heard: &Heard) -> bool {
        let (start, end) = (frame(heard.start - self.start), frame(heard.end - self.start) + 1);
        self.levels.sounds(start..end)
    }
}

fn heard(
    model: &SpeechModel,
    window: &SpeechWindow,
    segment: &SpeechSegment,
    place: &Place<'_>,
    said_until: &mut f64,
) -> Heard {
    let mut bytes = Vec::new();
    let mut logprobs = Vec::new();
    let mut drafts: Vec<Draft> = Vec::new();
    let spaced = !UNSPACED.contains(&place.language);
    let mut is_whole = true;
    for token in &segment.tokens {
        let Some(text) = model.token_text(token.id) else { continue };
        bytes.extend_from_slice(text);
        logprobs.push(TranscriptionLogprob {
            token: String::from_utf8_lossy(text).into_owned(),
            bytes: text.to_vec(),
            logprob: token.logprob.min(0.0),
        });
        let Some(end) = token.end else { continue };
        match drafts.last_mut() {
            Some(draft) if !is_whole || !begins_word(text, spaced) => {
                draft.bytes.extend_from_slice(text);
                draft.end = end;
            }
            _ => drafts.push(Draft { bytes: text.to_vec(), end }),
        }
        is_whole = drafts.last().is_none_or(|draft| str::from_utf8(&draft.bytes).is_ok());
    }
    Heard {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a day has few hundredths")]
        seek: (place.start * 100.0).round() as u64,
        start: place.time(segment.start),
        end: place.time(segment.end.max(segment.start)),
        text: String::from_utf8_lossy(&bytes).into_owned(),
        tokens: segment.tokens.iter().map(|token| token.id).collect(),
        temperature: window.temperature,
        avg_logprob: window.avg_logprob,
        compression_ratio: 0.0,
        no_speech: segment.no_speech,
        words: timed(drafts, place, said_until),
        logprobs,
    }
}

/// Whether a token begins another word.
fn begins_word(text: &[u8], spaced: bool) -> bool {
    if spaced {
        return text.first() == Some(&b' ');
    }
    let text = String::from_utf8_lossy(text);
    text.chars().any(|letter| letter.is_alphanumeric() || letter == char::REPLACEMENT_CHARACTER)
}

/// Words with their times, which end where sound does. A model turns to the next word anywhere in the pause
/// before it, or a little after that word has begun; so the first sound since the last word is looked for.
fn timed(drafts: Vec<Draft>, place: &Place<'_>, said_until: &mut f64) -> Vec<TranscriptionWord> {
    let threshold = place.levels.threshold(STRICTNESS);
    drafts
        .into_iter()
        .filter_map(|draft| {
            let mut start = *said_until;
            let mut end = seconds(draft.end).clamp(start, place.length.max(start));
            if let Some((first, behind)) = first_sound(place.levels, frame(start)..frame(end) + 1, threshold) {
                start = start.max(time(first));
                end = end.min(time(behind)).max(start);
            }
            *said_until = end;
            let word = String::from_utf8_lossy(&draft.bytes).trim().to_owned();
            let (start, end) = (rounded(place.start + start), rounded(place.start + end));
            (!word.is_empty()).then_some(TranscriptionWord { word, start, end })
        })
        .collect()
}

/// The first stretch of sound in these frames, without gaps in it; but not the rest of the word before.
fn first_sound(levels: &Levels, frames: std::ops::Range<usize>, threshold: f32) -> Option<(usize, usize)> {
    let mut sounds: Vec<(usize, usize)> = Vec::new();
    for frame in frames.filter(|frame| levels.louder(*frame..frame + 1, threshold).is_some()) {
        match sounds.last_mut() {
            Some((_, behind)) if frame - *behind < GAP => *behind = frame + 1,
            _ => sounds.push((frame, frame + 1)),
        }
    }
    let length = |(first, behind): &(usize, usize)| behind - first;
    let longest = sounds.iter().map(length).max()?;
    sounds.into_iter().find(|sound| REST * length(sound) >= longest)
}

/// How much shorter zlib makes a text.
fn compression_ratio<'a>(texts: impl Iterator<Item = &'a str>) -> f32 {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    let mut length = 0;
    for text in texts {
        length += text.len();
        // A list takes whatever is written to it.
        let _ = encoder.write_all(text.as_bytes());
    }
    let compressed = encoder.finish().unwrap_or_default().len();
    #[expect(clippy::cast_precision_loss, reason = "a window has little text")]
    let ratio = length as f32 / compressed.max(1) as f32;
    ratio
}

fn seconds(hundredths: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a window has few of them")]
    let seconds = hundredths as f64 / 100.0;
    seconds
}

/// To a hundredth.
fn rounded(seconds: f64) -> f64 {
    (seconds * 100.0).round() / 100.0
}

fn frame(seconds: f64) -> usize {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a window has few frames")]
    let frame = (seconds.max(0.0) * FRAMES) as usize;
    frame
}

fn time(frame: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a window has few frames")]
    let time = frame as f64 / FRAMES;
    time
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_end_where_sound_does() {
        // Sound from 0.5 to 1.0 s and from 2.0 to 2.5 s.
        let mut samples = vec![0.0_f32; 48_000];
        for range in [8_000..16_000, 32_000..40_000] {
            samples[range].iter_mut().enumerate().for_each(|(index, sample)| {
                *sample = if index % 40 < 20 { 0.3 } else { -0.3 };
            });
        }
        let levels = Levels::of(&samples);
        let place = Place { start: 10.0, length: 3.0, levels: &levels, language: "en" };
        let draft = |text: &str, end| Draft { bytes: text.as_bytes().to_vec(), end };
        // The model turns to the second too early, in the pause, or too late.
        for turn in [96, 150, 230] {
            let mut until = 0.0;
            let words = timed(vec![draft(" one", turn), draft(" two", 300), draft(" ", 300)], &place, &mut until);
            let times: Vec<_> = words.iter().map(|word| (word.word.as_str(), word.start, word.end)).collect();
            let end = if turn == 96 { 10.96 } else { 11.0 };
            assert_eq!(times, [("one", 10.5, end), ("two", 12.0, 12.5)], "{turn}");
        }
    }

    #[test]
    fn words_begin_with_spaces_where_there_are_any() {
        assert!(begins_word(b" the", true) && !begins_word(b"ing", true) && !begins_word(b",", true));
        assert!(begins_word("東".as_bytes(), false) && !begins_word("。".as_bytes(), false));
        assert!(begins_word(b"\xe6", false));
    }

    #[test]
    fn what_repeats_itself_compresses_well() {
        assert!(compression_ratio(["and so on ".repeat(30).as_str()].into_iter()) > 2.4);
        assert!(compression_ratio(["Ask not what your country can do for you."].into_iter()) < 1.5);
    }
}
