//! Requests to write down speech (AU1, AU2, AU8, AU9).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::error::{Error, Result};

/// The largest file, in bytes.
pub(crate) const MAX_FILE: usize = 512 << 20;
/// How loud speech has to be by default, from 0 to 1.
const THRESHOLD: f32 = 0.5;
/// Milliseconds before speech, and of silence after it, that belong to it by default.
const PREFIX_PADDING: u32 = 300;
const SILENCE_DURATION: u32 = 200;
/// The most milliseconds of either.
const MAX_MILLISECONDS: u32 = 10_000;

/// An audio file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioFile {
    /// Its name, whose ending may help to tell what it is.
    pub name: String,
    /// Its bytes.
    pub content: Arc<[u8]>,
}

impl AudioFile {
    /// A file of this name and content.
    pub fn new(name: impl Into<String>, content: impl Into<Arc<[u8]>>) -> Self {
        AudioFile { name: name.into(), content: content.into() }
    }
}

/// What the text of speech comes in (AU2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AudioResponseFormat {
    /// An object with the text.
    #[default]
    Json,
    /// The text alone.
    Text,
    /// Subtitles in the form of `SubRip`.
    Srt,
    /// An object with language, duration, segments and words.
    VerboseJson,
    /// Subtitles in the form of `WebVTT`.
    Vtt,
}

/// What times a [`AudioResponseFormat::VerboseJson`] reply has (AU5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimestampGranularity {
    /// Those of words, which takes longer to compute.
    Word,
    /// Those of segments: sentences, or parts of them.
    Segment,
}

/// What a reply has in addition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TranscriptionInclude {
    /// How likely each token is.
    Logprobs,
}

/// How long audio is cut into pieces of at most 30 seconds, which is what models hear at a time (AU8).
///
/// Without a strategy, a piece begins where the text of the one before ends, and pieces without any sound are
/// left out. With one, stretches without speech are left out too, and pieces end in pauses. What is speech is
/// told by loudness: it stands out from the quietest tenth of the piece.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ChunkingStrategy {
    /// A server's choice: the defaults of [`ServerVad`](Self::ServerVad).
    Auto,
    /// Pauses as described.
    ServerVad {
        /// How far speech stands out, from 0 to 1: by 24 decibels times this, or by half of the distance to the
        /// loudest. Default 0.5.
        #[serde(default = "threshold")]
        threshold: f32,
        /// Milliseconds before speech that belong to it. Default 300.
        #[serde(default = "prefix_padding")]
        prefix_padding_ms: u32,
        /// Milliseconds without speech that make a pause. Default 200.
        #[serde(default = "silence_duration")]
        silence_duration_ms: u32,
    },
}

fn threshold() -> f32 {
    THRESHOLD
}

fn prefix_padding() -> u32 {
    PREFIX_PADDING
}

fn silence_duration() -> u32 {
    SILENCE_DURATION
}

impl ChunkingStrategy {
    /// Threshold, milliseconds before speech, milliseconds of a pause.
    pub(crate) fn parameters(&self) -> (f32, u32, u32) {
        match *self {
            ChunkingStrategy::Auto => (THRESHOLD, PREFIX_PADDING, SILENCE_DURATION),
            ChunkingStrategy::ServerVad { threshold, prefix_padding_ms, silence_duration_ms } => {
                (threshold, prefix_padding_ms, silence_duration_ms)
            }
        }
    }
}

/// A request to write down speech in its own language.
///
/// ```
/// use zerohop::types::{AudioFile, AudioResponseFormat, CreateTranscriptionRequest};
///
/// let file = AudioFile::new("meeting.mp3", vec![]);
/// let request = CreateTranscriptionRequest::new("whisper", file)
///     .language("en")
///     .response_format(AudioResponseFormat::Srt);
/// assert_eq!(request.temperature, None);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a request does nothing until it is sent"]
#[non_exhaustive]
pub struct CreateTranscriptionRequest {
    /// The audio: WAV, FLAC, MP3, MP4, M4A, OGG, WEBM, AIFF or CAF, at most 512 MiB and a day long. Several
    /// channels are heard as one.
    pub file: AudioFile,
    /// The name of the model.
    pub model: String,
    /// The language, as a code of ISO 639-1 such as `en`. Default: found out from the first 30 seconds, with a
    /// model that knows several.
    pub language: Option<String>,
    /// What might have been said before: it spells names and sets the style. The last 223 tokens count.
    pub prompt: Option<String>,
    /// Default: [`AudioResponseFormat::Json`].
    pub response_format: Option<AudioResponseFormat>,
    /// From 0 to 1. With 0, the default, a passage that comes out unlikely or repetitive is computed again,
    /// warmer in steps of 0.2.
    pub temperature: Option<f32>,
    /// Which times a verbose reply has; by default those of segments.
    pub timestamp_granularities: Vec<TimestampGranularity>,
    /// What the reply has in addition.
    pub include: Vec<TranscriptionInclude>,
    /// How long audio is cut into pieces.
    pub chunking_strategy: Option<ChunkingStrategy>,
    /// Whether the reply comes piece by piece; the typed calls say that by their name.
    pub stream: Option<bool>,
}

impl CreateTranscriptionRequest {
    /// A request with every option at its default.
    pub fn new(model: impl Into<String>, file: AudioFile) -> Self {
        CreateTranscriptionRequest {
            file,
            model: model.into(),
            language: None,
            prompt: None,
            response_format: None,
            temperature: None,
            timestamp_granularities: Vec::new(),
            include: Vec::new(),
            chunking_strategy: None,
            stream: None,
        }
    }

    /// Sets [`language`](Self::language).
    pub fn language(mut self, code: impl Into<String>) -> Self {
        self.language = Some(code.into());
        self
    }

    /// Sets [`prompt`](Self::prompt).
    pub fn prompt(mut self, text: impl Into<String>) -> Self {
        self.prompt = Some(text.into());
        self
    }

    /// Sets [`response_format`](Self::response_format).
    pub fn response_format(mut self, format: AudioResponseFormat) -> Self {
        self.response_format = Some(format);
        self
    }

    /// Sets [`temperature`](Self::temperature).
    pub fn temperature(mut self, temperature: f32) -> Self {
        self.temperature = Some(temperature);
        self
    }

    /// Sets [`timestamp_granularities`](Self::timestamp_granularities).
    pub fn timestamp_granularities(mut self, which: impl IntoIterator<Item = TimestampGranularity>) -> Self {
        self.timestamp_granularities = which.into_iter().collect();
        self
    }

    /// Sets [`include`](Self::include).
    pub fn include(mut self, what: impl IntoIterator<Item = TranscriptionInclude>) -> Self {
        self.include = what.into_iter().collect();
        self
    }

    /// Sets [`chunking_strategy`](Self::chunking_strategy).
    pub fn chunking_strategy(mut self, strategy: ChunkingStrategy) -> Self {
        self.chunking_strategy = Some(strategy);
        self
    }

    /// Checks everything that does not depend on the model.
    pub(crate) fn validate(&self, streams: bool) -> Result<()> {
        check_common(&self.file, self.temperature)?;
        let format = self.response_format.unwrap_or_default();
        if !self.timestamp_granularities.is_empty() && format != AudioResponseFormat::VerboseJson {
            let message = "'timestamp_granularities' is only allowed when 'response_format' is 'verbose_json'";
            return Err(Error::invalid("timestamp_granularities", message));
        }
        if !self.include.is_empty() && format != AudioResponseFormat::Json {
            return Err(Error::invalid("include", "'include' is only allowed when 'response_format' is 'json'"));
        }
        if streams && !matches!(format, AudioResponseFormat::Json | AudioResponseFormat::Text) {
            let message = "a stream has text and no subtitles: 'response_format' must be 'json' or 'text'";
            return Err(Error::unsupported_value("response_format", message));
        }
        if let Some(ChunkingStrategy::ServerVad { threshold, prefix_padding_ms, silence_duration_ms }) =
            self.chunking_strategy
        {
            if !(0.0..=1.0).contains(&threshold) {
                let message = format!("'chunking_strategy.threshold' must be from 0 to 1, but is {threshold}");
                return Err(Error::invalid("chunking_strategy.threshold", message));
            }
            for (name, value) in [
                ("chunking_strategy.prefix_padding_ms", prefix_padding_ms),
                ("chunking_strategy.silence_duration_ms", silence_duration_ms),
            ] {
                if value > MAX_MILLISECONDS {
                    let message = format!("'{name}' must be from 0 to {MAX_MILLISECONDS}, but is {value}");
                    return Err(Error::invalid(name, message));
                }
            }
        }
        Ok(())
    }

    /// Whether times of words are wanted.
    pub(crate) fn wants(&self, granularity: TimestampGranularity) -> bool {
        match self.timestamp_granularities[..] {
            [] => granularity == TimestampGranularity::Segment,
            _ => self.timestamp_granularities.contains(&granularity),
        }
    }
}

/// A request to write down speech in English, whatever its language (AU9).
///
/// ```
/// use zerohop::types::{AudioFile, CreateTranslationRequest};
///
/// let request = CreateTranslationRequest::new("whisper", AudioFile::new("rede.ogg", vec![]));
/// assert_eq!(request.model, "whisper");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a request does nothing until it is sent"]
#[non_exhaustive]
pub struct CreateTranslationRequest {
    /// As in [`CreateTranscriptionRequest`].
    pub file: AudioFile,
    /// The name of the model, which has to know several languages.
    pub model: String,
    /// As in [`CreateTranscriptionRequest`], in English.
    pub prompt: Option<String>,
    /// As in [`CreateTranscriptionRequest`].
    pub response_format: Option<AudioResponseFormat>,
    /// As in [`CreateTranscriptionRequest`].
    pub temperature: Option<f32>,
}

impl CreateTranslationRequest {
    /// A request with every option at its default.
    pub fn new(model: impl Into<String>, file: AudioFile) -> Self {
        CreateTranslationRequest { file, model: model.into(), prompt: None, response_format: None, temperature: None }
    }

    /// Sets [`prompt`](Self::prompt).
    pub fn prompt(mut self, text: impl Into<String>) -> Self {
        self.prompt = Some(text.into());
        self
    }

    /// Sets [`response_format`](Self::response_format).
    pub fn response_format(mut self, format: AudioResponseFormat) -> Self {
        self.response_format = Some(format);
        self
    }

    /// Sets [`temperature`](Self::temperature).
    pub fn temperature(mut self, temperature: f32) -> Self {
        self.temperature = Some(temperature);
        self
    }

    /// Checks everything that does not depend on the model.
    pub(crate) fn validate(&self) -> Result<()> {
        check_common(&self.file, self.temperature)
    }
}

fn check_common(file: &AudioFile, temperature: Option<f32>) -> Result<()> {
    if file.content.len() > MAX_FILE {
        let message = format!("the file has {} bytes; at most {MAX_FILE} are read", file.content.len());
        return Err(Error::invalid("file", message).with_code("request_too_large"));
    }
    if let Some(temperature) = temperature.filter(|temperature| !(0.0..=1.0).contains(temperature)) {
        let message = format!("'temperature' must be from 0 to 1, but is {temperature}");
        return Err(Error::invalid("temperature", message));
    }
    Ok(())
}
